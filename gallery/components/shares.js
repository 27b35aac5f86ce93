// data: {rows: [{name, share, value, note}]}

export default function (component) {
  const { data, parentElement } = component
  const list = element("dl")
  data.rows.forEach((row) => {
    const track = element("span", "track")
    const part = element("span", "part")
    part.style.width = `${row.share * 100}%`
    track.append(part)
    const value = element("dd")
    value.append(track, element("span", "value", row.value), element("span", "note", row.note))
    list.append(element("dt", "", row.name), value)
  })
  parentElement.querySelector(".root").replaceChildren(list)
}
