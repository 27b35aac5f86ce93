// data: {parts: [{kind, share, hint}], bar, counts: [{kind, text}], facts: [{name, value, note}], running: [...], more, idle, finished, newest: [...],
//   groups: [{id, state, what, title, error, message, traceback, runs: [{run, href, short}], more, retry}], left_out}
// Tells Python: triggers "open" and "cancel" with a run key, "retry" with {state, what}.

const WIDTH = 200
const HEIGHT = 44

// A part that stays the same node as long as its place lives.
function place(parent, name, build) {
  let found = parent.querySelector(`:scope > [data-place="${name}"]`)
  if (!found) {
    found = build()
    found.dataset.place = name
    parent.append(found)
  }
  return found
}

function say(node, text) {
  if (node.textContent !== text) node.textContent = text
}

function head(root, data) {
  const box = place(root, "head", () => element("div"))
  const bar = place(box, "portions", () => element("div", "portions"))
  bar.setAttribute("role", "img")
  bar.setAttribute("aria-label", data.bar)
  patch(bar, data.parts.map((one) => ({ ...one, id: one.kind })), (one) => element("span", one.kind))
  data.parts.forEach((one, at) => {
    bar.children[at].style.flex = String(one.share)
    bar.children[at].title = one.hint
  })
  const legend = place(box, "legend", () => element("ul", "legend"))
  patch(legend, data.counts.map((one) => ({ ...one, id: one.kind })), (one) => {
    const entry = element("li")
    entry.append(element("i", one.kind), element("span", "", one.text))
    return entry
  })
  const facts = place(box, "facts", () => element("dl", "facts"))
  patch(facts, data.facts.map((one) => ({ ...one, id: one.name })), (one) => {
    const fact = element("div")
    fact.append(element("dt", "", one.name), element("dd", "", one.value), element("dd", "note", one.note))
    return fact
  })
}

function path(points, at, low, high) {
  const last = points[points.length - 1][0] || 1
  const span = Math.log(high) - Math.log(low) || 1
  return points
    .filter((point) => point[at] > 0)
    .map((point, index) => {
      const x = (point[0] / last) * WIDTH
      const y = HEIGHT - 3 - ((Math.log(point[at]) - Math.log(low)) / span) * (HEIGHT - 6)
      return `${index ? "L" : "M"}${x.toFixed(1)},${y.toFixed(1)}`
    })
    .join("")
}

// Both losses on one logarithmic axis, over the steps so far.
function draw(svg, points, label) {
  const text = JSON.stringify(points)
  if (svg.dataset.json === text) return
  svg.dataset.json = text
  svg.setAttribute("aria-label", label)
  const values = points.flatMap((point) => [point[1], point[2]]).filter((value) => value > 0)
  const [content, style] = svg.querySelectorAll("path")
  if (points.length < 2 || !values.length) {
    content.removeAttribute("d")
    style.removeAttribute("d")
    return
  }
  const [low, high] = [Math.min(...values), Math.max(...values)]
  content.setAttribute("d", path(points, 1, low, high))
  style.setAttribute("d", path(points, 2, low, high))
}

function curve() {
  const made = document.createElementNS("http://www.w3.org/2000/svg", "svg")
  made.setAttribute("class", "curve")
  made.setAttribute("viewBox", `0 0 ${WIDTH} ${HEIGHT}`)
  made.setAttribute("preserveAspectRatio", "none")
  made.setAttribute("role", "img")
  for (const name of ["content-line", "style-line"]) {
    const line = document.createElementNS("http://www.w3.org/2000/svg", "path")
    line.setAttribute("class", name)
    made.append(line)
  }
  return made
}

function card(item, tell) {
  const entry = element("li", "card")
  const link = element("a", "look")
  link.href = item.href
  link.onclick = (event) => follow(event, () => tell("open", item.run))
  link.append(picture({ none: "The first picture comes within seconds" }, 4 / 3))
  const meter = element("div", "meter")
  meter.append(element("span"))
  const words = element("div", "words")
  const key = element("span", "key faint")
  const losses = element("span", "losses")
  key.append(element("i", "content"), element("i", "style"), losses)
  const foot = element("div", "foot")
  const cancel = button()
  cancel.setAttribute("aria-label", `Cancel ${item.short}`)
  careful(cancel, { text: "Cancel", sure: "Really cancel?", doing: "Cancelling" }, () => tell("cancel", item.run))
  foot.append(element("span", "time faint"), cancel)
  words.append(element("span", "name"), element("span", "line step"), curve(), key, element("span", "line where faint"), foot)
  entry.append(link, meter, words)
  return entry
}

