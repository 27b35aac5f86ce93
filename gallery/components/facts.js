// data: {rows: [{name, value, note}]}

export default function (component) {
  const { data, parentElement } = component
  const root = parentElement.querySelector(".root")
  const list = element("dl")
  data.rows.forEach((row) => {
    const value = element("dd", "", row.value)
    if (row.note) value.append(element("span", "note", row.note))
    list.append(element("dt", "", row.name), value)
  })
  root.replaceChildren(list)
}
