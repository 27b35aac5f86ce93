// data: {queue, mode, view, total, start, whole, counts: {unreviewed, picked, rejected}, person, tags, links: {grid, picks, export},
//   first, items: [{id, src, thumb, w, h, colour, alt, name, inputs: [[sha256, share]], review}], at, inputs: {sha256: {kind, name, src, ...}}}
// Tells Python: state "around" {queue, place} for the runs around a place; trigger "ask" {kind, ids}. Reviews go to the server by
// themselves (reviews.js). The queue is frozen: what is in it and where changes only with its name.

const CULL = { place: "stylesweep-cull-place", advance: "stylesweep-cull-advance", soon: 150, next: 3 }
class Cull {
  constructor(root) {
    this.root = root
    this.queue = reviewQueue()
    this.items = new Map() // place -> what is known of a run of the queue; null where it is gone
    this.inputs = {}
    this.past = []
    this.name = null
    this.advance = this.recall(localStorage, CULL.advance) !== "no"
    this.stage = new Stage({ step: (by) => this.go(this.here + by), zoomed: (yes) => this.bar.zoomed(yes) })
    this.bar = new JudgeBar({
      judge: (field, value) => this.judge(field, value),
      tag: () => this.open(this.panels.tagging),
      note: () => this.open(this.panels.noting),
      zoom: () => this.stage.zoom(!this.stage.zoomed),
      undo: () => this.undo(),
    })
    this.panels = new Panels({
      review: () => this.review(this.here),
      known: () => this.data.tags,
      tag: (tag, present) => this.tag(tag, present),
      note: (text) => this.noteDown(text),
    })
    this.strip = new Strip({
      item: (place) => this.items.get(place),
      review: (place) => this.review(place),
      refusal: (place) => this.queue.refusal(this.items.get(place).id),
      open: (place) => this.go(place),
      want: (place) => this.want(place),
    })
    this.build()
    this.onkey = (event) => this.key(event)
    this.onsize = () => this.size()
    this.attach()
  }

  attach() {
    document.addEventListener("keydown", this.onkey, true)
    window.addEventListener("resize", this.onsize)
    this.unlisten = this.queue.listen((state) => {
      if (state.changed.length || state.refused.length) this.refresh()
    })
  }

  detach() {
    document.removeEventListener("keydown", this.onkey, true)
    window.removeEventListener("resize", this.onsize)
    this.unlisten()
  }

  // --- building, once

  build() {
    const top = element("div", "top")
    this.counter = element("span", "counter")
    this.progress = element("span", "progress")
    this.progress.append(element("span", "so-far"))
    const modes = element("span", "modes")
    modes.setAttribute("role", "group")
    modes.setAttribute("aria-label", "What to go through")
    this.modes = { unreviewed: "Unreviewed", all: "All" }
    for (const mode of Object.keys(this.modes)) {
      this.modes[mode] = toolButton(this.modes[mode], mode === "all" ? "Every run of the view that has a picture" : "Only runs without flag and stars", () => this.ask(mode))
      modes.append(this.modes[mode])
    }
    this.advanceButton = toolButton("Auto-advance", "Go on by itself after a key (A)", () => this.toggleAdvance())
    this.who = element("span", "who faint")
    const help = toolButton("?", "Keys (?)", () => this.open(this.panels.help))
    help.setAttribute("aria-label", "Keys")
    const right = element("span", "right")
    right.append(this.who, this.advanceButton, modes, help)
    this.view = element("a", "view faint")
    this.view.onclick = (event) => follow(event, () => this.ask("grid"))
    top.append(this.counter, this.progress, this.view, right)

    const middle = element("div", "middle")
    this.side = element("div", "side")
    this.sources = element("div", "sources")
    this.note = element("p", "note")
    this.note.title = "Note (N)"
    this.side.append(this.sources, this.note)
    this.stateBadge = element("span", "state-badge")
    this.previous = toolButton("‹", "Previous (←)", () => this.go(this.here - 1))
    this.previous.className = "beside before"
    this.next = toolButton("›", "Next (→)", () => this.go(this.here + 1))
    this.next.className = "beside after"
    this.stage.box.append(this.stateBadge, this.previous, this.next)
    this.ending = element("div", "ending")
    this.said = element("div", "said")
    this.said.setAttribute("role", "status")
    const over = element("div", "over")
    over.append(queueNotice(this.queue), this.said, ...this.panels.all)
    middle.append(this.stage.box, over, this.side, this.ending)

    this.caption = element("div", "caption")
    this.strip.box.tabIndex = -1
    this.root.append(top, middle, this.caption, this.bar.box, this.strip.box)
    this.showAdvance()
  }

  // --- data

