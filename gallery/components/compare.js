// data: {panes: [{token, letter, name, note, alt, src, none, w, h, scale, colour, original, run}], mode, pair, told, next, previous,
//        place, strip: [{token, src, full, alt, name, w, h, colour, here}], limit, view, reviews: {run: review}, person, by, at}
// Tells Python: state "shown" {mode, pair, ids, told}; trigger "ask" {kind, ids}: open (a run's page), leave (to the gallery), clear (no pane).

const GAP = 8
const LETTERS = "ABCDEFGHI"
const HEAD = 46
const MODES = [
  ["side", "Side by side", "All panes, with the same place in each"],
  ["slider", "Slider", "Two pictures with a line between them"],
  ["flicker", "Flicker", "Two pictures in the same place, in turn (Space)"],
  ["difference", "Difference", "How far two pictures are apart, channel by channel"],
]
const HINTS = {
  side: "The wheel, or + and \u2212, enlarges all panes together; drag or the arrow keys move them. Z is 1:1.",
  slider: "Drag the line, or move it with the arrow keys. Z is 1:1.",
  flicker: "Space shows the other one in the same place; hold it down to see it only that long.",
  difference: "",
}
const KEYS = [
  ["Z", "1:1 and back"], ["+ \u2212", "closer, farther"], ["0", "all of it"], ["Arrows", "move when enlarged, else the next pane"],
  ["M", "next mode"], ["Space", "flicker: the other one; held down, while held"], ["S", "swap the pair"], ["N B", "next, previous of the view on the right"],
  ["P X U", "pick, reject, neither: the marked pane"], ["1-5", "stars; the same again takes them away"], ["Ctrl Z", "undo the last review"], ["Enter", "open the marked pane"], ["G", "back to the gallery"], ["Esc", "all of it"],
]

function options(choices, chosen, label, changed) {
  const made = element("select")
  made.setAttribute("aria-label", label)
  choices.forEach(([value, text]) => {
    const option = element("option", "", text)
    option.value = value
    made.append(option)
  })
  made.value = String(chosen)
  made.onchange = () => changed(made.value)
  return made
}

function button(text, title, act, className) {
  const made = element("button", className || "", text)
  made.type = "button"
  made.title = title
  made.onclick = act
  return made
}

class Comparison {
  constructor(root) {
    this.root = root
    this.images = new Map()
    this.broken = new Set()
    this.share = 0.5
    this.gain = null // what fits the pair, until somebody chooses
    this.rate = 0
    this.second = false // flicker: whether the second one is seen
    this.marked = 0
    this.told = 0
    this.zoom = new Zoom(() => this.place())
    this.reviews = new PaneReviews(() => this.judge())
    this.bar = element("div", "bar")
    this.bar.setAttribute("role", "toolbar")
    this.bar.setAttribute("aria-label", "How the pictures are shown")
    this.stage = element("div", "stage")
    this.below = element("div", "below")
    this.words = element("p", "words")
    this.words.setAttribute("aria-live", "polite")
    this.help = element("dl", "help")
    this.help.hidden = true
    KEYS.forEach(([key, text]) => {
      const pair = element("div", "key")
      pair.append(element("dt", "", key), element("dd", "", text))
      this.help.append(pair)
    })
    this.strip = element("ul", "strip")
    this.strip.setAttribute("aria-label", "Around it in the view")
    root.append(this.bar, this.help, this.stage, this.words, this.below, this.strip)
    follows(this.stage, this.zoom, (one) => this.sizeOf(one.dataset.token))
    new ResizeObserver(() => this.measure()).observe(root)
    window.addEventListener("resize", () => root.isConnected && this.measure())
    this.listen()
  }

  get pair() {
    return this.pairAt.map((at) => this.panes[at])
  }

  sizeOf(token) {
    const pane = this.panes.find((one) => one.token === token) || this.panes[0]
    return { w: pane.w * pane.scale, h: pane.h * pane.scale }
  }

  show(data, tell) {
    this.tell = tell
    this.reviews.show(data)
    const before = this.data
    this.data = data
    // Until Python has heard of the last change here, what it says of mode and pair is older than what is on screen.
    if (!before || data.told >= this.told) {
      this.panes = data.panes
      this.mode = data.mode
      this.pairAt = data.pair
      this.told = data.told
    }
    this.refresh()
    for (const token of [this.along(1), this.along(-1)]) {
      const ahead = data.strip.find((one) => one.token === token)
      if (ahead?.full) new Image().src = ahead.full
    }
  }

