// The line above the picture: how far one is, of which view, as whom, and how it goes on.

class CullTop {
  constructor(on) {
    this.on = on // {grid(), advance(), mode(mode), help()}
    this.box = element("div", "top")
    this.counter = element("span", "counter")
    const progress = element("span", "progress")
    this.soFar = element("span", "so-far")
    progress.append(this.soFar)
    this.view = element("a", "view faint")
    this.view.onclick = (event) => follow(event, () => on.grid())
    this.who = element("span", "who faint")
    this.who.title = "Who reviews. Started with STYLESWEEP_PERSON=name, the gallery takes that name."
    this.advance = toolButton("Auto-advance", "Go on by itself after a key (A)", () => on.advance())
    const help = toolButton("?", "Keys (?)", () => on.help())
    help.setAttribute("aria-label", "Keys")
    const right = element("span", "right")
    right.append(this.who, this.advance, this.modesGroup(), help)
    this.box.append(this.counter, progress, this.view, right)
  }

  modesGroup() {
    const made = element("span", "modes")
    made.setAttribute("role", "group")
    made.setAttribute("aria-label", "What to go through")
    this.modes = {
      unreviewed: toolButton("Unreviewed", "Only runs without flag and stars", () => this.on.mode("unreviewed")),
      all: toolButton("All", "Every run of the view that has a picture", () => this.on.mode("all")),
    }
    made.append(...Object.values(this.modes))
    return made
  }

  show(data) {
    this.view.textContent = data.view
    this.view.title = `${data.view}\nOpen it in the grid, where its filters are (G)`
    this.view.href = data.links.grid
    this.who.textContent = `as ${data.person}`
    for (const [mode, made] of Object.entries(this.modes)) made.setAttribute("aria-pressed", String(mode === data.mode))
  }

  advances(yes) {
    this.advance.setAttribute("aria-pressed", String(yes))
  }

  count(unreviewed, all) {
    const many = (number) => number.toLocaleString("en")
    this.counter.replaceChildren(element("strong", "", many(unreviewed)), document.createTextNode(` of ${many(all)} unreviewed`))
    this.soFar.style.width = `${all ? (100 * (all - unreviewed)) / all : 100}%`
  }
}