  draw(component) {
    const { data, setStateValue, setTriggerValue } = component
    this.data = data
    this.ask = (kind, ids = []) => this.leave(() => setTriggerValue("ask", { kind, ids }))
    this.around = (place) => setStateValue("around", { queue: data.queue, place })
    const anew = this.name !== data.queue
    if (anew) {
      this.name = data.queue
      this.items = new Map()
      this.past = []
      this.wanted = null
    }
    Object.assign(this.inputs, data.inputs)
    data.items.forEach((item, offset) => {
      const place = data.first + offset
      const known = this.items.get(place)
      // What it was when it was first read: the counts are told from there on.
      if (item) Object.assign(item, { at: data.at, before: known?.before || item.review || {} })
      this.items.set(place, item)
    })
    this.wanted = null
    if (anew) this.counts = data.counts
    this.view.textContent = data.view
    this.view.title = `${data.view}\nOpen it in the grid, where its filters are (G)`
    this.view.href = data.links.grid
    this.who.textContent = `as ${data.person}`
    this.who.title = "Who reviews. Started with STYLESWEEP_PERSON=name, the gallery takes that name."
    for (const [mode, button] of Object.entries(this.modes)) button.setAttribute("aria-pressed", String(mode === data.mode))
    this.size()
    if (anew) this.go(this.startPlace())
    else this.refresh()
  }

  // Where this tab was in this queue; else where Python says, past what it did not know to be judged.
  startPlace() {
    const kept = (this.recall(sessionStorage, CULL.place) || "").split("@")
    if (kept[1] === this.name && Number(kept[0]) <= this.data.total) return Number(kept[0])
    let place = this.data.start
    while (this.data.mode === "unreviewed" && this.items.get(place) && this.judged(this.review(place))) place++
    return place
  }

  recall(store, key) {
    try {
      return store.getItem(key)
    } catch {
      return null
    }
  }

  keep(store, key, value) {
    try {
      store.setItem(key, value)
    } catch {} // a browser that stores nothing
  }

  want(place) {
    if (this.wanted !== null && Math.abs(this.wanted - place) < CULL.soon) return
    this.wanted = place
    clearTimeout(this.wanting)
    this.wanting = setTimeout(() => this.around(place), 120)
  }

  review(place) {
    const item = this.items.get(place)
    if (!item) return { flag: null, stars: 0, note: "", tags: [] }
    return this.queue.overlay(this.data.person, item.id, item.review, item.at)
  }

  judged(review) {
    return Boolean(review.flag || review.stars)
  }

  standing() {
    const { unreviewed, picked, rejected } = this.counts
    const now = { unreviewed, picked, rejected }
    for (const [place, item] of this.items) {
      if (!item) continue
      const review = this.review(place)
      now.unreviewed += this.judged(item.before) - this.judged(review)
      now.picked += (review.flag === "pick") - (item.before.flag === "pick")
      now.rejected += (review.flag === "reject") - (item.before.flag === "reject")
    }
    return now
  }

  // --- moving

  go(place) {
    this.here = Math.max(0, Math.min(place, this.data.total))
    this.keep(sessionStorage, CULL.place, `${this.here}@${this.name}`)
    this.panels.close()
    this.refresh()
    this.stage.ahead([1, 2, 3, -1].map((by) => this.items.get(this.here + by)))
    for (let by = 0; by <= CULL.soon; by += 25) {
      const place = this.here + by
      if (place < this.data.total && this.items.get(place) === undefined) {
        this.want(place)
        break
      }
    }
    if (this.here < this.data.total && this.items.get(this.here) === undefined) this.want(this.here)
  }

  refresh() {
    const ended = this.here >= this.data.total
    const item = ended ? null : this.items.get(this.here)
    this.root.classList.toggle("ended", ended)
    if (!ended) this.stage.show(item)
    else this.showEnding()
    this.strip.show(this.data.total, this.here)
    this.drawCounts()
    this.drawReview(item)
    this.drawSide(item)
    this.previous.disabled = this.here === 0
    this.next.disabled = ended
  }

  drawCounts() {
    const { unreviewed } = this.standing()
    const many = (number) => number.toLocaleString("en")
    const all = this.data.mode === "all" ? this.data.total : this.data.whole
    this.counter.replaceChildren(element("strong", "", many(unreviewed)), document.createTextNode(` of ${many(all)} unreviewed`))
    this.progress.firstChild.style.width = `${all ? (100 * (all - unreviewed)) / all : 100}%`
  }