  refresh() {
    if (this.pairAt.some((at) => at >= this.panes.length)) this.pairAt = [0, Math.min(1, this.panes.length - 1)]
    this.marked = Math.max(0, Math.min(this.marked, this.panes.length - 1))
    this.keepImages()
    const text = JSON.stringify([this.panes, this.mode, this.pairAt])
    if (text !== this.drawn) this.draw()
    else {
      this.judge()
      this.drawBelow()
    }
    this.drawn = text
    this.drawStrip()
  }

  // By pane, not by file: two runs may have made the very same picture.
  keepImages() {
    const wanted = new Map(this.panes.filter((pane) => pane.src).map((pane) => [pane.token, pane]))
    for (const [token, one] of this.images) if (wanted.get(token)?.src !== one.source) this.images.delete(token)
    for (const [token, pane] of wanted) {
      if (this.images.has(token)) continue
      const made = image(pane, () => this.lost(pane.src))
      made.source = pane.src
      made.style.background = pane.colour || "transparent"
      this.images.set(token, made)
    }
  }

  imageOf(pane) {
    return this.images.get(pane.token)
  }

  lost(src) {
    this.broken.add(src)
    this.draw()
  }

  has(pane) {
    return pane.src && !this.broken.has(pane.src)
  }

  why(pane) {
    return pane.src ? "The picture's file is missing or damaged" : pane.none
  }

  // --- drawing ---

  // On screen at once. As a state, which always comes to the last word of many, and not as a trigger, of which some are lost.
  change(what) {
    Object.assign(this, what)
    this.told += 1
    this.tell.state("shown", { mode: this.mode, pair: this.pairAt, ids: this.tokens(), told: this.told })
    this.refresh()
  }

  draw() {
    const focused = this.root.getRootNode().activeElement
    const role = focused?.closest?.("[data-role]")?.dataset.role
    this.drawBar()
    this.heads = []
    this.views = []
    this.handle = null
    this.stage.className = `stage ${this.mode}`
    if (this.mode === "side") this.drawSide()
    else this.drawPair()
    this.drawBelow()
    this.judge()
    this.mark()
    this.measure()
    this.time()
    if (role) this.root.querySelector(`[data-role="${role}"]`)?.focus({ preventScroll: true })
  }

  head(pane) {
    const made = heading(pane, {
      href: (one) => `run?id=${one.run}${this.data.view ? `&${this.data.view}` : ""}`,
      open: (one) => this.ask("open", [one.run]),
      remove: (one) => this.go(this.tokens().filter((token) => token !== one.token)),
    })
    this.heads.push(made)
    return made
  }

  drawSide() {
    const cells = this.panes.map((pane, at) => {
      const cell = element("section", "cell")
      const here = view("", `${pane.letter}: ${pane.name}`)
      here.dataset.token = pane.token
      here.tabIndex = 0
      here.onfocus = here.onpointerdown = () => this.mark(at)
      if (this.has(pane)) here.append(layer(this.imageOf(pane)))
      else here.append(nothing(this.why(pane)))
      this.views.push(here)
      cell.append(this.head(pane), here)
      return cell
    })
    this.stage.replaceChildren(...cells)
    this.say("")
  }

  drawPair() {
    const [first, second] = this.pair
    const heads = element("div", "heads")
    heads.append(this.head(first), this.head(second))
    const here = view("only", `${first.letter} and ${second.letter}`)
    here.dataset.token = first.token
    here.tabIndex = 0
    this.views.push(here)
    this.stage.replaceChildren(heads, here)
    const lacking = this.pair.filter((pane) => !this.has(pane))
    if (lacking.length) {
      here.append(nothing(lacking.map((pane) => `${pane.letter}: ${this.why(pane)}`).join(". ")))
      this.say("")
      return
    }
    if (this.mode === "difference") {
      this.drawDifference(here)
      return
    }
    this.layers = this.pair.map((pane) => layer(this.imageOf(pane)))
    here.append(...this.layers)
    if (this.mode === "slider") {
      this.handle = divider([first.letter, second.letter], (x, step) => this.slide(x, step))
      this.handle.dataset.role = "divider"
      here.append(this.handle)
      this.slidesOn(here)
    }
    this.say("")
  }

