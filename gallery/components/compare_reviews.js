// Flags and stars of the panes, by key and by button, through the queue that all components share (reviews.js).

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
    sayBriefly(this.told, text)
  }

  // Whether the key was one of a review. The same stars again take them away: 0 is for the zoom here.
  key(key, pane) {
    const said = saidByKey(key)
    if (said?.field === "stars") this.stars(pane, said.value)
    else if (said) this.say(pane, "flag", said.value)
    return said !== null
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
      const made = button(null, label, act, `icon ${on ? "on" : ""}`)
      made.setAttribute("aria-label", `${pane.letter}: ${label}`)
      made.setAttribute("aria-pressed", String(on))
      made.dataset.role = `${icon} ${label} ${pane.token}`
      made.append(markIcon(icon))
      return made
    }
    const flag = (name, label) => one(name, review.flag === name, label, () => this.say(pane, "flag", review.flag === name ? null : name))
    made.append(flag("pick", "Pick (P)"), flag("reject", "Reject (X)"))
    const stars = element("span", "stars")
    for (let number = 1; number <= 5; number++) {
      stars.append(one("star", review.stars >= number, `${starsText(number)} (${number})`, () => this.stars(pane, number)))
    }
    made.append(stars)
    if (review.stars) made.append(element("span", "few", `${review.stars} \u2605`)) // where there is no room for five
    return made
  }
}
