// data: {queue, mode, view, total, start, whole, counts: {unreviewed, picked, rejected}, person, tags, links: {grid, picks, export},
//   first, items: [{id, src, thumb, w, h, colour, alt, name, inputs: [[sha256, share]], review}], at, inputs: {sha256: {kind, name, src, ...}}}
// Tells Python: state "around" {queue, place} for the runs around a place; trigger "ask" {kind, ids}. Reviews go to the server by
// themselves (reviews.js). The queue is frozen: what is in it and where changes only with its name.

const CULL = { place: "stylesweep-cull-place", advance: "stylesweep-cull-advance" }

class Cull {
  constructor(root) {
    this.root = root
    this.queue = reviewQueue()
    this.past = []
    this.advance = recall("localStorage", CULL.advance) !== "no"
    this.runs = new CullRuns(this.queue, (place) => this.around(place))
    this.stage = new Stage({ step: (by) => this.go(this.here + by), zoomed: (yes) => this.bar.zoomed(yes) })
    this.bar = new JudgeBar({
      judge: (field, value) => this.judge(field, value),
      tag: () => this.open(this.panels.tagging),
      note: () => this.open(this.panels.noting),
      zoom: () => this.stage.zoom(!this.stage.zoomed),
      undo: () => this.undo(),
    })
    this.panels = new Panels({
      review: () => this.runs.review(this.here),
      known: () => this.data.tags,
      tag: (tag, present) => this.tag(tag, present),
      note: (text) => this.noteDown(text),
    })
    this.strip = new Strip({
      item: (place) => this.runs.item(place),
      review: (place) => this.runs.review(place),
      refusal: (place) => this.runs.refusal(place),
      open: (place) => this.go(place),
      want: (place) => this.runs.want(place),
    })
    this.top = new CullTop({
      grid: () => this.ask("grid"),
      advance: () => this.toggleAdvance(),
      mode: (mode) => this.ask(mode),
      help: () => this.open(this.panels.help),
    })
    this.keys = new CullKeys(root, this.stage, this.panels, {
      judge: (field, value, other) => this.judge(field, value, other),
      undo: () => this.undo(),
      open: (panel) => this.open(panel),
      step: (by) => this.go(this.here + by),
      first: () => this.go(0),
      last: () => this.go(this.runs.total - 1),
      advance: () => this.toggleAdvance(),
      run: () => this.openRun(),
      grid: () => this.ask("grid"),
      gone: () => this.detach(),
    })
    this.ending = new Ending((kind, ids) => this.ask(kind, ids))
    this.badge = new StateBadge()
    this.side = new CullSide()
    this.build()
    this.onsize = () => this.size()
    this.attach()
  }

  attach() {
    this.keys.attach()
    window.addEventListener("resize", this.onsize)
    this.unlisten = this.queue.listen((state) => {
      if (state.changed.length || state.refused.length) this.refresh()
    })
  }

  detach() {
    this.keys.detach()
    window.removeEventListener("resize", this.onsize)
    this.unlisten()
  }

  build() {
    this.previous = button("‹", "Previous (←)", () => this.go(this.here - 1), "beside before")
    this.next = button("›", "Next (→)", () => this.go(this.here + 1), "beside after")
    this.stage.box.append(this.badge.box, this.previous, this.next)
    this.said = element("div", "said")
    this.said.setAttribute("role", "status")
    const over = element("div", "over")
    over.append(queueNotice(this.queue), this.said, ...this.panels.all)
    const middle = element("div", "middle")
    middle.append(this.stage.box, over, this.side.box, this.ending.box)
    this.caption = element("div", "caption")
    this.strip.box.tabIndex = -1
    this.root.append(this.top.box, middle, this.caption, this.bar.box, this.strip.box)
    this.top.advances(this.advance)
  }

  draw(component) {
    const { data, setStateValue, setTriggerValue } = component
    this.data = data
    this.ask = (kind, ids = []) => this.leave(() => setTriggerValue("ask", { kind, ids }))
    this.around = (place) => setStateValue("around", { queue: data.queue, place })
    const anew = this.runs.read(data)
    if (anew) this.past = []
    this.top.show(data)
    this.size()
    if (anew) this.go(this.startPlace())
    else this.refresh()
  }

  // Where this tab was in this queue; else where it begins.
  startPlace() {
    const [place, name] = (recall("sessionStorage", CULL.place) || "").split("@")
    return name === this.data.queue && Number(place) <= this.runs.total ? Number(place) : this.runs.start
  }