  // Where nothing can be moved, the whole picture is the slider's; two fingers mean the zoom.
  slidesOn(here) {
    const fingers = new Set()
    const mine = (event) => !this.zoom.movable && fingers.size === 1 && !event.target.closest(".divider")
    here.onpointerdown = (event) => {
      if (event.button || event.defaultPrevented) return
      fingers.add(event.pointerId)
      if (event.pointerType !== "mouse" || !mine(event)) return
      this.slide(event.clientX, 0)
      this.handle.focus({ preventScroll: true })
    }
    here.onpointermove = (event) => {
      if (fingers.has(event.pointerId) && mine(event)) this.slide(event.clientX, 0)
    }
    here.onpointerup = here.onpointercancel = here.onpointerleave = (event) => fingers.delete(event.pointerId)
  }

  drawDifference(here) {
    const pictures = this.pair.map((pane) => this.imageOf(pane))
    const key = this.pair.map((pane) => pane.src).join(" ")
    this.say("Comparing\u2026")
    Promise.all(pictures.map((one) => one.decode())).then(
      () => {
        if (this.mode !== "difference" || !here.isConnected) return
        if (this.both?.key !== key) this.both = { key, ...numbers(...pictures) }
        const gain = this.gain || fittingGain(this.both)
        this.gainChoice.value = String(gain)
        const found = difference(this.both, gain)
        found.canvas.setAttribute("role", "img")
        found.canvas.setAttribute("aria-label", `Difference of ${this.pair[0].letter} and ${this.pair[1].letter}, ${gain} times as strong`)
        here.replaceChildren(layer(found.canvas))
        this.say(differenceWords(found, this.both, this.pair))
        this.place()
      },
      () => {}, // onerror has said so
    )
  }

  // What the stage says below it; a hint where there is nothing to say. Always one line, so that nothing below moves.
  say(text) {
    const words = text || HINTS[this.mode]
    if (this.words.textContent !== words) this.words.textContent = words
    this.words.classList.toggle("faint", !text)
  }

  drawBar() {
    const modes = element("span", "group")
    const enough = this.panes.length > 1
    MODES.forEach(([mode, text, title]) => {
      const made = button(text, title, () => this.change({ mode }))
      made.dataset.role = `mode-${mode}`
      made.setAttribute("aria-pressed", String(this.mode === mode))
      made.disabled = mode !== "side" && !enough
      modes.append(made)
    })
    const near = element("span", "group")
    const zoom = (text, title, act, role) => {
      const made = button(text, title, act)
      made.dataset.role = role
      near.append(made)
      return made
    }
    this.fitButton = zoom("Fit", "All of it (0)", () => this.zoom.to(null), "fit")
    this.trueButton = zoom("1:1", "One pixel of the picture on one of the screen (Z)", () => this.zoom.to(1), "true")
    zoom("\u2212", "Farther (\u2212)", () => this.zoom.step(-1), "farther").setAttribute("aria-label", "Farther")
    this.percent = element("output", "percent")
    near.append(this.percent)
    zoom("+", "Closer (+)", () => this.zoom.step(1), "closer").setAttribute("aria-label", "Closer")
    const own = element("span", "own")
    if (this.mode !== "side") own.append(...this.pairControls())
    if (this.mode === "flicker") {
      const rates = [[0, "by hand (Space)"], [1, "once a second"], [2, "twice a second"], [3, "three times a second"]]
      own.append(element("span", "faint", "changes"), options(rates, this.rate, "How often the pictures change", (value) => { this.rate = Number(value); this.time() }))
    }
    if (this.mode === "difference") {
      const gains = [1, 2, 4, 8, 16].map((gain) => [gain, gain === 1 ? "as it is" : `\u00d7 ${gain}`])
      this.gainChoice = options(gains, this.gain || 1, "How strongly the difference is shown", (value) => { this.gain = Number(value); this.draw() })
      own.append(element("span", "faint", "shown"), this.gainChoice)
    }
    const help = button("Keys", "Show the keys (?)", () => this.toggleHelp(), "quiet")
    help.dataset.role = "help"
    this.bar.replaceChildren(modes, near, own, help)
  }

  pairControls() {
    if (this.panes.length < 3) return []
    const letters = this.panes.map((pane, at) => [at, pane.letter])
    return [0, 1].flatMap((side) => {
      const choose = options(letters, this.pairAt[side], side ? "Second picture" : "First picture", (value) => {
        const pair = [...this.pairAt]
        if (Number(value) === pair[1 - side]) pair[1 - side] = pair[side]
        pair[side] = Number(value)
        this.change({ pairAt: pair })
      })
      return side ? [element("span", "faint", "and"), choose] : [choose]
    })
  }

