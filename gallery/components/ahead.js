// Scripts that the page of a run will need (gallery/ahead.py): fetched and read while nothing else is to do.
function fetchAhead(addresses) {
  const idle = window.requestIdleCallback || ((act) => setTimeout(act, 1000))
  idle(() => {
    const asked = new Set([...document.querySelectorAll("link[rel=modulepreload]")].map((link) => link.href))
    addresses.forEach((address) => {
      const link = element("link")
      link.rel = "modulepreload"
      link.href = address
      if (!asked.has(link.href)) document.head.append(link)
    })
  })
}

