// data: {find, items: [{id, title, state, kind, counts, percent, runs, age, why, parts: [{kind, share, hint}], links: [{what, text, href}],
//   archive, archivable, src, none, w, h, alt}]}
// Tells Python: trigger "ask" with {what, sweep}.

function card(item, tell) {
  const entry = element("li", "card")
  const go = (what) => (event) => follow(event, () => tell(what, item.id))
  const look = element("a", "look")
  look.href = item.links[0].href
  look.tabIndex = -1
  look.onclick = go("gallery")
  look.append(picture(item, 1.5))
  const about = element("div", "about")
  const head = element("div", "head")
  const title = element("a", "title", item.title)
  title.href = item.links[0].href
  title.onclick = go("gallery")
  head.append(title, element("span", `state ${item.kind}`, item.state))
  const bar = element("div", "portions")
  bar.setAttribute("role", "img")
  bar.setAttribute("aria-label", item.counts)
  item.parts.forEach((one) => {
    const part = element("span", one.kind)
    part.style.flex = String(one.share)
    part.title = one.hint
    bar.append(part)
  })
  const counts = element("div", "counts")
  counts.append(element("span", "", item.counts), element("span", "percent", item.percent))
  about.append(head, bar, counts, element("div", "line faint", item.runs), element("div", "line faint", item.age))
  if (item.why) about.append(element("div", "line why", item.why))
  const foot = element("div", "foot")
  item.links.forEach((one) => {
    const link = element("a", "to", one.text)
    link.href = one.href
    link.onclick = go(one.what)
    link.setAttribute("aria-label", `${one.text} of ${item.title}`)
    foot.append(link)
  })
  const why = item.archivable ? "" : "A sweep with something left to do cannot be put away: pause or cancel it first"
  const archive = button(item.archive, why, () => tell(item.archive.toLowerCase(), item.id), "archive")
  archive.disabled = !item.archivable
  archive.setAttribute("aria-label", `${item.archive} ${item.title}`)
  foot.append(archive)
  // The whole card opens the gallery; who comes by keyboard has the title.
  entry.onclick = (event) => {
    if (!event.target.closest("a, button") && !String(getSelection())) tell("gallery", item.id)
  }
  entry.append(look, about, foot)
  return entry
}

function find(root, list, wanted) {
  let field = root.querySelector("input")
  if (!wanted) {
    field?.remove()
    return
  }
  if (!field) {
    field = element("input", "find")
    field.type = "search"
    field.placeholder = "Find a sweep"
    field.setAttribute("aria-label", "Find a sweep by its name")
    field.value = window.stylesweepFind || "" // Streamlit may build the list anew while somebody reads what was found
    field.onkeydown = (event) => event.stopPropagation()
    root.prepend(field)
  }
  const narrow = () => {
    window.stylesweepFind = field.value
    const words = field.value.toLowerCase().split(/\s+/).filter(Boolean)
    let shown = 0
    ;[...list.children].forEach((entry) => {
      entry.hidden = !words.every((word) => entry.dataset.id.toLowerCase().includes(word))
      shown += !entry.hidden
    })
    let none = root.querySelector(".no-match")
    if (!none) {
      none = element("p", "no-match faint", "No sweep of that name.")
      root.append(none)
    }
    none.hidden = shown > 0
  }
  field.oninput = narrow
  narrow()
}

export default function (component) {
  const { data, parentElement, setTriggerValue } = component
  const root = parentElement.querySelector(".root")
  let list = root.querySelector(".list")
  if (!list) {
    list = element("ul", "list")
    list.setAttribute("aria-label", "Sweeps")
    root.append(list)
  }
  patch(list, data.items, (item) => card(item, (what, sweep) => setTriggerValue("ask", { what, sweep })))
  find(root, list, data.find)
}
