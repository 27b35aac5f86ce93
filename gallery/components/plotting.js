// What the plots share: scales, ticks, numbers, colours. Drawn as SVG, so that colours follow the theme by themselves.

const SVG = "http://www.w3.org/2000/svg"
const HUES = ["#4d7fb8", "#c0712e", "#5f8f68", "#a0589a", "#b5473d", "#3f979c", "#94812f", "#7469b3", "#a8755f", "#6f8f2f"]
const RAMP = ["#3f5fb0", "#2f86b5", "#2a9d8f", "#6fae5a", "#c2a83e", "#d9793a", "#c64a4a"]
const OTHER = "#8a8a8a"

function svg(tag, attributes) {
  const made = document.createElementNS(SVG, tag)
  Object.entries(attributes || {}).forEach(([name, value]) => made.setAttribute(name, String(value)))
  return made
}

function label(text, attributes) {
  const made = svg("text", attributes)
  made.textContent = text
  return made
}

// Short and without trailing zeros, as Python's wording.number has it.
function readable(value, digits = 4) {
  if (value === null || value === undefined || Number.isNaN(value)) return "\u2013"
  if (value === 0) return "0"
  const size = Math.abs(value)
  if (size >= 1e6 || size < 1e-4) return value.toExponential(Math.max(0, digits - 2)).replace(/\.?0+e/, "e").replace("e+", "e")
  return String(Number(value.toPrecision(digits)))
}

// axis: {name, label, log, ticks, marks, low, high}; from, to: pixels. Ticks of text are whole numbers in the middle of their places.
function scaleOf(axis, from, to) {
  const text = axis.ticks.length > 0
  const turn = axis.log ? Math.log10 : (value) => value
  let low = text ? -0.5 : turn(axis.low)
  let high = text ? axis.ticks.length - 0.5 : turn(axis.high)
  if (!text) {
    const margin = high > low ? (high - low) * 0.03 : Math.max(Math.abs(high) * 0.1, 0.1)
    low -= margin
    high += margin
  }
  const to_pixel = (value) => from + ((turn(value) - low) / (high - low)) * (to - from)
  const to_value = (pixel) => {
    const part = low + ((pixel - from) / (to - from)) * (high - low)
    return axis.log ? 10 ** part : part
  }
  return { axis, text, pixel: to_pixel, value: to_value, step: text ? 0.5 : axis.log ? 0 : 10 ** Math.floor(Math.log10((high - low) / 500)) }
}

// A value that a hand points at, as exact as the eye is: a range that is read in the address is a range that was meant.
function settled(scale, value) {
  if (scale.text) return value
  if (!scale.step) return Number(value.toPrecision(3))
  return Number((Math.round(value / scale.step) * scale.step).toPrecision(10))
}

function ticksOf(scale, most) {
  const axis = scale.axis
  if (scale.text) {
    const every = Math.max(1, Math.ceil(axis.ticks.length / most))
    return axis.ticks.map((text, at) => ({ at, text })).filter((one) => one.at % every === 0)
  }
  if (axis.marks?.length) return apart(axis.marks.map((at) => ({ at, text: readable(at) })), scale, most)
  if (axis.log) {
    const first = Math.floor(Math.log10(axis.low)), last = Math.ceil(Math.log10(axis.high))
    const steps = last - first <= 2 ? [1, 2, 5] : [1]
    const all = []
    for (let decade = first; decade <= last; decade++) steps.forEach((step) => all.push(step * 10 ** decade))
    return all.filter((at) => at >= axis.low * 0.93 && at <= axis.high * 1.07).map((at) => ({ at, text: readable(at, 2) }))
  }
  const span = axis.high - axis.low
  if (!(span > 0)) return [{ at: axis.low, text: readable(axis.low) }]
  const rough = span / most
  const power = 10 ** Math.floor(Math.log10(rough))
  const step = [1, 2, 5, 10].map((one) => one * power).find((one) => one >= rough)
  const all = []
  for (let at = Math.ceil(axis.low / step - 1e-9) * step; at <= axis.high + step * 1e-9; at += step) all.push({ at, text: readable(Number(at.toPrecision(10))) })
  return all
}

// The ends, and of those between as many as there is room for.
function apart(ticks, scale, most) {
  const room = Math.abs(scale.pixel(scale.axis.high) - scale.pixel(scale.axis.low)) / (most + 1)
  const kept = []
  ticks.forEach((tick, at) => {
    const far = (other) => Math.abs(scale.pixel(tick.at) - scale.pixel(other.at)) >= room
    const last = ticks[ticks.length - 1]
    if (at === ticks.length - 1 || ((!kept.length || far(kept[kept.length - 1])) && (at === 0 || far(last)))) kept.push(tick)
  })
  return kept
}

// colour: {name, label, ticks, low, high, log, values} or null. Returns value -> a colour that reads on light and dark.
function colouring(colour) {
  const calm = (hue) => `color-mix(in oklab, ${hue} 85%, var(--st-text-color))`
  if (!colour) return () => calm(HUES[0])
  if (colour.ticks.length) return (code) => (code === null ? calm(OTHER) : calm(code < HUES.length ? HUES[code] : OTHER))
  const turn = colour.log ? Math.log10 : (value) => value
  const low = turn(colour.low), high = turn(colour.high)
  return (value) => {
    if (value === null || Number.isNaN(value)) return calm(OTHER)
    const part = high > low ? (turn(value) - low) / (high - low) : 0.5
    const place = Math.min(Math.max(part, 0), 1) * (RAMP.length - 1)
    const under = Math.min(Math.floor(place), RAMP.length - 2)
    return calm(`color-mix(in oklab, ${RAMP[under]} ${Math.round((1 - place + under) * 100)}%, ${RAMP[under + 1]})`)
  }
}

function legend(colour) {
  const made = element("div", "legend")
  if (!colour) return made
  const paint = colouring(colour)
  made.append(element("span", "faint", colour.label))
  if (colour.ticks.length) {
    colour.ticks.slice(0, HUES.length).forEach((text, code) => {
      const entry = element("span", "entry")
      const dot = element("span", "dot")
      dot.style.background = paint(code)
      entry.append(dot, element("span", "", text))
      made.append(entry)
    })
    if (colour.ticks.length > HUES.length) {
      const entry = element("span", "entry")
      const dot = element("span", "dot")
      dot.style.background = paint(null)
      entry.append(dot, element("span", "", `${colour.ticks.length - HUES.length} others`))
      made.append(entry)
    }
    return made
  }
  const bar = element("span", "ramp")
  bar.style.background = `linear-gradient(to right, ${RAMP.join(", ")})`
  made.append(element("span", "", readable(colour.low, 3)), bar, element("span", "", readable(colour.high, 3)))
  if (colour.log) made.append(element("span", "faint", "(log)"))
  return made
}

// Calls draw now and whenever the width changes.
function follow_width(root, draw) {
  root.redraw = draw
  if (root.watcher) return draw()
  let last = 0
  root.watcher = new ResizeObserver(() => {
    const width = Math.round(root.clientWidth)
    if (width && width !== last) {
      last = width
      root.redraw()
    }
  })
  root.watcher.observe(root)
}
