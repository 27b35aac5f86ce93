// What is known of the queue, which is frozen: what is in it and where changes only with its name. The runs around a place come when
// they are wanted.

const NEAR = 150 // places, around the one that was asked for, that come with one answer
const NO_REVIEW = { flag: null, stars: 0, note: "", tags: [] }

class CullRuns {
  constructor(reviews, ask) {
    this.reviews = reviews // the queue of reviews.js
    this.ask = ask // for the runs around a place
    this.items = new Map() // place -> what is known of a run of the queue; null where it is gone
    this.inputs = {}
    this.name = null
  }

  // Whether it is another queue than before.
  read(data) {
    const anew = this.name !== data.queue
    this.data = data
    if (anew) {
      this.name = data.queue
      this.items = new Map()
      this.counts = data.counts
    }
    Object.assign(this.inputs, data.inputs)
    data.items.forEach((item, offset) => {
      const place = data.first + offset
      const known = this.items.get(place)
      // What it was when it was first read: the counts are told from there on.
      if (item) Object.assign(item, { at: data.at, before: known?.before || item.review || {} })
      this.items.set(place, item)
    })
    this.wanted = null
    return anew
  }

  get total() {
    return this.data.total
  }

  // Undefined where it is not known yet.
  item(place) {
    return this.items.get(place)
  }

  unknown(place) {
    return place < this.total && this.items.get(place) === undefined
  }

  want(place) {
    if (this.wanted !== null && Math.abs(this.wanted - place) < NEAR) return
    this.wanted = place
    clearTimeout(this.wanting)
    this.wanting = setTimeout(() => this.ask(place), 120)
  }

  // Before one comes there.
  wantAhead(here) {
    for (let by = 0; by <= NEAR; by += 25) {
      if (!this.unknown(here + by)) continue
      this.want(here + by)
      break
    }
    if (this.unknown(here)) this.want(here)
  }

  // What the server read, with what this tab has said since.
  review(place) {
    const item = this.items.get(place)
    return item ? this.reviews.overlay(this.data.person, item.id, item.review, item.at) : NO_REVIEW
  }

  refusal(place) {
    const item = this.items.get(place)
    return item ? this.reviews.refusal(item.id) : null
  }

  judged(review) {
    return Boolean(review.flag || review.stars)
  }

  // Past what Python did not know to be judged.
  get start() {
    let place = this.data.start
    while (this.data.mode === "unreviewed" && this.items.get(place) && this.judged(this.review(place))) place++
    return place
  }

  // {unreviewed, picked, rejected}, as they are now.
  standing() {
    const { unreviewed, picked, rejected } = this.counts
    const now = { unreviewed, picked, rejected }
    for (const [place, item] of this.items) {
      if (!item) continue
      const review = this.review(place)
      now.unreviewed += this.judged(item.before) - this.judged(review)
      now.picked += (review.flag === "pick") - (item.before.flag === "pick")
      now.rejected += (review.flag === "reject") - (item.before.flag === "reject")
    }
    return now
  }

  // The runs that are picked, in the queue's order.
  picks() {
    const places = [...this.items.keys()].sort((a, b) => a - b).filter((place) => this.review(place).flag === "pick")
    return places.map((place) => this.items.get(place).id)
  }
}
