// What stands on the stage. Every picture is one <img> for as long as it is compared, moved from mode to mode: nothing loads twice.

function image(pane, broken) {
  const made = element("img")
  made.alt = pane.alt
  made.draggable = false
  made.decoding = "async"
  made.onerror = broken
  made.src = pane.src
  return made
}

function view(className, label) {
  const made = element("div", `view ${className || ""}`)
  if (label) {
    made.setAttribute("role", "group")
    made.setAttribute("aria-label", label)
  }
  return made
}

function layer(content) {
  const made = element("div", "layer")
  made.append(content)
  return made
}

function nothing(text) {
  return element("p", "none", text)
}

// The line above a picture: its letter, what tells it from the others, and what can be done with it.
function heading(pane, act) {
  const head = element("div", "head")
  head.dataset.token = pane.token
  const text = element("span", "text")
  const name = element(pane.run ? "a" : "span", "name", pane.name)
  name.title = pane.name
  if (pane.run) {
    name.href = act.href(pane)
    name.onclick = (event) => follow(event, () => act.open(pane))
  }
  const note = element("span", "note faint", pane.note)
  note.title = pane.note
  text.append(name, note)
  const buttons = element("span", "buttons")
  if (pane.original) {
    const link = element("a", "icon", "\u2197")
    link.href = pane.original
    link.target = "_blank"
    link.rel = "noopener"
    link.title = "Open the original file in a new tab"
    link.setAttribute("aria-label", `Open the original file of ${pane.letter} in a new tab`)
    buttons.append(link)
  }
  const remove = element("button", "icon", "\u00d7")
  remove.title = `Take ${pane.letter} away`
  remove.setAttribute("aria-label", remove.title)
  remove.onclick = () => act.remove(pane)
  buttons.append(remove)
  head.append(element("span", "letter", pane.letter), text, element("span", "review"), buttons)
  return head
}

function columnsFor(sizes, room, gap, headHeight) {
  let best = { columns: 1, scale: 0 }
  for (let columns = 1; columns <= sizes.length; columns += 1) {
    const rows = Math.ceil(sizes.length / columns)
    const cell = { w: (room.w - gap * (columns - 1)) / columns, h: (room.h - gap * (rows - 1)) / rows - headHeight }
    const scale = fitting(sizes, cell)
    if (scale > best.scale * 1.02) best = { columns, scale, rows, cell }
  }
  return best
}

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
    event.preventDefault()
    event.stopPropagation()
    moved(null, steps[event.key])
  }
  handle.onpointerdown = (event) => {
    if (event.button) return
    event.preventDefault()
    event.stopPropagation()
    handle.focus({ preventScroll: true })
    handle.setPointerCapture(event.pointerId)
    handle.onpointermove = (move) => moved(move.clientX, 0)
  }
  handle.onpointerup = handle.onpointercancel = () => (handle.onpointermove = null)
  return handle
}

// Both pictures as numbers, the second at the first one's size.
function numbers(first, second) {
  const size = [first.naturalWidth, first.naturalHeight]
  const read = (picture) => {
    const canvas = element("canvas")
    canvas.width = size[0]
    canvas.height = size[1]
    const pen = canvas.getContext("2d", { willReadFrequently: true })
    pen.imageSmoothingQuality = "high"
    pen.drawImage(picture, 0, 0, size[0], size[1])
    return pen.getImageData(0, 0, size[0], size[1]).data
  }
  return { size, first: read(first), second: read(second), scaled: second.naturalWidth !== size[0] || second.naturalHeight !== size[1] }
}

// {canvas, mean, most, share}: mean and largest absolute difference of the channels (0 to 255), share of the pixels over 10 in one.
function difference(both, gain) {
  const canvas = element("canvas")
  canvas.width = both.size[0]
  canvas.height = both.size[1]
  const pen = canvas.getContext("2d")
  const shown = pen.createImageData(canvas.width, canvas.height)
  let sum = 0
  let most = 0
  let many = 0
  for (let at = 0; at < both.first.length; at += 4) {
    let here = 0
    for (let channel = at; channel < at + 3; channel += 1) {
      const apart = Math.abs(both.first[channel] - both.second[channel])
      sum += apart
      if (apart > here) here = apart
      shown.data[channel] = apart * gain
    }
    shown.data[at + 3] = 255
    if (here > most) most = here
    if (here > 10) many += 1
  }
  pen.putImageData(shown, 0, 0)
  const pixels = both.first.length / 4
  return { canvas, mean: sum / pixels / 3, most, share: many / pixels }
}

// The strongest of those offered that leaves the average well below white.
function fittingGain(both) {
  const { mean } = difference(both, 1)
  return [16, 8, 4, 2].find((gain) => mean * gain <= 48) || 1
}

function differenceWords(found, both, pair) {
  const [first, second] = pair
  const scaled = both.scaled ? ` ${second.letter} was scaled to the ${both.size[0]} x ${both.size[1]} pixels of ${first.letter} for this.` : ""
  if (!found.most) return `${first.letter} and ${second.letter} are equal, pixel for pixel.${scaled}`
  const share = found.share * 100
  const percent = share === 0 || share >= 1 ? share.toFixed(0) : "under 1"
  return (
    `${first.letter} and ${second.letter} differ by ${found.mean.toFixed(2)} of 255 on average and by ${found.most} at most; ` +
    `${percent} % of the pixels differ by more than 10.${scaled}`
  )
}
