// data: {items: [{id, href, src, none, w, h, alt, title, state, counts, runs, age, parts: [{kind, share, hint}], progress}]}
// Tells Python: trigger "open" with the name of a sweep.

function card(item) {
  const entry = element("li")
  const link = element("a", "card")
  link.href = item.href
  const about = element("span", "about")
  const head = element("span", "head")
  head.append(element("span", "title", item.title), element("span", "state faint", item.state))
  const bar = element("span", "bar")
  bar.setAttribute("role", "img")
  bar.setAttribute("aria-label", item.counts)
  item.parts.forEach((one) => {
    const part = element("span", one.kind)
    part.style.flex = String(one.share)
    part.title = one.hint
    bar.append(part)
  })
  about.append(head, bar, element("span", "line", item.counts), element("span", "line faint", item.runs), element("span", "line faint", item.age))
  link.append(picture(item, 1.5), about)
  entry.append(link)
  return entry
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
  list.onclick = (event) => {
    const entry = event.target.closest("li")
    if (entry) follow(event, () => setTriggerValue("open", entry.dataset.id))
  }
  patch(list, data.items, card)
}
