// What is selected: it outlives a page of the grid, and a visit to another page of the gallery.

const SELECTION = "stylesweep-selection"

class Selection {
  constructor(changed) {
    this.changed = changed
    this.anchor = null // where a range begins
    this.names = new Map(this.kept()) // id -> name
  }

  kept() {
    try {
      return JSON.parse(recall("sessionStorage", SELECTION)) || []
    } catch {
      return []
    }
  }

  settle() {
    keep("sessionStorage", SELECTION, JSON.stringify([...this.names]))
    this.changed()
  }

  has(id) {
    return this.names.has(id)
  }

  get ids() {
    return [...this.names.keys()]
  }

  // items: those of the page, by id, here and below.
  choose(items, id, on = !this.has(id)) {
    if (on) this.names.set(id, items.get(id)?.name ?? this.names.get(id) ?? "")
    else this.names.delete(id)
    this.anchor = id
    this.settle()
  }

  chooseTo(items, id) {
    const ids = [...items.keys()]
    const from = ids.indexOf(this.anchor)
    const to = ids.indexOf(id)
    if (from < 0) return this.choose(items, id, true)
    ids.slice(Math.min(from, to), Math.max(from, to) + 1).forEach((one) => this.names.set(one, items.get(one).name))
    this.settle()
  }

  chooseAll(items) {
    items.forEach((item, id) => this.names.set(id, item.name))
    this.settle()
  }

  clear() {
    this.names.clear()
    this.anchor = null
    this.settle()
  }
}
