// data: {view, ratio, items: [{id, href, src, none, w, h, colour, alt, name, value, badges: [{text, kind, hint}]}]}
// Tells Python: trigger "open" with the id of a tile.

function tile(item, ratio) {
  const entry = element("li")
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
  link.append(frame, element("span", "name", item.name))
  if (item.value) link.append(element("span", "value faint", item.value))
  entry.append(link)
  return entry
}

function move(event, grid) {
  const links = [...grid.querySelectorAll("a")]
  const here = links.indexOf(event.target.closest("a"))
  const columns = getComputedStyle(grid).gridTemplateColumns.split(" ").length
  const steps = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: columns, ArrowUp: -columns, Home: -here, End: links.length - 1 - here }
  if (here < 0 || !(event.key in steps) || event.metaKey || event.ctrlKey || event.altKey) return
  event.preventDefault()
  event.stopPropagation()
  const next = links[here + steps[event.key]]
  if (!next) return
  rove(links, next)
  next.focus()
}

// One tile is in the tab order; arrows move on from there.
function rove(links, chosen) {
  links.forEach((link) => (link.tabIndex = link === chosen ? 0 : -1))
}

export default function (component) {
  const { data, parentElement, setTriggerValue } = component
  const root = parentElement.querySelector(".root")
  let grid = root.querySelector(".grid")
  if (!grid) {
    grid = element("ul", "grid")
    grid.setAttribute("aria-label", "Results")
    root.append(grid)
  }
  grid.onkeydown = (event) => move(event, grid)
  grid.onclick = (event) => {
    const entry = event.target.closest("li")
    if (entry) follow(event, () => setTriggerValue("open", entry.dataset.id))
  }
  if (grid.dataset.ratio !== String(data.ratio)) grid.replaceChildren()
  grid.dataset.ratio = String(data.ratio)
  patch(grid, data.items, (item) => tile(item, data.ratio))
  const links = [...grid.querySelectorAll("a")]
  if (links.length && !links.some((link) => link.tabIndex === 0)) links[0].tabIndex = 0
  if (grid.dataset.view && grid.dataset.view !== data.view) root.scrollIntoView({ block: "start" })
  grid.dataset.view = data.view
}
