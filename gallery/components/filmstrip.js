// data: {items: [{src, none, w, h, colour, alt, href, caption}]}, captions that differ

function frame(item) {
  const entry = element("li")
  const link = element("a")
  link.href = item.href
  link.target = "_blank"
  link.rel = "noopener"
  link.title = "Open the picture of this step in a new tab"
  link.append(picture(item, item.w / item.h), element("span", "faint", item.caption))
  entry.style.width = `calc(7.5rem * ${item.w / item.h})`
  entry.append(link)
  return entry
}

export default function (component) {
  const { data, parentElement } = component
  const root = parentElement.querySelector(".root")
  let strip = root.querySelector(".strip")
  if (!strip) {
    strip = element("ol", "strip")
    strip.setAttribute("aria-label", "Snapshots, first to last step")
    root.append(strip)
  }
  patch(strip, data.items.map((item) => ({ ...item, id: item.caption })), frame)
}
