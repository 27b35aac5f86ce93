// The keys of Compare, for the whole page, and the list that shows them.

const COMPARE_KEYS = [
  ["Z", "1:1 and back"], ["+ \u2212", "closer, farther"], ["0", "all of it"], ["Arrows", "move when enlarged, else the next pane"],
  ["M", "next mode"], ["Space", "flicker: the other one; held down, while held"], ["S", "swap the pair"], ["N B", "next, previous of the view on the right"],
  ["P X U", "pick, reject, neither: the marked pane"], ["1-5", "stars; the same again takes them away"], ["Ctrl Z", "undo the last review"], ["Enter", "open the marked pane"], ["G", "back to the gallery"], ["Esc", "all of it"],
]
const LONG_PRESS = 350 // milliseconds

function keyList() {
  const made = element("dl", "help")
  made.hidden = true
  COMPARE_KEYS.forEach(([key, text]) => {
    const pair = element("div", "key")
    pair.append(element("dt", "", key), element("dd", "", text))
    made.append(pair)
  })
  return made
}

class CompareKeys {
  constructor(root, zoom, on) {
    this.root = root
    this.zoom = zoom
    this.on = on // {undo(), space(): whether a picture turned, turn(), arrow(x, far), review(key), and those of `acts` below}
    this.since = 0 // when Space turned a picture, while it is held down
    const listen = (name, act) => {
      const listener = (event) => (root.isConnected ? act(event) : document.removeEventListener(name, listener))
      document.addEventListener(name, listener)
    }
    listen("keydown", (event) => this.down(event))
    listen("keyup", (event) => this.up(event))
  }

  down(event) {
    const target = event.composedPath()[0]
    if (event.defaultPrevented || event.isComposing || event.altKey || typing(event)) return
    if (event.metaKey || event.ctrlKey) {
      if (event.key.toLowerCase() !== "z" || event.shiftKey) return
      event.preventDefault()
      return this.on.undo()
    }
    if ((event.key === " " || event.key === "Enter") && target.closest?.("button, a, summary, [role=button]")) return
    if (event.key === " ") {
      event.preventDefault()
      if (!event.repeat && this.on.space()) this.since = performance.now()
      return
    }
    if (event.key in ARROWS ? this.arrow(event) : this.act(event.key.toLowerCase())) consume(event)
  }

  // Held down, Space shows the other picture only that long.
  up(event) {
    if (event.key !== " " || !this.since) return
    if (performance.now() - this.since > LONG_PRESS) this.on.turn()
    this.since = 0
  }

  // Whether a key meant something here.
  arrow(event) {
    const [x, y] = ARROWS[event.key]
    if (!this.zoom.movable) return Boolean(x) && this.on.arrow(x, event.shiftKey)
    this.zoom.by(-x * this.zoom.room.w * 0.1, -y * this.zoom.room.h * 0.1)
    return true
  }

  act(key) {
    const { on, zoom } = this
    const acts = {
      z: () => zoom.toggle(),
      0: () => zoom.to(null),
      "+": () => zoom.step(1),
      "=": () => zoom.step(1),
      "-": () => zoom.step(-1),
      escape: () => zoom.to(null),
      m: on.mode,
      s: on.swap,
      n: on.next,
      b: on.previous,
      g: on.leave,
      e: on.open,
      enter: on.open,
      "?": on.help,
    }
    if (!(key in acts)) return on.review(key)
    acts[key]()
    return true
  }
}