  drawBelow() {
    const [next, previous] = [this.along(1), this.along(-1)]
    const [first, second] = this.right()
    const parts = []
    if (this.panes.length > 1) parts.push(button(`Swap ${first.letter} and ${second.letter}`, "The one on the right becomes the one to keep (S)", () => this.swap()))
    const place = this.panes.length > 1 ? `Keep ${first.letter}, ` : ""
    const before = button(`${place}previous${place ? " right" : ""}`, "The run before it in the view comes in on the right (B)", () => this.candidate(previous))
    const after = button(`${place}next${place ? " right" : " beside it"}`, "The next run of the view comes in on the right (N)", () => this.candidate(next), "strong")
    before.disabled = !previous
    after.disabled = !next
    before.dataset.role = "previous"
    after.dataset.role = "next"
    parts.push(before, after, element("span", "faint", this.data.place))
    this.below.replaceChildren(...parts, this.reviews.told, this.reviews.notice)
  }

  drawStrip() {
    this.strip.hidden = !this.data.strip.length
    this.strip.classList.toggle("full", this.panes.filter((pane) => pane.run).length >= this.data.limit)
    const letters = new Map(this.panes.map((pane) => [pane.token, pane.letter]))
    const items = this.data.strip.map((one) => ({ ...one, id: one.token, here: letters.get(one.token) || "" }))
    patch(this.strip, items, (one) => {
      const entry = element("li", one.here ? "here" : "")
      const choose = button("", `${one.name}: show it on the right`, () => this.candidate(one.token), "thumb")
      choose.setAttribute("aria-label", choose.title)
      choose.append(picture(one, 1))
      if (one.here) choose.append(element("span", "letter", one.here))
      entry.append(choose)
      if (!one.here) {
        const add = button("+", `Add a pane with ${one.name}`, () => this.go([...this.tokens(), one.token]), "add")
        add.setAttribute("aria-label", add.title)
        entry.append(add)
      }
      return entry
    })
    const candidate = this.right()[1]?.token
    const here = [...this.strip.children].find((one) => one.dataset.id === candidate)
    if (here && this.centred !== candidate) this.strip.scrollLeft = here.offsetLeft - this.strip.offsetLeft - this.strip.clientWidth / 2
    this.centred = candidate
  }

  // --- where things are ---

  measure() {
    if (!this.data || !this.root.clientWidth) return
    const side = this.mode === "side"
    const sizes = (side ? this.panes : this.pair).map((pane) => this.sizeOf(pane.token))
    const wide = this.root.clientWidth
    const high = clamp(window.innerHeight - 340, 340, 1500)
    const { columns, rows } = side ? columnsFor(sizes, { w: wide, h: high }, GAP, HEAD) : { columns: 1, rows: 1 }
    const w = (wide - GAP * (columns - 1)) / columns
    // As high as the window allows, but not much higher than what fits the width needs.
    const needed = Math.max(...sizes.map((size) => size.h)) * fitting(sizes, { w, h: Infinity })
    const h = Math.floor(Math.min((high - GAP * (rows - 1)) / rows - HEAD, Math.max(needed, 280 / rows)))
    this.stage.style.gridTemplateColumns = `repeat(${columns}, minmax(0, 1fr))`
    this.views.forEach((one) => (one.style.height = `${h}px`))
    this.zoom.frame(sizes, { w, h })
    this.zoom.settle()
  }

  place() {
    const scale = this.zoom.scale
    const lay = (one, size, own) => {
      const at = this.zoom.place(size)
      Object.assign(one.style, { width: `${at.w}px`, height: `${at.h}px`, transform: `translate(${at.x}px, ${at.y}px)` })
      one.style.imageRendering = this.zoom.zoom !== null && scale * own >= 1 ? "pixelated" : "auto"
      return at
    }
    if (this.mode === "side") {
      this.panes.forEach((pane) => this.has(pane) && lay(this.imageOf(pane), this.sizeOf(pane.token), pane.scale))
    } else if (this.mode === "difference") {
      const canvas = this.views[0]?.querySelector("canvas")
      if (canvas) lay(canvas, this.sizeOf(this.pair[0].token), this.pair[0].scale)
    } else if (this.layers && this.pair.every((pane) => this.has(pane))) {
      this.layers.forEach((one, at) => {
        const seen = lay(one.firstChild, this.sizeOf(this.pair[at].token), this.pair[at].scale)
        if (!at) this.seen = seen
      })
      this.cover()
    }
    const percent = scale * 100
    if (this.percent) {
      this.percent.textContent = `${percent >= 10 ? Math.round(percent) : percent.toFixed(1)} %`
      this.fitButton.setAttribute("aria-pressed", String(this.zoom.zoom === null))
      this.trueButton.setAttribute("aria-pressed", String(this.zoom.zoom !== null && Math.abs(scale - 1) < 0.001))
    }
    this.stage.classList.toggle("movable", this.zoom.movable)
  }