// The next picture is loaded before it takes the place of the one before: nothing flickers.
function show(entry, item) {
  if (!item.src || entry.dataset.src === item.src) return
  entry.dataset.src = item.src
  const next = new Image()
  next.onload = () => {
    if (entry.dataset.src !== item.src) return
    const image = entry.querySelector("img")
    if (image) {
      image.src = item.src
      image.alt = item.alt
    } else {
      entry.querySelector(".frame").replaceWith(picture({ ...item, eager: true }, 4 / 3))
    }
  }
  next.src = item.src
}

function refresh(entry, item) {
  show(entry, item)
  entry.querySelector(".meter span").style.width = `${100 * item.part}%`
  const name = entry.querySelector(".name")
  say(name, item.name)
  name.title = item.name
  for (const part of ["step", "where", "time", "losses"]) say(entry.querySelector(`.${part}`), item[part])
  entry.querySelector(".where").title = item.where
  draw(entry.querySelector(".curve"), item.curve, `Losses so far: ${item.losses}`)
}

function section(root, name, title, kind) {
  const box = place(root, name, () => {
    const made = element("section")
    made.append(element("h3", "", title), element("ul", `list ${kind}`))
    return made
  })
  return [box, box.querySelector("ul")]
}

function running(root, data, tell) {
  const [box, list] = section(root, "running", "Running", "cards")
  const before = new Map([...list.children].map((child) => [child.dataset.id, child]))
  data.running.forEach((item, at) => {
    const entry = before.get(item.id) || card(item, tell)
    before.delete(item.id)
    entry.dataset.id = item.id
    refresh(entry, item)
    if (list.children[at] !== entry) list.insertBefore(entry, list.children[at] || null)
  })
  before.forEach((entry) => entry.remove())
  const idle = place(box, "idle", () => element("p", "idle faint"))
  say(idle, data.idle || data.more)
  idle.className = data.idle ? "idle faint" : "faint"
  idle.hidden = !(data.idle || data.more)
  list.hidden = !data.running.length
  box.hidden = !data.running.length && data.finished
}

function tile(item, tell) {
  const entry = element("li")
  const link = element("a", "tile")
  link.href = item.href
  link.title = item.name
  link.onclick = (event) => follow(event, () => tell("open", item.id))
  link.append(picture({ ...item, eager: true }, 4 / 3), element("span", "name", item.name), element("span", "value faint", item.value))
  entry.append(link)
  return entry
}

function newest(root, data, tell) {
  const [box, list] = section(root, "newest", "Newest pictures", "tiles")
  patch(list, data.newest, (item) => tile(item, tell))
  const none = place(box, "none", () => element("p", "idle faint", "No picture yet."))
  none.hidden = data.newest.length > 0
  list.hidden = !data.newest.length
}

function group(item, tell) {
  const entry = element("li", `group ${item.state}`)
  const top = element("div", "top")
  const retry = button(item.retry, "", () => tell("retry", { state: item.state, what: item.what }), "retry")
  top.append(element("span", "title", item.title), retry)
  entry.append(top, element("p", "error", item.error))
  const links = element("ul", "links")
  item.runs.forEach((run) => {
    const one = element("li")
    const link = element("a", "", run.short)
    link.href = run.href
    link.onclick = (event) => follow(event, () => tell("open", run.run))
    one.append(link)
    links.append(one)
  })
  if (item.more) links.append(element("li", "faint", item.more))
  entry.append(links)
  for (const [name, text] of [["The whole message", item.message], ["Traceback", item.traceback]]) {
    if (!text) continue
    const details = element("details")
    details.append(element("summary", "", name), element("pre", "", text))
    entry.append(details)
  }
  return entry
}

function failures(root, data, tell) {
  const [box, list] = section(root, "failures", "Failures", "")
  const open = new Set([...list.children].filter((one) => one.querySelector("details[open]")).map((one) => one.dataset.id))
  patch(list, data.groups, (item) => group(item, tell))
  ;[...list.children].forEach((one) => {
    if (open.has(one.dataset.id)) one.querySelectorAll("details").forEach((details) => (details.open = true))
  })
  const more = place(box, "more", () => element("p", "faint"))
  say(more, data.left_out)
  more.hidden = !data.left_out
  box.hidden = !data.groups.length
}

export default function (component) {
  const { data, parentElement, setTriggerValue } = component
  const root = parentElement.querySelector(".root")
  const tell = (name, value) => setTriggerValue(name, value)
  head(root, data)
  failures(root, data, tell)
  running(root, data, tell)
  newest(root, data, tell)
}
