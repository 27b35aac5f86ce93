// data: {text, name}

export default function (component) {
  const { data, parentElement } = component
  const root = parentElement.querySelector(".root")
  if (root.saved === data.text) return // the same link stays: one that is replaced under a click saves nothing
  root.saved = data.text
  const link = element("a", "tool", `Save as ${data.name}`)
  link.href = URL.createObjectURL(new Blob([data.text], { type: "text/yaml;charset=utf-8" }))
  link.download = data.name
  if (root.before) URL.revokeObjectURL(root.before)
  root.before = link.href
  root.replaceChildren(link)
}
