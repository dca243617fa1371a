// Moving and copying: by dragging, by Ctrl-X, Ctrl-C and Ctrl-V, by the menu. Always a dialog first that says what will
// change. Also the other dialogs: new, rename, delete.
import { above, address, ask, byId, focus, isFolder, isOpen, tree, withIds } from "./console_tree_items.js"
import { reload, unfold } from "./console_tree_levels.js"
import * as choice from "./console_tree_choice.js"

const HOVER = 700 // ms until a folder under the pointer unfolds
const TYPING = 350 // ms of quiet before the plan is made again
const dialog = document.getElementById("dialog")
const words = tree.dataset

// -- dialogs ----------------------------------------------------------------------------------------------------------

export async function openDialog(url) {
  const waiting = setTimeout(() => { // a plan for thousands of machines takes a while
    dialog.textContent = words.loading
    if (!dialog.open) dialog.showModal()
  }, 300)
  const answer = await ask(url)
  clearTimeout(waiting)
  if (!answer) { dialog.close(); return }
  dialog.innerHTML = await answer.text()
  if (!dialog.open) dialog.showModal()
  dialog.querySelector("[autofocus]")?.focus()
  suggest()
}

export function place(ids, how, target = "") {
  const query = new URLSearchParams({ how, to: target })
  for (const id of ids) query.append("ids", id)
  return openDialog(`${address("place")}?${query}`)
}

export function removal(ids) {
  const query = new URLSearchParams()
  for (const id of ids) query.append("ids", id)
  return openDialog(`${address("remove")}?${query}`)
}

let typing = 0

dialog.addEventListener("input", event => {
  if (!event.target.matches("[data-replan]")) return
  clearTimeout(typing)
  typing = setTimeout(() => { replan(event.target.form); suggest() }, TYPING)
})

/** The plan for what is written now; what one types stays under the hand. */
async function replan(form) {
  const data = new URLSearchParams(new FormData(form))
  data.delete("csrfmiddlewaretoken")
  const answer = await ask(`${form.getAttribute("action")}?${data}`)
  if (!answer) return
  const fresh = document.createElement("template")
  fresh.innerHTML = await answer.text()
  form.querySelector("[data-plan-region]")?.replaceWith(fresh.content.querySelector("[data-plan-region]"))
  form.querySelector("[data-go]").disabled = fresh.content.querySelector("[data-go]").disabled
}

async function suggest() {
  const list = dialog.querySelector("#place-folders"), field = dialog.querySelector("#place-to")
  if (!list) return
  const answer = await ask(`${list.dataset.url}?${new URLSearchParams({ to: field.value })}`)
  if (answer) list.innerHTML = await answer.text()
}

document.addEventListener("submit", async event => {
  const form = event.target
  if (!("treeForm" in form.dataset)) return
  event.preventDefault()
  const button = event.submitter
  button?.classList.add("working")
  const answer = await fetch(form.getAttribute("action"), { method: "POST", body: new FormData(form), headers: { Accept: "application/json" } }).catch(() => null)
  button?.classList.remove("working")
  const told = await answer?.json().catch(() => null)
  if (!answer?.ok) return refuse(form, told)
  dialog.close()
  await Promise.all((told.parents ?? []).map(reload))
  if (told.show) reveal(told)
})

function refuse(form, told) {
  const slot = form.querySelector("[data-slot=error]")
  slot.hidden = false
  slot.textContent = told ? `${told.message} ${told.hint ?? ""}` : document.getElementById("words").dataset.noAnswer
}

async function reveal({ show, parents }) {
  const folder = byId(parents[0])
  if (!byId(show) && folder) await unfold(folder)
  const item = byId(show)
  if (!item) return
  choice.only(item)
  focus(item)
  // The dialog that has just closed may take the focus along when the browser draws the page without it.
  requestAnimationFrame(() => { if (document.activeElement === document.body) focus(item, { scroll: false }) })
  item.classList.add("is-new")
  setTimeout(() => item.classList.remove("is-new"), 1600)
}

