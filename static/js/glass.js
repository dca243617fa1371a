// The page of a console: connects, says in words how that went, and passes the toolbar on to the screen or the terminal.
import { Link } from "./glass_link.js"

const page = document.body
const words = page.dataset
const one = name => document.querySelector(`[data-${name}]`)
const pane = one("pane"), word = one("word"), keys = one("keys"), dialog = one("paste")

let console_ = null // what is shown: {type, key, focus, close, …}
let link = null
let turn = 0 // whoever connects again meanwhile is the one who goes on

async function connect() {
  leave()
  const mine = turn
  word.hidden = true
  page.dataset.state = "connecting"
  const address = await ticket()
  if (address && mine === turn) link = new Link(address, { open, viewers, end, lost })
}

/** Where the console opens, once; nothing when the server refuses, which is said. */
async function ticket() {
  const body = new URLSearchParams({ kind: words.kind, mode: words.mode })
  const headers = { Accept: "application/json", "X-CSRFToken": words.csrf }
  const answer = await fetch(words.ticket, { method: "POST", headers, body }).catch(() => null)
  const told = await answer?.json().catch(() => null)
  if (answer?.ok && told) return `${location.protocol === "https:" ? "wss" : "ws"}://${location.host}${told.url}`
  end({ message: told?.message ?? words.noAnswer, hint: told?.hint ?? words.lostHint })
  return ""
}

async function open(opened) {
  const held = [], here = link
  here.onmessage = event => held.push(event) // until the script that shows it is there
  const { show } = await import(words.script)
  if (here !== link) return
  page.dataset.state = "open"
  console_ = show(pane, here, { watch: opened.mode === "watch", layout: one("layout")?.value ?? "" })
  for (const event of held) here.onmessage(event)
  console_.focus()
}

function viewers(all) {
  const self = all.findIndex(each => each.who === words.me && each.mode === words.mode)
  const said = all.filter((_each, place) => place !== self).map(each => each.mode === "watch" ? words.watching.replace("{who}", each.who) : each.who)
  const others = one("others")
  others.textContent = said.length ? words.with.replace("{others}", said.join(", ")) : words.alone
  others.classList.toggle("has-others", said.length > 0)
}

function end({ message, hint }) {
  page.dataset.state = "closed"
  one("message").textContent = message
  one("hint").textContent = hint ?? ""
  word.hidden = false
  word.querySelector("button")?.focus()
}

const lost = () => end({ message: words.lost, hint: words.lostHint })

function leave() {
  turn++
  const [was, shown] = [link, console_]
  link = console_ = null
  was?.close()
  shown?.close()
  pane.replaceChildren()
}

// -- toolbar

async function paste() {
  const field = one("paste-text")
  field.value = ""
  dialog.showModal()
  // Where the browser lets us; elsewhere people paste into the field.
  field.value = await navigator.clipboard?.readText().catch(() => "") ?? ""
}

function pressed(button, on) { button.setAttribute("aria-pressed", String(on)) }

const deeds = {
  again: () => connect(),
  full: () => document.fullscreenElement ? document.exitFullscreen() : document.documentElement.requestFullscreen(),
  paste,
  keyboard: button => {
    keys.hidden = !keys.hidden
    pressed(button, !keys.hidden)
    if (!keys.hidden) console_?.keyboard()
  },
  scale: button => {
    const fit = button.getAttribute("aria-pressed") !== "true"
    pressed(button, fit)
    console_?.scale(fit)
  },
  "ctrl-alt-del": () => console_?.ctrlAltDel(),
}

document.addEventListener("click", event => {
  const button = event.target.closest("[data-do]")
  if (!button) return
  deeds[button.dataset.do](button)
  if (!["paste", "again", "keyboard"].includes(button.dataset.do)) console_?.focus()
})

// Held keys of the row above the on-screen keyboard: Ctrl and Alt wait for the next key.
const held = new Set()
keys?.addEventListener("pointerdown", event => { if (event.target.closest("[data-key]")) event.preventDefault() })
keys?.addEventListener("click", event => {
  const button = event.target.closest("[data-key]")
  if (!button) return
  const key = button.dataset.key
  if (!button.hasAttribute("aria-pressed")) return console_?.key(key)
  if (held.has(key)) held.delete(key)
  else held.add(key)
  pressed(button, held.has(key))
  console_?.hold([...held], () => { held.clear(); for (const each of keys.querySelectorAll("[aria-pressed]")) pressed(each, false) })
})

dialog?.addEventListener("close", () => {
  if (dialog.returnValue === "type") console_?.type(one("paste-text").value)
  dialog.returnValue = ""
  console_?.focus()
})
one("layout")?.addEventListener("change", event => { console_?.layout(event.target.value); console_?.focus() })
for (const type of ["pointerdown", "pointermove", "keydown", "wheel"]) addEventListener(type, () => link?.isHere(), { passive: true, capture: true })
addEventListener("pagehide", leave)
addEventListener("pageshow", event => { if (event.persisted) connect() })
if (words.script) connect()
