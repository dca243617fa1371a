// The menu of what can be done with a node: by the right button, Shift-F10 or the menu key; walked by arrows.
import { address, ask, focus, tree } from "./console_tree_items.js"
import * as choice from "./console_tree_choice.js"
import { clipped, openDialog, paste, place, removal, take } from "./console_tree_place.js"

let menu = null
let owner = null

export async function openMenu(item, x, y) {
  closeMenu()
  owner = item
  const answer = await ask(address("menu", item.dataset.id))
  if (!answer || owner !== item) return
  const fresh = document.createElement("template")
  fresh.innerHTML = await answer.text()
  menu = fresh.content.querySelector("[role=menu]")
  for (const entry of menu.querySelectorAll("[data-needs-clipboard]")) if (!clipped()) entry.remove()
  document.body.append(menu)
  const box = menu.getBoundingClientRect()
  menu.style.left = `${Math.max(4, Math.min(x, innerWidth - box.width - 8))}px`
  menu.style.top = `${Math.max(4, Math.min(y, innerHeight - box.height - 8))}px`
  entries()[0]?.focus()
}

export function closeMenu(refocus = false) {
  menu?.remove()
  menu = null
  if (refocus && owner) focus(owner)
}

const entries = () => [...menu.querySelectorAll("[role=menuitem]")]

function walk(event) {
  const all = entries(), at = all.indexOf(document.activeElement)
  const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: all.length - 1 }[event.key]
  if (to !== undefined) { event.preventDefault(); event.stopPropagation(); all.at(to % all.length)?.focus() }
  else if (event.key === "Escape" || event.key === "Tab") { event.preventDefault(); closeMenu(true) }
}

document.addEventListener("keydown", event => { if (menu?.contains(event.target)) walk(event) })
document.addEventListener("pointerdown", event => { if (menu && !menu.contains(event.target)) closeMenu() })
// Not at every scroll: to focus an item scrolls, too.
for (const moved of ["wheel", "touchmove"]) addEventListener(moved, event => { if (menu && !menu.contains(event.target)) closeMenu() }, { passive: true })

tree.addEventListener("contextmenu", event => {
  const item = event.target.closest("li[data-id]")
  if (!item || event.shiftKey) return
  event.preventDefault()
  if (!choice.has(item)) choice.only(item)
  focus(item)
  openMenu(item, event.clientX, event.clientY)
})

/** What an entry or a button of the bar is about: the selection when the item belongs to it, else the item alone. */
function subject() {
  const ids = choice.ids()
  return menu && owner && !ids.includes(owner.dataset.id) ? [owner.dataset.id] : ids
}

const ACTS = {
  move: () => place(subject(), "move"),
  copy: () => place(subject(), "copy"),
  remove: () => removal(subject()),
  cut: () => take(subject(), "move"),
  take: () => take(subject(), "copy"),
  paste: () => paste(owner),
  children: () => choice.children(owner),
  none: () => choice.none(),
}

document.addEventListener("click", event => {
  const act = event.target.closest("[data-tree-act]")
  if (act) ACTS[act.dataset.treeAct]()
  const link = event.target.closest("a[data-tree-dialog]")
  if (link) { event.preventDefault(); openDialog(link.href) }
  if (menu?.contains(event.target.closest("[role=menuitem]"))) setTimeout(() => closeMenu(), 0) // after the form it sends
})

export const rename = item => item.dataset.parent && openDialog(address("rename", item.dataset.id))
export const remove = ids => ids.length && removal(ids)
