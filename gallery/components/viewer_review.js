// One's own review of a run, to be changed: flag, stars, tags, note. Everything goes through the queue of reviews.js.

class ReviewBar {
  constructor(queue, changed) {
    this.queue = queue
    this.changed = changed
    this.past = []
    this.box = element("div", "review")
    this.flags = { pick: this.button("Pick", "Pick (P)", () => this.flag("pick"), "pick"), reject: this.button("Reject", "Reject (X)", () => this.flag("reject"), "reject") }
    this.stars = [1, 2, 3, 4, 5].map((one) => {
      const made = this.button("", `${one} ${one === 1 ? "star" : "stars"} (${one})`, () => this.star(one), "star")
      made.setAttribute("aria-label", made.title)
      return made
    })
    const stars = element("span", "stars")
    stars.setAttribute("role", "group")
    stars.setAttribute("aria-label", "Stars")
    stars.append(...this.stars)
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
    this.box.append(this.flags.pick, this.flags.reject, stars, this.tags, this.input, known, this.note, this.trouble)
  }

  button(text, hint, act, mark) {
    const made = element("button", "tool")
    made.type = "button"
    made.title = hint
    made.append(markIcon(mark))
    if (text) made.append(element("span", "", text))
    made.onclick = act
    return made
  }

  // of: {person, run, review, at, tags}
  show(of) {
    if (this.of && this.of.run !== of.run) this.keep_note()
    const another = this.of?.run !== of.run
    this.of = of
    this.review = this.queue.overlay(of.person, of.run, of.review, of.at)
    const { flag, stars, tags, note } = this.review
    for (const [name, made] of Object.entries(this.flags)) made.setAttribute("aria-pressed", String(flag === name))
    this.stars.forEach((made, at) => {
      made.classList.toggle("on", at < stars)
      made.setAttribute("aria-pressed", String(stars === at + 1))
    })
    this.tags.replaceChildren(
      ...tags.map((tag) => {
        const chip = element("button", "chip", tag)
        chip.type = "button"
        chip.title = `Take ${tag} away`
        chip.setAttribute("aria-label", chip.title)
        chip.append(element("span", "faint", " \u00d7"))
        chip.onclick = () => this.tag(tag, false)
        return chip
      }),
    )
    this.known.replaceChildren(
      ...of.tags.filter((tag) => !tags.includes(tag)).map((tag) => {
        const option = element("option")
        option.value = tag
        return option
      }),
    )
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
    if (key === "p" || key === "x") {
      const flag = key === "p" ? "pick" : "reject"
      if (this.review.flag !== flag) this.say("flag", flag, this.review.flag)
    } else if (key === "u") {
      if (this.review.flag) this.say("flag", null, this.review.flag)
    } else if (/^[0-5]$/.test(key)) {
      if (this.review.stars !== Number(key)) this.say("stars", Number(key), this.review.stars)
    } else if (key === "t") this.input.focus()
    else if (key === "n") this.note.focus()
    else return false
    return true
  }
}
