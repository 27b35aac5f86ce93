// data: {axes: [axis with values], colour: axis with values or null, amount: of lines, sampled, view: what the lines are of}
// Tells Python: trigger "ask" with {kind: "gallery" | "filter" | "exclude", ranges: {name: [low, high]}} or {kind: "order", names}.

const HEIGHT = 320
const TOP = 48
const BOTTOM = 14
const NARROWEST = 96

function build(root) {
  const bar = element("div", "bar")
  bar.setAttribute("aria-live", "polite")
  const scroll = element("div", "scroll")
  const drawing = svg("svg", { role: "img", height: HEIGHT })
  const lines = svg("g", { class: "parallel-lines" }), axes = svg("g")
  drawing.append(lines, axes)
  scroll.append(drawing)
  const numbers = element("details", "numbers")
  const table = element("div", "table")
  numbers.append(element("summary", "", "Ranges and order by keyboard"), table)
  root.append(scroll, bar, numbers)
  root.parts = { drawing, lines, axes, bar, table }
  root.ranges = {}
}

function draw(root) {
  const { data, parts } = root
  const room = parts.drawing.parentElement.clientWidth
  if (!room) return
  const amount = root.order.length
  const first = data.axes.find((axis) => axis.name === root.order[0])
  const left = Math.max(48, 18 + 6.5 * Math.max(0, ...first.ticks.map((text) => shortened(text).length)))
  const right = 48
  const gap = Math.max(NARROWEST, (room - left - right) / Math.max(amount - 1, 1))
  const width = Math.max(room, left + right + gap * (amount - 1))
  parts.drawing.setAttribute("width", width)
  parts.drawing.setAttribute("aria-label", `${data.amount} combinations as lines through ${amount} axes. The ranges can be chosen below by keyboard.`)
  root.gap = gap
  root.places = new Map(root.order.map((name, at) => [name, left + at * gap]))
  root.scales = new Map(data.axes.map((axis) => [axis.name, axis.ticks.length ? scaleOf(axis, TOP, HEIGHT - BOTTOM) : scaleOf(axis, HEIGHT - BOTTOM, TOP)]))
  draw_lines(root)
  parts.axes.replaceChildren(...root.order.map((name) => axis_drawn(root, name)))
  brushed(root)
}

function draw_lines(root) {
  const { data, parts } = root
  const paint = colouring(data.colour)
  const by_name = new Map(data.axes.map((axis) => [axis.name, axis]))
  const columns = root.order.map((name) => [root.places.get(name), root.scales.get(name), by_name.get(name).values])
  const dense = data.amount
  parts.lines.style.strokeOpacity = dense > 800 ? 0.22 : dense > 200 ? 0.4 : 0.7
  const made = Array.from({ length: data.amount }, (_, at) => {
    let path = "", pen = "M"
    for (const [x, scale, values] of columns) {
      if (values[at] === null) {
        pen = "M"
        continue
      }
      path += `${pen}${x.toFixed(1)} ${scale.pixel(values[at]).toFixed(1)}`
      pen = "L"
    }
    const line = svg("path", { d: path })
    line.style.stroke = paint(data.colour ? data.colour.values[at] : null)
    return line
  })
  parts.lines.replaceChildren(...made)
}

function axis_drawn(root, name) {
  const scale = root.scales.get(name)
  const axis = scale.axis
  const group = svg("g", { transform: `translate(${root.places.get(name)} 0)`, "data-axis": name })
  group.append(svg("line", { class: "edge", y1: TOP - 6, y2: HEIGHT - BOTTOM + 4 }))
  ticksOf(scale, scale.text ? 14 : 6).forEach((tick) => {
    const text = shortened(tick.text)
    group.append(svg("line", { class: "edge", x1: -4, x2: 0, y1: scale.pixel(tick.at), y2: scale.pixel(tick.at) }))
    group.append(label(text, { class: "tick halo", x: -8, y: scale.pixel(tick.at) + 4, "text-anchor": "end" }))
  })
  const title = svg("g", { class: "name" })
  const lines = wrapped(axis.log ? `${axis.label} (log)` : axis.label, Math.floor(root.gap / 7.2))
  lines.forEach((text, at) => title.append(label(text, { class: "title", y: TOP - 18 - 16 * (lines.length - 1 - at), "text-anchor": "middle" })))
  const tip = svg("title")
  tip.textContent = `${axis.label}: drag to move this axis`
  title.append(tip)
  const touch = svg("rect", { class: "touch", x: -18, width: 36, y: TOP - 8, height: HEIGHT - TOP - BOTTOM + 16 })
  group.append(touch, title)
  brush_on(root, name, touch)
  move_by(root, name, title, group)
  return group
}

