// What is selected: by click, Ctrl, Shift and keys. One node fills the panel, several the bar at the bottom; folds and
// selection are kept in the address, and remembered.
import { refresh } from "./fragments.js"
import { address, ask, beside, byId, groupOf, isFolder, isOpen, siblings, tree, visible, withIds } from "./console_tree_items.js"
import { unfold, unfoldAll } from "./console_tree_levels.js"
import { notice } from "./shell.js"

const MOST = 1000 // selected at once
const SOON = 150 // ms
const MEMORY = "olimpus-console-tree"

const chosen = new Set()
let anchor = null // where a range begins
const bar = document.getElementById("tree-selection")
const panel = document.querySelector("[data-tree-panel]")

export const ids = () => [...chosen]
export const has = item => chosen.has(item.dataset.id)
export const items = () => ids().map(byId).filter(Boolean)

function mark(item, on) {
  if (!item?.dataset.id) return
  if (on) chosen.add(item.dataset.id)
  else chosen.delete(item.dataset.id)
  item.setAttribute("aria-selected", on)
}

export function none() {
  for (const id of ids()) { const item = byId(id); if (item) mark(item, false); else chosen.delete(id) }
  tell()
}

/** This one only; its details are shown beside the tree. */
export function only(item, { show = true } = {}) {
  for (const id of ids()) if (id !== item.dataset.id) { const old = byId(id); if (old) mark(old, false); else chosen.delete(id) }
  mark(item, true)
  anchor = item
  tell()
  if (show) open(item.dataset.id)
}

export function toggle(item) {
  mark(item, !has(item))
  anchor = item
  tell()
}

/** From where the last selection began to here. */
export function range(item) {
  const all = visible().filter(row => row.dataset.id)
  const from = Math.max(0, all.indexOf(anchor?.isConnected ? anchor : item)), to = all.indexOf(item)
  const inside = new Set(all.slice(Math.min(from, to), Math.max(from, to) + 1).slice(0, MOST).map(row => row.dataset.id))
  for (const row of all) if (has(row) !== inside.has(row.dataset.id)) mark(row, inside.has(row.dataset.id))
  tell()
}

export function extend(item, step) {
  const next = beside(item, step)
  if (next?.dataset.id) { anchor ??= item; range(next) }
  return next
}

export function all(item) {
  const rows = siblings(item)
  for (const row of rows.slice(0, MOST)) mark(row, true)
  tell()
}

/** Everything right below a folder, fetched if it must be. */
export async function children(item) {
  const complete = await unfoldAll(item, MOST)
  none()
  for (const row of [...(groupOf(item)?.querySelectorAll(":scope > li[data-id]") ?? [])].slice(0, MOST)) mark(row, true)
  if (!complete) { none(); only(item); notice(bar.dataset.many) }
  tell()
}

// -- telling it -------------------------------------------------------------------------------------------------------

let timer = 0

function tell() {
  remember()
  clearTimeout(timer)
  if (chosen.size < 2) { bar.hidden = true; document.body.classList.remove("has-selection"); return }
  timer = setTimeout(offers, SOON)
}

async function offers() {
  if (chosen.size < 2) return
  const answer = await ask(address("offers"), { method: "POST", body: withIds(chosen) })
  if (!answer || chosen.size < 2) return
  const html = await answer.text()
  if (bar.innerHTML !== html) bar.innerHTML = html
  bar.hidden = false
  document.body.classList.add("has-selection")
}

let stale = 0
document.addEventListener("olimpus:event", ({ detail: { state } }) => {
  if (state && !bar.hidden && !bar.contains(document.activeElement)) stale ||= setTimeout(() => { stale = 0; offers() }, 1500)
})

let shown = null

/** The panel of one node. */
export async function open(id) {
  shown = id
  const answer = await ask(address("panel", id))
  if (!answer || shown !== id) return
  const place = panel.querySelector("[data-tree-shown]")
  place.innerHTML = await answer.text()
  place.dataset.shows = id
  panel.classList.add("open")
  const details = place.querySelector("[data-tree-details]")
  if (details) refresh(details)
}

export function close() {
  panel.classList.remove("open")
  byId(shown)?.focus()
}

/** The panel's heading, for who came by Enter. */
export const enter = () => panel.querySelector("h2")?.focus()

// -- the address ------------------------------------------------------------------------------------------------------

let restoring = false

function remember() {
  if (restoring) return
  const open = [...tree.querySelectorAll("li[aria-expanded=true]")].map(item => item.dataset.id)
  const told = new URLSearchParams({ open: open.slice(0, 60).join("."), sel: ids().slice(0, 60).join(".") })
  history.replaceState(history.state, "", `#${told}`)
  try { localStorage.setItem(MEMORY, String(told)) } catch { /* storage is off */ }
}

function remembered() {
  if (location.hash.length > 1) return location.hash.slice(1)
  try { return tree.dataset.at ? "" : localStorage.getItem(MEMORY) ?? "" } catch { return "" }
}

/** Unfold what the address (or the last visit) says, a depth at a time, and select what it names. */
export async function restore() {
  const told = new URLSearchParams(remembered())
  restoring = true
  let wanted = (told.get("open") ?? "").split(".").filter(id => /^\d+$/.test(id))
  for (let rows; wanted.length; wanted = wanted.filter(id => !rows.includes(id))) {
    rows = wanted.filter(id => byId(id))
    if (!rows.length) break
    await Promise.all(rows.filter(id => isFolder(byId(id)) && !isOpen(byId(id))).map(id => unfold(byId(id))))
  }
  const picked = (told.get("sel") ?? "").split(".").map(id => /^\d+$/.test(id) && byId(id)).filter(Boolean)
  const at = tree.dataset.at && tree.querySelector(`li[data-path="${CSS.escape(tree.dataset.at)}"]`)
  restoring = false
  if (at) only(at)
  else if (picked.length === 1) only(picked[0])
  else for (const item of picked) mark(item, true)
  tell()
  return at || picked[0]
}

/** What was fetched again is marked as it was; what has gone is no longer selected. */
document.addEventListener("tree:changed", ({ detail }) => {
  if (detail === "folds") { remember(); return }
  for (const id of ids()) byId(id)?.setAttribute("aria-selected", "true")
})
