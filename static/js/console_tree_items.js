// The tree's items as they stand in the page: walking through what is visible, focus, addresses, requests.
import { notice } from "./shell.js"

export const tree = document.querySelector("[data-tree]")
const NOBODY = "00000000-0000-0000-0000-000000000000"
const words = document.getElementById("words")?.dataset ?? {}

/** An address that the page gives as data-…-url, for one node (or operation). */
export function address(name, id) {
  const url = tree.dataset[`${name}Url`]
  return id === undefined ? url : url.includes(NOBODY) ? url.replace(NOBODY, id) : url.replace("/0/", `/${id}/`)
}

export const token = () => document.querySelector("#chosen [name=csrfmiddlewaretoken]").value

/** The answer, or null when there was none or it was a refusal: then it is said on top of the page. */
export async function ask(url, options = {}) {
  const headers = { "X-Requested-With": "fetch", ...options.headers }
  const answer = await fetch(url, { ...options, headers }).catch(() => null)
  if (answer?.ok) return answer
  const told = await answer?.json().catch(() => null)
  notice(told?.message ?? words.noAnswer, told?.hint ?? words.tryAgain)
  return null
}

/** A form's worth of ids, with the token that a POST needs. */
export function withIds(ids, more = {}) {
  const data = new FormData()
  data.set("csrfmiddlewaretoken", token())
  for (const id of ids) data.append("ids", id)
  for (const [name, value] of Object.entries(more)) data.set(name, value)
  return data
}

export const byId = id => tree.querySelector(`li[data-id="${id}"]`)
export const byPath = path => tree.querySelector(`li[data-path="${CSS.escape(path)}"]`)
export const groupOf = item => item.querySelector(":scope > [role=group]")
export const parentOf = item => item.parentElement.closest("[role=treeitem]")
export const isFolder = item => item?.dataset.kind === "folder"
export const isOpen = item => item.getAttribute("aria-expanded") === "true"
export const above = path => path.slice(0, path.lastIndexOf("/")) || "/"

const ITEM = "li[role=treeitem]"

/** Every item that is not inside a folded folder, from the first to the last. */
export const visible = () => [...tree.querySelectorAll(ITEM)].filter(item => !item.closest("[role=group][hidden]"))

export const siblings = item => [...item.parentElement.querySelectorAll(`:scope > ${ITEM}[data-id]`)]

/** The visible item after (step 1) or before (step -1) this one, without looking at all of them. */
export function beside(item, step) {
  return step > 0 ? after(item) : before(item)
}

const itemIn = (list, last = false) => {
  const found = list?.querySelectorAll(`:scope > ${ITEM}`)
  return found?.length ? found[last ? found.length - 1 : 0] : null
}

function after(item) {
  const inner = isOpen(item) && itemIn(groupOf(item))
  if (inner) return inner
  for (let here = item; here; here = parentOf(here)) {
    let next = here.nextElementSibling
    while (next && !next.matches(ITEM)) next = next.nextElementSibling
    if (next) return next
  }
  return null
}

function before(item) {
  let here = item.previousElementSibling
  while (here && !here.matches(ITEM)) here = here.previousElementSibling
  if (!here) return parentOf(item)
  for (let last; isOpen(here) && (last = itemIn(groupOf(here), true));) here = last
  return here
}

/** One item can be reached with Tab: the one that had the focus last. */
export function focus(item, { scroll = true } = {}) {
  if (!item) return
  for (const old of tree.querySelectorAll(`${ITEM}[tabindex="0"]`)) old.tabIndex = -1
  item.tabIndex = 0
  item.focus({ preventScroll: true })
  if (scroll) (item.querySelector(":scope > .branch-line") ?? item).scrollIntoView({ block: "nearest" })
}

export const focused = () => document.activeElement?.closest?.(`[data-tree] ${ITEM}`)

/** Makes sure that Tab leads into the tree, whatever was taken out of it. */
export function keepReachable() {
  if (!tree.querySelector(`${ITEM}[tabindex="0"]`)) { const first = itemIn(tree); if (first) first.tabIndex = 0 }
}
