// data: {letters, numbers, tables: [{heading, lines: [{name, hint, cells, best}]}], note}

export default function (component) {
  const { data, parentElement } = component
  const root = parentElement.querySelector(".root")
  const text = JSON.stringify(data)
  if (root.dataset.json === text) return
  root.dataset.json = text
  const table = element("table", data.numbers ? "numbers" : "")
  const head = element("tr")
  head.append(element("td"))
  data.letters.forEach((letter) => {
    const cell = element("th", "", letter)
    cell.scope = "col"
    head.append(cell)
  })
  const top = element("thead")
  top.append(head)
  table.append(top)
  data.tables.forEach(({ heading, lines }) => {
    const body = element("tbody")
    if (heading) {
      const row = element("tr", "heading")
      const cell = element("th", "", heading)
      cell.colSpan = data.letters.length + 1
      cell.scope = "rowgroup"
      row.append(cell)
      body.append(row)
    }
    lines.forEach((line) => {
      const row = element("tr")
      const name = element("th", line.hint ? "hinted" : "", line.name)
      name.scope = "row"
      if (line.hint) name.title = line.hint
      row.append(name)
      line.cells.forEach((words, at) => {
        const best = line.best[at]
        const cell = element("td", best ? "best" : "", words)
        if (best) {
          const sign = element("span", "sign", "\u25cf")
          sign.setAttribute("role", "img")
          sign.setAttribute("aria-label", "better")
          sign.title = "The better one, by this yardstick's direction"
          cell.append(sign)
        }
        row.append(cell)
      })
      body.append(row)
    })
    table.append(body)
  })
  root.replaceChildren(table)
  if (data.note) root.append(element("p", "faint note", data.note))
}
