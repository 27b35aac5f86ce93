// One picture: fitted, or at 1:1 and then moved by mouse, finger or keys. The next ones are fetched and decoded ahead, so that a step
// shows the picture at once. Enlarged to three times its own pixels at most: more than that says nothing more.

const MOST_ENLARGED = 3
const KEPT_PICTURES = 12

class Stage {
  constructor(on) {
    this.on = on // {step(by), zoomed(yes)}
    this.box = element("div", "stage")
    this.none = element("span", "none")
    this.fetched = new Map()
    this.zoomed = false
    this.centre = { x: 0.5, y: 0.5 } // of the picture, what stands in the middle at 1:1; the same from one picture to the next
    this.pointer = null
    this.box.onpointerdown = (event) => this.down(event)
    this.box.onpointermove = (event) => this.moved(event)
    this.box.onpointerup = (event) => this.up(event)
    this.box.onpointercancel = () => (this.pointer = null)
    this.box.ondragstart = (event) => event.preventDefault()
    this.box.ondblclick = (event) => event.preventDefault()
    new ResizeObserver(() => this.place()).observe(this.box)
  }

  show(item) {
    this.item = item
    const image = item?.src ? this.fetch(item) : null
    this.box.classList.toggle("empty", !image)
    if (!image || image.broken) {
      this.none.textContent = image ? DAMAGED : item === null ? "This run is gone" : "Fetching…"
      this.image = null
      if (this.box.firstChild !== this.none) this.swap(this.none)
      return
    }
    this.image = image
    if (this.box.firstChild !== image) this.swap(image)
    this.place()
  }

  swap(node) {
    const before = this.box.firstChild
    if (before && before.classList?.contains("swaps")) before.replaceWith(node)
    else this.box.prepend(node)
    node.classList.add("swaps")
  }

  // The node to show; kept, so that what was decoded stays so for the way back.
  fetch(item) {
    let image = this.fetched.get(item.src)
    if (image) this.fetched.delete(item.src)
    else {
      image = element("img")
      image.decoding = "sync"
      image.alt = item.alt
      image.draggable = false
      if (item.thumb) image.style.backgroundImage = `url("${item.thumb}")`
      else image.style.backgroundColor = item.colour || "transparent"
      image.onload = () => (image.style.background = "none")
      image.onerror = () => {
        image.broken = true
        if (this.item?.src === item.src) this.show(this.item)
      }
      image.src = item.src
    }
    this.fetched.set(item.src, image)
    for (const src of this.fetched.keys()) {
      if (this.fetched.size <= KEPT_PICTURES) break
      this.fetched.delete(src)
    }
    return image
  }

  ahead(items) {
    items.forEach((item) => item?.src && this.fetch(item).decode().catch(() => {}))
    if (this.item?.src) this.fetch(this.item) // the newest, so that it is dropped last
  }

  zoom(yes, at) {
    this.zoomed = yes
    if (yes && at) this.centre = at
    this.box.classList.toggle("zoomed", yes)
    this.on.zoomed(yes)
    this.place()
  }

  pan(dx, dy) {
    if (!this.image || !this.zoomed) return
    const scale = this.scale()
    this.centre = { x: this.centre.x + dx / (this.item.w * scale), y: this.centre.y + dy / (this.item.h * scale) }
    this.place()
  }

  scale() {
    const { clientWidth: width, clientHeight: height } = this.box
    if (this.zoomed) return 1 / window.devicePixelRatio
    return Math.min(width / this.item.w, height / this.item.h, MOST_ENLARGED)
  }

  place() {
    if (!this.image || !this.box.clientWidth) return
    const { clientWidth: width, clientHeight: height } = this.box
    const scale = this.scale()
    const size = { x: this.item.w * scale, y: this.item.h * scale }
    const room = { x: width, y: height }
    const offset = {}
    for (const axis of ["x", "y"]) {
      if (size[axis] <= room[axis]) offset[axis] = (room[axis] - size[axis]) / 2
      else {
        const half = room[axis] / 2 / size[axis]
        this.centre[axis] = clamp(this.centre[axis], half, 1 - half)
        offset[axis] = room[axis] / 2 - this.centre[axis] * size[axis]
      }
    }
    Object.assign(this.image.style, {
      width: `${size.x}px`,
      height: `${size.y}px`,
      transform: `translate(${Math.round(offset.x)}px, ${Math.round(offset.y)}px)`,
    })
  }

  // --- mouse and fingers

  down(event) {
    if (event.button || event.target.closest("button, a")) return
    this.pointer = { id: event.pointerId, x: event.clientX, y: event.clientY, lastX: event.clientX, lastY: event.clientY, far: false }
    this.box.setPointerCapture(event.pointerId)
  }

  moved(event) {
    const from = this.pointer
    if (!from || from.id !== event.pointerId) return
    if (Math.hypot(event.clientX - from.x, event.clientY - from.y) > 6) from.far = true
    if (this.zoomed) this.pan(from.lastX - event.clientX, from.lastY - event.clientY)
    from.lastX = event.clientX
    from.lastY = event.clientY
  }

  up(event) {
    const from = this.pointer
    this.pointer = null
    if (!from || from.id !== event.pointerId) return
    const [dx, dy] = [event.clientX - from.x, event.clientY - from.y]
    if (from.far) {
      if (!this.zoomed && Math.abs(dx) > 50 && Math.abs(dx) > 1.5 * Math.abs(dy)) this.on.step(dx < 0 ? 1 : -1)
      return
    }
    const now = event.timeStamp
    const twice = now - (this.tapped || -1000) < 350
    this.tapped = twice ? -1000 : now
    if (event.pointerType === "mouse" || twice) this.zoom(!this.zoomed, this.at(event))
  }

  // Where on the picture an event is.
  at(event) {
    if (!this.image) return null
    const box = this.image.getBoundingClientRect()
    const share = (value, start, size) => clamp((value - start) / size, 0, 1)
    return { x: share(event.clientX, box.left, box.width), y: share(event.clientY, box.top, box.height) }
  }
}

