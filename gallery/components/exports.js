// data: {jobs: [{id, state, title, text, part, action, button}], kept: [{id, title, text, href, problems, left_out}]}
// Tells Python: trigger "ask" with {what, name}.

function job(item, tell) {
  const entry = element("li", `entry ${item.state}`)
  const line = element("div", "line")
  const words = element("div", "words")
  words.append(element("div", "title", item.title), element("div", "text faint"))
  const stop = button(item.button, "", () => {
    stop.disabled = true
    tell(item.action, item.id)
  }, "action")
  line.append(words, stop)
  entry.append(line)
  if (item.state === "building") {
    const meter = element("div", "meter")
    meter.setAttribute("role", "progressbar")
    meter.setAttribute("aria-label", `Building ${item.title}`)
    meter.append(element("span"))
    entry.append(meter)
  }
  return entry
}

function told(entry, item) {
  entry.querySelector(".text").textContent = item.text
  const meter = entry.querySelector(".meter")
  if (!meter) return
  meter.setAttribute("aria-valuenow", String(Math.round(100 * item.part)))
  meter.firstChild.style.width = `${100 * item.part}%`
}

function kept(item, tell) {
  const entry = element("li", "entry")
  const line = element("div", "line")
  const words = element("div", "words")
  words.append(element("div", "title", item.title), element("div", "text faint"))
  const link = element("a", "download", "Download")
  link.href = item.href
  link.download = item.title
  link.setAttribute("aria-label", `Download ${item.title}`)
  const remove = button(null, "", null, "action")
  remove.setAttribute("aria-label", `Remove ${item.title}`)
  careful(remove, { text: "Remove", sure: "Really remove?", doing: "Removing" }, () => tell("remove", item.id))
  line.append(words, link, remove)
  entry.append(line)
  if (item.left_out) {
    const details = element("details")
    const list = element("ul", "faint")
    item.problems.forEach((problem) => list.append(element("li", "", problem)))
    details.append(element("summary", "", item.left_out), list)
    entry.append(details)
  }
  return entry
}

function section(root, className) {
  let list = root.querySelector(`.${className}`)
  if (!list) {
    list = element("ul", `list ${className}`)
    root.append(list)
  }
  return list
}

export default function (component) {
  const { data, parentElement, setTriggerValue } = component
  const root = parentElement.querySelector(".root")
  const tell = (what, name) => setTriggerValue("ask", { what, name })
  const jobs = section(root, "jobs")
  jobs.setAttribute("aria-label", "Exports under way")
  patch(jobs, data.jobs.map(({ text, part, ...item }) => item), (item) => job(item, tell))
  data.jobs.forEach((item, at) => told(jobs.children[at], item))
  jobs.hidden = !data.jobs.length
  const list = section(root, "kept")
  list.setAttribute("aria-label", "Finished exports")
  // How old one is changes all the time; that alone builds nothing anew.
  patch(list, data.kept.map(({ text, ...item }) => item), (item) => kept(item, tell))
  data.kept.forEach((item, at) => told(list.children[at], item))
  list.hidden = !data.kept.length
  let none = root.querySelector(".none")
  if (!none) {
    none = element("p", "none faint", "Nothing was exported from these pages yet.")
    root.append(none)
  }
  none.hidden = data.jobs.length + data.kept.length > 0
}
