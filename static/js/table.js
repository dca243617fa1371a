// Lists of nodes by keyboard: j and k move, x selects, Shift-x up to here, Enter opens. Selection tells the bar below.
import { lettersAreKeys, typing } from "./shell.js"

const shown = element => element.offsetParent !== null || element.getClientRects().length > 0
const items = () => [...document.querySelectorAll("[data-item]")].filter(shown)
const boxes = () => [...document.querySelectorAll("input[data-select]")].filter(box => !box.closest("[hidden]"))
const here = () => document.activeElement?.closest?.("[data-item]")
let last = null // where a range of selected rows begins

/** The selection as fields of a form: `ids`, or `all` with the filter. */
export function selected() {
  const form = document.getElementById("bulk")
  if (form?.elements.all?.value) return [["all", "1"], ["filter", form.elements.filter.value]]
  return boxes().filter(box => box.checked).map(box => ["ids", box.value])
}

/** Tell who listens that the selection is another. */
export function changed() {
  const all = document.querySelector("input[data-select-all]")
  const chosen = boxes().filter(box => box.checked).length
  if (all) { all.checked = chosen > 0 && chosen === boxes().length; all.indeterminate = chosen > 0 && !all.checked }
  document.dispatchEvent(new CustomEvent("olimpus:selection", { detail: { chosen, shown: boxes().length } }))
}

function move(step) {
  const all = items()
  all[Math.max(0, Math.min(all.length - 1, all.indexOf(here()) + step))]?.focus()
}

function toggle(row) {
  const box = row?.querySelector("input[data-select]")
  if (!box) return
  box.checked = !box.checked
  last = box
  changed()
}

function upTo(row) {
  const all = boxes()
  const [from, to] = [all.indexOf(last), all.indexOf(row?.querySelector("input[data-select]"))].sort((a, b) => a - b)
  if (to < 0) return
  for (const box of all.slice(Math.max(0, from), to + 1)) box.checked = true
  changed()
}

export function none() {
  for (const box of boxes()) box.checked = false
  changed()
}

function all() {
  const on = boxes().some(box => !box.checked)
  for (const box of boxes()) box.checked = on
  changed()
}

const KEYS = {
  j: () => move(1),
  k: () => move(-1),
  x: toggle,
  X: upTo,
  a: all,
  z: row => row?.querySelector("[data-fold]")?.click(),
  f: () => document.querySelector("#filters input[name=q]")?.focus(),
  n: () => document.querySelector(".pages a[rel=next]")?.click(),
  p: () => document.querySelector(".pages a[rel=prev]")?.click(),
  Enter: row => (row?.matches("a") ? row : row?.querySelector("a[data-open]"))?.click(),
}

document.addEventListener("keydown", event => {
  if (!KEYS[event.key] || event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return
  if (typing(event.target) && event.target.type !== "checkbox") return
  const row = here()
  if (event.key === "Enter" ? document.activeElement !== row : !lettersAreKeys()) return
  event.preventDefault()
  KEYS[event.key](row)
})

document.addEventListener("click", event => {
  const box = event.target.closest("input[data-select]")
  if (box && event.shiftKey) upTo(box.closest("[data-item]"))
  if (box) last = box
  if (event.target.closest("[data-select-none]")) none()
})

document.addEventListener("change", event => {
  if (event.target.matches("[data-select-all]")) for (const box of boxes()) box.checked = event.target.checked
  if (event.target.matches("[data-select], [data-select-all]")) changed()
})

addEventListener("pageshow", changed)
document.addEventListener("htmx:afterSwap", event => { if (event.target.id === "results") changed() })
