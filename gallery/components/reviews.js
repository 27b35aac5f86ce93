// Reviews from components: a queue that loses nothing. `load(name, uses=("reviews",))` puts this first.
//
//   const queue = reviewQueue()                        one for the tab, whatever components and pages come and go
//   queue.enqueue({ person, run, field, value })       field: flag (pick | reject | null), stars (0-5, 0 none), note ('' none),
//                                                      tag (then also present: false takes it away). It is on its way; draw at once:
//   queue.overlay(person, run, review, at)             the review {flag, stars, note, tags} that Python read at `at` (its time.time(),
//                                                      taken before it read), with what this tab has said since; a new object
//   const stop = queue.listen((state) => ...)          {pending, trouble, refused, changed}: how many wait, a sentence while the server does
//                                                      not take them (else null), what was refused just now [{run, reason, ...}], and
//                                                      the runs whose review is another than this tab said (draw them anew)
//   queue.refusal(run)                                 why the last word on a run was refused; null if it was not (draw it red)
//   queueNotice(queue)                                 a small element that says both by itself; put it where it moves nothing
//
// Every operation is dated when it is said and kept in sessionStorage until the server has answered it (gallery/review_route.py), so
// it may be sent twice, late, or by a reloaded page: the later word counts.

const REVIEWS = { url: "/app/static/review", store: "stylesweep-reviews", most: 100, bytes: 40000, slowest: 8000 }

function reviewQueue() {
  if (!window.stylesweepReviews) window.stylesweepReviews = makeReviewQueue()
  return window.stylesweepReviews
}