// -- cut, copy, paste -------------------------------------------------------------------------------------------------

let clipboard = null // {ids, how}
const told = document.querySelector("[data-tree-told]")

export const clipped = () => clipboard

export function take(ids, how) {
  clipboard = ids.length ? { ids, how } : null
  for (const item of tree.querySelectorAll(".is-cut")) item.classList.remove("is-cut")
  if (!clipboard) { told.hidden = true; return }
  if (how === "move") for (const id of ids) byId(id)?.classList.add("is-cut")
  told.hidden = false
  told.textContent = (how === "move" ? words.cut : words.copied).replace("{n}", ids.length)
}

export function paste(item) {
  const folder = isFolder(item) ? item.dataset.path : above(item.dataset.path)
  if (clipboard) place(clipboard.ids, clipboard.how, folder)
}

dialog.addEventListener("close", () => { if (clipboard?.how === "move" && !clipboard.ids.some(byId)) take([], "") })

// -- dragging ---------------------------------------------------------------------------------------------------------

let dragged = []
let over = null
let opening = 0
const tip = document.createElement("div")
tip.className = "drag-tip"
tip.hidden = true
document.body.append(tip)

const itemOf = event => event.target.closest?.(".branch-line")?.closest("li[data-id]")
const copying = event => event.ctrlKey || event.altKey

/** Why what is dragged may not be dropped on this item; "" when it may. */
function refusal(item, copy) {
  if (!isFolder(item)) return words.notMachine
  const { path, id } = item.dataset
  for (const row of dragged) {
    if (path === row.dataset.path || path.startsWith(`${row.dataset.path}/`)) return words.notItself
    if (!copy && row.dataset.parent === id) return words.isThere
  }
  return ""
}

function show(event, text, bad) {
  tip.textContent = text
  tip.classList.toggle("bad", bad)
  tip.hidden = !text
  tip.style.left = `${Math.min(event.clientX + 14, innerWidth - 260)}px`
  tip.style.top = `${event.clientY + 18}px`
}

function leave() {
  clearTimeout(opening)
  over?.classList.remove("drop-here", "drop-not")
  over = null
  tip.hidden = true
}

tree.addEventListener("dragstart", event => {
  const item = itemOf(event)
  if (!item || !item.dataset.parent) { event.preventDefault(); return }
  if (!choice.has(item)) choice.only(item, { show: false })
  dragged = choice.items().filter(row => row.dataset.parent)
  event.dataTransfer.effectAllowed = "copyMove"
  event.dataTransfer.setData("text/plain", dragged.map(row => row.dataset.path).join("\n"))
})

tree.addEventListener("dragover", event => {
  const item = dragged.length ? itemOf(event) : null
  if (!item) return
  const copy = copying(event), why = refusal(item, copy)
  if (item !== over) {
    leave()
    over = item
    if (isFolder(item) && !isOpen(item)) opening = setTimeout(() => unfold(item), HOVER)
  }
  item.classList.toggle("drop-here", !why)
  item.classList.toggle("drop-not", Boolean(why))
  const name = item.dataset.name
  show(event, why || `${copy ? words.dropCopy : words.dropMove}: ${name}`, Boolean(why))
  event.dataTransfer.dropEffect = why ? "none" : copy ? "copy" : "move"
  if (!why) event.preventDefault()
})

tree.addEventListener("drop", event => {
  const item = itemOf(event)
  if (!item || refusal(item, copying(event))) return
  event.preventDefault()
  place(dragged.map(row => row.dataset.id), copying(event) ? "copy" : "move", item.dataset.path)
})

tree.addEventListener("dragleave", event => { if (!tree.contains(event.relatedTarget)) leave() })
tree.addEventListener("dragend", () => { leave(); dragged = [] })
