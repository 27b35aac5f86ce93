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

// By pane, not by file: two runs may have made the very same picture.
class PaneImages {
  constructor(lost) {
    this.lost = lost // called when a file turns out to be missing or damaged
    this.images = new Map()
    this.broken = new Set()
  }

  keep(panes) {
    const wanted = new Map(panes.filter((pane) => pane.src).map((pane) => [pane.token, pane]))
    for (const [token, one] of this.images) if (wanted.get(token)?.src !== one.source) this.images.delete(token)
    for (const [token, pane] of wanted) {
      if (this.images.has(token)) continue
      const made = image(pane, () => {
        this.broken.add(pane.src)
        this.lost()
      })
      made.source = pane.src
      made.style.background = pane.colour || "transparent"
      this.images.set(token, made)
    }
  }

  of(pane) {
    return this.images.get(pane.token)
  }

  has(pane) {
    return pane.src && !this.broken.has(pane.src)
  }

  why(pane) {
    return pane.src ? DAMAGED : pane.none
  }
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
    const link = originalLink(pane.original, "icon", "\u2197")
    link.setAttribute("aria-label", `Open the original file of ${pane.letter} in a new tab`)
    buttons.append(link)
  }
  const remove = button("\u00d7", `Take ${pane.letter} away`, () => act.remove(pane), "icon")
  remove.setAttribute("aria-label", remove.title)
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
