// How far two pictures are apart, as numbers and as a picture of its own.

// Both pictures as numbers, the second at the first one's size.
function numbers(first, second) {
  const size = [first.naturalWidth, first.naturalHeight]
  const read = (picture) => {
    const canvas = element("canvas")
    canvas.width = size[0]
    canvas.height = size[1]
    const pen = canvas.getContext("2d", { willReadFrequently: true })
    pen.imageSmoothingQuality = "high"
    pen.drawImage(picture, 0, 0, size[0], size[1])
    return pen.getImageData(0, 0, size[0], size[1]).data
  }
  return { size, first: read(first), second: read(second), scaled: second.naturalWidth !== size[0] || second.naturalHeight !== size[1] }
}

// {canvas, mean, most, share}: mean and largest absolute difference of the channels (0 to 255), share of the pixels over 10 in one.
function difference(both, gain) {
  const canvas = element("canvas")
  canvas.width = both.size[0]
  canvas.height = both.size[1]
  const pen = canvas.getContext("2d")
  const shown = pen.createImageData(canvas.width, canvas.height)
  let sum = 0
  let most = 0
  let many = 0
  for (let at = 0; at < both.first.length; at += 4) {
    let here = 0
    for (let channel = at; channel < at + 3; channel += 1) {
      const apart = Math.abs(both.first[channel] - both.second[channel])
      sum += apart
      if (apart > here) here = apart
      shown.data[channel] = apart * gain
    }
    shown.data[at + 3] = 255
    if (here > most) most = here
    if (here > 10) many += 1
  }
  pen.putImageData(shown, 0, 0)
  const pixels = both.first.length / 4
  return { canvas, mean: sum / pixels / 3, most, share: many / pixels }
}

// The strongest of those offered that leaves the average well below white.
function fittingGain(both) {
  const { mean } = difference(both, 1)
  return [16, 8, 4, 2].find((gain) => mean * gain <= 48) || 1
}

function differenceWords(found, both, pair) {
  const [first, second] = pair
  const scaled = both.scaled ? ` ${second.letter} was scaled to the ${both.size[0]} x ${both.size[1]} pixels of ${first.letter} for this.` : ""
  if (!found.most) return `${first.letter} and ${second.letter} are equal, pixel for pixel.${scaled}`
  const share = found.share * 100
  const percent = share === 0 || share >= 1 ? share.toFixed(0) : "under 1"
  return (
    `${first.letter} and ${second.letter} differ by ${found.mean.toFixed(2)} of 255 on average and by ${found.most} at most; ` +
    `${percent} % of the pixels differ by more than 10.${scaled}`
  )
}

class Difference {
  constructor(on) {
    this.on = on // {say(text), drawn(gain)}
    this.gain = null // what fits the pair, until somebody chooses
    this.pictures = []
  }

  show(view, pair, pictures) {
    this.pictures = []
    const key = pair.map((pane) => pane.src).join(" ")
    this.on.say("Comparing\u2026")
    Promise.all(pictures.map((one) => one.decode())).then(
      () => {
        if (!view.isConnected) return
        if (this.both?.key !== key) this.both = { key, ...numbers(...pictures) }
        const gain = this.gain || fittingGain(this.both)
        const found = difference(this.both, gain)
        found.canvas.setAttribute("role", "img")
        found.canvas.setAttribute("aria-label", `Difference of ${pair[0].letter} and ${pair[1].letter}, ${gain} times as strong`)
        this.pictures = [found.canvas]
        view.replaceChildren(layer(found.canvas))
        this.on.say(differenceWords(found, this.both, pair))
        this.on.drawn(gain)
      },
      () => {}, // onerror has said so
    )
  }

  cover() {}
}
