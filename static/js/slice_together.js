// Several people at one drawing: who else has it open is said beside its name, and what they save is heard at once.
import { page } from "./slice_api.js"

const AGAIN = 5000 // ms until a lost connection is tried again
const FULL = 4429 // too many windows: the last message says so
const FINAL = [4401, 4403, FULL] // signed out, or not allowed: the page's own feed says so

export class Together extends EventTarget {
  constructor(place) {
    super()
    this.place = place
    this.open()
    addEventListener("pagehide", () => { this.socket.onclose = null; this.socket.close() })
  }

  open() {
    const scheme = location.protocol === "https:" ? "wss" : "ws"
    this.socket = new WebSocket(`${scheme}://${location.host}/ws/slices/${page.id}`)
    this.socket.onmessage = ({ data }) => this.take(JSON.parse(data))
    this.socket.onclose = ({ code }) => { if (code !== FULL) this.place.textContent = ""; if (!FINAL.includes(code)) setTimeout(() => this.open(), AGAIN) }
  }

  take({ end, others, version, by, at }) {
    if (end) return this.place.replaceChildren(`${end.message} ${end.hint}`)
    const text = said(others)
    if (this.place.textContent !== text) this.place.textContent = text
    this.dispatchEvent(new CustomEvent("saved", { detail: { version, by, at, elsewhere: others.includes(page.me) } }))
  }
}

function said(names) {
  const people = names.filter(name => name !== page.me)
  if (!people.length) return names.length ? page.wordElsewhere : ""
  const list = new Intl.ListFormat(document.documentElement.lang, { type: "conjunction" }).format(people)
  return (people.length > 1 ? page.wordTogetherMany : page.wordTogether).replace("{who}", list)
}
