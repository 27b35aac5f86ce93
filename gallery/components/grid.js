// data: {view, ratio, person, own, by, at, tags, ahead, items: [{id, href, src, none, w, h, colour, alt, name, value, front, group, review, badges}]}
// Tells Python: trigger "ask" with {kind: "open" | "compare" | "export", ids}. Reviews go to the server by themselves (reviews.js).

const MOST_COMPARED = 4
const KEYS =
  "Arrows move, with Shift they select. Space selects, Ctrl+A all of the page, Esc nothing. Enter or E opens, V compares, " +
  "P picks, X rejects, U unflags, 0 to 5 are stars, T tags, Ctrl+Z takes back."
const SELECTION = "stylesweep-selection"

function tile(item, ratio) {
  const entry = element("li", "run")
  const link = element("a", "tile")
  link.href = item.href
  link.tabIndex = -1
  link.title = item.name
  const frame = picture(item, ratio)
  if (item.badges.length) {
    const badges = element("span", "badges")
    item.badges.forEach((one) => {
      const badge = element("span", `badge ${one.kind}`, one.text)
      badge.title = one.hint
      badges.append(badge)
    })
    frame.append(badges)
  }
  frame.append(element("span", "review"))
  link.append(frame, element("span", "name", item.name))
  if (item.value) {
    const value = element("span", "value faint", item.value)
    if (item.front) {
      const mark = element("span", "front", "Pareto")
      mark.title = item.front
      value.append(mark)
    }
    link.append(value)
  }
  const pick = element("button", "choose")
  pick.type = "button"
  pick.tabIndex = -1
  pick.title = "Select (Space); with Shift all up to here"
  pick.setAttribute("aria-label", `Select ${item.name}`)
  entry.append(link, pick)
  return entry
}

function heading(item) {
  return element("li", "group", item.text)
}

// Headings where the group changes; they are no tiles.
function grouped(items) {
  const all = []
  items.forEach((item, place) => {
    if (item.group && (place === 0 || items[place - 1].group !== item.group)) all.push({ id: `group ${item.group}`, text: item.group, heading: true })
    all.push(item)
  })
  return all
}

class Grid {
  constructor(root) {
    this.root = root
    this.list = element("ul", "grid")
    this.list.setAttribute("aria-label", "Results")
    this.bar = element("div", "bar")
    this.bar.setAttribute("role", "toolbar")
    this.bar.setAttribute("aria-label", "What is selected")
    this.said = element("div", "said")
    this.said.setAttribute("role", "status")
    this.queue = reviewQueue()
    this.queue.listen((state) => state.changed.length && this.refresh())
    root.append(this.list, this.bar, this.said, queueNotice(this.queue))
    this.chosen = new Map(this.kept())
    this.anchor = null
    this.past = []
    this.list.onkeydown = (event) => this.key(event)
    this.list.onclick = (event) => this.click(event)
    this.bar.onkeydown = (event) => this.keyInBar(event)
    this.list.addEventListener("focusin", (event) => event.target.matches("a.tile") && this.rove(event.target))
  }

  draw(component) {
    const { data, setTriggerValue } = component
    this.data = data
    this.ask = (kind, ids) => setTriggerValue("ask", { kind, ids })
    this.items = new Map(data.items.map((item) => [item.id, item]))
    if (this.list.dataset.ratio !== String(data.ratio)) this.list.replaceChildren()
    this.list.dataset.ratio = String(data.ratio)
    patch(this.list, grouped(data.items), (item) => (item.heading ? heading(item) : tile(item, data.ratio)))
    const links = this.links()
    if (links.length && !links.some((link) => link.tabIndex === 0)) links[0].tabIndex = 0
    if (this.list.dataset.view && this.list.dataset.view !== data.view) this.root.scrollIntoView({ block: "start" })
    this.list.dataset.view = data.view
    this.refresh()
    if (!this.fetched) fetchAhead(data.ahead)
    this.fetched = true
  }

  links() {
    return [...this.list.querySelectorAll("a.tile")]
  }

  // What is selected outlives a page of the grid, and a visit to another page of the gallery.
  kept() {
    try {
      return JSON.parse(sessionStorage.getItem(SELECTION)) || []
    } catch {
      return []
    }
  }

  keep() {
    try {
      sessionStorage.setItem(SELECTION, JSON.stringify([...this.chosen]))
    } catch {
      // a browser that stores nothing: the selection then lasts as long as the page
    }
  }

