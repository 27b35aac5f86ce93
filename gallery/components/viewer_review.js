// One's own review of a run, to be changed: flag, stars, tags, note. Everything goes through the queue of reviews.js.

class ReviewBar {
  constructor(queue, changed) {
    this.queue = queue
    this.changed = changed
    this.past = []
    this.box = element("div", "review")
    this.flags = { pick: toolButton("Pick", "Pick (P)", () => this.flag("pick"), "pick"), reject: toolButton("Reject", "Reject (X)", () => this.flag("reject"), "reject") }
    this.stars = new StarRow((stars) => this.star(stars))
    this.tags = element("span", "tags")
    this.input = element("input", "tag-input")
    this.input.placeholder = "Add a tag"
    this.input.maxLength = 100
    this.input.setAttribute("aria-label", "Add a tag")
    const known = element("datalist")
    known.id = "known-tags"
    this.known = known
    this.input.setAttribute("list", "known-tags")
    this.input.onkeydown = (event) => {
      event.stopPropagation()
      if (event.key === "Escape") this.input.blur()
      if (event.key !== "Enter") return
      const tag = this.input.value.trim().replace(/\s+/g, " ")
      if (tag) this.tag(tag, true)
      this.input.value = ""
    }
    this.note = element("textarea", "note")
    this.note.rows = 1
    this.note.maxLength = 4000
    this.note.placeholder = "A note"
    this.note.setAttribute("aria-label", "Note")
    this.note.onkeydown = (event) => {
      event.stopPropagation()
      if (event.key === "Escape") {
        this.note.value = this.review.note || ""
        this.note.blur()
      }
      if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
        event.preventDefault()
        this.note.blur()
      }
    }
    this.note.onblur = () => this.keep_note()
    this.trouble = element("span", "trouble")
    this.box.append(this.flags.pick, this.flags.reject, this.stars.box, this.tags, this.input, known, this.note, this.trouble)
  }

  // of: {person, run, review, at, tags}
  show(of) {
    if (this.of && this.of.run !== of.run) this.keep_note()
    const another = this.of?.run !== of.run
    this.of = of
    this.review = this.queue.overlay(of.person, of.run, of.review, of.at)
    const { flag, stars, tags, note } = this.review
    for (const [name, made] of Object.entries(this.flags)) made.setAttribute("aria-pressed", String(flag === name))
    this.stars.show(stars)
    this.tags.replaceChildren(
      ...tags.map((tag) => {
        const chip = button(tag, `Take ${tag} away`, () => this.tag(tag, false), "chip")
        chip.setAttribute("aria-label", chip.title)
        chip.append(element("span", "faint", " \u00d7"))
        return chip
      }),
    )
    this.known.replaceChildren(...of.tags.filter((tag) => !tags.includes(tag)).map((tag) => option(tag)))
    if (another || this.note.getRootNode().activeElement !== this.note) this.note.value = note || ""
    const refusal = this.queue.refusal(of.run)
    this.trouble.textContent = refusal ? `Not kept: ${refusal}` : ""
  }

  say(field, value, before, present) {
    const said = { person: this.of.person, run: this.of.run, field, value }
    if (field === "tag") said.present = present
    this.past.push(field === "tag" ? { ...said, present: !present } : { ...said, value: before })
    this.queue.enqueue(said)
    this.changed()
  }

  flag(value) {
    this.say("flag", this.review.flag === value ? null : value, this.review.flag)
  }

  star(value) {
    this.say("stars", this.review.stars === value ? 0 : value, this.review.stars)
  }

  tag(tag, present) {
    if (this.review.tags.includes(tag) !== present) this.say("tag", tag, null, present)
  }

  keep_note() {
    const text = this.note.value.trim()
    if (text !== (this.review.note || "")) this.say("note", text, this.review.note || "")
  }

  undo() {
    const last = this.past.pop()
    if (!last) return false
    this.queue.enqueue(last)
    this.changed()
    return true
  }

  key(key) {
    const said = saidByKey(key)
    if (said) {
      const before = this.review[said.field]
      if (before !== said.value) this.say(said.field, said.value, before)
    } else if (key === "t") this.input.focus()
    else if (key === "n") this.note.focus()
    else return false
    return true
  }
}