  cover() {
    if (this.mode === "flicker") {
      this.layers.forEach((one, at) => (one.style.visibility = (at === 1) === this.second ? "visible" : "hidden"))
      this.layers.forEach((one) => (one.style.clipPath = ""))
      this.heads.forEach((one, at) => one.classList.toggle("off", (at === 1) !== this.second))
      return
    }
    const left = Math.max(0, this.seen.x)
    const right = Math.min(this.zoom.room.w, this.seen.x + this.seen.w)
    const x = Math.round(left + this.share * (right - left))
    this.layers[0].style.clipPath = `inset(0 ${Math.max(0, this.zoom.room.w - x)}px 0 0)`
    this.layers[1].style.clipPath = `inset(0 0 0 ${x}px)`
    this.handle.style.left = `${x}px`
    const percent = Math.round(this.share * 100)
    this.handle.setAttribute("aria-valuenow", String(percent))
    this.handle.setAttribute("aria-valuetext", `${percent} % ${this.pair[0].letter}, ${100 - percent} % ${this.pair[1].letter}`)
  }

  slide(x, step) {
    if (x !== null) {
      const left = this.views[0].getBoundingClientRect().left + Math.max(0, this.seen.x)
      const wide = Math.min(this.zoom.room.w, this.seen.x + this.seen.w) - Math.max(0, this.seen.x)
      this.share = clamp((x - left) / wide, 0, 1)
    } else {
      this.share = clamp(Math.round((this.share + step) * 100) / 100, 0, 1)
    }
    this.cover()
  }

  // --- flicker ---

  flip(second) {
    this.second = second
    this.marked = this.pairAt[second ? 1 : 0]
    this.mark()
    if (this.layers) this.cover()
  }

  time() {
    clearInterval(this.timer)
    if (this.mode !== "flicker" || !this.rate) return
    this.timer = setInterval(() => {
      if (!this.root.isConnected) clearInterval(this.timer)
      else this.flip(!this.second)
    }, 1000 / this.rate)
  }

  // --- what is compared ---

  tokens() {
    return this.panes.map((pane) => pane.token)
  }

  ask(kind, ids) {
    this.tell.trigger("ask", { kind, ids })
  }

  // Other panes: of one that is new here all that the strip knows of it, until Python says the rest.
  go(tokens) {
    const side = Math.max(1, ...this.panes.filter((pane) => pane.run && pane.src).map((pane) => pane.scale * Math.max(pane.w, pane.h)))
    const known = new Map(this.data.strip.map((one) => [one.token, { ...one, src: one.full, note: "", run: one.token, original: one.full, scale: side / Math.max(one.w, one.h) }]))
    this.panes.forEach((pane) => known.set(pane.token, pane))
    const panes = tokens.filter((token) => known.has(token)).map((token, at) => ({ ...known.get(token), letter: LETTERS[at] }))
    if (panes.length) this.change({ panes })
    else this.ask("clear", [])
  }

  // The nearest run of the view after the one on the right (or before it) that is not on the stage.
  along(direction) {
    const tokens = this.tokens()
    const strip = this.data.strip.map((one) => one.token)
    const here = strip.indexOf(this.right()[1]?.token)
    const rest = direction > 0 ? strip.slice(here + 1) : strip.slice(0, Math.max(here, 0)).reverse()
    const found = here < 0 ? null : rest.find((token) => !tokens.includes(token))
    const told = direction > 0 ? this.data.next : this.data.previous
    return found || (told && !tokens.includes(told) && this.told === this.data.told ? told : null)
  }

  // The one that is kept, and the one whose place candidates take.
  right() {
    const runs = this.panes.filter((pane) => pane.run)
    const [first, second] = this.pair
    if (this.panes.length > 1 && second.run) return [first, second]
    return [this.panes[0], runs[runs.length - 1] || this.panes[this.panes.length - 1]]
  }

  candidate(token) {
    if (!token || this.tokens().includes(token)) return
    const [first, second] = this.right()
    if (first === second) this.go([...this.tokens(), token])
    else this.go(this.tokens().map((one) => (one === second.token ? token : one)))
  }

