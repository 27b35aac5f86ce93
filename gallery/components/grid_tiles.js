// The tiles of the grid, and the headings of its groups.

function tile(item, ratio) {
  const entry = element("li", "run")
  const link = element("a", "tile")
  link.href = item.href
  link.tabIndex = -1
  link.title = item.name
  const frame = picture(item, ratio)
  if (item.badges.length) {
    const badges = element("span", "badges")
    item.badges.forEach((one) => {
      const badge = element("span", `badge ${one.kind}`, one.text)
      badge.title = one.hint
      badges.append(badge)
    })
    frame.append(badges)
  }
  frame.append(element("span", "review"))
  link.append(frame, element("span", "name", item.name))
  if (item.value) {
    const value = element("span", "value faint", item.value)
    if (item.front) {
      const mark = element("span", "front", "Pareto")
      mark.title = item.front
      value.append(mark)
    }
    link.append(value)
  }
  const pick = button(null, "Select (Space); with Shift all up to here", null, "choose")
  pick.tabIndex = -1
  pick.setAttribute("aria-label", `Select ${item.name}`)
  entry.append(link, pick)
  return entry
}

function heading(item) {
  return element("li", "group", item.text)
}

// Headings where the group changes; they are no tiles.
function grouped(items) {
  const all = []
  items.forEach((item, place) => {
    if (item.group && (place === 0 || items[place - 1].group !== item.group)) all.push({ id: `group ${item.group}`, text: item.group, heading: true })
    all.push(item)
  })
  return all
}
