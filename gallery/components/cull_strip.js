// The queue as a row of thumbnails, however long it is: only those in sight are elements.

const STRIP = { width: 84, spare: 8 }

class Strip {
  constructor(on) {
    this.on = on // {item(place), review(place), refusal(place), open(place), want(place)}
    this.box = element("div", "strip")
    this.box.setAttribute("role", "group")
    this.box.setAttribute("aria-label", "The queue")
    this.row = element("div", "row")
    this.box.append(this.row)
    this.cells = new Map()
    this.total = 0
    this.here = -1
    this.box.onscroll = () => this.draw()
    this.box.onclick = (event) => {
      const cell = event.target.closest("button")
      if (cell) this.on.open(Number(cell.dataset.place))
    }
    this.box.onwheel = (event) => {
      if (event.deltaX || !event.deltaY || event.ctrlKey) return
      event.preventDefault()
      this.box.scrollLeft += event.deltaY
    }
    new ResizeObserver(() => this.centre()).observe(this.box)
  }

  show(total, here) {
    if (total !== this.total) {
      this.total = total
      this.row.style.width = `${total * STRIP.width}px`
      this.cells.forEach((cell) => cell.remove())
      this.cells.clear()
    }
    this.here = here
    this.centre()
  }

  centre() {
    this.box.scrollLeft = (this.here + 0.5) * STRIP.width - this.box.clientWidth / 2
    this.draw()
  }

  draw() {
    const first = Math.max(0, Math.floor(this.box.scrollLeft / STRIP.width) - STRIP.spare)
    const last = Math.min(this.total, Math.ceil((this.box.scrollLeft + this.box.clientWidth) / STRIP.width) + STRIP.spare)
    this.cells.forEach((cell, place) => {
      if (place < first || place >= last) {
        cell.remove()
        this.cells.delete(place)
      }
    })
    let missing = -1
    for (let place = first; place < last; place++) {
      const item = this.on.item(place)
      if (item === undefined) missing = place
      this.mark(this.cellAt(place, item), place, item)
    }
    if (missing >= 0) this.on.want(missing)
  }

  cellAt(place, item) {
    let cell = this.cells.get(place)
    if (cell && cell.known === (item !== undefined)) return cell
    cell?.remove()
    cell = button(null, "", null, "cell")
    cell.tabIndex = -1
    cell.known = item !== undefined
    cell.dataset.place = place
    cell.style.left = `${place * STRIP.width}px`
    if (item?.src) {
      const image = element("img")
      image.decoding = "async"
      image.alt = item.alt
      image.src = item.thumb || item.src
      cell.append(image)
      cell.title = item.name
      cell.style.setProperty("--colour", item.colour || "transparent")
    }
    cell.append(element("span", "marks"))
    this.cells.set(place, cell)
    this.row.append(cell)
    return cell
  }

  mark(cell, place, item) {
    const review = item ? this.on.review(place) : { flag: null, stars: 0, tags: [], note: "" }
    cell.classList.toggle("reject", review.flag === "reject")
    cell.classList.toggle("refused", Boolean(item && this.on.refusal(place)))
    if (place === this.here) cell.setAttribute("aria-current", "true")
    else cell.removeAttribute("aria-current")
    const text = item ? [`${place + 1}: ${item.name}`, reviewText(review)].filter(Boolean).join(", ") : `${place + 1}`
    if (cell.getAttribute("aria-label") === text) return
    cell.setAttribute("aria-label", text)
    cell.lastChild.replaceChildren(reviewMarks(review))
  }
}

