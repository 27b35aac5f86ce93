// data: {name, since, cookie}. Only a name that was typed in this tab is written: another tab may have been given a newer one.

const YEAR = 365 * 24 * 3600

export default function (component) {
  const { data, parentElement } = component
  if (data.since && data.since !== window.stylesweepNamed) {
    window.stylesweepNamed = data.since
    const secure = location.protocol === "https:" ? "; Secure" : ""
    document.cookie = `${data.cookie}=${encodeURIComponent(data.name)}; Path=/; SameSite=Strict; Max-Age=${data.name ? YEAR : 0}${secure}`
  }
  const kept = document.cookie.split("; ").some((one) => one.startsWith(`${data.cookie}=`))
  const words = kept ? "This browser keeps the name." : "This browser keeps no cookies: give the name again after a reload."
  parentElement.querySelector(".root").replaceChildren(element("span", "faint", data.name ? words : ""))
}
