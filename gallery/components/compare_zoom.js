// How far in and where: one state for all panes, so that every pane shows the same place of its picture.
// Sizes are in pixels of the frame: those of the largest picture that is compared, to which smaller ones are enlarged.

const NEAREST = 16
const FARTHEST = 1 / 8
const FIT_MOST = 3
const STEPS = [1 / 8, 1 / 4, 1 / 2, 3 / 4, 1, 1.5, 2, 3, 4, 6, 8, 12, 16]

function fitting(sizes, room) {
  return Math.min(FIT_MOST, ...sizes.map((size) => Math.min(room.w / size.w, room.h / size.h)))
}

// The place in the picture (0 to 1) that may stand in the middle of a view: none shows more than it must of what is beside it.
function middle(whole, room, share) {
  if (whole <= room) return 0.5
  return clamp(share, room / 2 / whole, 1 - room / 2 / whole)
}

function placed(size, room, scale, at) {
  const dots = window.devicePixelRatio || 1
  const along = (whole, space, share) => Math.round((space / 2 - middle(whole, space, share) * whole) * dots) / dots
  const w = size.w * scale
  const h = size.h * scale
  return { x: along(w, room.w, at.u), y: along(h, room.h, at.v), w, h }
}

// state.zoom: screen pixels for each pixel of the frame, or null for as large as fits.
class Zoom {
  constructor(changed) {
    this.zoom = null
    this.u = 0.5
    this.v = 0.5
    this.sizes = []
    this.room = { w: 1, h: 1 }
    this.changed = changed
  }

  frame(sizes, room) {
    this.sizes = sizes.length ? sizes : [{ w: 3, h: 2 }]
    this.room = room
  }

  get scale() {
    return this.zoom === null ? fitting(this.sizes, this.room) : this.zoom
  }

  get movable() {
    const { w, h } = this.sizes[0]
    return w * this.scale > this.room.w + 1 || h * this.scale > this.room.h + 1
  }

  place(size) {
    return placed(size, this.room, this.scale, this)
  }

  // At a point of a view, that of `size`, which stays where it is; without one, the middle.
  to(zoom, point, size = this.sizes[0]) {
    const before = this.place(size)
    this.zoom = zoom === null ? null : clamp(zoom, FARTHEST, NEAREST)
    if (point && zoom !== null) {
      const after = { w: size.w * this.scale, h: size.h * this.scale }
      this.u = (this.room.w / 2 - point.x) / after.w + (point.x - before.x) / before.w
      this.v = (this.room.h / 2 - point.y) / after.h + (point.y - before.y) / before.h
    }
    this.settle()
  }

  step(direction, point, size) {
    const here = this.scale
    const next = direction > 0 ? STEPS.find((one) => one > here * 1.01) : STEPS.findLast((one) => one < here / 1.01)
    if (next) this.to(next, point, size)
  }

  // 1:1 and back.
  toggle(point, size) {
    this.to(this.zoom !== null && Math.abs(this.zoom - 1) < 0.001 ? null : 1, point, size)
  }

  by(x, y, size = this.sizes[0]) {
    this.u -= x / (size.w * this.scale)
    this.v -= y / (size.h * this.scale)
    this.settle()
  }

  settle() {
    const { w, h } = this.sizes[0]
    this.u = middle(w * this.scale, this.room.w, this.u)
    this.v = middle(h * this.scale, this.room.h, this.v)
    this.changed()
  }
}

// Wheel, drag, pinch and double click on anything of class .view below `area`. sizeOf: the size of the picture in a view.
function follows(area, zoom, sizeOf) {
  const down = new Map()
  const spot = (event, view) => {
    const box = view.getBoundingClientRect()
    return { x: event.clientX - box.left, y: event.clientY - box.top }
  }
  area.addEventListener(
    "wheel",
    (event) => {
      const view = event.target.closest(".view")
      if (!view) return
      event.preventDefault()
      const lines = event.deltaMode === 1 ? 30 : 1
      const wanted = zoom.scale * 2 ** clamp((-event.deltaY * lines) / (event.ctrlKey ? 60 : 300), -1, 1)
      zoom.to(Math.abs(wanted - 1) < 0.04 ? 1 : wanted, spot(event, view), sizeOf(view))
    },
    { passive: false },
  )
  area.addEventListener("dblclick", (event) => {
    const view = event.target.closest(".view")
    if (view && !event.target.closest("button")) zoom.toggle(spot(event, view), sizeOf(view))
  })
  area.addEventListener("pointerdown", (event) => {
    const view = event.target.closest(".view")
    if (!view || event.button || event.defaultPrevented || event.target.closest("button, [role=slider]")) return
    down.set(event.pointerId, { ...spot(event, view), view })
    if (down.size > 1 || zoom.movable) area.setPointerCapture(event.pointerId)
  })
  area.addEventListener("pointermove", (event) => {
    const last = down.get(event.pointerId)
    if (!last) return
    const here = spot(event, last.view)
    const size = sizeOf(last.view)
    const other = [...down.entries()].find(([id]) => id !== event.pointerId)?.[1]
    if (other) {
      const apart = (point) => Math.max(8, Math.hypot(point.x - other.x, point.y - other.y))
      zoom.to((zoom.scale * apart(here)) / apart(last), { x: (here.x + other.x) / 2, y: (here.y + other.y) / 2 }, size)
      zoom.by((here.x - last.x) / 2, (here.y - last.y) / 2, size)
    } else if (zoom.movable) {
      zoom.by(here.x - last.x, here.y - last.y, size)
    }
    down.set(event.pointerId, { ...here, view: last.view })
  })
  const up = (event) => down.delete(event.pointerId)
  area.addEventListener("pointerup", up)
  area.addEventListener("pointercancel", up)
}
