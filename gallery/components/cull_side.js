// Beside the picture: its photograph and painting, and what was noted.

class CullSide {
  constructor() {
    this.box = element("div", "side")
    this.sources = element("div", "sources")
    this.note = element("p", "note")
    this.note.title = "Note (N)"
    this.box.append(this.sources, this.note)
  }

  // Drawn anew only where they are others, as they mostly stay. used: [[sha256, share]]; inputs: what is known of them.
  show(used, inputs) {
    const text = JSON.stringify(used)
    if (this.sources.dataset.json === text) return
    this.sources.dataset.json = text
    this.sources.replaceChildren(...used.slice(0, 4).map(([sha256, share]) => this.source(inputs[sha256], share)))
  }

  source(shown, share) {
    const made = element("figure")
    if (!shown) return made
    const link = originalLink(shown.full || "")
    link.append(picture({ ...shown, eager: true }, null))
    const part = share === null ? "" : ` (${Math.round(100 * share)} %)`
    made.append(shown.src ? link : picture(shown, 1.5), element("figcaption", "faint", `${shown.kind}: ${shown.name}${part}`))
    return made
  }

  noted(text) {
    this.note.textContent = text
  }
}
