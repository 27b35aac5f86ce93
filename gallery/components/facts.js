// data: {rows: [{name, value, note, share, beside}]}

export default function (component) {
  const { data, parentElement } = component
  const root = parentElement.querySelector(".root")
  const list = element("dl")
  data.rows.forEach((row) => {
    const value = element("dd", "", row.value)
    if (row.share !== null && row.share !== undefined) {
      const track = element("span", "track")
      const part = element("span", "part")
      part.style.width = `${row.share * 100}%`
      track.append(part)
      const ranked = element("span", "ranked")
      ranked.append(track, element("span", "note", row.beside))
      value.append(ranked)
    }
    if (row.note) value.append(element("span", "note", row.note))
    list.append(element("dt", "", row.name), value)
  })
  root.replaceChildren(list)
}