  drawReview(item) {
    const review = this.review(this.here)
    const refusal = item ? this.queue.refusal(item.id) : null
    const words = { pick: "Picked", reject: "Rejected" }[review.flag]
    this.stateBadge.replaceChildren()
    this.stateBadge.className = `state-badge ${refusal ? "refused" : review.flag || ""}`
    if (refusal) this.stateBadge.append(`Not kept: ${refusal}`)
    else {
      if (review.flag) this.stateBadge.append(markIcon(review.flag), element("span", "", words))
      for (let number = 0; number < review.stars; number++) this.stateBadge.append(markIcon("star"))
      review.tags.forEach((tag) => this.stateBadge.append(element("span", "tag", tag)))
    }
    this.bar.show(review, { any: Boolean(item), undoable: this.past.length > 0 })
    this.note.textContent = review.note
    const where = item ? `${(this.here + 1).toLocaleString("en")} of ${this.data.total.toLocaleString("en")}` : ""
    const name = element("span", "name", item?.name || "\u00a0")
    name.title = item?.name || ""
    this.caption.replaceChildren(name, element("span", "faint", where))
  }

  // Photograph and painting; drawn anew only where they are others, as they mostly stay.
  drawSide(item) {
    const text = JSON.stringify(item?.inputs || [])
    if (this.sources.dataset.json === text || (!item && this.here < this.data.total)) return
    this.sources.dataset.json = text
    this.sources.replaceChildren(
      ...(item?.inputs || []).slice(0, 4).map(([sha256, share]) => {
        const shown = this.inputs[sha256]
        const made = element("figure")
        if (!shown) return made
        const link = element("a")
        link.href = shown.full || ""
        link.target = "_blank"
        link.rel = "noopener"
        link.title = "Open the original file in a new tab"
        link.append(picture({ ...shown, eager: true }, null))
        const part = share === null ? "" : ` (${Math.round(100 * share)} %)`
        made.append(shown.src ? link : picture(shown, 1.5), element("figcaption", "faint", `${shown.kind}: ${shown.name}${part}`))
        return made
      }),
    )
  }

  showEnding() {
    const { unreviewed, picked, rejected } = this.standing()
    const many = (number, what) => `${number.toLocaleString("en")} ${what}`
    const heading = element("h2", "", unreviewed ? "The end of the queue" : "All are reviewed")
    const sum = element("p", "", `${many(picked, "picked")}, ${many(rejected, "rejected")}${unreviewed ? `, ${many(unreviewed, "still unreviewed")}` : ""}.`)
    const ways = element("div", "ways")
    const link = (text, hint, kind, href, ids) => {
      const made = element("a", "tool", text)
      made.href = href
      made.title = hint
      made.onclick = (event) => follow(event, () => this.ask(kind, ids))
      ways.append(made)
    }
    if (picked) link(`See ${picked === 1 ? "the pick" : `the ${many(picked, "picks")}`}`, "In the grid", "picks", this.data.links.picks)
    const picks = [...this.items.keys()].sort((a, b) => a - b).filter((place) => this.review(place).flag === "pick")
    const ids = picks.slice(0, 4).map((place) => this.items.get(place).id)
    const compared = `compare?ids=${ids.join(",")}`
    if (ids.length > 1) link(picks.length > 4 ? "Compare the first 4" : "Compare them", "Side by side", "compare", compared, ids)
    if (picked) link("Export the picks", "Take them away", "export", this.data.links.export)
    if (unreviewed) ways.append(toolButton("Go through the rest", "What is unreviewed now, and what has finished since", () => this.ask("unreviewed")))
    link("Back to the grid", "G", "grid", this.data.links.grid)
    this.ending.replaceChildren(heading, sum, ways, element("p", "faint", "← goes back to the last picture."))
  }

  // Only when the server has all: the next page reads it there.
  leave(act) {
    if (!this.queue.pending || this.queue.trouble) return act()
    const until = Date.now() + 1500
    const wait = () => (this.queue.pending && Date.now() < until ? setTimeout(wait, 30) : act())
    wait()
  }

  // --- judging

  put(item, field, value, present) {
    this.queue.enqueue({ person: this.data.person, run: item.id, field, value, ...(field === "tag" ? { present } : {}) })
  }

  judge(field, value, other = false) {
    const item = this.items.get(this.here)
    if (!item) return
    this.past.push({ place: this.here, field, value: this.review(this.here)[field] })
    this.put(item, field, value)
    this.tell(field === "flag" ? { pick: "Picked", reject: "Rejected" }[value] || "No flag" : `${value || "No"} ${value === 1 ? "star" : "stars"}`)
    if (this.advance !== other) this.go(this.here + 1)
    else this.refresh()
  }

  tag(tag, present) {
    const item = this.items.get(this.here)
    if (!item || this.review(this.here).tags.includes(tag) === present) return
    this.past.push({ place: this.here, field: "tag", value: tag, present: !present })
    this.put(item, "tag", tag, present)
    if (present) this.data.tags = [tag, ...this.data.tags.filter((one) => one !== tag)]
    this.tell(present ? `Tagged ${tag}` : `No longer tagged ${tag}`)
    this.refresh()
    this.panels.suggest()
  }

