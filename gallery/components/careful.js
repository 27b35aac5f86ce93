// A button whose first press asks, and whose second, within five seconds, does it.
function careful(button, words, act) {
  button.textContent = words.text
  button.onclick = () => {
    if (button.dataset.asked) {
      delete button.dataset.asked
      button.disabled = true
      button.textContent = words.doing
      act()
      return
    }
    button.dataset.asked = "yes"
    button.classList.add("sure")
    button.textContent = words.sure
    setTimeout(() => {
      if (!button.dataset.asked) return
      delete button.dataset.asked
      button.classList.remove("sure")
      button.textContent = words.text
    }, 5000)
  }
}
