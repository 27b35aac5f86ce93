// How reviews look, and what says them: marks, words, keys and buttons, which all components share.

const MARKS = {
  pick: "M3 1h2v14H3zM6 2h8l-2.5 3.5L14 9H6z",
  reject: "M3 1.6 8 6.6l5-5L14.4 3l-5 5 5 5-1.4 1.4-5-5-5 5L1.6 13l5-5-5-5z",
  star: "M8 .8l2.2 4.9 5.3.5-4 3.6 1.2 5.2L8 12.2l-4.7 2.8 1.2-5.2-4-3.6 5.3-.5z",
}

function markIcon(name) {
  const space = "http://www.w3.org/2000/svg"
  const drawn = document.createElementNS(space, "svg")
  drawn.setAttribute("viewBox", "0 0 16 16")
  drawn.setAttribute("class", `mark ${name}`)
  drawn.setAttribute("aria-hidden", "true")
  const path = document.createElementNS(space, "path")
  path.setAttribute("d", MARKS[name])
  drawn.append(path)
  return drawn
}

function starsText(stars) {
  return `${stars} ${stars === 1 ? "star" : "stars"}`
}

function reviewText(review) {
  const parts = []
  if (review.flag) parts.push(review.flag === "pick" ? "picked" : "rejected")
  if (review.stars) parts.push(starsText(review.stars))
  if (review.tags?.length) parts.push(`tagged ${review.tags.join(", ")}`)
  if (review.note) parts.push("with a note")
  return parts.join(", ")
}

function reviewMarks(review) {
  const marks = element("span", "review-marks")
  const text = reviewText(review)
  if (!text) return marks
  marks.setAttribute("role", "img")
  marks.setAttribute("aria-label", text)
  marks.title = text
  if (review.flag) marks.append(markIcon(review.flag))
  for (let number = 0; number < review.stars; number++) marks.append(markIcon("star"))
  if (review.tags?.length) marks.append(element("span", "dot", String(review.tags.length)))
  return marks
}

const FLAG_KEYS = { p: "pick", x: "reject", u: null }

// {field, value} of what a key says of a run; null if it says nothing.
function saidByKey(key) {
  if (key in FLAG_KEYS) return { field: "flag", value: FLAG_KEYS[key] }
  return /^[0-5]$/.test(key) ? { field: "stars", value: Number(key) } : null
}

function toolButton(text, hint, act, mark) {
  const made = button(null, hint, act, "tool")
  if (mark) made.append(markIcon(mark))
  if (text) made.append(element("span", "", text))
  return made
}

// Five stars to press.
class StarRow {
  constructor(act) {
    this.box = element("span", "stars")
    this.box.setAttribute("role", "group")
    this.box.setAttribute("aria-label", "Stars")
    this.buttons = [1, 2, 3, 4, 5].map((stars) => {
      const made = toolButton("", `${starsText(stars)} (${stars})`, () => act(stars), "star")
      made.setAttribute("aria-label", made.title)
      return made
    })
    this.box.append(...this.buttons)
  }

  show(stars) {
    this.buttons.forEach((one, at) => {
      one.classList.toggle("on", at < stars)
      one.setAttribute("aria-pressed", String(stars === at + 1))
    })
  }
}
