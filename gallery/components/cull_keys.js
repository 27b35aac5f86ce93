// The keys of Cull, for the whole page.

const CULL_KEYS = [
  ["P", "Pick"],
  ["X", "Reject"],
  ["U", "No flag"],
  ["0 to 5", "Stars"],
  ["T", "Tag"],
  ["N", "Note"],
  ["← →", "Previous, next"],
  ["Home End", "First, last"],
  ["Ctrl Z", "Undo, as often as you like"],
  ["A", "Go on by itself after a key, or stay"],
  ["Shift P X U", "The other way for this once"],
  ["Z", "1:1 or fitted; then drag, or Shift and arrows"],
  ["Enter", "Open the run's page"],
  ["G", "Back to the grid"],
  ["Esc", "Close"],
  ["?", "These keys"],
]

class CullKeys {
  constructor(root, stage, panels, on) {
    this.root = root
    this.stage = stage
    this.panels = panels
    this.on = on // {judge(field, value, other), undo(), open(panel), step(by), first(), last(), advance(), run(), grid(), gone()}
    this.onkey = (event) => this.key(event)
  }

  attach() {
    document.addEventListener("keydown", this.onkey, true)
  }

  detach() {
    document.removeEventListener("keydown", this.onkey, true)
  }

  key(event) {
    if (!this.root.isConnected) return this.on.gone()
    if (event.isComposing || event.altKey) return
    const path = event.composedPath()
    const elsewhere = !path.includes(this.root) && path.some((one) => one.matches?.("[role=dialog], [role=listbox], [role=slider], [data-testid=stSidebar]"))
    if (event.key === "Escape" && !elsewhere && this.panels.close()) return consume(event)
    if (typing(event) || path.some((one) => one === this.panels.tagging || one === this.panels.noting)) return
    if (event.key === "Enter" && path.some((one) => one.matches?.("button, a"))) return // presses that
    if (this.act(event, elsewhere)) consume(event)
  }

  // Whether a key meant something here. Letters as they are typed, and where a keyboard has others, by their place.
  act(event, elsewhere) {
    const held = event.ctrlKey || event.metaKey
    const named = /^[a-z0-9?]$/i.test(event.key) ? event.key : event.code.replace(/^(Key|Digit|Numpad)(?=.$)/, "")
    const key = (event.key.length > 1 ? event.key : named).toLowerCase()
    if (held) return key === "z" && !event.shiftKey && (this.on.undo(), true)
    if (key.startsWith("arrow") || ["home", "end", "escape", "enter", " "].includes(key)) return !elsewhere && this.move(key, event)
    const said = saidByKey(key)
    const others = {
      t: () => this.on.open(this.panels.tagging),
      n: () => this.on.open(this.panels.noting),
      z: () => this.stage.zoom(!this.stage.zoomed),
      a: this.on.advance,
      i: this.on.run,
      e: this.on.run,
      g: this.on.grid,
      "?": () => this.on.open(this.panels.help),
    }
    if (said) this.on.judge(said.field, said.value, said.field === "flag" && event.shiftKey)
    else if (key in others) others[key]()
    else return false
    return true
  }

  move(key, event) {
    const [x, y] = ARROWS[event.key] || [0, 0]
    if (event.shiftKey && (x || y)) {
      this.stage.pan(96 * x, 96 * y)
      return this.stage.zoomed
    }
    if (x) this.on.step(x)
    else if (key === "home") this.on.first()
    else if (key === "end") this.on.last()
    else if (key === "enter") this.on.run()
    else if (key === "escape" && this.stage.zoomed) this.stage.zoom(false)
    else return false
    return true
  }
}
