// data: {view, ratio, person, own, by, at, tags, ahead, items: [{id, href, src, none, w, h, colour, alt, name, value, front, group, review, badges}]}
// Tells Python: trigger "ask" with {kind: "open" | "compare" | "export", ids}. Reviews go to the server by themselves (reviews.js).

class Grid {
  constructor(root) {
    this.root = root
    this.past = []
    this.items = new Map()
    this.queue = reviewQueue()
    this.selection = new Selection(() => this.refresh())
    this.list = element("ul", "grid")
    this.list.setAttribute("aria-label", "Results")
    this.list.onclick = (event) => this.click(event)
    this.keys = new GridKeys(this.list, {
      choose: (id, on) => this.selection.choose(this.items, id, on),
      chooseTo: (id) => this.selection.chooseTo(this.items, id),
      chooseAll: () => this.selection.chooseAll(this.items),
      clear: () => this.selection.clear(),
      anchored: () => this.selection.anchor !== null,
      open: (id) => this.ask("open", [id]),
      compare: () => this.compare(),
      tag: () => this.askTag(),
      say: (id, field, value) => this.say(this.meant(id), field, value),
      undo: () => this.undo(),
      tell: (text, milliseconds) => this.tell(text, milliseconds),
    })
    this.bar = new GridBar({
      compare: () => this.compare(),
      say: (field, value) => this.say(this.selection.ids, field, value),
      tag: (tag) => this.tag(tag),
      tags: () => this.data.tags,
      export: () => this.ask("export", this.selection.ids),
      clear: () => this.selection.clear(),
      leave: () => this.keys.tabbed?.focus(),
    })
    this.said = element("div", "said")
    this.said.setAttribute("role", "status")
    this.queue.listen((state) => state.changed.length && this.refresh())
    root.append(this.list, this.bar.box, this.said, queueNotice(this.queue))
  }

  draw(component) {
    const { data, setTriggerValue } = component
    this.data = data
    this.ask = (kind, ids) => setTriggerValue("ask", { kind, ids })
    this.items = new Map(data.items.map((item) => [item.id, item]))
    if (this.list.dataset.ratio !== String(data.ratio)) this.list.replaceChildren()
    this.list.dataset.ratio = String(data.ratio)
    patch(this.list, grouped(data.items), (item) => (item.heading ? heading(item) : tile(item, data.ratio)))
    this.keys.settle()
    if (this.list.dataset.view && this.list.dataset.view !== data.view) this.root.scrollIntoView({ block: "start" })
    this.list.dataset.view = data.view
    this.refresh()
    if (!this.fetched) fetchAhead(data.ahead)
    this.fetched = true
  }

  refresh() {
    this.list.querySelectorAll("li.run").forEach((entry) => {
      const item = this.items.get(entry.dataset.id)
      if (!item) return
      const on = this.selection.has(item.id)
      entry.classList.toggle("chosen", on)
      entry.querySelector(".choose").setAttribute("aria-pressed", String(on))
      const review = this.reviewOf(item.id)
      entry.classList.toggle("reject", review.flag === "reject")
      const refusal = this.queue.refusal(item.id)
      entry.classList.toggle("refused", Boolean(refusal))
      entry.title = refusal ? `Not kept: ${refusal}` : ""
      entry.querySelector(".review").replaceChildren(reviewMarks(review))
    })
    this.bar.show(this.selection.ids.length)
  }

  // What the server read, with what this tab has said since.
  reviewOf(id) {
    return this.queue.overlay(this.data.by, id, this.items.get(id)?.review, this.data.at)
  }

  click(event) {
    const entry = event.target.closest("li.run")
    if (!entry) return
    const id = entry.dataset.id
    const { selection, items } = this
    if (event.target.closest(".choose")) return event.shiftKey ? selection.chooseTo(items, id) : selection.choose(items, id)
    if (event.shiftKey && !event.ctrlKey && !event.metaKey) {
      event.preventDefault()
      return selection.chooseTo(items, id)
    }
    if (event.ctrlKey || event.metaKey) {
      event.preventDefault()
      return selection.choose(items, id)
    }
    follow(event, () => this.ask("open", [id]))
  }

  compare() {
    const { ids } = this.selection
    if (comparable(ids.length)) this.ask("compare", ids)
    else this.tell(`Compare takes two to ${MOST_COMPARED}; ${ids.length} selected (Space selects).`)
  }

  tell(text, milliseconds) {
    sayBriefly(this.said, text, milliseconds)
  }

  // --- judging

  // A key speaks of all that is selected if the tile under it is, else of that tile.
  meant(id) {
    return this.selection.has(id) ? this.selection.ids : [id]
  }

  say(ids, field, value, present) {
    if (!this.data.own) return this.tell("These are somebody else's reviews; choose yourself under \"Reviews by\" to write your own.")
    this.past.push({ field, value, before: ids.map((id) => [id, this.reviewOf(id)]) })
    ids.forEach((id) => this.put(id, field, value, present))
    this.refresh()
  }

  put(run, field, value, present) {
    this.queue.enqueue({ person: this.data.person, run, field, value, present })
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

  tag(tag) {
    this.say(this.selection.ids, "tag", tag, true)
    this.tell(`Tagged "${tag}"`)
  }

  // In the bar; of the tile that has the focus where nothing is selected.
  askTag() {
    const focused = this.list.getRootNode().activeElement?.closest?.("li.run")
    if (!this.selection.ids.length && focused) this.selection.choose(this.items, focused.dataset.id, true)
    this.bar.focusTag()
  }
}

export default function (component) {
  const root = component.parentElement.querySelector(".root")
  root.grid ??= new Grid(root)
  root.grid.draw(component)
}
