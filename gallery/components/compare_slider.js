// Two pictures with a line between them, which mouse, finger and keys move.

// The line between two pictures, moved by mouse, finger or keys. share: 0 to 1 of what is seen of the first.
function divider(letters, moved) {
  const handle = element("div", "divider")
  handle.tabIndex = 0
  handle.setAttribute("role", "slider")
  handle.setAttribute("aria-orientation", "horizontal")
  handle.setAttribute("aria-valuemin", "0")
  handle.setAttribute("aria-valuemax", "100")
  handle.setAttribute("aria-label", `Divider between ${letters[0]} and ${letters[1]}`)
  const grip = element("span", "grip")
  grip.append(element("span", "", letters[0]), element("span", "", letters[1]))
  handle.append(grip)
  handle.onkeydown = (event) => {
    const far = event.shiftKey ? 0.1 : 0.01
    const steps = { ArrowLeft: -far, ArrowDown: -far, ArrowRight: far, ArrowUp: far, PageDown: -0.1, PageUp: 0.1, Home: -1, End: 1 }
    if (!(event.key in steps) || event.metaKey || event.ctrlKey || event.altKey) return
    consume(event)
    moved(null, steps[event.key])
  }
  handle.onpointerdown = (event) => {
    if (event.button) return
    consume(event)
    handle.focus({ preventScroll: true })
    handle.setPointerCapture(event.pointerId)
    handle.onpointermove = (move) => moved(move.clientX, 0)
  }
  handle.onpointerup = handle.onpointercancel = () => (handle.onpointermove = null)
  return handle
}

class Slider {
  constructor(zoom) {
    this.zoom = zoom // only asked: how large the room is, and whether pictures can be moved in it
    this.share = 0.5
    this.pictures = []
  }

  show(view, pair, pictures) {
    this.view = view
    this.pictures = pictures
    this.letters = pair.map((pane) => pane.letter)
    this.layers = pictures.map((one) => layer(one))
    this.handle = divider(this.letters, (x, step) => (x === null ? this.step(step) : this.to(x)))
    this.handle.dataset.role = "divider"
    view.append(...this.layers, this.handle)
    this.wholePicture()
  }

  // Where nothing can be moved, the whole picture is the slider's; two fingers mean the zoom.
  wholePicture() {
    const fingers = new Set()
    const mine = (event) => !this.zoom.movable && fingers.size === 1 && !event.target.closest(".divider")
    this.view.onpointerdown = (event) => {
      if (event.button || event.defaultPrevented) return
      fingers.add(event.pointerId)
      if (event.pointerType !== "mouse" || !mine(event)) return
      this.to(event.clientX)
      this.handle.focus({ preventScroll: true })
    }
    this.view.onpointermove = (event) => {
      if (fingers.has(event.pointerId) && mine(event)) this.to(event.clientX)
    }
    this.view.onpointerup = this.view.onpointercancel = this.view.onpointerleave = (event) => fingers.delete(event.pointerId)
  }

  // seen: where the first picture is in the view.
  cover(seen) {
    this.seen = seen
    const left = Math.max(0, seen.x)
    const right = Math.min(this.zoom.room.w, seen.x + seen.w)
    const x = Math.round(left + this.share * (right - left))
    this.layers[0].style.clipPath = `inset(0 ${Math.max(0, this.zoom.room.w - x)}px 0 0)`
    this.layers[1].style.clipPath = `inset(0 0 0 ${x}px)`
    this.handle.style.left = `${x}px`
    const percent = Math.round(this.share * 100)
    this.handle.setAttribute("aria-valuenow", String(percent))
    this.handle.setAttribute("aria-valuetext", `${percent} % ${this.letters[0]}, ${100 - percent} % ${this.letters[1]}`)
  }

  to(x) {
    const left = this.view.getBoundingClientRect().left + Math.max(0, this.seen.x)
    const wide = Math.min(this.zoom.room.w, this.seen.x + this.seen.w) - Math.max(0, this.seen.x)
    this.share = clamp((x - left) / wide, 0, 1)
    this.cover(this.seen)
  }

  step(share) {
    if (!this.view?.isConnected) return
    this.share = clamp(Math.round((this.share + share) * 100) / 100, 0, 1)
    this.cover(this.seen)
  }
}
