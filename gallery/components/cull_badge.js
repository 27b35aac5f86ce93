// On the picture, what was said of it.

class StateBadge {
  constructor() {
    this.box = element("span", "state-badge")
  }

  // refusal: why the last word was not kept, else null.
  show(review, refusal) {
    this.box.replaceChildren()
    this.box.className = `state-badge ${refusal ? "refused" : review.flag || ""}`
    if (refusal) return this.box.append(`Not kept: ${refusal}`)
    const words = { pick: "Picked", reject: "Rejected" }[review.flag]
    if (review.flag) this.box.append(markIcon(review.flag), element("span", "", words))
    for (let number = 0; number < review.stars; number++) this.box.append(markIcon("star"))
    review.tags.forEach((tag) => this.box.append(element("span", "tag", tag)))
  }
}
