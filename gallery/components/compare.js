// data: {panes: [{token, letter, name, note, alt, src, none, w, h, scale, colour, original, run}], mode, pair, told, next, previous,
//        place, strip: [{token, src, full, alt, name, w, h, colour, here}], limit, view, reviews: {run: review}, person, by, at}
// Tells Python: state "shown" {mode, pair, ids, told}; trigger "ask" {kind, ids}: open (a run's page), leave (to the gallery), clear (no pane).

class Comparison {
  constructor(root) {
    this.root = root
    this.marked = 0
    this.compared = new Compared()
    this.zoom = new Zoom(() => this.place())
    this.reviews = new PaneReviews(() => this.stage.judge())
    this.slider = new Slider(this.zoom)
    this.flicker = new Flicker((second) => this.mark(this.compared.pairAt[second ? 1 : 0]))
    this.difference = new Difference({ say: (text) => this.stage.say(text), drawn: (gain) => this.differs(gain) })
    this.stage = new CompareStage(this.compared, this.zoom, { slider: this.slider, flicker: this.flicker, difference: this.difference }, {
      href: (pane) => `run?id=${pane.run}${this.compared.data.view ? `&${this.compared.data.view}` : ""}`,
      open: (pane) => this.ask("open", [pane.run]),
      remove: (pane) => this.go(this.compared.tokens.filter((token) => token !== pane.token)),
      marked: (at) => this.mark(at),
      controls: (pane) => this.reviews.controls(pane),
      lost: () => this.draw(),
    })
    this.bar = new CompareBar(this.zoom, {
      mode: (mode) => this.change({ mode }),
      pair: (pairAt) => this.change({ pairAt }),
      rate: (rate) => this.flickers(rate),
      gain: (gain) => this.enlarges(gain),
      help: () => this.toggleHelp(),
    })
    this.strip = new CompareStrip({ candidate: (token) => this.candidate(token), add: (token) => this.go([...this.compared.tokens, token]) })
    this.help = keyList()
    this.below = element("div", "below")
    root.append(this.bar.box, this.help, this.stage.box, this.stage.words, this.below, this.strip.box)
    new ResizeObserver(() => this.measure()).observe(root)
    window.addEventListener("resize", () => root.isConnected && this.measure())
    this.listen()
  }

  listen() {
    new CompareKeys(this.root, this.zoom, {
      undo: () => this.reviews.undo(),
      space: () => this.space(),
      turn: () => this.compared.mode === "flicker" && this.flicker.turn(),
      arrow: (x, far) => this.arrow(x, far),
      review: (key) => this.reviews.key(key, this.pane),
      mode: () => this.nextMode(),
      swap: () => this.swap(),
      next: () => this.candidate(this.compared.along(1)),
      previous: () => this.candidate(this.compared.along(-1)),
      leave: () => this.ask("leave", []),
      open: () => this.pane?.run && this.ask("open", [this.pane.run]),
      help: () => this.toggleHelp(),
    })
  }

  show(data, tell) {
    this.tell = tell
    this.reviews.show(data)
    this.compared.read(data)
    this.refresh()
    for (const token of [this.compared.along(1), this.compared.along(-1)]) {
      const ahead = data.strip.find((one) => one.token === token)
      if (ahead?.full) new Image().src = ahead.full
    }
  }

  // On screen at once. As a state, which always comes to the last word of many, and not as a trigger, of which some are lost.
  change(what) {
    const { compared } = this
    compared.change(what)
    this.tell.state("shown", { mode: compared.mode, pair: compared.pairAt, ids: compared.tokens, told: compared.told })
    this.refresh()
  }

  ask(kind, ids) {
    this.tell.trigger("ask", { kind, ids })
  }

  // --- drawing ---

  refresh() {
    this.compared.settle()
    this.marked = clamp(this.marked, 0, this.compared.panes.length - 1)
    this.stage.keepImages()
    const { text } = this.compared
    if (text !== this.drawn) this.draw()
    else {
      this.stage.judge()
      this.drawBelow()
    }
    this.drawn = text
    this.strip.show(this.compared)
  }

