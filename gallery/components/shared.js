// What the components share. Text goes in by textContent only.

function element(tag, className, text) {
  const made = document.createElement(tag)
  if (className) made.className = className
  if (text !== undefined && text !== null) made.textContent = text
  return made
}

// A box of exactly the picture's shape in its mean colour, so that nothing moves when the picture arrives.
function picture(item, ratio) {
  const frame = element("span", "frame")
  if (ratio) frame.style.aspectRatio = String(ratio)
  if (!item.src) {
    frame.append(element("span", "none", item.none || "No picture"))
    return frame
  }
  const hold = element("span", item.w / item.h >= (ratio || 0) ? "hold wide" : "hold tall")
  hold.style.aspectRatio = `${item.w} / ${item.h}`
  hold.style.background = item.colour || "transparent"
  const image = element("img")
  image.loading = item.eager ? "eager" : "lazy"
  image.decoding = "async"
  image.width = item.w
  image.height = item.h
  image.alt = item.alt
  image.onerror = () => {
    hold.replaceWith(element("span", "none", "The picture's file is missing or damaged"))
  }
  image.src = item.src
  hold.append(image)
  frame.append(hold)
  return frame
}

// Plain clicks go to Streamlit and stay in this session; with a modifier the link opens as links do.
function follow(event, act) {
  if (event.button || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return
  event.preventDefault()
  act()
}

// One child per item, in order; a child whose item has not changed stays the very same node.
function patch(parent, items, build) {
  const before = new Map([...parent.children].map((child) => [child.dataset.id, child]))
  items.forEach((item, place) => {
    const text = JSON.stringify(item)
    let child = before.get(item.id)
    before.delete(item.id)
    if (!child || child.dataset.json !== text) {
      const made = build(item)
      made.dataset.id = item.id
      made.dataset.json = text
      if (child) {
        const focused = child.contains(child.getRootNode().activeElement)
        child.replaceWith(made)
        if (focused) made.querySelector("a")?.focus({ preventScroll: true })
      }
      child = made
    }
    if (parent.children[place] !== child) parent.insertBefore(child, parent.children[place] || null)
  })
  before.forEach((child) => child.remove())
}