function shortened(text) {
  return text.length > 15 ? `${text.slice(0, 14)}\u2026` : text
}

function wrapped(text, most) {
  const lines = [""]
  text.split(" ").forEach((word) => {
    const last = lines[lines.length - 1]
    if (!last || (last + " " + word).length <= most) lines[lines.length - 1] = last ? `${last} ${word}` : word
    else lines.push(word)
  })
  return lines.length > 2 ? [lines[0], `${lines[1]}\u2026`] : lines
}

// --- choosing ranges

function clean(root, name, one, other) {
  const scale = root.scales.get(name)
  const low = Math.min(one, other), high = Math.max(one, other)
  if (!scale.text) return [settled(scale, low), settled(scale, high)]
  const last = scale.axis.ticks.length - 1
  let first = Math.max(0, Math.ceil(low - 0.3)), end = Math.min(last, Math.floor(high + 0.3))
  if (first > end) first = end = clamp(Math.round((low + high) / 2), 0, last)
  return [first, end]
}

function brush_on(root, name, touch) {
  let start = null
  const at = (event) => clamp(event.clientY - root.parts.drawing.getBoundingClientRect().top, TOP - 6, HEIGHT - BOTTOM + 6)
  touch.onpointerdown = (event) => {
    if (event.button) return
    event.preventDefault()
    touch.setPointerCapture(event.pointerId)
    start = at(event)
  }
  touch.onpointermove = (event) => {
    if (start === null || Math.abs(at(event) - start) < 4) return
    const scale = root.scales.get(name)
    root.ranges[name] = clean(root, name, scale.value(start), scale.value(at(event)))
    brushed(root)
  }
  touch.onpointerup = (event) => {
    if (start !== null && Math.abs(at(event) - start) < 4) {
      delete root.ranges[name]
      brushed(root)
    }
    start = null
    if (root.parts.table.parentElement.open) numbers_drawn(root)
  }
  touch.onpointercancel = () => (start = null)
}

function chosen(root) {
  const names = Object.keys(root.ranges)
  const columns = root.data.axes.filter((axis) => names.includes(axis.name)).map((axis) => [axis.values, ...root.ranges[axis.name]])
  return Array.from({ length: root.data.amount }, (_, at) => columns.every(([values, low, high]) => values[at] !== null && values[at] >= low && values[at] <= high))
}

// What the ranges leave: lines, rectangles, words and buttons.
function brushed(root) {
  const inside = chosen(root)
  const any = Object.keys(root.ranges).length > 0
  ;[...root.parts.lines.children].forEach((line, at) => line.classList.toggle("off", any && !inside[at]))
  root.parts.axes.querySelectorAll("g[data-axis]").forEach((group) => {
    group.querySelectorAll(".brush").forEach((one) => one.remove())
    const ends = root.ranges[group.dataset.axis]
    if (!ends) return
    const scale = root.scales.get(group.dataset.axis)
    const wider = scale.text ? 0.35 : 0
    const pixels = [scale.pixel(ends[0] - wider), scale.pixel(ends[1] + wider)].sort((one, other) => one - other)
    const height = Math.max(pixels[1] - pixels[0], 3)
    group.insertBefore(svg("rect", { class: "brush", x: -9, width: 18, y: (pixels[0] + pixels[1] - height) / 2, height }), group.querySelector(".touch"))
  })
  bar_drawn(root, inside.filter(Boolean).length, any)
}

function words_of(root, name) {
  const { axis } = root.scales.get(name)
  const [low, high] = root.ranges[name]
  if (!axis.ticks.length) return `${axis.label.toLowerCase()} ${readable(low)} to ${readable(high)}`
  const names = axis.ticks.slice(low, high + 1)
  return `${axis.label.toLowerCase()} ${names.length > 4 ? `${names.length} values` : names.join(", ")}`
}

function bar_drawn(root, amount, any) {
  const { bar } = root.parts
  const names = Object.keys(root.ranges)
  const same = JSON.stringify([root.ranges, amount, root.data.sampled])
  if (bar.same === same) return // a button that is built anew loses the focus, or a click
  bar.same = same
  const way = (text, act, className, hint) => {
    const made = button(text, hint, act, className)
    made.disabled = !act
    return made
  }
  const ask = (kind) => () => root.ask({ kind, ranges: root.ranges })
  const clear = () => {
    root.ranges = {}
    brushed(root)
    if (root.parts.table.parentElement.open) numbers_drawn(root)
  }
  const counted = `${amount.toLocaleString("en")} ${amount === 1 ? "combination" : "combinations"}`
  const show = root.data.sampled ? "Show these in the gallery" : `Show ${amount === 1 ? "this one" : `these ${amount.toLocaleString("en")}`} in the gallery`
  const alone = names.length === 1
  bar.replaceChildren(
    way(any ? show : "Show in the gallery", any && amount ? ask("gallery") : null, "main"),
    way("Keep only these here", any && amount ? ask("filter") : null),
    way("Leave these out here", alone ? ask("exclude") : null, "", alone ? "" : "With a range on one axis"),
    way("Clear", any ? clear : null),
    element("span", "faint", any ? `${counted}${root.data.sampled ? " of those drawn" : ""}: ${names.map((name) => words_of(root, name)).join(", ")}` : ""),
  )
}