  // Only when the server has all: the next page reads it there.
  leave(act) {
    if (!this.queue.pending || this.queue.trouble) return act()
    const until = Date.now() + 1500
    const wait = () => (this.queue.pending && Date.now() < until ? setTimeout(wait, 30) : act())
    wait()
  }

  // --- what is shown

  go(place) {
    this.here = clamp(place, 0, this.runs.total)
    keep("sessionStorage", CULL.place, `${this.here}@${this.data.queue}`)
    this.panels.close()
    this.refresh()
    this.stage.ahead([1, 2, 3, -1].map((by) => this.runs.item(this.here + by)))
    this.runs.wantAhead(this.here)
  }

  refresh() {
    const { runs, data, here } = this
    const ended = here >= runs.total
    const item = ended ? null : runs.item(here)
    const standing = runs.standing()
    this.root.classList.toggle("ended", ended)
    if (!ended) this.stage.show(item)
    else this.ending.show(standing, runs.picks(), data.links)
    this.strip.show(runs.total, here)
    this.top.count(standing.unreviewed, data.mode === "all" ? data.total : data.whole)
    this.drawReview(item)
    if (item || ended) this.side.show(item?.inputs || [], runs.inputs)
    this.previous.disabled = here === 0
    this.next.disabled = ended
  }

  drawReview(item) {
    const review = this.runs.review(this.here)
    this.badge.show(review, this.runs.refusal(this.here))
    this.bar.show(review, { any: Boolean(item), undoable: this.past.length > 0 })
    this.side.noted(review.note)
    const where = item ? `${(this.here + 1).toLocaleString("en")} of ${this.runs.total.toLocaleString("en")}` : ""
    const name = element("span", "name", item?.name || "\u00a0")
    name.title = item?.name || ""
    this.caption.replaceChildren(name, element("span", "faint", where))
  }

  // As high as the window leaves room for.
  size() {
    const top = this.root.getBoundingClientRect().top + (this.root.closest("section")?.scrollTop || 0)
    this.root.style.setProperty("--top", `${Math.round(Math.max(0, top))}px`)
  }

  tell(text) {
    sayBriefly(this.said, text, 2500)
  }

  // --- judging

  get item() {
    return this.runs.item(this.here)
  }

  put(item, field, value, present) {
    this.queue.enqueue({ person: this.data.person, run: item.id, field, value, present })
  }

  judge(field, value, other = false) {
    const { item } = this
    if (!item) return
    this.past.push({ place: this.here, field, value: this.runs.review(this.here)[field] })
    this.put(item, field, value)
    this.tell(field === "flag" ? { pick: "Picked", reject: "Rejected" }[value] || "No flag" : starsText(value || "No"))
    if (this.advance !== other) this.go(this.here + 1)
    else this.refresh()
  }

  tag(tag, present) {
    const { item } = this
    if (!item || this.runs.review(this.here).tags.includes(tag) === present) return
    this.past.push({ place: this.here, field: "tag", value: tag, present: !present })
    this.put(item, "tag", tag, present)
    if (present) this.data.tags = [tag, ...this.data.tags.filter((one) => one !== tag)]
    this.tell(present ? `Tagged ${tag}` : `No longer tagged ${tag}`)
    this.refresh()
    this.panels.suggest()
  }

  noteDown(note) {
    const { item } = this
    const before = this.runs.review(this.here).note
    if (!item || note === before) return
    this.past.push({ place: this.here, field: "note", value: before })
    this.put(item, "note", note)
    this.tell("Note kept")
    this.refresh()
  }

  undo() {
    const last = this.past.pop()
    if (!last) return this.tell("Nothing to undo")
    this.put(this.runs.item(last.place), last.field, last.value, last.present)
    this.go(last.place)
    this.tell(`Undone at ${last.place + 1}`)
  }

  toggleAdvance() {
    this.advance = !this.advance
    keep("localStorage", CULL.advance, this.advance ? "yes" : "no")
    this.top.advances(this.advance)
    this.tell(this.advance ? "Goes on by itself" : "Stays")
  }

  open(panel) {
    if (panel === this.panels.help || this.item) this.panels.show(panel)
  }

  openRun() {
    if (this.item) this.ask("open", [this.item.id])
  }
}

export default function (component) {
  const root = component.parentElement.querySelector(".root")
  root.cull ??= new Cull(root)
  root.cull.draw(component)
  return () => root.isConnected || root.cull.detach()
}
