// What can be said and done of all that is selected.

const MOST_COMPARED = 4

function comparable(amount) {
  return amount >= 2 && amount <= MOST_COMPARED
}

class GridBar {
  constructor(on) {
    this.on = on // {compare(), say(field, value), tag(tag), tags(): those that are known, export(), clear(), leave()}
    this.box = element("div", "bar")
    this.box.setAttribute("role", "toolbar")
    this.box.setAttribute("aria-label", "What is selected")
    this.box.onkeydown = (event) => {
      event.stopPropagation() // typing a tag is no shortcut
      if (event.key === "Escape") this.on.leave()
    }
  }

  // Built anew only with another amount, so that a button keeps the focus.
  show(amount) {
    this.box.classList.toggle("open", amount > 0)
    if (!amount) return this.box.replaceChildren()
    if (this.amount === amount && this.box.childElementCount) return
    this.amount = amount
    const compare = this.button("Compare", "Two to four beside each other (V)", () => this.on.compare(), "vs")
    compare.disabled = !comparable(amount)
    this.box.replaceChildren(
      element("strong", "", `${amount.toLocaleString("en")} selected`),
      compare,
      this.button("Pick", "Flag as picked (P)", () => this.on.say("flag", "pick")),
      this.button("Reject", "Flag as rejected (X)", () => this.on.say("flag", "reject")),
      this.button("Unflag", "No flag (U)", () => this.on.say("flag", null)),
      this.stars(),
      this.tagging(),
      this.button("Export", "Take these away", () => this.on.export()),
      this.button("Clear", "Nothing selected (Esc)", () => this.on.clear()),
    )
  }

  button(text, hint, act, className) {
    const made = button(text, hint, act, className)
    made.setAttribute("aria-label", hint)
    return made
  }

  // As many light up as a click would give.
  stars() {
    const made = element("span", "stars")
    const all = [1, 2, 3, 4, 5].map((stars) => this.button("\u2605", `${starsText(stars)} (${stars})`, () => this.on.say("stars", stars), "star"))
    made.append(...all)
    made.onmouseover = (event) => {
      const place = all.indexOf(event.target)
      all.forEach((one, at) => one.classList.toggle("lit", at <= place))
    }
    made.onmouseleave = () => all.forEach((one) => one.classList.remove("lit"))
    return made
  }

  tagging() {
    const form = element("form", "tagging")
    const input = element("input")
    input.placeholder = "Tag"
    input.setAttribute("aria-label", "Tag for all that is selected")
    input.maxLength = 100
    input.setAttribute("list", "stylesweep-tags")
    const known = element("datalist")
    known.id = "stylesweep-tags"
    known.append(...this.on.tags().map((tag) => option(tag)))
    form.append(input, known)
    form.onsubmit = (event) => {
      event.preventDefault()
      const tag = input.value.trim()
      if (tag) this.on.tag(tag)
      input.value = ""
    }
    return form
  }

  focusTag() {
    this.box.querySelector("input")?.focus()
  }
}