function makeReviewQueue() {
  const client = [...crypto.getRandomValues(new Uint8Array(8))].map((byte) => byte.toString(16).padStart(2, "0")).join("")
  const listeners = new Set()
  const words = new Map() // run -> slot -> the last word of this tab, in whatever state
  const refusals = new Map()
  let pending = []
  let ahead = 0 // by how many seconds this clock is ahead of the server's
  let last = 0
  let count = 0
  let size = REVIEWS.most
  let busy = []
  let failures = 0
  let reason = "" // why the last request failed
  let timer = 0

  const slot = (op) => `${op.person}\n${op.field}\n${op.field === "tag" ? op.value : ""}`

  function remember(op) {
    if (!words.has(op.run)) words.set(op.run, new Map())
    words.get(op.run).set(slot(op), op)
  }

  function save() {
    keep("sessionStorage", REVIEWS.store, pending.length ? JSON.stringify(pending) : null)
  }

  function restore() {
    try {
      const kept = JSON.parse(recall("sessionStorage", REVIEWS.store) || "[]")
      pending = kept.filter((op) => op && op.id && op.run && op.person && Number.isFinite(op.at))
      pending.forEach(remember)
      last = Math.max(0, ...pending.map((op) => op.at))
    } catch {}
  }

  function trouble() {
    if (!failures || !pending.length) return null
    return `${pending.length === 1 ? "1 change waits" : `${pending.length} changes wait`} for the server${reason ? `: ${reason}` : ""}`
  }

  function tell(refused = [], changed = []) {
    listeners.forEach((listener) => listener({ pending: pending.length, trouble: trouble(), refused, changed }))
  }

  const seconds = () => Date.now() / 1000 - ahead

  function enqueue(said) {
    last = Math.max(Math.round(seconds() * 1000) / 1000, Math.round(last * 1000 + 1) / 1000)
    const op = { ...said, id: `${client}-${++count}`, at: last }
    pending.push(op)
    remember(op)
    refusals.delete(op.run)
    save()
    tell()
    if (!timer) send()
    return op
  }

  // As many of one person as fit a request.
  function batchOf(ops) {
    const batch = []
    let bytes = 0
    for (const op of ops) {
      bytes += 3 * JSON.stringify(op).length
      if (batch.length && (op.person !== batch[0].person || batch.length >= size || bytes > REVIEWS.bytes)) break
      batch.push(op)
    }
    return batch
  }

  function post(batch) {
    const ops = batch.map(({ id, run, field, value, present, at }) => ({ id, run, field, value, present, at }))
    return fetch(REVIEWS.url, {
      method: "POST",
      headers: { "Content-Type": "application/json", "X-Stylesweep": "1" },
      body: JSON.stringify({ person: batch[0].person, now: seconds(), ops }),
      keepalive: true, // a page that is left in this moment has it sent all the same
      credentials: "same-origin",
      signal: AbortSignal.timeout(20000),
    })
  }

  async function send() {
    if (busy.length || !pending.length) return
    clearTimeout(timer)
    timer = 0
    busy = batchOf(pending)
    let status = 0
    let answer = {}
    try {
      const response = await post(busy)
      status = response.status
      answer = await response.json()
    } catch {} // not there, or not to be understood
    const batch = busy
    busy = []
    if (status === 200 || status === 409) taken(batch, answer)
    else if (status === 400 && batch.length > 1) size = 1 // one of them is at fault: the others are not to wait for it
    else if (status === 400) taken(batch, { acks: [{ id: batch[0].id, ok: false, reason: answer.reason || "the server cannot read it" }] })
    else return failed(answer.reason)
    send()
  }

  function taken(batch, answer) {
    const acks = new Map((answer.acks || []).map((ack) => [ack.id, ack]))
    const refused = []
    const changed = []
    setClock(answer.now)
    batch.forEach((op) => {
      const ack = acks.get(op.id)
      if (!ack) return
      const here = words.get(op.run)
      const current = here.get(slot(op)) === op
      if (!ack.ok) {
        refused.push({ ...op, reason: ack.reason })
        if (current) here.delete(slot(op))
        refusals.set(op.run, ack.reason)
        changed.push(op.run)
      } else {
        op.acked = answer.now
        if (!ack.newer || !current) return
        if (op.field === "tag") here.set(slot(op), { ...op, present: ack.stands })
        else here.set(slot(op), { ...op, value: ack.stands })
        changed.push(op.run)
      }
    })
    const answered = batch.filter((op) => acks.has(op.id))
    if (!answered.length) return failed("the server did not answer to what it was sent")
    pending = pending.filter((op) => !answered.includes(op))
    failures = 0
    size = batch.length > 1 || !refused.length ? REVIEWS.most : size
    save()
    tell(refused, changed)
  }

  // Dates of what waits move with it: they were given by the same clock.
  function setClock(now) {
    const off = seconds() - now
    if (!Number.isFinite(off) || Math.abs(off) < 5) return
    ahead += off
    last -= off
    pending.forEach((op) => (op.at -= off))
  }

  function failed(why) {
    failures += 1
    reason = String(why || "").slice(0, 200)
    clearTimeout(timer)
    timer = setTimeout(send, Math.min(250 * 2 ** Math.min(failures - 1, 6), REVIEWS.slowest))
    tell()
  }

  function leaving() {
    const rest = batchOf(pending.filter((op) => !busy.includes(op)))
    if (rest.length) post(rest).catch(() => {})
  }

  function overlay(person, run, review, at) {
    const shown = { flag: null, stars: 0, note: "", ...review, tags: [...(review?.tags || [])] }
    for (const op of words.get(run)?.values() || []) {
      if (op.person !== person || (op.acked && op.acked < at)) continue
      if (op.field !== "tag") shown[op.field] = op.value
      else shown.tags = [...shown.tags.filter((tag) => tag !== op.value), ...(op.present === false ? [] : [op.value])].sort()
    }
    return shown
  }

  restore()
  window.addEventListener("pagehide", leaving)
  window.addEventListener("pageshow", send)
  window.addEventListener("online", send)
  window.addEventListener("beforeunload", (event) => {
    if (trouble()) event.preventDefault() // closing the tab would lose what the server has not taken
  })
  send()
  return {
    enqueue,
    overlay,
    refusal: (run) => refusals.get(run) || null,
    get pending() {
      return pending.length
    },
    get trouble() {
      return trouble()
    },
    listen(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
  }
}

// Says what waits and what was refused; empty, and of no height, when all is well.
function queueNotice(queue) {
  const notice = element("span", "queue-notice")
  notice.setAttribute("role", "status")
  let told = ""
  let until = 0
  const draw = () => {
    const text = queue.trouble || (Date.now() < until ? told : "")
    notice.textContent = text
    notice.classList.toggle("refused", Boolean(text) && !queue.trouble)
  }
  const stop = queue.listen((state) => {
    if (!notice.isConnected && notice.dataset.shown) return stop()
    notice.dataset.shown = "1"
    if (state.refused.length) {
      const { reason } = state.refused[state.refused.length - 1]
      told = `Not kept: ${reason}${state.refused.length > 1 ? ` (and ${state.refused.length - 1} more)` : ""}`
      until = Date.now() + 8000
      setTimeout(draw, 8100)
    }
    draw()
  })
  draw()
  return notice
}
