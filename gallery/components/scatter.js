// data: {x, y: axes, colour: axis with values or null, details: [axes with values], front: whether lines are drawn, pairs: [text],
//        points: {key, src, ratio, x, y, pair, front, picked}, href: of a run, without its id, what: what a point is}
// Tells Python: trigger "ask" with {kind: "open", key} or {kind: "gallery" | "filter", ranges: {name: [low, high]}}.

const PAD = { left: 58, right: 12, top: 12, bottom: 46 }
const NEAR = 16
const HINT = "Point at a run to see it here. A click keeps it, a double click opens it. By keys: arrows move from run to run, Enter opens."

function build(root) {
  const all = element("div", "scatter")
  const plot = element("div", "plot")
  const drawing = svg("svg", { tabindex: 0, role: "application" })
  const layers = ["axes", "lines", "dots", "over"].map((name) => svg("g", { class: name }))
  drawing.append(...layers)
  const card = element("div", "card")
  const head = element("div", "head")
  const bar = element("div", "bar")
  bar.setAttribute("aria-live", "polite")
  plot.append(head, drawing, bar)
  all.append(plot, card)
  root.append(all)
  root.parts = { drawing, head, bar, card, axes: layers[0], lines: layers[1], dots: layers[2], over: layers[3] }
  root.state = { hovered: null, pinned: null, box: null }
}

function draw(root) {
  const { data, parts } = root
  const width = parts.drawing.parentElement.clientWidth
  if (!width) return
  const height = Math.round(Math.min(Math.max(width * 0.62, 320), window.innerHeight * 0.66, 720))
  parts.drawing.setAttribute("width", width)
  parts.drawing.setAttribute("height", height)
  parts.drawing.setAttribute("aria-label", `${data.points.key.length} runs, ${data.x.label} across and ${data.y.label} up. Arrow keys move from run to run, Enter opens one.`)
  root.x = scaleOf(data.x, PAD.left, width - PAD.right)
  root.y = scaleOf(data.y, height - PAD.bottom, PAD.top)
  root.place = data.points.key.map((_, at) => [root.x.pixel(data.points.x[at]), root.y.pixel(data.points.y[at])])
  draw_axes(root, width, height)
  draw_lines(root)
  draw_dots(root)
  parts.head.replaceChildren(legend(data.colour))
  mark(root)
  draw_box(root)
}

function draw_axes(root, width, height) {
  const { axes } = root.parts
  axes.replaceChildren()
  const bottom = height - PAD.bottom
  ticksOf(root.x, Math.max(3, Math.floor(width / 110))).forEach((tick) => {
    const at = root.x.pixel(tick.at)
    axes.append(svg("line", { class: "rule", x1: at, x2: at, y1: PAD.top, y2: bottom }))
    axes.append(label(tick.text, { class: "tick", x: at, y: bottom + 18, "text-anchor": "middle" }))
  })
  ticksOf(root.y, Math.max(3, Math.floor(height / 60))).forEach((tick) => {
    const at = root.y.pixel(tick.at)
    axes.append(svg("line", { class: "rule", x1: PAD.left, x2: width - PAD.right, y1: at, y2: at }))
    axes.append(label(tick.text, { class: "tick", x: PAD.left - 8, y: at + 4, "text-anchor": "end" }))
  })
  axes.append(svg("line", { class: "edge", x1: PAD.left, x2: width - PAD.right, y1: bottom, y2: bottom }))
  axes.append(svg("line", { class: "edge", x1: PAD.left, x2: PAD.left, y1: PAD.top, y2: bottom }))
  const across = root.data.x.log ? `${root.data.x.label} (log)` : root.data.x.label
  const up = root.data.y.log ? `${root.data.y.label} (log)` : root.data.y.label
  axes.append(label(across, { class: "title", x: (PAD.left + width - PAD.right) / 2, y: bottom + 38, "text-anchor": "middle" }))
  axes.append(label(up, { class: "title", "text-anchor": "middle", transform: `translate(14 ${(PAD.top + bottom) / 2}) rotate(-90)` }))
}

// The Pareto front of each pair, from most content kept to most style gained.
function draw_lines(root) {
  const { lines } = root.parts
  lines.replaceChildren()
  if (!root.data.front) return
  const { points } = root.data
  const fronts = new Map()
  points.front.forEach((yes, at) => {
    if (yes) fronts.set(points.pair[at], [...(fronts.get(points.pair[at]) || []), at])
  })
  root.crowded = fronts.size > 12
  lines.classList.toggle("crowded", root.crowded)
  fronts.forEach((members, pair) => {
    const sorted = members.sort((one, other) => points.x[one] - points.x[other])
    const path = sorted.map((at) => root.place[at].map((value) => value.toFixed(1)).join(" ")).join(" L")
    lines.append(svg("path", { class: "front", d: `M${path}`, "data-pair": pair }))
  })
}

