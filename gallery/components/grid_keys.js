// The keys of the grid: from tile to tile, and what they say of one or of all that is selected.

const KEYS =
  "Arrows move, with Shift they select. Space selects, Ctrl+A all of the page, Esc nothing. Enter or E opens, V compares, " +
  "P picks, X rejects, U unflags, 0 to 5 are stars, T tags, Ctrl+Z takes back."

class GridKeys {
  constructor(list, on) {
    this.list = list
    this.on = on // {choose(id, on), chooseTo(id), chooseAll(), clear(), anchored(), open(id), compare(), tag(), say(id, field, value), undo(), tell(text, milliseconds)}
    list.onkeydown = (event) => this.key(event)
    list.addEventListener("focusin", (event) => event.target.matches("a.tile") && this.rove(event.target))
  }

  links() {
    return [...this.list.querySelectorAll("a.tile")]
  }

  // One tile is in the tab order; arrows move on from there.
  rove(chosen) {
    this.links().forEach((link) => (link.tabIndex = link === chosen ? 0 : -1))
  }

  get tabbed() {
    return this.links().find((link) => link.tabIndex === 0)
  }

  settle() {
    const [first] = this.links()
    if (first && !this.tabbed) first.tabIndex = 0
  }

  key(event) {
    const link = event.target.closest("a.tile")
    if (!link || event.isComposing) return
    const id = link.closest("li").dataset.id
    if (this.move(event, link, id) || this.act(event, id)) consume(event)
  }

  // Whether a key meant something here.
  move(event, link, id) {
    const links = this.links()
    const here = links.indexOf(link)
    const target = { ArrowRight: here + 1, ArrowLeft: here - 1, Home: 0, End: links.length - 1 }
    const vertical = { ArrowDown: 1, ArrowUp: -1 }
    if (event.ctrlKey || event.metaKey || event.altKey) return false
    let next = links[target[event.key]]
    if (event.key in vertical) next = this.across(links, link, vertical[event.key])
    else if (!(event.key in target)) return false
    if (next) {
      if (event.shiftKey && !this.on.anchored()) this.on.choose(id, true)
      this.rove(next)
      next.focus()
      if (event.shiftKey) this.on.chooseTo(next.closest("li").dataset.id)
    }
    return true
  }

  // The nearest tile of the next row: headings and short last rows make counting columns wrong.
  across(links, link, way) {
    const from = link.getBoundingClientRect()
    const rows = links
      .map((one) => [one, one.getBoundingClientRect()])
      .filter(([, box]) => (box.top - from.top) * way > 4)
      .sort(([, a], [, b]) => (a.top - b.top) * way || Math.abs(a.left - from.left) - Math.abs(b.left - from.left))
    return rows.length ? rows[0][0] : null
  }

  act(event, id) {
    const { on } = this
    const held = event.ctrlKey || event.metaKey
    const key = event.key.toLowerCase()
    const said = saidByKey(key)
    if (held && key === "z") on.undo()
    else if (held && key === "a") on.chooseAll()
    else if (held || event.altKey) return false
    else if (event.key === " ") event.shiftKey ? on.chooseTo(id) : on.choose(id)
    else if (key === "escape") on.clear()
    else if (key === "e") on.open(id)
    else if (key === "v") on.compare()
    else if (key === "t") on.tag()
    else if (key === "?") on.tell(KEYS, 20000)
    else if (said) on.say(id, said.field, said.value)
    else return false
    return true
  }
}
