// The view's thumbnails below the stage: one comes in on the right, or as a pane of its own.

class CompareStrip {
  constructor(on) {
    this.on = on // {candidate(token), add(token)}
    this.box = element("ul", "strip")
    this.box.setAttribute("aria-label", "Around it in the view")
  }

  show(compared) {
    const { strip, limit } = compared.data
    this.box.hidden = !strip.length
    this.box.classList.toggle("full", compared.panes.filter((pane) => pane.run).length >= limit)
    const letters = new Map(compared.panes.map((pane) => [pane.token, pane.letter]))
    const items = strip.map((one) => ({ ...one, id: one.token, here: letters.get(one.token) || "" }))
    patch(this.box, items, (one) => this.thumbnail(one))
    this.centre(compared.right[1]?.token)
  }

  thumbnail(one) {
    const entry = element("li", one.here ? "here" : "")
    const choose = button("", `${one.name}: show it on the right`, () => this.on.candidate(one.token), "thumb")
    choose.setAttribute("aria-label", choose.title)
    choose.append(picture(one, 1))
    if (one.here) choose.append(element("span", "letter", one.here))
    entry.append(choose)
    if (!one.here) {
      const add = button("+", `Add a pane with ${one.name}`, () => this.on.add(one.token), "add")
      add.setAttribute("aria-label", add.title)
      entry.append(add)
    }
    return entry
  }

  centre(token) {
    const here = [...this.box.children].find((one) => one.dataset.id === token)
    if (here && this.centred !== token) this.box.scrollLeft = here.offsetLeft - this.box.offsetLeft - this.box.clientWidth / 2
    this.centred = token
  }
}