function draw_dots(root) {
  const { points, colour } = root.data
  const paint = colouring(colour)
  const radius = points.key.length > 1500 ? 3 : points.key.length > 300 ? 4 : 5.5
  root.radius = radius
  const made = root.place.map(([x, y], at) => {
    const dot = svg("circle", { cx: x.toFixed(1), cy: y.toFixed(1), r: radius, "data-key": points.key[at] })
    if (points.front[at] && !root.crowded) dot.setAttribute("class", "onfront")
    dot.style.fill = paint(colour ? colour.values[at] : null)
    return dot
  })
  root.parts.dots.replaceChildren(...made)
  root.shown_pair = null
}

// What is pointed at, or kept by a click, in front of the others, and beside the plot.
function mark(root) {
  const { data, parts, state } = root
  const at = state.hovered ?? state.pinned
  parts.over.querySelectorAll(".ring, .ring-line").forEach((one) => one.remove())
  for (const [which, name] of [[state.pinned, "ring pinned"], [state.hovered, "ring"]]) {
    if (which === null) continue
    const [x, y] = root.place[which]
    parts.over.append(svg("circle", { class: name, cx: x, cy: y, r: root.radius + 4 }))
  }
  const pair = at === null ? null : data.points.pair[at]
  if (root.crowded && pair !== root.shown_pair) {
    ;[...parts.dots.children].forEach((dot, one) => dot.classList.toggle("onfront", pair !== null && data.points.pair[one] === pair && data.points.front[one] === 1))
    root.shown_pair = pair
  }
  parts.lines.querySelectorAll("path").forEach((one) => {
    const here = Number(one.dataset.pair) === pair
    one.classList.toggle("aside", pair !== null && !here)
    if (!here) return
    const above = one.cloneNode()
    above.setAttribute("class", "front ring-line")
    parts.over.prepend(above)
  })
  show_card(root, at)
}

function show_card(root, at) {
  const { data, parts } = root
  if (parts.card.dataset.at === String(at) && parts.card.json === root.json) return
  parts.card.dataset.at = String(at)
  parts.card.json = root.json
  if (at === null) {
    parts.card.replaceChildren(element("p", "hint faint", HINT))
    return
  }
  const { points } = data
  const link = element("a", "look")
  link.href = `${data.href}&id=${points.key[at]}`
  link.onclick = (event) => follow(event, () => root.ask({ kind: "open", key: points.key[at] }))
  const words = data.details.map((one) => (one.ticks.length ? one.ticks[one.values[at]] : `${one.label.toLowerCase()} ${readable(one.values[at], 3)}`))
  link.append(picture({ src: points.src[at], w: points.ratio[at] * 1000, h: 1000, alt: words.join(", "), eager: true, none: "No picture" }, null))
  const list = element("dl")
  data.details.forEach((one) => {
    list.append(element("dt", "", one.label), element("dd", "", one.ticks.length ? one.ticks[one.values[at]] ?? "" : readable(one.values[at], 3)))
  })
  const open = element("a", "button main", "Open the run")
  open.href = link.href
  open.onclick = link.onclick
  const notes = [points.front[at] ? "On the Pareto front of its content and style" : "", points.picked[at] ? "Picked" : ""].filter(Boolean)
  parts.card.replaceChildren(link, open, list, ...notes.map((text) => element("p", "faint", text)))
}

function nearest(root, event, reach) {
  const [x, y] = inside(root, event)
  let best = null, least = reach ** 2
  root.place.forEach(([px, py], at) => {
    const distance = (px - x) ** 2 + (py - y) ** 2
    if (distance < least) [best, least] = [at, distance]
  })
  return best
}

function inside(root, event) {
  const box = root.parts.drawing.getBoundingClientRect()
  return [event.clientX - box.left, event.clientY - box.top]
}

function within(root) {
  const { points } = root.data
  const { x, y } = root.state.box
  return points.key.filter((_, at) => points.x[at] >= x[0] && points.x[at] <= x[1] && points.y[at] >= y[0] && points.y[at] <= y[1]).length
}