  refresh() {
    this.list.querySelectorAll("li.run").forEach((entry) => {
      const item = this.items.get(entry.dataset.id)
      if (!item) return
      const on = this.chosen.has(item.id)
      entry.classList.toggle("chosen", on)
      const button = entry.querySelector(".choose")
      button.setAttribute("aria-pressed", String(on))
      const review = this.reviewOf(item.id)
      entry.classList.toggle("reject", review.flag === "reject")
      const refusal = this.queue.refusal(item.id)
      entry.classList.toggle("refused", Boolean(refusal))
      entry.title = refusal ? `Not kept: ${refusal}` : ""
      entry.querySelector(".review").replaceChildren(reviewMarks(review))
    })
    this.drawBar()
  }

  // What the server read, with what this tab has said since.
  reviewOf(id) {
    return this.queue.overlay(this.data.by, id, this.items.get(id)?.review, this.data.at)
  }

  // --- selecting

  choose(id, on = !this.chosen.has(id)) {
    if (on) this.chosen.set(id, this.items.get(id)?.name ?? this.chosen.get(id) ?? "")
    else this.chosen.delete(id)
    this.anchor = id
    this.keep()
    this.refresh()
  }

  chooseTo(id) {
    const ids = [...this.items.keys()]
    const from = ids.indexOf(this.anchor)
    const to = ids.indexOf(id)
    if (from < 0) return this.choose(id, true)
    ids.slice(Math.min(from, to), Math.max(from, to) + 1).forEach((one) => this.chosen.set(one, this.items.get(one).name))
    this.keep()
    this.refresh()
  }

  clear() {
    this.chosen.clear()
    this.anchor = null
    this.keep()
    this.refresh()
  }

  click(event) {
    const entry = event.target.closest("li.run")
    if (!entry) return
    const id = entry.dataset.id
    if (event.target.closest(".choose")) return event.shiftKey ? this.chooseTo(id) : this.choose(id)
    if (event.shiftKey && !event.ctrlKey && !event.metaKey) {
      event.preventDefault()
      return this.chooseTo(id)
    }
    if (event.ctrlKey || event.metaKey) {
      event.preventDefault()
      return this.choose(id)
    }
    follow(event, () => this.ask("open", [id]))
  }

  // --- keys

  key(event) {
    const link = event.target.closest("a.tile")
    if (!link || event.isComposing) return
    const id = link.closest("li").dataset.id
    if (this.move(event, link, id) || this.act(event, id)) {
      event.preventDefault()
      event.stopPropagation()
    }
  }

  move(event, link, id) {
    const links = this.links()
    const here = links.indexOf(link)
    const target = { ArrowRight: here + 1, ArrowLeft: here - 1, Home: 0, End: links.length - 1 }
    const vertical = { ArrowDown: 1, ArrowUp: -1 }
    if (event.ctrlKey || event.metaKey || event.altKey) return false
    let next = links[target[event.key]]
    if (event.key in vertical) next = this.across(links, link, vertical[event.key])
    else if (!(event.key in target)) return false
    if (next) {
      if (event.shiftKey && this.anchor === null) this.choose(id, true)
      this.rove(next)
      next.focus()
      if (event.shiftKey) this.chooseTo(next.closest("li").dataset.id)
    }
    return true
  }

  // The nearest tile of the next row: headings and short last rows make counting columns wrong.
  across(links, link, way) {
    const from = link.getBoundingClientRect()
    const rows = links
      .map((one) => [one, one.getBoundingClientRect()])
      .filter(([, box]) => (box.top - from.top) * way > 4)
      .sort(([, a], [, b]) => (a.top - b.top) * way || Math.abs(a.left - from.left) - Math.abs(b.left - from.left))
    return rows.length ? rows[0][0] : null
  }

  act(event, id) {
    const held = event.ctrlKey || event.metaKey
    const key = event.key.toLowerCase()
    if (held && key === "z") this.undo()
    else if (held && key === "a") this.data.items.forEach((item) => this.chosen.set(item.id, item.name)), this.keep(), this.refresh()
    else if (held || event.altKey) return false
    else if (event.key === " ") event.shiftKey ? this.chooseTo(id) : this.choose(id)
    else if (key === "escape") this.clear()
    else if (key === "e") this.ask("open", [id])
    else if (key === "v") this.compare()
    else if (key === "t") this.askTag()
    else if (key === "?") this.tell(KEYS, 20000)
    else return this.review(key, id)
    return true
  }

  review(key, id) {
    const flags = { p: "pick", x: "reject", u: null }
    if (key in flags) this.say(this.meant(id), "flag", flags[key])
    else if (/^[0-5]$/.test(key)) this.say(this.meant(id), "stars", Number(key))
    else return false
    return true
  }

  // A key speaks of all that is selected if the tile under it is, else of that tile.
  meant(id) {
    return this.chosen.has(id) ? [...this.chosen.keys()] : [id]
  }

