// Keys that every page knows: the palette (Ctrl-K), the dialog of keys (?), the folders on the left ([). And the places
// that were opened last, for the palette: kept in this browser for this account, forgotten when it signs out.
import { lettersAreKeys, notice, typing } from "./shell.js"
import "./preferences.js"

const button = document.querySelector("[data-palette]")
const words = document.getElementById("words")?.dataset ?? {}
const RECENT = 8
const store = `olimpus-recent-${button?.dataset.who}`

export async function openPalette() {
  const palette = await import("./palette.js").catch(() => null)
  if (palette) palette.open(button)
  else notice(words.noAnswer, words.tryAgain)
}

export async function openKeys() {
  const answer = await fetch(button.dataset.keys, { headers: { "X-Requested-With": "fetch" } }).catch(() => null)
  if (!answer?.ok) return notice(words.noAnswer, words.tryAgain)
  const dialog = document.getElementById("dialog")
  dialog.innerHTML = await answer.text()
  dialog.querySelector("[data-single-keys]").checked = lettersAreKeys()
  if (!dialog.open) dialog.showModal()
}

/** Paths that were opened last, the newest first. */
export function recent() {
  try { return JSON.parse(localStorage.getItem(store) ?? "[]") } catch { return [] }
}

function note(path) {
  const paths = [path, ...recent().filter(other => other !== path)].slice(0, RECENT)
  try { localStorage.setItem(store, JSON.stringify(paths)) } catch { /* storage is off */ }
}

if (button) {
  if (button.dataset.place) note(button.dataset.place)
  button.addEventListener("click", openPalette)
  document.addEventListener("keydown", event => {
    if (event.key.toLowerCase() !== "k" || !(event.ctrlKey || event.metaKey) || event.altKey || event.shiftKey) return
    event.preventDefault()
    openPalette()
  })
  document.addEventListener("keydown", event => {
    if (event.ctrlKey || event.metaKey || event.altKey || typing(event.target) || !lettersAreKeys()) return
    if (event.key === "?") { event.preventDefault(); openKeys() }
    if (event.key === "[") document.querySelector("[data-tree-drawer]")?.click()
  })
}

document.addEventListener("submit", event => {
  if (new URL(event.target.action, location.href).pathname.endsWith("/logout/")) try { localStorage.removeItem(store) } catch { /* storage is off */ }
})

document.addEventListener("change", event => {
  if (!event.target.matches("[data-single-keys]")) return
  try { localStorage.setItem("olimpus-keys", event.target.checked ? "on" : "off") } catch { /* for this page only */ }
})

// Long menus of the breadcrumbs are narrowed as one types.
document.addEventListener("input", event => {
  if (!event.target.matches("[data-narrow]")) return
  const text = event.target.value.trim().toLowerCase()
  for (const item of event.target.parentElement.querySelectorAll("a.dropdown-item")) item.hidden = !item.textContent.toLowerCase().includes(text)
})
