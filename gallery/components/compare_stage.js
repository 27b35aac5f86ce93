// The panes on the stage, as the mode has them: how large they are, where each picture lies, what stands above and below.

const GAP = 8
const HEAD = 46
const HINTS = {
  side: "The wheel, or + and \u2212, enlarges all panes together; drag or the arrow keys move them. Z is 1:1.",
  slider: "Drag the line, or move it with the arrow keys. Z is 1:1.",
  flicker: "Space shows the other one in the same place; hold it down to see it only that long.",
  difference: "",
}

class CompareStage {
  // ways: {slider, flicker, difference}, each with show(view, pair, pictures, heads), pictures (what is to be laid out), cover(seen)
  constructor(compared, zoom, ways, on) {
    this.compared = compared
    this.zoom = zoom
    this.ways = ways
    this.on = on // {href(pane), open(pane), remove(pane), marked(at), controls(pane), lost()}
    this.images = new PaneImages(() => on.lost())
    this.heads = []
    this.views = []
    this.way = null // of the pair that is shown; null side by side, or where a picture is lacking
    this.box = element("div", "stage")
    this.words = element("p", "words")
    this.words.setAttribute("aria-live", "polite")
    follows(this.box, zoom, (one) => compared.sizeOf(one.dataset.token))
  }

  draw() {
    this.heads = []
    this.views = []
    this.way = null
    this.box.className = `stage ${this.compared.mode}`
    if (this.compared.mode === "side") this.drawSide()
    else this.drawPair()
  }

  keepImages() {
    this.images.keep(this.compared.panes)
  }

  head(pane) {
    const made = heading(pane, this.on)
    this.heads.push(made)
    return made
  }

  view(pane, className, label) {
    const made = view(className, label)
    made.dataset.token = pane.token
    made.tabIndex = 0
    this.views.push(made)
    return made
  }

  drawSide() {
    const cells = this.compared.panes.map((pane, at) => {
      const cell = element("section", "cell")
      const here = this.view(pane, "", `${pane.letter}: ${pane.name}`)
      here.onfocus = here.onpointerdown = () => this.on.marked(at)
      if (this.images.has(pane)) here.append(layer(this.images.of(pane)))
      else here.append(nothing(this.images.why(pane)))
      cell.append(this.head(pane), here)
      return cell
    })
    this.box.replaceChildren(...cells)
    this.say("")
  }

  drawPair() {
    const { pair, mode } = this.compared
    const [first, second] = pair
    const heads = element("div", "heads")
    heads.append(this.head(first), this.head(second))
    const here = this.view(first, "only", `${first.letter} and ${second.letter}`)
    this.box.replaceChildren(heads, here)
    this.say("")
    const lacking = pair.filter((pane) => !this.images.has(pane))
    if (lacking.length) {
      here.append(nothing(lacking.map((pane) => `${pane.letter}: ${this.images.why(pane)}`).join(". ")))
      return
    }
    this.way = this.ways[mode]
    this.way.show(here, pair, pair.map((pane) => this.images.of(pane)), this.heads)
  }

  // What is said below the pictures; a hint where there is nothing to say. Always one line, so that nothing below moves.
  say(text) {
    const words = text || HINTS[this.compared.mode]
    if (this.words.textContent !== words) this.words.textContent = words
    this.words.classList.toggle("faint", !text)
  }

  measure(wide) {
    const { mode, panes, pair } = this.compared
    const side = mode === "side"
    const sizes = (side ? panes : pair).map((pane) => this.compared.sizeOf(pane.token))
    const high = clamp(window.innerHeight - 340, 340, 1500)
    const { columns, rows } = side ? columnsFor(sizes, { w: wide, h: high }, GAP, HEAD) : { columns: 1, rows: 1 }
    const w = (wide - GAP * (columns - 1)) / columns
    // As high as the window allows, but not much higher than what fits the width needs.
    const needed = Math.max(...sizes.map((size) => size.h)) * fitting(sizes, { w, h: Infinity })
    const h = Math.floor(Math.min((high - GAP * (rows - 1)) / rows - HEAD, Math.max(needed, 280 / rows)))
    this.box.style.gridTemplateColumns = `repeat(${columns}, minmax(0, 1fr))`
    this.views.forEach((one) => (one.style.height = `${h}px`))
    this.zoom.frame(sizes, { w, h })
    this.zoom.settle()
  }

  place() {
    const { mode, panes, pair } = this.compared
    if (mode === "side") panes.filter((pane) => this.images.has(pane)).forEach((pane) => this.lay(this.images.of(pane), pane))
    else if (this.way) {
      const [seen] = this.way.pictures.map((one, at) => this.lay(one, pair[at]))
      if (seen) this.way.cover(seen)
    }
    this.box.classList.toggle("movable", this.zoom.movable)
  }

  lay(one, pane) {
    const at = this.zoom.place(this.compared.sizeOf(pane.token))
    Object.assign(one.style, { width: `${at.w}px`, height: `${at.h}px`, transform: `translate(${at.x}px, ${at.y}px)` })
    one.style.imageRendering = this.zoom.zoom !== null && this.zoom.scale * pane.scale >= 1 ? "pixelated" : "auto"
    return at
  }

  focus(at) {
    this.views[at].focus({ preventScroll: true })
  }

  mark(token) {
    this.heads.forEach((one) => one.classList.toggle("marked", one.dataset.token === token))
  }

  // Flags and stars, above the panes.
  judge() {
    const role = this.box.getRootNode().activeElement?.dataset?.role
    this.heads.forEach((one) => {
      const pane = this.compared.pane(one.dataset.token)
      one.querySelector(".review").replaceChildren(...(pane?.run ? [this.on.controls(pane)] : []))
    })
    if (role) this.box.querySelector(`[data-role="${role}"]`)?.focus({ preventScroll: true })
  }
}