  say(ids, field, value, present) {
    if (!this.data.own) return this.tell("These are somebody else's reviews; choose yourself under \"Reviews by\" to write your own.")
    this.past.push({ field, value, before: ids.map((id) => [id, this.reviewOf(id)]) })
    ids.forEach((id) => this.put(id, field, value, present))
    this.refresh()
  }

  put(run, field, value, present) {
    this.queue.enqueue({ person: this.data.person, run, field, value, ...(field === "tag" ? { present } : {}) })
  }

  undo() {
    const last = this.past.pop()
    if (!last) return
    last.before.forEach(([id, review]) => {
      if (last.field === "tag") this.put(id, "tag", last.value, review.tags.includes(last.value))
      else this.put(id, last.field, review[last.field])
    })
    this.refresh()
  }

  tell(text, milliseconds = 6000) {
    this.said.textContent = text
    clearTimeout(this.timer)
    this.timer = setTimeout(() => (this.said.textContent = ""), milliseconds)
  }

  // --- the bar of what is selected

  drawBar() {
    const ids = [...this.chosen.keys()]
    const amount = ids.length
    this.bar.classList.toggle("open", amount > 0)
    if (!amount) return this.bar.replaceChildren()
    if (this.bar.dataset.ids === String(amount) && this.bar.childElementCount) {
      this.bar.querySelector(".vs").disabled = amount < 2 || amount > MOST_COMPARED
      return
    }
    this.bar.dataset.ids = String(amount)
    const button = (text, hint, act, className = "") => {
      const made = element("button", className, text)
      made.type = "button"
      made.title = hint
      made.setAttribute("aria-label", hint)
      made.onclick = act
      return made
    }
    const stars = element("span", "stars")
    stars.onmouseover = (event) => {
      const place = [...stars.children].indexOf(event.target)
      ;[...stars.children].forEach((one, at) => one.classList.toggle("lit", at <= place))
    }
    stars.onmouseleave = () => [...stars.children].forEach((one) => one.classList.remove("lit"))
    ;[1, 2, 3, 4, 5].forEach((one) => stars.append(button("★", one === 1 ? "1 star (1)" : `${one} stars (${one})`, () => this.say(this.ids(), "stars", one), "star")))
    const compare = button("Compare", "Two to four beside each other (V)", () => this.compare(), "vs")
    compare.disabled = amount < 2 || amount > MOST_COMPARED
    this.bar.replaceChildren(
      element("strong", "", `${amount.toLocaleString("en")} selected`),
      compare,
      button("Pick", "Flag as picked (P)", () => this.say(this.ids(), "flag", "pick")),
      button("Reject", "Flag as rejected (X)", () => this.say(this.ids(), "flag", "reject")),
      button("Unflag", "No flag (U)", () => this.say(this.ids(), "flag", null)),
      stars,
      this.tagInput(),
      button("Export", "Take these away", () => this.ask("export", this.ids())),
      button("Clear", "Nothing selected (Esc)", () => this.clear()),
    )
  }

  ids() {
    return [...this.chosen.keys()]
  }

  tagInput() {
    const form = element("form", "tagging")
    const input = element("input")
    input.placeholder = "Tag"
    input.setAttribute("aria-label", "Tag for all that is selected")
    input.maxLength = 100
    input.setAttribute("list", "stylesweep-tags")
    const options = element("datalist")
    options.id = "stylesweep-tags"
    this.data.tags.forEach((tag) => {
      const option = element("option")
      option.value = tag
      options.append(option)
    })
    form.append(input, options)
    form.onsubmit = (event) => {
      event.preventDefault()
      const tag = input.value.trim()
      if (tag) this.say(this.ids(), "tag", tag, true)
      if (tag) this.tell(`Tagged "${tag}"`)
      input.value = ""
    }
    return form
  }

  askTag() {
    const focused = this.list.getRootNode().activeElement?.closest?.("li.run")
    if (!this.chosen.size && focused) this.choose(focused.dataset.id, true)
    this.bar.querySelector("input")?.focus()
  }

  keyInBar(event) {
    event.stopPropagation() // typing a tag is no shortcut
    if (event.key !== "Escape") return
    const link = this.links().find((one) => one.tabIndex === 0)
    link?.focus()
  }

  compare() {
    const ids = this.ids()
    if (ids.length < 2 || ids.length > MOST_COMPARED) return this.tell(`Compare takes two to ${MOST_COMPARED}; ${ids.length} selected (Space selects).`)
    this.ask("compare", ids)
  }

  // One tile is in the tab order; arrows move on from there.
  rove(chosen) {
    this.links().forEach((link) => (link.tabIndex = link === chosen ? 0 : -1))
  }
}

export default function (component) {
  const root = component.parentElement.querySelector(".root")
  root.grid ??= new Grid(root)
  root.grid.draw(component)
}
