// Flags and stars of the panes, by key and by button, through the queue that all components share (reviews.js).

const FLAG_KEYS = { p: "pick", x: "reject", u: null }

class PaneReviews {
  constructor(changed) {
    this.queue = reviewQueue()
    this.changed = changed
    this.past = []
    this.queue.listen((state) => state.changed.length && changed())
    this.notice = queueNotice(this.queue)
    this.told = element("span", "told faint")
    this.told.setAttribute("role", "status")
  }

  show(data) {
    this.data = data
  }

  of(pane) {
    return this.queue.overlay(this.data.by, pane.run, this.data.reviews[pane.run], this.data.at)
  }

  say(pane, field, value) {
    if (!pane?.run) return
    if (this.data.by !== this.data.person) return this.tell('These are somebody else\'s reviews; choose yourself under "Reviews by" in the gallery.')
    this.past.push([pane, field, this.of(pane)[field]])
    this.put(pane, field, value)
  }

  put(pane, field, value) {
    this.queue.enqueue({ person: this.data.person, run: pane.run, field, value })
    this.changed()
  }

  undo() {
    const last = this.past.pop()
    if (last) this.put(...last)
  }

  tell(text) {
    this.told.textContent = text
    clearTimeout(this.timer)
    this.timer = setTimeout(() => (this.told.textContent = ""), 6000)
  }

  // Whether the key was one of a review. The same stars again take them away: 0 is for the zoom here.
  key(key, pane) {
    if (key in FLAG_KEYS) this.say(pane, "flag", FLAG_KEYS[key])
    else if (/^[1-5]$/.test(key)) this.stars(pane, Number(key))
    else return false
    return true
  }

  stars(pane, stars) {
    if (pane?.run) this.say(pane, "stars", this.of(pane).stars === stars ? 0 : stars)
  }

  // Two flags and five stars as buttons, drawn as they stand.
  controls(pane) {
    const made = element("span", "judge")
    const review = this.of(pane)
    const refusal = this.queue.refusal(pane.run)
    made.classList.toggle("refused", Boolean(refusal))
    made.title = refusal ? `Not kept: ${refusal}` : ""
    const one = (icon, on, label, act) => {
      const button = element("button", `icon ${on ? "on" : ""}`)
      button.type = "button"
      button.title = label
      button.setAttribute("aria-label", `${pane.letter}: ${label}`)
      button.setAttribute("aria-pressed", String(on))
      button.dataset.role = `${icon} ${label} ${pane.token}`
      button.append(markIcon(icon))
      button.onclick = act
      return button
    }
    const flag = (name, label) => one(name, review.flag === name, label, () => this.say(pane, "flag", review.flag === name ? null : name))
    made.append(flag("pick", "Pick (P)"), flag("reject", "Reject (X)"))
    const stars = element("span", "stars")
    for (let number = 1; number <= 5; number++) {
      stars.append(one("star", review.stars >= number, `${number} ${number === 1 ? "star" : "stars"} (${number})`, () => this.stars(pane, number)))
    }
    made.append(stars)
    if (review.stars) made.append(element("span", "few", `${review.stars} \u2605`)) // where there is no room for five
    return made
  }
}
