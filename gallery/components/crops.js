// data: {groups: [{name, inputs, results: [{token, name, alt, w, h, long, crop, whole, colour, run}]}], x, y, side, on, told, view, smallest, largest, step}
// Tells Python: state "region" {x, y, side, on, told}; trigger "open" with a run key.

// The rectangle of a picture: the same relative middle, the same number of pixels, moved inside where it would reach over the edge.
function rectangle(item, where) {
  const along = (whole, share) => {
    const long = Math.min(where.side, whole)
    return [clamp(Math.round(share * whole - long / 2), 0, whole - long), long]
  }
  const [x, w] = along(item.w, where.x)
  const [y, h] = along(item.h, where.y)
  return { x, y, w, h }
}

function address(item, where) {
  const { x, y, w, h } = rectangle(item, where)
  return `${item.crop}?${item.long ? `long=${item.long}&` : ""}x=${x}&y=${y}&w=${w}&h=${h}`
}

class Chooser {
  constructor(root) {
    this.root = root
    this.told = 0
    this.sheet = element("div", "sheet")
    this.aside = element("div", "aside")
    this.choose = element("select")
    this.choose.setAttribute("aria-label", "Choose the region on")
    this.choose.onchange = () => this.change({ on: this.choose.value })
    this.plate = element("div", "plate")
    this.whole = element("img")
    this.whole.draggable = false
    this.whole.decoding = "async"
    this.box = element("div", "box")
    this.box.tabIndex = 0
    this.box.setAttribute("role", "group")
    this.plate.append(this.whole, this.box)
    this.tools = element("div", "tools")
    this.smaller = button("\u2212", "Smaller (\u2212)", () => this.resize(-1))
    this.output = element("output", "side")
    this.larger = button("+", "Larger (+)", () => this.resize(1))
    for (const one of [this.smaller, this.larger]) one.setAttribute("aria-label", one.title)
    this.tools.append(this.smaller, this.output, this.larger)
    const help = element("p", "faint", "Click where to look, drag a new box, or move it with the arrow keys (with Shift: far).")
    this.aside.append(this.choose, this.plate, this.tools, help)
    this.main = element("div", "main")
    this.sections = new Map()
    this.sheet.append(this.aside, this.main)
    root.append(this.sheet)
    this.listen()
    new ResizeObserver(() => this.place()).observe(this.plate)
  }

  show(data, tell) {
    this.tell = tell
    const first = !this.data
    this.data = data
    // Until Python has heard of the last change here, what it says of the region is older than what is on screen.
    if (first || data.told >= this.told) {
      this.where = { x: data.x, y: data.y, side: data.side, on: data.on }
      this.told = data.told
    }
    this.all = [...new Map(data.groups.flatMap((group) => [...group.inputs, ...group.results]).map((one) => [one.token, one])).values()]
    const options = JSON.stringify(this.all.map((one) => [one.token, one.name]))
    if (this.options !== options) {
      this.choose.replaceChildren(...this.all.map((one) => option(one.token, one.run ? `Result: ${one.name}` : `${one.name} (${one.w} x ${one.h} px)`)))
      this.options = options
    }
    this.draw()
  }

  // What the region is chosen on; the first content unless another was taken and is here.
  get on() {
    return this.all.find((one) => one.token === this.where.on) || this.all[0]
  }

  draw() {
    const on = this.on
    this.choose.value = on.token
    if (this.whole.getAttribute("src") !== on.whole) {
      this.whole.alt = on.alt
      this.whole.src = on.whole
    }
    this.plate.style.aspectRatio = `${on.w} / ${on.h}`
    this.plate.style.background = on.colour || "transparent"
    this.place()
    this.output.textContent = `${this.where.side} px`
    this.smaller.disabled = this.where.side <= this.data.smallest
    this.larger.disabled = this.where.side >= this.data.largest
    // Pictures that are smaller than the region need no larger a place.
    const needed = this.all.map((one) => rectangle(one, this.where)).map(({ w, h }) => Math.max(w, h))
    this.root.style.setProperty("--side", `${Math.max(96, ...needed)}px`)
    this.fill()
  }

  // A section for each content and style: the two of them first, then what was made of them.
  fill() {
    const kept = new Map()
    this.data.groups.forEach((group) => {
      let section = this.sections.get(group.name)
      if (!section) {
        section = element("section")
        const list = element("ul", "crops")
        list.setAttribute("aria-label", group.name)
        section.append(element("h3", "", group.name), list)
      }
      kept.set(group.name, section)
      const items = [...group.inputs, ...group.results]
      const drawn = items.map((item) => ({ id: item.token, ...item, src: address(item, this.where), area: rectangle(item, this.where) }))
      patch(section.querySelector("ul"), drawn, (item) => this.crop(item))
    })
    this.sections = kept
    const wanted = [...kept.values()]
    if (wanted.length !== this.main.children.length || wanted.some((one, at) => this.main.children[at] !== one)) this.main.replaceChildren(...wanted)
  }

