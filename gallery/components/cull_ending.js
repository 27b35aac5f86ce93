// After the last picture: what came of it, and where to go from here.

class Ending {
  constructor(ask) {
    this.ask = ask // as Python hears it: kind, ids
    this.box = element("div", "ending")
  }

  // picks: ids in the queue's order; links: {grid, picks, export}.
  show({ unreviewed, picked, rejected }, picks, links) {
    const many = (number, what) => `${number.toLocaleString("en")} ${what}`
    const heading = element("h2", "", unreviewed ? "The end of the queue" : "All are reviewed")
    const sum = element("p", "", `${many(picked, "picked")}, ${many(rejected, "rejected")}${unreviewed ? `, ${many(unreviewed, "still unreviewed")}` : ""}.`)
    const ways = element("div", "ways")
    const ids = picks.slice(0, 4)
    if (picked) ways.append(this.way(`See ${picked === 1 ? "the pick" : `the ${many(picked, "picks")}`}`, "In the grid", "picks", links.picks))
    if (ids.length > 1) {
      ways.append(this.way(picks.length > 4 ? "Compare the first 4" : "Compare them", "Side by side", "compare", `compare?ids=${ids.join(",")}`, ids))
    }
    if (picked) ways.append(this.way("Export the picks", "Take them away", "export", links.export))
    if (unreviewed) ways.append(toolButton("Go through the rest", "What is unreviewed now, and what has finished since", () => this.ask("unreviewed")))
    ways.append(this.way("Back to the grid", "G", "grid", links.grid))
    this.box.replaceChildren(heading, sum, ways, element("p", "faint", "← goes back to the last picture."))
  }

  way(text, hint, kind, href, ids) {
    const made = element("a", "tool", text)
    made.href = href
    made.title = hint
    made.onclick = (event) => follow(event, () => this.ask(kind, ids))
    return made
  }
}
