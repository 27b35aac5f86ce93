// data: {corner, columns: [{text, note}], rows: [the same], cells: rows of [{id, run, href, src, w, h, colour, alt, name, none, of, missing}]}
// Tells Python: trigger "ask" with {kind: "open", ids}.

function cell(item) {
  const made = element("td", item.missing ? "missing" : "")
  if (item.missing) {
    const hole = element("span", "hole", item.none)
    hole.title = item.name
    made.append(hole)
    return made
  }
  const link = element("a", "tile")
  link.href = item.href
  link.title = item.of ? `${item.name}, ${item.of}` : item.name
  link.tabIndex = -1
  link.dataset.run = item.run
  const frame = picture(item, item.src ? null : 1.5)
  if (item.of) frame.append(element("span", "of", item.of))
  link.append(frame)
  made.append(link)
  return made
}

function head(one, scope) {
  const made = element("th", "", one.text)
  made.scope = scope
  if (one.note) {
    const note = element("span", "note faint", one.note)
    note.title = "Mean of the yardstick that the view is sorted by, over what is shown"
    made.append(note)
  }
  return made
}

function build(data) {
  const table = element("table")
  table.style.setProperty("--columns", data.columns.length)
  const top = element("tr")
  const corner = element("th", "corner faint", data.corner)
  corner.scope = "col"
  top.append(corner, ...data.columns.map((one) => head(one, "col")))
  const header = element("thead")
  header.append(top)
  const body = element("tbody")
  data.cells.forEach((cells, row) => {
    const line = element("tr")
    line.append(head(data.rows[row], "row"), ...cells.map(cell))
    body.append(line)
  })
  table.append(header, body)
  return table
}

function step(event, table) {
  const moves = { ArrowRight: [0, 1], ArrowLeft: [0, -1], ArrowDown: [1, 0], ArrowUp: [-1, 0] }
  const link = event.target.closest("a.tile")
  if (!link || !(event.key in moves) || event.ctrlKey || event.metaKey || event.altKey) return
  consume(event)
  const [down, right] = moves[event.key]
  const place = link.closest("td").cellIndex
  let row = link.closest("tr").rowIndex
  let column = place
  for (;;) {
    row += down
    column += right
    const target = table.rows[row]?.cells[column]
    if (!target) return
    const next = target.querySelector("a.tile") // holes are passed over
    if (next) return focusOn(table, next)
  }
}

function focusOn(table, link) {
  table.querySelectorAll("a.tile").forEach((one) => (one.tabIndex = one === link ? 0 : -1))
  link.focus()
}

export default function (component) {
  const { data, parentElement, setTriggerValue } = component
  const root = parentElement.querySelector(".root")
  const text = JSON.stringify(data)
  if (root.dataset.json !== text) {
    root.dataset.json = text
    const scroller = element("div", "scroller")
    scroller.append(build(data))
    root.replaceChildren(scroller)
    const first = root.querySelector("a.tile")
    if (first) first.tabIndex = 0
  }
  root.onkeydown = (event) => step(event, root.querySelector("table"))
  root.onclick = (event) => {
    const link = event.target.closest("a.tile")
    if (link) follow(event, () => setTriggerValue("ask", { kind: "open", ids: [link.dataset.run] }))
  }
}
