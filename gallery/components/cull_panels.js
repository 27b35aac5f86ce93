// What opens over the stage of Cull: tags, a note, the keys.

class Panels {
  constructor(on) {
    this.on = on // {review(), known(), tag(tag, present), note(text)}: of the picture that is shown; known: tags to suggest
    this.help = this.helpPanel()
    this.tagging = this.tagPanel()
    this.noting = this.notePanel()
    this.all = [this.help, this.tagging, this.noting]
  }

  panel(title, ...parts) {
    const made = element("div", "panel")
    made.hidden = true
    made.setAttribute("role", "dialog")
    made.setAttribute("aria-label", title)
    const close = toolButton("×", "Close (Esc)", () => this.close())
    close.classList.add("close")
    close.setAttribute("aria-label", "Close")
    made.append(element("h3", "", title), close, ...parts)
    return made
  }

  helpPanel() {
    const list = element("dl")
    CULL_KEYS.forEach(([key, what]) => {
      const term = element("dt")
      term.append(...key.split(" ").map((one) => (one === "to" ? element("span", "", "to") : element("kbd", "", one))))
      list.append(term, element("dd", "", what))
    })
    return this.panel("Keys", list, element("p", "faint", "On a tablet: swipe for the next picture, tap twice for 1:1."))
  }

  tagPanel() {
    this.tagInput = element("input")
    this.tagInput.maxLength = 100
    this.tagInput.placeholder = "A tag, or several with commas"
    this.tagInput.setAttribute("aria-label", "New tag")
    this.tagInput.oninput = () => this.suggest()
    this.given = element("div", "chips")
    this.suggested = element("div", "chips")
    const form = element("form")
    form.append(this.tagInput)
    form.onsubmit = (event) => {
      event.preventDefault()
      const tags = this.tagInput.value.split(",").map((one) => one.trim().replace(/\s+/g, " ")).filter(Boolean)
      tags.forEach((tag) => this.on.tag(tag, true))
      this.close()
    }
    return this.panel("Tags", this.given, form, this.suggested)
  }

  notePanel() {
    this.noteInput = element("textarea")
    this.noteInput.maxLength = 4000
    this.noteInput.rows = 4
    this.noteInput.setAttribute("aria-label", "Note")
    this.noteInput.onkeydown = (event) => {
      if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
        event.preventDefault()
        this.keepNote()
      }
    }
    const save = toolButton("Keep", "Keep the note (Enter)", () => this.keepNote())
    return this.panel("Note", this.noteInput, element("p", "faint", "Enter keeps it, Shift+Enter begins a line, Esc leaves it as it was."), save)
  }

  keepNote() {
    this.on.note(this.noteInput.value.trim())
    this.close()
  }

  get open() {
    return this.all.find((one) => !one.hidden)
  }

  show(panel) {
    this.all.forEach((one) => (one.hidden = one !== panel))
    if (panel === this.tagging) {
      this.tagInput.value = ""
      this.suggest()
      this.tagInput.focus()
    } else if (panel === this.noting) {
      this.noteInput.value = this.on.review().note
      this.noteInput.focus()
    } else panel.querySelector("button").focus()
  }

  close() {
    const open = this.open
    if (!open) return false
    open.hidden = true
    open.getRootNode().activeElement?.blur()
    return true
  }

  suggest() {
    if (this.tagging.hidden) return
    const mine = this.on.review().tags
    const typed = this.tagInput.value.split(",").pop().trim().toLowerCase()
    const chip = (tag, hint, act, more) => {
      const made = toolButton(tag, hint, act)
      made.classList.add("chip")
      made.setAttribute("aria-label", hint)
      if (more) made.append(element("span", "faint", more))
      return made
    }
    this.given.replaceChildren(...mine.map((tag) => chip(tag, `Take ${tag} away`, () => this.on.tag(tag, false), "×")))
    const free = this.on.known().filter((tag) => !mine.includes(tag) && tag.toLowerCase().includes(typed))
    this.suggested.replaceChildren(...free.slice(0, 16).map((tag) => chip(tag, `Tag with ${tag}`, () => this.on.tag(tag, true))))
  }
}

