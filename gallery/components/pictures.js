// data: {main: {src, none, w, h, colour, alt, href, caption}, side: [the same]}

function figure(item, ratio) {
  const made = element("figure")
  const shown = picture({ ...item, eager: true }, ratio)
  if (item.href && item.src) {
    const link = element("a")
    link.href = item.href
    link.target = "_blank"
    link.rel = "noopener"
    link.title = "Open the original file in a new tab"
    link.append(shown)
    made.append(link)
  } else {
    made.append(shown)
  }
  if (item.caption) made.append(element("figcaption", "faint", item.caption))
  return made
}

export default function (component) {
  const { data, parentElement } = component
  const root = parentElement.querySelector(".root")
  const text = JSON.stringify(data)
  if (root.dataset.json === text) return
  root.dataset.json = text
  const all = element("div", data.side.length ? "pictures" : "pictures alone")
  const main = element("div", "main")
  const large = figure(data.main, data.main.src ? null : 1.5)
  const hold = large.querySelector(".hold")
  // As large as the column and the window allow, but never more than twice its own pixels: enlarged further it says nothing more.
  if (hold) hold.style.width = `min(100%, calc(78vh * ${data.main.w / data.main.h}), ${2 * data.main.w}px)`
  main.append(large)
  const side = element("div", "side")
  data.side.forEach((item) => side.append(figure(item, null)))
  all.append(main, side)
  root.replaceChildren(all)
}
