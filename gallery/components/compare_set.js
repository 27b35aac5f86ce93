// What is compared and how: panes, mode, pair, and which run of the view comes next. No element, and no word to Python.

const LETTERS = "ABCDEFGHI"

class Compared {
  constructor() {
    this.told = 0 // changes made here; data.told counts those that Python had heard of
  }

  read(data) {
    const first = !this.data
    this.data = data
    // Until Python has heard of the last change here, what it says of mode and pair is older than what is on screen.
    if (!first && data.told < this.told) return
    this.panes = data.panes
    this.mode = data.mode
    this.pairAt = data.pair
    this.told = data.told
  }

  change(what) {
    Object.assign(this, what)
    this.told += 1
  }

  // A pair that is there, whatever was taken away.
  settle() {
    if (this.pairAt.some((at) => at >= this.panes.length)) this.pairAt = [0, Math.min(1, this.panes.length - 1)]
  }

  // Equal as long as the stage shows the same.
  get text() {
    return JSON.stringify([this.panes, this.mode, this.pairAt])
  }

  get pair() {
    return this.pairAt.map((at) => this.panes[at])
  }

  get tokens() {
    return this.panes.map((pane) => pane.token)
  }

  pane(token) {
    return this.panes.find((one) => one.token === token)
  }

  sizeOf(token) {
    const pane = this.pane(token) || this.panes[0]
    return { w: pane.w * pane.scale, h: pane.h * pane.scale }
  }

  // Of one that is new here all that the strip knows of it, until Python says the rest.
  panesOf(tokens) {
    const side = Math.max(1, ...this.panes.filter((pane) => pane.run && pane.src).map((pane) => pane.scale * Math.max(pane.w, pane.h)))
    const known = new Map(this.data.strip.map((one) => [one.token, { ...one, src: one.full, note: "", run: one.token, original: one.full, scale: side / Math.max(one.w, one.h) }]))
    this.panes.forEach((pane) => known.set(pane.token, pane))
    return tokens.filter((token) => known.has(token)).map((token, at) => ({ ...known.get(token), letter: LETTERS[at] }))
  }

  // The nearest run of the view after the one on the right (or before it) that is not on the stage.
  along(direction) {
    const strip = this.data.strip.map((one) => one.token)
    const here = strip.indexOf(this.right[1]?.token)
    const rest = direction > 0 ? strip.slice(here + 1) : strip.slice(0, Math.max(here, 0)).reverse()
    const found = here < 0 ? null : rest.find((token) => !this.tokens.includes(token))
    const told = direction > 0 ? this.data.next : this.data.previous
    return found || (told && !this.tokens.includes(told) && this.told === this.data.told ? told : null)
  }

  // The one that is kept, and the one whose place candidates take.
  get right() {
    const runs = this.panes.filter((pane) => pane.run)
    const [first, second] = this.pair
    if (this.panes.length > 1 && second.run) return [first, second]
    return [this.panes[0], runs[runs.length - 1] || this.panes[this.panes.length - 1]]
  }

  withCandidate(token) {
    const [first, second] = this.right
    return first === second ? [...this.tokens, token] : this.tokens.map((one) => (one === second.token ? token : one))
  }

  swapped() {
    const tokens = this.tokens
    const [first, second] = this.right.map((pane) => tokens.indexOf(pane.token))
    ;[tokens[first], tokens[second]] = [tokens[second], tokens[first]]
    return tokens
  }
}