  draw() {
    const focused = this.root.getRootNode().activeElement
    const role = focused?.closest?.("[data-role]")?.dataset.role
    this.bar.draw(this.compared, { rate: this.flicker.rate, gain: this.difference.gain })
    this.stage.draw()
    this.drawBelow()
    this.stage.judge()
    this.mark(this.marked)
    this.measure()
    this.flicker.time(this.compared.mode === "flicker")
    if (role) this.root.querySelector(`[data-role="${role}"]`)?.focus({ preventScroll: true })
  }

  drawBelow() {
    const { panes, right, data } = this.compared
    const several = panes.length > 1
    const [first, second] = right
    const candidate = (direction, text, title, className) => {
      const token = this.compared.along(direction)
      const made = button(text, title, () => this.candidate(token), className)
      made.dataset.role = direction > 0 ? "next" : "previous"
      made.disabled = !token
      return made
    }
    const parts = [
      candidate(-1, several ? `Keep ${first.letter}, previous right` : "previous", "The run before it in the view comes in on the right (B)"),
      candidate(1, several ? `Keep ${first.letter}, next right` : "next beside it", "The next run of the view comes in on the right (N)", "strong"),
      element("span", "faint", data.place),
    ]
    if (several) parts.unshift(button(`Swap ${first.letter} and ${second.letter}`, "The one on the right becomes the one to keep (S)", () => this.swap()))
    this.below.replaceChildren(...parts, this.reviews.told, this.reviews.notice)
  }

  measure() {
    if (this.compared.data && this.root.clientWidth) this.stage.measure(this.root.clientWidth)
  }

  place() {
    this.stage.place()
    this.bar.zoomed()
  }

  toggleHelp() {
    this.help.hidden = !this.help.hidden
    this.bar.helped(!this.help.hidden)
  }

  // --- how it is shown ---

  nextMode() {
    const names = MODES.map(([mode]) => mode)
    if (this.compared.panes.length > 1) this.change({ mode: names[(names.indexOf(this.compared.mode) + 1) % names.length] })
  }

  // Whether the other picture is seen now; from another mode, Space leads to the flicker.
  space() {
    if (this.compared.panes.length < 2) return false
    if (this.compared.mode === "flicker") {
      this.flicker.turn()
      return true
    }
    this.flicker.second = false
    this.change({ mode: "flicker" })
    return false
  }

  // Left and right where nothing can be moved. Whether that meant something.
  arrow(x, far) {
    const { mode, panes } = this.compared
    if (mode === "slider") this.slider.step(x * (far ? 0.1 : 0.01))
    else if (mode === "side") this.stage.focus(clamp(this.marked + x, 0, panes.length - 1))
    else return false
    return true
  }

  flickers(rate) {
    this.flicker.rate = rate
    this.flicker.time(this.compared.mode === "flicker")
  }

  enlarges(gain) {
    this.difference.gain = gain
    this.draw()
  }

  differs(gain) {
    this.bar.gained(gain)
    this.place()
  }

  // --- what is compared ---

  // The pane that keys speak of.
  get pane() {
    return this.compared.panes[this.marked]
  }

  mark(at) {
    this.marked = at
    this.stage.mark(this.pane?.token)
  }

  go(tokens) {
    const panes = this.compared.panesOf(tokens)
    if (panes.length) this.change({ panes })
    else this.ask("clear", [])
  }

  candidate(token) {
    if (token && !this.compared.tokens.includes(token)) this.go(this.compared.withCandidate(token))
  }

  swap() {
    if (this.compared.panes.length > 1) this.go(this.compared.swapped())
  }
}

export default function (component) {
  const { data, parentElement, setStateValue, setTriggerValue } = component
  const root = parentElement.querySelector(".root")
  if (!root.comparison) root.comparison = new Comparison(root)
  root.comparison.show(data, { state: setStateValue, trigger: setTriggerValue })
}