  crop(item) {
    const entry = element("li", item.run ? "crop" : "crop input")
    const link = element(item.run ? "a" : "span", "piece")
    if (item.run) {
      link.href = `run?id=${item.run}${this.data.view ? `&${this.data.view}` : ""}`
      link.title = item.name
      link.onclick = (event) => follow(event, () => this.tell.trigger("open", item.run))
    }
    const frame = element("span", "cut")
    const image = element("img")
    image.loading = "lazy"
    image.decoding = "async"
    image.width = item.area.w
    image.height = item.area.h
    image.alt = `${item.alt}, the region`
    image.style.background = item.colour || "transparent"
    image.onerror = () => image.replaceWith(element("span", "none", DAMAGED))
    image.src = item.src
    frame.append(image)
    link.append(frame, element("span", "name", item.name))
    entry.append(link)
    return entry
  }

  place() {
    if (!this.data || !this.plate.clientWidth) return
    const on = this.on
    const { x, y, w, h } = rectangle(on, this.where)
    const share = (value, whole) => `${(100 * value) / whole}%`
    Object.assign(this.box.style, { left: share(x, on.w), top: share(y, on.h), width: share(w, on.w), height: share(h, on.h) })
    const words = `The region: ${w} by ${h} pixels around ${Math.round(this.where.x * 100)} % and ${Math.round(this.where.y * 100)} %`
    this.box.setAttribute("aria-label", `${words}; arrows move it, plus and minus change its size`)
  }

  // Drawn at once, and the crops with it; Python hears of it when it rests.
  change(what, soon = 0) {
    Object.assign(this.where, what)
    this.told += 1
    this.place()
    clearTimeout(this.timer)
    this.timer = setTimeout(() => {
      this.draw()
      this.tell.state("region", { ...this.where, told: this.told })
    }, soon)
  }

  move(x, y, soon) {
    const on = this.on
    const inside = (share, whole) => {
      const half = Math.min(this.where.side, whole) / 2 / whole
      return Number(clamp(share, half, 1 - half).toFixed(4))
    }
    this.change({ x: inside(x, on.w), y: inside(y, on.h) }, soon)
  }

  resize(by) {
    const { smallest, largest, step } = this.data
    this.change({ side: clamp(this.where.side + by * step, smallest, largest) }, 150)
  }

  listen() {
    this.box.onkeydown = (event) => {
      if (event.metaKey || event.ctrlKey || event.altKey) return
      const far = event.shiftKey ? 0.1 : 0.02
      const sizes = { "+": 1, "=": 1, "-": -1 }
      if (event.key in ARROWS) {
        const [x, y] = ARROWS[event.key]
        this.move(this.where.x + far * x, this.where.y + far * y, 150)
      } else if (event.key in sizes) this.resize(sizes[event.key])
      else return
      consume(event)
    }
    const spot = (event) => {
      const area = this.plate.getBoundingClientRect()
      return { x: clamp((event.clientX - area.left) / area.width, 0, 1), y: clamp((event.clientY - area.top) / area.height, 0, 1) }
    }
    let from = null
    this.plate.onpointerdown = (event) => {
      if (event.button) return
      event.preventDefault()
      this.box.focus({ preventScroll: true })
      this.plate.setPointerCapture(event.pointerId)
      const inside = event.target === this.box
      from = { ...spot(event), inside, x0: this.where.x, y0: this.where.y, moved: false }
    }
    this.plate.onpointermove = (event) => {
      if (!from) return
      const here = spot(event)
      const on = this.on
      const apart = { x: (here.x - from.x) * on.w, y: (here.y - from.y) * on.h }
      if (!from.moved && Math.max(Math.abs(apart.x), Math.abs(apart.y)) < 6) return
      from.moved = true
      if (from.inside) {
        this.move(from.x0 + here.x - from.x, from.y0 + here.y - from.y, 1e6)
        return
      }
      // A new box from corner to corner, a square of an allowed size.
      const { smallest, largest, step } = this.data
      const wanted = Math.max(Math.abs(apart.x), Math.abs(apart.y))
      const side = clamp(Math.round(wanted / step) * step, smallest, largest)
      Object.assign(this.where, { side })
      this.move(from.x + (Math.sign(apart.x || 1) * side) / 2 / on.w, from.y + (Math.sign(apart.y || 1) * side) / 2 / on.h, 1e6)
    }
    this.plate.onpointerup = (event) => {
      if (!from) return
      const here = spot(event)
      if (from.moved) this.change({}, 0)
      else if (!from.inside) this.move(here.x, here.y, 0)
      from = null
    }
    this.plate.onpointercancel = () => {
      if (from?.moved) this.change({}, 0)
      from = null
    }
  }
}

export default function (component) {
  const { data, parentElement, setStateValue, setTriggerValue } = component
  const root = parentElement.querySelector(".root")
  if (!root.chooser) root.chooser = new Chooser(root)
  root.chooser.show(data, { state: setStateValue, trigger: setTriggerValue })
}