// --- the order of the axes

function reordered(root, order) {
  if (order.join() === root.order.join()) return draw(root)
  root.order = order
  draw(root)
  if (root.parts.table.parentElement.open) numbers_drawn(root)
  root.ask({ kind: "order", names: order })
}

function move_by(root, name, title, group) {
  let start = null
  title.onpointerdown = (event) => {
    if (event.button) return
    event.preventDefault()
    title.setPointerCapture(event.pointerId)
    start = event.clientX
  }
  title.onpointermove = (event) => {
    if (start === null) return
    group.classList.add("moving")
    group.setAttribute("transform", `translate(${root.places.get(name) + event.clientX - start} 0)`)
  }
  title.onpointerup = (event) => {
    if (start === null) return
    const x = root.places.get(name) + event.clientX - start
    start = null
    const others = root.order.filter((one) => one !== name)
    const before = others.filter((one) => root.places.get(one) < x).length
    reordered(root, [...others.slice(0, before), name, ...others.slice(before)])
  }
  title.onpointercancel = () => {
    start = null
    draw(root)
  }
}

// --- the same by keyboard

function numbers_drawn(root) {
  const rows = root.order.map((name, at) => {
    const scale = root.scales.get(name)
    const axis = scale.axis
    const row = element("div", "row")
    const ends = [0, 1].map((side) => end_control(root, name, side))
    const moves = [[-1, "\u2190", "Move left"], [1, "\u2192", "Move right"]].map(([step, sign, words]) => {
      const made = button(sign, "", () => {
        const order = [...root.order]
        ;[order[at], order[at + step]] = [order[at + step], order[at]]
        reordered(root, order)
      })
      made.setAttribute("aria-label", `${words}: ${axis.label}`)
      made.disabled = at + step < 0 || at + step >= root.order.length
      return made
    })
    row.append(element("span", "", axis.label), ...ends, ...moves)
    return row
  })
  const { table } = root.parts
  const focused = table.getRootNode().activeElement
  const words = table.contains(focused) ? focused.getAttribute("aria-label") : null
  table.replaceChildren(...rows)
  if (words) [...table.querySelectorAll("[aria-label]")].find((one) => one.getAttribute("aria-label") === words && !one.disabled)?.focus({ preventScroll: true })
}

function end_control(root, name, side) {
  const { axis } = root.scales.get(name)
  const words = `${side ? "Highest" : "Lowest"} ${axis.label.toLowerCase()}`
  const ends = root.ranges[name]
  const made = element(axis.ticks.length ? "select" : "input")
  if (axis.ticks.length) {
    made.append(...axis.ticks.map((text, at) => option(at, text)))
    made.value = String(ends ? ends[side] : side ? axis.ticks.length - 1 : 0)
  } else {
    made.type = "number"
    made.step = "any"
    made.placeholder = readable(side ? axis.high : axis.low)
    made.value = ends ? String(ends[side]) : ""
  }
  made.setAttribute("aria-label", words)
  made.onkeydown = (event) => event.stopPropagation()
  made.onchange = () => {
    const whole = axis.ticks.length ? [0, axis.ticks.length - 1] : [axis.low, axis.high]
    const next = [...(root.ranges[name] || whole)]
    next[side] = made.value === "" ? whole[side] : Number(made.value)
    if (!Number.isFinite(next[side])) return
    if (next[0] > next[1]) next[1 - side] = next[side]
    root.ranges[name] = next
    if (next[0] <= whole[0] && next[1] >= whole[1]) delete root.ranges[name]
    brushed(root)
  }
  return made
}

export default function (component) {
  const { data, parentElement, setTriggerValue } = component
  const root = parentElement.querySelector(".root")
  if (!root.parts) build(root)
  if (root.data && root.data.view !== data.view) root.ranges = {}
  root.data = data
  root.order = data.axes.map((axis) => axis.name)
  Object.keys(root.ranges).forEach((name) => {
    if (!root.order.includes(name)) delete root.ranges[name]
  })
  root.ask = (words) => setTriggerValue("ask", words)
  root.parts.table.parentElement.ontoggle = () => numbers_drawn(root)
  follow_width(root, () => draw(root))
}
