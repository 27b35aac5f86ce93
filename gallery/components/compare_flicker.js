// Two pictures in the same place, in turn: by hand, or by itself.

class Flicker {
  constructor(turned) {
    this.turned = turned // is told whether the second one is seen now
    this.second = false
    this.rate = 0 // a second; 0 by hand
    this.pictures = []
    this.layers = []
  }

  show(view, pair, pictures, heads) {
    this.pictures = pictures
    this.heads = heads
    this.layers = pictures.map((one) => layer(one))
    view.append(...this.layers)
  }

  cover() {
    this.layers.forEach((one, at) => (one.style.visibility = (at === 1) === this.second ? "visible" : "hidden"))
    this.heads.forEach((one, at) => one.classList.toggle("off", (at === 1) !== this.second))
  }

  turn() {
    this.second = !this.second
    this.turned(this.second)
    if (this.layers.length) this.cover()
  }

  time(on) {
    clearInterval(this.timer)
    if (!on || !this.rate) return
    this.timer = setInterval(() => {
      if (this.layers[0]?.isConnected) this.turn()
      else clearInterval(this.timer)
    }, 1000 / this.rate)
  }
}
