// What the components share. Text goes in by textContent only.

function element(tag, className, text) {
  const made = document.createElement(tag)
  if (className) made.className = className
  if (text !== undefined && text !== null) made.textContent = text
  return made
}

function button(text, title, act, className) {
  const made = element("button", className, text)
  made.type = "button"
  if (title) made.title = title
  made.onclick = act
  return made
}

function option(value, text) {
  const made = element("option", "", text)
  made.value = value
  return made
}

function originalLink(href, className, text) {
  const made = element("a", className, text)
  made.href = href
  made.target = "_blank"
  made.rel = "noopener"
  made.title = "Open the original file in a new tab"
  return made
}

const DAMAGED = "The picture's file is missing or damaged"

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
    hold.replaceWith(element("span", "none", DAMAGED))
  }
  image.src = item.src
  hold.append(image)
  frame.append(hold)
  return frame
}

function clamp(value, low, high) {
  return Math.min(Math.max(value, low), high)
}

// Across and down.
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }

// Where an event's letters are text, and no keys of ours.
function typing(event) {
  return event.composedPath().find((one) => one.matches?.("input, textarea, select, [contenteditable=true]"))
}

// Neither the browser nor who listens further out does anything with an event.
function consume(event) {
  event.preventDefault()
  event.stopPropagation()
}

// What the browser keeps for us in "localStorage" or "sessionStorage"; text null takes it away. One that stores nothing does without.
function keep(store, key, text) {
  try {
    if (text === null) window[store].removeItem(key)
    else window[store].setItem(key, text)
  } catch {}
}

function recall(store, key) {
  try {
    return window[store].getItem(key)
  } catch {
    return null
  }
}

// Words that go again by themselves.
function sayBriefly(node, text, milliseconds = 6000) {
  node.textContent = text
  clearTimeout(node.timer)
  node.timer = setTimeout(() => (node.textContent = ""), milliseconds)
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