  swap() {
    if (this.panes.length < 2) return
    const tokens = this.tokens()
    const [first, second] = this.right().map((pane) => tokens.indexOf(pane.token))
    ;[tokens[first], tokens[second]] = [tokens[second], tokens[first]]
    this.go(tokens)
  }

  // --- the marked pane ---

  mark(at) {
    if (at !== undefined) this.marked = at
    const token = this.panes[this.marked]?.token
    this.heads.forEach((one) => one.classList.toggle("marked", one.dataset.token === token))
  }

  judge() {
    if (!this.heads) return
    const role = this.root.getRootNode().activeElement?.dataset?.role
    this.heads.forEach((one) => {
      const pane = this.panes.find((other) => other.token === one.dataset.token)
      one.querySelector(".review").replaceChildren(...(pane?.run ? [this.reviews.controls(pane)] : []))
    })
    if (role) this.stage.querySelector(`[data-role="${role}"]`)?.focus({ preventScroll: true })
  }

  toggleHelp() {
    this.help.hidden = !this.help.hidden
    this.bar.querySelector("[data-role=help]").setAttribute("aria-pressed", String(!this.help.hidden))
  }

  listen() {
    let since = 0
    const typing = (target) => target.closest?.("input, textarea, select, [contenteditable=true]")
    const onKey = (event) => {
      if (!this.root.isConnected) return document.removeEventListener("keydown", onKey)
      const target = event.composedPath()[0]
      if (event.defaultPrevented || event.isComposing || event.altKey || typing(target)) return
      if (event.metaKey || event.ctrlKey) {
        if (event.key.toLowerCase() !== "z" || event.shiftKey) return
        event.preventDefault()
        return this.reviews.undo()
      }
      if ((event.key === " " || event.key === "Enter") && target.closest?.("button, a, summary, [role=button]")) return
      if (event.key === " ") {
        event.preventDefault()
        if (event.repeat || this.panes.length < 2) return
        if (this.mode !== "flicker") return this.change({ mode: "flicker", second: false })
        since = performance.now()
        return this.flip(!this.second)
      }
      if (!this.key(event)) return
      event.preventDefault()
      event.stopPropagation()
    }
    const onUp = (event) => {
      if (!this.root.isConnected) return document.removeEventListener("keyup", onUp)
      if (event.key !== " " || !since || this.mode !== "flicker") return
      if (performance.now() - since > 350) this.flip(!this.second)
      since = 0
    }
    document.addEventListener("keydown", onKey)
    document.addEventListener("keyup", onUp)
  }

  // Whether a key meant something here.
  key(event) {
    const moves = { ArrowLeft: [1, 0], ArrowRight: [-1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] }
    if (event.key in moves) {
      const [x, y] = moves[event.key]
      if (this.zoom.movable) this.zoom.by(x * this.zoom.room.w * 0.1, y * this.zoom.room.h * 0.1)
      else if (x && this.mode === "slider") this.slide(null, -x * (event.shiftKey ? 0.1 : 0.01))
      else if (x && this.mode === "side") this.views[clamp(this.marked - x, 0, this.panes.length - 1)].focus({ preventScroll: true })
      else return false
      return true
    }
    const marked = this.panes[this.marked]
    const acts = {
      z: () => this.zoom.toggle(),
      0: () => this.zoom.to(null),
      "+": () => this.zoom.step(1),
      "=": () => this.zoom.step(1),
      "-": () => this.zoom.step(-1),
      m: () => this.panes.length > 1 && this.change({ mode: MODES[(MODES.findIndex(([mode]) => mode === this.mode) + 1) % MODES.length][0] }),
      s: () => this.swap(),
      n: () => this.candidate(this.along(1)),
      b: () => this.candidate(this.along(-1)),
      g: () => this.ask("leave", []),
      enter: () => marked?.run && this.ask("open", [marked.run]),
      escape: () => this.zoom.to(null),
      e: () => marked?.run && this.ask("open", [marked.run]),
      "?": () => this.toggleHelp(),
    }
    const key = event.key.toLowerCase()
    if (!(key in acts)) return this.reviews.key(key, marked)
    acts[key]()
    return true
  }
}

export default function (component) {
  const { data, parentElement, setStateValue, setTriggerValue } = component
  const root = parentElement.querySelector(".root")
  if (!root.comparison) root.comparison = new Comparison(root)
  root.comparison.show(data, { state: setStateValue, trigger: setTriggerValue })
}
