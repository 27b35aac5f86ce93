// data: {id, person, at, total, first, place, items: [{id, name, none, review, src, thumb, w, h, colour, alt}], shown: the run's own picture
//   where it is not its result (last snapshot, preview), inputs: [{src, full, w, h, colour, alt, caption, none}], film: [the same], tags, grid}
// Tells Python: trigger "ask" {kind: "open", id} or {kind: "grid"}. Reviews go to the server by themselves (reviews.js).
// A key shows the next picture at once, from what is known of the runs around; the rest of the page follows when the keys rest.

const VIEW = { rest: 220, longest: 900, patience: 3000, handover: 1500, ahead: [1, 2, -1] }
const VIEW_KEYS = "\u2190 \u2192 previous and next, Z 1:1, P pick, X reject, U unflag, 0 to 5 stars, T tag, N note, Ctrl Z undo, G back to the grid, Esc back to the result"

class Viewer {
  constructor(root) {
    this.root = root
    this.queue = reviewQueue()
    this.stage = new Stage({ step: (by) => this.step(by), zoomed: (yes) => this.tellZoom(yes) })
    this.judge = new ReviewBar(this.queue, () => this.draw_review())
    this.goal = null // the place in the view that keys have gone on to, until the page is of that run
    this.asked = null // the run whose page was asked for and has not come
    this.other = null // a snapshot, or the content or style, that stands in the place of the result
    this.build()
    this.onkey = (event) => this.key(event)
    this.attach()
  }

  attach() {
    document.addEventListener("keydown", this.onkey, true)
    this.unlisten = this.queue.listen(() => this.data && this.draw_review())
  }

  detach() {
    document.removeEventListener("keydown", this.onkey, true)
    this.unlisten()
    clearTimeout(this.timer)
    this.left = Date.now()
  }

  // Streamlit on a busy machine may put a new element in the place of the one that keys have gone on from: they count on.
  takeOver(data) {
    const before = window.stylesweepViewer
    window.stylesweepViewer = this
    if (!before || before === this || before.goal === null || before.data.grid !== data.grid) return
    if (before.left && Date.now() - before.left > VIEW.handover) return
    this.goal = before.goal
    this.asked = before.asked
    this.patience = before.patience
    before.goal = null
  }

  build() {
    const top = element("div", "top")
    this.back = element("a", "tool", "Gallery")
    this.back.onclick = (event) => follow(event, () => this.ask({ kind: "grid" }))
    this.back.title = "Back to the grid (G)"
    this.previous = button("Previous", "Previous (\u2190)", () => this.step(-1), "tool")
    this.next = button("Next", "Next (\u2192)", () => this.step(1), "tool")
    this.count = element("span", "faint count")
    this.zoomButton = button("1:1", "One pixel of the picture on one of the screen (Z)", () => this.stage.zoom(!this.stage.zoomed), "tool")
    this.original = originalLink("", "tool", "Original file")
    const right = element("span", "right")
    right.append(queueNotice(this.queue), this.zoomButton, this.original)
    top.append(this.back, this.previous, this.next, this.count, right)
    const middle = element("div", "middle")
    this.side = element("div", "side")
    middle.append(this.stage.box, this.side)
    this.caption = element("p", "caption")
    this.film = element("ol", "strip")
    this.film.setAttribute("aria-label", "Snapshots, first to last step")
    const keys = element("p", "faint keys", VIEW_KEYS)
    this.root.append(top, middle, this.caption, this.film, this.judge.box, keys)
  }

  tellZoom(yes) {
    this.zoomButton.setAttribute("aria-pressed", String(yes))
    this.zoomButton.textContent = yes ? "Fit" : "1:1"
  }

  draw(component) {
    const { data, setTriggerValue } = component
    if (!this.data) this.takeOver(data)
    if (this.data && this.data.id !== data.id && this.goal === null) this.other = null
    this.data = data
    this.ask = (words) => setTriggerValue("ask", words)
    if (data.id === this.asked) this.asked = null
    if (this.asked === null && this.goal !== null && (this.goal === data.place || this.goal >= data.total)) this.arrive()
    if (this.goal !== null) this.send()
    this.back.href = data.grid
    this.refresh()
  }

  // Where in the view what is on screen stands: the page's own run, or one that keys have gone on to.
  get place() {
    return this.goal ?? this.data.place
  }

  // Undefined where keys went further than what is known of the runs around: it comes with the next answer.
  get item() {
    const own = this.data.items[this.place - this.data.first]
    return own && own.id === this.data.id ? { ...own, ...this.data.shown } : own
  }

  step(by) {
    const next = this.place + by
    if (next < 0 || next >= this.data.total) return
    this.goal = next
    this.other = null
    this.refresh()
    this.send()
  }

  arrive() {
    clearTimeout(this.timer)
    this.goal = this.asked = this.patience = null
  }

