// Levels are fetched when they are unfolded, read again when the feed says that something in them was made, moved or
// deleted, and counted again seldom.
import { above, address, ask, byId, byPath, focus, focused, groupOf, isFolder, isOpen, keepReachable, tree, withIds } from "./console_tree_items.js"

const SOON = 300 // ms in which changes of one level are gathered
const SELDOM = 2500 // ms between two counts of the same folders
const LEVEL = 200 // nodes of a level that are shown at a time
const SHAPES = /^(folder|descriptor)\.(create|move|delete|copy)$/

const changed = name => document.dispatchEvent(new CustomEvent("tree:changed", { detail: name }))

/** Show what is right below a folder; fetched the first time. */
export async function unfold(item) {
  if (!isFolder(item) || !item.hasAttribute("aria-expanded")) return
  item.setAttribute("aria-expanded", "true")
  const group = groupOf(item)
  if (group) group.hidden = false
  else await fill(item)
  changed("folds")
}

export function fold(item) {
  const group = groupOf(item)
  if (!group || !isOpen(item)) return
  if (group.contains(document.activeElement)) focus(item)
  item.setAttribute("aria-expanded", "false")
  group.hidden = true
  changed("folds")
}

const depth = item => Number(item.getAttribute("aria-level")) + 1
const levelUrl = (item, more) => `${address("level", item.dataset.id)}?${new URLSearchParams({ level: depth(item), ...more })}`

async function fill(item) {
  const group = document.createElement("ul")
  group.setAttribute("role", "group")
  const waiting = document.createElement("li")
  waiting.setAttribute("role", "none")
  waiting.className = "branch-empty text-secondary"
  waiting.textContent = tree.dataset.loading
  group.append(waiting)
  item.append(group)
  item.setAttribute("aria-busy", "true")
  const answer = await ask(levelUrl(item))
  item.removeAttribute("aria-busy")
  if (!answer) { group.remove(); item.setAttribute("aria-expanded", "false"); return }
  group.innerHTML = await answer.text()
  changed("items")
}

/** The next part of a level, in place of the line that offers it. */
export async function more(line, number = LEVEL) {
  const group = line.parentElement, item = group.closest("li[data-id]")
  const first = group.querySelectorAll(":scope > li[data-id]").length
  const hadFocus = line === focused()
  const answer = await ask(levelUrl(item, { first, number }))
  if (!answer) return
  const fresh = document.createElement("template")
  fresh.innerHTML = await answer.text()
  const next = fresh.content.querySelector("li")
  line.replaceWith(fresh.content)
  if (hadFocus) focus(next)
  changed("items")
}

/** Everything right below a folder, at most `most`; false when there is more than that. */
export async function unfoldAll(item, most) {
  await unfold(item)
  const group = groupOf(item)
  for (let line; (line = group?.querySelector(":scope > [data-more]"));) {
    const shown = group.querySelectorAll(":scope > li[data-id]").length
    if (shown >= most) return false
    await more(line, most - shown)
  }
  return true
}

// -- levels that changed ----------------------------------------------------------------------------------------------

const stale = new Set()
let timer = 0

/** Read the level of a folder again, soon and once for many changes. */
export function reloadSoon(id) {
  if (!id) return
  stale.add(String(id))
  timer ||= setTimeout(() => { timer = 0; const ids = [...stale]; stale.clear(); ids.forEach(reload) }, SOON)
}

/** Read the level of a folder again: what is still there keeps its place, its folds and its focus. */
export async function reload(id) {
  const item = byId(id)
  if (!item) return
  const group = groupOf(item)
  if (!group) { item.setAttribute("aria-expanded", "false"); return } // it may have been empty until now
  const shown = group.querySelectorAll(":scope > li[data-id]").length
  const answer = await ask(levelUrl(item, { number: Math.max(LEVEL, shown) }))
  if (!answer) return
  merge(group, await answer.text())
  changed("items")
}

function merge(group, html) {
  const fresh = document.createElement("template")
  fresh.innerHTML = html
  const at = focused()
  const rows = [...fresh.content.children].map(row => {
    const old = row.dataset.id && group.querySelector(`:scope > li[data-id="${row.dataset.id}"]`)
    return old && old.dataset.path === row.dataset.path ? adopted(old, row) : row
  })
  group.replaceChildren(...rows)
  if (at && !tree.contains(document.activeElement)) focus(at.isConnected ? at : byId(at.dataset.id) ?? group.closest("li"), { scroll: false })
  keepReachable()
}

function adopted(old, row) {
  const [line, fresh] = [old, row].map(item => item.querySelector(":scope > .branch-line"))
  if (!line.isEqualNode(fresh)) line.replaceWith(fresh) // what did not change stays under the pointer
  for (const name of ["aria-setsize", "aria-posinset"]) if (row.hasAttribute(name)) old.setAttribute(name, row.getAttribute(name))
  if (row.hasAttribute("aria-expanded") && !old.hasAttribute("aria-expanded")) old.setAttribute("aria-expanded", "false")
  return old
}

// -- counts -----------------------------------------------------------------------------------------------------------

const miscounted = new Set()
let counting = 0

function recountSoon(path) {
  for (let here = above(path); ; here = above(here)) {
    const item = byPath(here)
    if (item) miscounted.add(item.dataset.id)
    if (here === "/") break
  }
  if (miscounted.size) counting ||= setTimeout(recount, SELDOM)
}

async function recount() {
  counting = 0
  const ids = [...miscounted]
  miscounted.clear()
  const answer = await ask(address("counts"), { method: "POST", body: withIds(ids) })
  if (!answer) return
  const { counts } = await answer.json()
  for (const [id, html] of Object.entries(counts)) {
    const place = byId(id)?.querySelector(":scope > .branch-line [data-badges]")
    if (place) place.innerHTML = html
  }
}

// -- the filter -------------------------------------------------------------------------------------------------------

let whole = null // the unfiltered tree, while a filter shows matches
let missed = false // something changed meanwhile
let asked = 0

/** Show what matches with the folders above it; without text and state the tree as it was. */
export async function filter(text, state) {
  const told = document.querySelector("[data-tree-told]"), mine = ++asked
  if (!text && !state) { restore(told); return }
  const answer = await ask(`${address("search")}?${new URLSearchParams({ q: text, state })}`)
  if (!answer || mine !== asked) return
  const fresh = document.createElement("template")
  fresh.innerHTML = await answer.text()
  whole ??= [...tree.children]
  tree.replaceChildren(...fresh.content.querySelector("ul").children)
  told.hidden = false
  told.textContent = fresh.content.querySelector("[data-told]").textContent
  keepReachable()
  changed("items")
}

function restore(told) {
  if (!whole) return
  tree.replaceChildren(...whole)
  whole = null
  told.hidden = true
  keepReachable()
  changed("items")
  if (missed) for (const item of tree.querySelectorAll("li[aria-expanded=true]")) reloadSoon(item.dataset.id)
  missed = false
}

document.addEventListener("olimpus:event", ({ detail: { verb, path, node, state } }) => {
  if (whole) missed = true
  if (SHAPES.test(verb)) {
    reloadSoon(byPath(above(path))?.dataset.id)
    if (node) reloadSoon(byId(node)?.dataset.parent)
  }
  if (state || SHAPES.test(verb)) recountSoon(path)
})
