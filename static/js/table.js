// Tables of nodes by keyboard: j and k move, x selects, Enter opens. Selection shows its bar with the count.
import { typing } from "./shell.js"

const rows = () => [...document.querySelectorAll("tr[data-node]")]
const boxes = () => [...document.querySelectorAll("input[data-select]")]

function move(step) {
  const all = rows()
  const now = all.indexOf(document.activeElement?.closest?.("tr[data-node]"))
  all[Math.max(0, Math.min(all.length - 1, now + step))]?.focus()
}

function showSelection() {
  const bar = document.getElementById("selection")
  if (!bar) return
  const chosen = boxes().filter(box => box.checked).length
  bar.hidden = chosen === 0
  bar.querySelector("[data-selected]").textContent = chosen
  const all = document.querySelector("input[data-select-all]")
  if (all) { all.checked = chosen > 0 && chosen === boxes().length; all.indeterminate = chosen > 0 && !all.checked }
}

const KEYS = {
  j: () => move(1),
  k: () => move(-1),
  x: row => { const box = row?.querySelector("input[data-select]"); if (box) { box.checked = !box.checked; showSelection() } },
  Enter: row => row?.querySelector("a[data-open]")?.click(),
}

document.addEventListener("keydown", event => {
  if (!KEYS[event.key] || event.ctrlKey || event.metaKey || event.altKey) return
  if (typing(event.target) && event.target.type !== "checkbox") return
  const row = document.activeElement?.closest?.("tr[data-node]")
  if (event.key === "Enter" && document.activeElement !== row) return
  KEYS[event.key](row)
})

document.addEventListener("change", event => {
  if (event.target.matches("[data-select-all]")) for (const box of boxes()) box.checked = event.target.checked
  if (event.target.matches("[data-select], [data-select-all]")) showSelection()
})

document.addEventListener("click", event => {
  if (!event.target.closest("[data-select-none]")) return
  for (const box of boxes()) box.checked = false
  showSelection()
})

addEventListener("pageshow", showSelection)