  // When the keys rest, or have not for long: the rest of the page. Of several asked for the last counts, also if it is the one that is
  // here: another may be on its way. Asked again where nothing comes, as Streamlit may lose what it is told while a page runs.
  send() {
    const now = Date.now()
    this.began ??= now
    clearTimeout(this.timer)
    const tell = () => {
      this.began = null
      if (this.goal === null) return
      const { items, first } = this.data
      const nearest = items[Math.min(Math.max(this.goal - first, 0), items.length - 1)]
      if (nearest.id === this.data.id && (this.asked === null || this.asked === nearest.id)) {
        this.arrive()
        return this.refresh()
      }
      this.asked = nearest.id
      this.ask({ kind: "open", id: nearest.id })
      this.patience = Math.min(2 * (this.patience ?? VIEW.patience / 2), 10 * VIEW.patience)
      this.timer = setTimeout(tell, this.patience)
    }
    if (now - this.began > VIEW.longest) tell()
    else this.timer = setTimeout(tell, VIEW.rest)
  }

  refresh() {
    const { data, item, place } = this
    const shown = this.other || item || { none: "Fetching\u2026" }
    this.stage.show(shown.src ? { ...shown, src: shown.full || shown.src, thumb: shown.full ? shown.src : shown.thumb } : undefined)
    if (!shown.src) this.stage.none.textContent = shown.none
    this.previous.disabled = place <= 0
    this.next.disabled = place >= data.total - 1
    this.count.textContent = `${(place + 1).toLocaleString("en")} of ${data.total.toLocaleString("en")}`
    this.caption.textContent = this.other ? this.other.caption : !item ? "" : item.caption || (item.src ? `${item.name} \u00b7 ${item.w} x ${item.h} px` : item.name)
    this.original.hidden = !shown.src
    this.original.href = shown.full || shown.src || ""
    this.zoomButton.disabled = !shown.src
    this.root.classList.toggle("going", this.goal !== null)
    this.draw_small(this.side, data.inputs, (one) => one.caption)
    this.draw_small(this.film, data.film, (one) => one.caption)
    this.film.hidden = !data.film.length
    this.draw_review()
    this.stage.ahead(VIEW.ahead.map((by) => data.items[place - data.first + by]).filter((one) => one && one.src))
  }

  draw_small(box, items, name) {
    const shown = items.map((item, at) => ({ ...item, id: `${at}`, pressed: this.other?.caption === item.caption && this.other?.src === item.src }))
    patch(box, shown, (item) => {
      const entry = element(box === this.film ? "li" : "figure")
      const choose = () => {
        this.other = item.pressed ? null : item
        this.refresh()
        ;[...box.querySelectorAll("button")][Number(item.id)]?.focus({ preventScroll: true })
      }
      const small = button(null, item.pressed ? "Back to the result (Esc)" : "Show it large", choose, "small")
      small.setAttribute("aria-pressed", String(item.pressed))
      small.append(picture(item, item.w / item.h), element("span", "faint", name(item)))
      if (box === this.film) entry.style.width = `calc(6.5rem * ${item.w / item.h})`
      entry.append(small)
      return entry
    })
  }

  draw_review() {
    const { item, data } = this
    this.judge.box.inert = !item
    if (item) this.judge.show({ person: data.person, run: item.id, review: item.review, at: data.at, tags: data.tags })
  }

  key(event) {
    if (!this.root.isConnected) return this.detach()
    const path = event.composedPath()
    if (event.isComposing || event.altKey) return
    const within = typing(event)
    if (within) return event.key === "Escape" && path.includes(this.root) ? within.blur() : undefined
    const elsewhere = !path.includes(this.root) && path.some((one) => one.matches?.("[role=dialog], [role=listbox], [role=slider], [role=radiogroup], [data-testid=stSidebar]"))
    if (!elsewhere && this.act(event)) consume(event)
  }

  act(event) {
    if (event.ctrlKey || event.metaKey) return event.key.toLowerCase() === "z" && !event.shiftKey && this.judge.undo()
    if (event.key in ARROWS) {
      const [x, y] = ARROWS[event.key]
      if (event.shiftKey && this.stage.zoomed) return this.stage.pan(96 * x, 96 * y), true
      return x && !event.shiftKey ? (this.step(x), true) : false
    }
    const key = event.key.toLowerCase()
    if (key === "escape") {
      if (this.stage.zoomed) this.stage.zoom(false)
      else if (this.other) {
        this.other = null
        this.refresh()
      } else return false
    } else if (key === "z") this.stage.zoom(!this.stage.zoomed)
    else if (key === "g") this.ask({ kind: "grid" })
    else return this.item ? this.judge.key(key) : false
    return true
  }
}

export default function (component) {
  const root = component.parentElement.querySelector(".root")
  root.viewer ??= new Viewer(root)
  root.viewer.draw(component)
  return () => root.isConnected || root.viewer.detach()
}
