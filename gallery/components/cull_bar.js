// The buttons of Cull, for mouse and finger: each says its key, and shows what was said of the picture.

class JudgeBar {
  constructor(on) {
    this.on = on // {judge(field, value), tag(), note(), zoom(), undo()}
    this.box = element("div", "tools")
    this.build()
  }

  build() {
    const bar = this.box
    bar.setAttribute("role", "toolbar")
    bar.setAttribute("aria-label", "Judge this picture")
    this.flags = {
      reject: toolButton("Reject", "Reject (X)", () => this.on.judge("flag", "reject"), "reject"),
      none: toolButton("Unflag", "No flag (U)", () => this.on.judge("flag", null)),
      pick: toolButton("Pick", "Pick (P)", () => this.on.judge("flag", "pick"), "pick"),
    }
    this.stars = new StarRow((stars) => this.on.judge("stars", stars))
    const none = toolButton("0", "No stars (0)", () => this.on.judge("stars", 0))
    none.setAttribute("aria-label", "No stars")
    this.stars.box.prepend(none)
    this.tagButton = toolButton("Tag", "Tag (T)", () => this.on.tag())
    this.noteButton = toolButton("Note", "Note (N)", () => this.on.note())
    this.zoomButton = toolButton("1:1", "One pixel of the picture on one of the screen (Z)", () => this.on.zoom())
    this.undoButton = toolButton("Undo", "Undo (Ctrl+Z)", () => this.on.undo())
    this.judging = [...Object.values(this.flags), none, ...this.stars.buttons, this.tagButton, this.noteButton, this.zoomButton]
    const group = (...parts) => {
      const made = element("span", "set")
      made.append(...parts)
      return made
    }
    bar.append(group(...Object.values(this.flags)), this.stars.box, group(this.tagButton, this.noteButton), group(this.zoomButton, this.undoButton))
  }

  show(review, { any, undoable }) {
    const pressed = (one, yes) => one.setAttribute("aria-pressed", String(Boolean(yes)))
    pressed(this.flags.pick, review.flag === "pick")
    pressed(this.flags.reject, review.flag === "reject")
    this.stars.show(review.stars)
    pressed(this.tagButton, review.tags.length)
    pressed(this.noteButton, review.note)
    this.noteButton.title = review.note ? `Note (N): ${review.note}` : "Note (N)"
    this.undoButton.disabled = !undoable
    this.judging.forEach((one) => (one.disabled = !any))
  }

  zoomed(yes) {
    this.zoomButton.setAttribute("aria-pressed", String(yes))
  }
}