function draw_box(root) {
  const { parts, state, data } = root
  parts.over.querySelectorAll(".brush").forEach((one) => one.remove())
  if (!state.box) {
    parts.bar.same = null
    parts.bar.replaceChildren(element("span", "faint", "Drag a box around runs to filter by it."))
    return
  }
  const [left, right] = state.box.x.map(root.x.pixel), [low, high] = state.box.y.map(root.y.pixel)
  parts.over.prepend(svg("rect", { class: "brush", x: left, y: high, width: Math.max(right - left, 1), height: Math.max(low - high, 1) }))
  const amount = within(root)
  const same = JSON.stringify([state.box, amount, data.sampled, data.x.name, data.y.name])
  if (parts.bar.same === same) return // a button that is built anew loses the focus, or a click
  parts.bar.same = same
  const among = data.sampled ? " of those drawn" : ""
  const words = [["x", data.x], ["y", data.y]].map(([side, axis]) => `${axis.label.toLowerCase()} ${state.box[side].map((one) => readable(one)).join(" to ")}`)
  const way = (text, kind, className) => {
    const made = button(text, "", () => root.ask({ kind, ranges: { [data.x.name]: state.box.x, [data.y.name]: state.box.y } }), className)
    made.disabled = !amount
    return made
  }
  const clear = button("Clear", "", () => {
    state.box = null
    draw_box(root)
  })
  const show = data.sampled ? "Show these in the gallery" : `Show ${amount === 1 ? "this one" : `these ${amount.toLocaleString("en")}`} in the gallery`
  parts.bar.replaceChildren(
    way(show, "gallery", "main"), way("Keep only these here", "filter"), clear,
    element("span", "faint", `${amount.toLocaleString("en")} ${data.what}${amount === 1 ? "" : "s"}${among}: ${words.join(", ")}`),
  )
}

function listen(root) {
  const { drawing } = root.parts
  let start = null
  drawing.onpointermove = (event) => {
    if (start && event.buttons) {
      const [x, y] = inside(root, event)
      if (!start.moved && Math.hypot(x - start.x, y - start.y) < 5) return
      if (!start.moved) drawing.setPointerCapture(event.pointerId)
      start.moved = true
      root.state.hovered = null
      root.state.box = {
        x: [start.x, x].map((one) => settled(root.x, root.x.value(one))).sort((one, other) => one - other),
        y: [start.y, y].map((one) => settled(root.y, root.y.value(one))).sort((one, other) => one - other),
      }
      draw_box(root)
      return
    }
    const at = nearest(root, event, NEAR)
    if (at !== root.state.hovered) {
      root.state.hovered = at
      drawing.style.cursor = at === null ? "crosshair" : "pointer"
      mark(root)
    }
  }
  drawing.onpointerleave = () => {
    root.state.hovered = null
    mark(root)
  }
  drawing.onpointerdown = (event) => {
    if (event.button) return
    const [x, y] = inside(root, event)
    start = { x, y, moved: false }
  }
  drawing.onpointerup = (event) => {
    if (start && !start.moved) {
      root.state.pinned = nearest(root, event, event.pointerType === "touch" ? 2 * NEAR : NEAR)
      if (root.state.pinned === null) root.state.box = null
      mark(root)
      draw_box(root)
    }
    start = null
  }
  drawing.onpointercancel = () => (start = null)
  drawing.ondblclick = (event) => {
    const at = nearest(root, event, NEAR)
    if (at !== null) root.ask({ kind: "open", key: root.data.points.key[at] })
  }
  drawing.onkeydown = (event) => press(root, event)
}

function press(root, event) {
  if (event.metaKey || event.ctrlKey || event.altKey) return
  const sides = { ArrowRight: [0, 1], ArrowLeft: [0, -1], ArrowUp: [1, -1], ArrowDown: [1, 1] }
  const { state, place, data } = root
  if (event.key in sides && place.length) {
    const [side, sign] = sides[event.key]
    const from = state.pinned
    let best = from, least = Infinity
    place.forEach((one, at) => {
      const ahead = from === null ? 1 : (one[side] - place[from][side]) * sign
      if (from !== null && (ahead < 0 || at === from || (ahead === 0 && at < from))) return
      const distance = from === null ? at : ahead + 0.6 * Math.abs(one[1 - side] - place[from][1 - side])
      if (distance < least) [best, least] = [at, distance]
    })
    state.pinned = best
    state.hovered = null
    mark(root)
  } else if ((event.key === "Enter" || event.key === "e") && state.pinned !== null) {
    root.ask({ kind: "open", key: data.points.key[state.pinned] })
  } else if (event.key === "Escape") {
    Object.assign(state, { pinned: null, box: null })
    mark(root)
    draw_box(root)
  } else {
    return
  }
  consume(event)
}

export default function (component) {
  const { data, parentElement, setTriggerValue } = component
  const root = parentElement.querySelector(".root")
  if (!root.parts) build(root)
  const json = JSON.stringify([data.x, data.y, data.points.key.length, data.points.key[0], data.href])
  const before = root.state.pinned === null ? null : root.data.points.key[root.state.pinned]
  if (json !== root.json) {
    const kept = before === null ? -1 : data.points.key.indexOf(before)
    Object.assign(root.state, { hovered: null, pinned: kept < 0 ? null : kept })
    if (!root.data || root.data.x.name !== data.x.name || root.data.y.name !== data.y.name || root.data.href !== data.href) root.state.box = null
  }
  root.json = json
  root.data = data
  root.ask = (words) => setTriggerValue("ask", words)
  listen(root)
  follow_width(root, () => draw(root))
}