  noteDown(note) {
    const item = this.items.get(this.here)
    const before = this.review(this.here).note
    if (!item || note === before) return
    this.past.push({ place: this.here, field: "note", value: before })
    this.put(item, "note", note)
    this.tell("Note kept")
    this.refresh()
  }

  undo() {
    const last = this.past.pop()
    if (!last) return this.tell("Nothing to undo")
    this.put(this.items.get(last.place), last.field, last.value, last.present)
    this.go(last.place)
    this.tell(`Undone at ${last.place + 1}`)
  }

  tell(text) {
    this.said.textContent = text
    clearTimeout(this.telling)
    this.telling = setTimeout(() => (this.said.textContent = ""), 2500)
  }

  toggleAdvance() {
    this.advance = !this.advance
    this.keep(localStorage, CULL.advance, this.advance ? "yes" : "no")
    this.showAdvance()
    this.tell(this.advance ? "Goes on by itself" : "Stays")
  }

  showAdvance() {
    this.advanceButton.setAttribute("aria-pressed", String(this.advance))
  }

  // --- keys

  open(panel) {
    if (panel === this.panels.help || this.items.get(this.here)) this.panels.show(panel)
  }

  key(event) {
    if (!this.root.isConnected) return this.detach()
    const path = event.composedPath()
    const within = path.find((one) => one.matches?.("input, textarea, select, [contenteditable=true]"))
    if (event.isComposing || event.altKey) return
    const elsewhere = !path.includes(this.root) && path.some((one) => one.matches?.("[role=dialog], [role=listbox], [role=slider], [data-testid=stSidebar]"))
    if (event.key === "Escape" && !elsewhere && this.panels.close()) return this.handled(event)
    if (within || path.some((one) => one === this.panels.tagging || one === this.panels.noting)) return
    if (event.key === "Enter" && path.some((one) => one.matches?.("button, a"))) return // presses that
    if (this.act(event, elsewhere)) this.handled(event)
  }

  handled(event) {
    event.preventDefault()
    event.stopPropagation()
  }

  act(event, elsewhere) {
    const held = event.ctrlKey || event.metaKey
    const named = /^[a-z0-9?]$/i.test(event.key) ? event.key : event.code.replace(/^(Key|Digit|Numpad)(?=.$)/, "")
    const key = (event.key.length > 1 ? event.key : named).toLowerCase()
    if (held) return key === "z" && !event.shiftKey && (this.undo(), true)
    if (key.startsWith("arrow") || ["home", "end", "escape", "enter", " "].includes(key)) return !elsewhere && this.move(key, event)
    const flags = { p: "pick", x: "reject", u: null }
    const others = {
      t: () => this.open(this.panels.tagging),
      n: () => this.open(this.panels.noting),
      z: () => this.stage.zoom(!this.stage.zoomed),
      a: () => this.toggleAdvance(),
      i: () => this.openRun(),
      e: () => this.openRun(),
      g: () => this.ask("grid"),
      "?": () => this.open(this.panels.help),
    }
    if (key in flags) this.judge("flag", flags[key], event.shiftKey)
    else if (/^[0-5]$/.test(key)) this.judge("stars", Number(key))
    else if (key in others) others[key]()
    else return false
    return true
  }

  openRun() {
    const item = this.items.get(this.here)
    if (item) this.ask("open", [item.id])
  }

  move(key, event) {
    const ways = { arrowleft: [-1, 0], arrowright: [1, 0], arrowup: [0, -1], arrowdown: [0, 1] }
    if (event.shiftKey && key in ways) {
      this.stage.pan(96 * ways[key][0], 96 * ways[key][1])
      return this.stage.zoomed
    }
    if (key === "arrowleft" || key === "arrowright") this.go(this.here + ways[key][0])
    else if (key === "home") this.go(0)
    else if (key === "end") this.go(this.data.total - 1)
    else if (key === "enter") this.openRun()
    else if (key === "escape" && this.stage.zoomed) this.stage.zoom(false)
    else return false
    return true
  }

  // --- as high as the window leaves room for

  size() {
    const top = this.root.getBoundingClientRect().top + (this.root.closest("section")?.scrollTop || 0)
    this.root.style.setProperty("--top", `${Math.round(Math.max(0, top))}px`)
  }
}

export default function (component) {
  const root = component.parentElement.querySelector(".root")
  root.cull ??= new Cull(root)
  root.cull.draw(component)
  return () => root.isConnected || root.cull.detach()
}
