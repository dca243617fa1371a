// Search on top: places as one types. A combobox: arrows choose, Enter opens, Escape closes. Without script it is a form.
import { latest } from "./latest.js"

const PAUSE = 140 // ms without a key before the server is asked
const places = latest("text/html")

const input = document.querySelector("input[data-suggest]")
const list = document.getElementById("suggestions")
let timer = 0
let active = -1

const options = () => [...list.querySelectorAll("[role=option]")]

function show(open) {
  list.hidden = !open
  input.setAttribute("aria-expanded", open)
  if (!open) choose(-1)
}

function choose(index) {
  const all = options()
  active = all.length ? (index + all.length + 1) % (all.length + 1) : -1
  if (active === all.length) active = -1
  all.forEach((option, at) => option.setAttribute("aria-selected", at === active))
  if (all[active]) { input.setAttribute("aria-activedescendant", all[active].id); all[active].scrollIntoView({ block: "nearest" }) }
  else input.removeAttribute("aria-activedescendant")
}

async function ask() {
  places.stop()
  const text = input.value.trim()
  if (!text) return show(false)
  const found = await places.ask(`${input.dataset.suggest}?${new URLSearchParams({ q: text })}`)
  if (found === null || document.activeElement !== input) return
  list.innerHTML = found
  active = -1
  show(list.children.length > 0)
}

const KEYS = {
  ArrowDown: () => list.hidden ? ask() : choose(active + 1),
  ArrowUp: () => choose(active < 0 ? options().length - 1 : active - 1),
  Escape: () => { if (list.hidden) input.blur(); else show(false) },
}

if (input && list) {
  input.addEventListener("input", () => { clearTimeout(timer); timer = setTimeout(ask, PAUSE) })
  input.addEventListener("keydown", event => {
    if (event.key === "Enter" && !list.hidden && active >= 0) { event.preventDefault(); return options()[active].click() }
    if (!KEYS[event.key]) return
    event.preventDefault()
    KEYS[event.key]()
  })
  input.addEventListener("blur", () => setTimeout(() => { if (document.activeElement !== input) show(false) }, 150))
  list.addEventListener("pointerdown", event => event.preventDefault()) // the field keeps the focus
}
