// The buttons above the stage: how pictures are shown, how near, and what the mode alone has to choose.

const MODES = [
  ["side", "Side by side", "All panes, with the same place in each"],
  ["slider", "Slider", "Two pictures with a line between them"],
  ["flicker", "Flicker", "Two pictures in the same place, in turn (Space)"],
  ["difference", "Difference", "How far two pictures are apart, channel by channel"],
]
const RATES = [[0, "by hand (Space)"], [1, "once a second"], [2, "twice a second"], [3, "three times a second"]]
const GAINS = [1, 2, 4, 8, 16].map((gain) => [gain, gain === 1 ? "as it is" : `\u00d7 ${gain}`])

function choice(choices, chosen, label, changed) {
  const made = element("select")
  made.setAttribute("aria-label", label)
  made.append(...choices.map(([value, text]) => option(value, text)))
  made.value = String(chosen)
  made.onchange = () => changed(Number(made.value))
  return made
}

class CompareBar {
  constructor(zoom, on) {
    this.zoom = zoom
    this.on = on // {mode(mode), pair([first, second]), rate(rate), gain(gain), help()}
    this.box = element("div", "bar")
    this.box.setAttribute("role", "toolbar")
    this.box.setAttribute("aria-label", "How the pictures are shown")
  }

  // chosen: {rate, gain}
  draw(compared, chosen) {
    const own = element("span", "own")
    if (compared.mode !== "side") own.append(...this.pairControls(compared))
    if (compared.mode === "flicker") own.append(element("span", "faint", "changes"), choice(RATES, chosen.rate, "How often the pictures change", this.on.rate))
    if (compared.mode === "difference") {
      this.gains = choice(GAINS, chosen.gain || 1, "How strongly the difference is shown", this.on.gain)
      own.append(element("span", "faint", "shown"), this.gains)
    }
    this.help = button("Keys", "Show the keys (?)", () => this.on.help(), "quiet")
    this.help.dataset.role = "help"
    this.box.replaceChildren(this.modes(compared), this.near(), own, this.help)
  }

  modes(compared) {
    const modes = element("span", "group")
    MODES.forEach(([mode, text, title]) => {
      const made = button(text, title, () => this.on.mode(mode))
      made.dataset.role = `mode-${mode}`
      made.setAttribute("aria-pressed", String(compared.mode === mode))
      made.disabled = mode !== "side" && compared.panes.length < 2
      modes.append(made)
    })
    return modes
  }

  near() {
    const near = element("span", "group")
    const part = (text, title, act, role) => {
      const made = button(text, title, act)
      made.dataset.role = role
      return made
    }
    this.fit = part("Fit", "All of it (0)", () => this.zoom.to(null), "fit")
    this.exact = part("1:1", "One pixel of the picture on one of the screen (Z)", () => this.zoom.to(1), "true")
    const farther = part("\u2212", "Farther (\u2212)", () => this.zoom.step(-1), "farther")
    farther.setAttribute("aria-label", "Farther")
    this.percent = element("output", "percent")
    const closer = part("+", "Closer (+)", () => this.zoom.step(1), "closer")
    closer.setAttribute("aria-label", "Closer")
    near.append(this.fit, this.exact, farther, this.percent, closer)
    return near
  }

  pairControls(compared) {
    if (compared.panes.length < 3) return []
    const letters = compared.panes.map((pane, at) => [at, pane.letter])
    return [0, 1].flatMap((side) => {
      const choose = choice(letters, compared.pairAt[side], side ? "Second picture" : "First picture", (value) => {
        const pair = [...compared.pairAt]
        if (value === pair[1 - side]) pair[1 - side] = pair[side]
        pair[side] = value
        this.on.pair(pair)
      })
      return side ? [element("span", "faint", "and"), choose] : [choose]
    })
  }

  // As near as the zoom is now.
  zoomed() {
    if (!this.percent) return
    const percent = this.zoom.scale * 100
    this.percent.textContent = `${percent >= 10 ? Math.round(percent) : percent.toFixed(1)} %`
    this.fit.setAttribute("aria-pressed", String(this.zoom.zoom === null))
    this.exact.setAttribute("aria-pressed", String(this.zoom.zoom !== null && Math.abs(this.zoom.scale - 1) < 0.001))
  }

  gained(gain) {
    this.gains.value = String(gain)
  }

  helped(open) {
    this.help.setAttribute("aria-pressed", String(open))
  }
}
