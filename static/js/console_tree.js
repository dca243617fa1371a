// The console's tree (WAI-ARIA tree pattern): pointer and keys; what they do is in the modules beside this one.
import { address, ask, beside, focus, focused, isFolder, isOpen, keepReachable, parentOf, siblings, tree, visible } from "./console_tree_items.js"
import { filter, fold, more, unfold } from "./console_tree_levels.js"
import * as choice from "./console_tree_choice.js"
import { openMenu, remove, rename } from "./console_tree_menu.js"
import { paste, take } from "./console_tree_place.js"

const PAUSE = 600 // ms after which typed letters begin a new name
const TYPING = 250 // ms of quiet before the filter asks
const narrow = matchMedia("(max-width: 991.98px)")

// -- pointer ----------------------------------------------------------------------------------------------------------

tree.addEventListener("click", event => {
  const item = event.target.closest("li[role=treeitem]")
  if (!item) return
  if ("more" in item.dataset) { more(item); return }
  if (event.target.closest("[data-fold]") && isFolder(item)) { focus(item, { scroll: false }); turn(item); return }
  if (!event.target.closest(".branch-line")) return
  focus(item, { scroll: false })
  if (event.shiftKey) choice.range(item)
  else if (event.ctrlKey || event.metaKey || event.target.closest("[data-pick]")) choice.toggle(item)
  else choice.only(item)
})

tree.addEventListener("dblclick", event => {
  const item = event.target.closest(".branch-line")?.closest("li[data-id]")
  if (item && isFolder(item) && !event.target.closest("[data-fold], [data-pick]")) turn(item)
})

const turn = item => isOpen(item) ? fold(item) : unfold(item)

// -- keys -------------------------------------------------------------------------------------------------------------

const KEYS = {
  ArrowDown: item => focus(beside(item, 1)),
  ArrowUp: item => focus(beside(item, -1)),
  ArrowRight: item => isFolder(item) && !isOpen(item) ? unfold(item) : isOpen(item) && focus(beside(item, 1)),
  ArrowLeft: item => isOpen(item) ? fold(item) : focus(parentOf(item)),
  Home: () => focus(visible()[0]),
  End: () => focus(visible().at(-1)),
  PageDown: item => focus(far(item, 1)),
  PageUp: item => focus(far(item, -1)),
  Enter: item => "more" in item.dataset ? more(item) : openItem(item),
  " ": item => item.dataset.id && choice.toggle(item),
  "*": item => siblings(item).slice(0, 30).forEach(row => unfold(row)),
  F2: item => rename(item),
  Delete: () => remove(choice.ids()),
  Escape: () => choice.none(),
  ContextMenu: item => menuOf(item),
}
const WITH_SHIFT = {
  ArrowDown: item => focus(choice.extend(item, 1)),
  ArrowUp: item => focus(choice.extend(item, -1)),
  F10: item => menuOf(item),
  "*": KEYS["*"],
}
const WITH_CTRL = {
  a: item => choice.all(item),
  x: item => take(mine(item), "move"),
  c: item => take(mine(item), "copy"),
  v: item => paste(item),
  ArrowDown: KEYS.ArrowDown,
  ArrowUp: KEYS.ArrowUp,
  " ": KEYS[" "],
}

const mine = item => choice.has(item) ? choice.ids() : [item.dataset.id]

function far(item, step) {
  let here = item
  for (let count = 0; count < 15; count++) here = beside(here, step) ?? here
  return here
}

function menuOf(item) {
  if (!item.dataset.id) return
  const box = item.querySelector(".branch-name").getBoundingClientRect()
  openMenu(item, box.left, box.bottom)
}

async function openItem(item) {
  choice.only(item, { show: false })
  if (isFolder(item)) unfold(item)
  await choice.open(item.dataset.id)
  if (!isFolder(item)) choice.enter()
}

tree.addEventListener("keydown", event => {
  const item = focused()
  if (!item || event.altKey) return
  const table = event.ctrlKey || event.metaKey ? WITH_CTRL : event.shiftKey ? WITH_SHIFT : KEYS
  const act = table[event.key.length === 1 ? event.key.toLowerCase() : event.key]
  if (!act && (table === WITH_CTRL || event.key.length !== 1 || event.key === "/")) return
  event.preventDefault()
  event.stopPropagation()
  if (act) act(item)
  else find(item, event.key)
})

let typed = "", last = 0

/** The next item whose name begins with the letters typed. */
function find(item, letter) {
  typed = Date.now() - last > PAUSE ? letter : typed + letter
  last = Date.now()
  const all = visible(), from = all.indexOf(item) + (typed.length === 1 ? 1 : 0)
  const wanted = typed.toLowerCase()
  focus([...all.slice(from), ...all.slice(0, from)].find(row => row.dataset.name?.split("/").at(-1).toLowerCase().startsWith(wanted)))
}

// -- panel, filter, results -------------------------------------------------------------------------------------------

document.addEventListener("click", event => { if (event.target.closest("[data-panel-close]")) choice.close() })
document.addEventListener("keydown", event => {
  if (event.key === "Escape" && event.target.closest?.("[data-tree-panel]")) choice.close()
})

const form = document.querySelector("[data-tree-filter]")
let quiet = 0

function filterSoon(pause) {
  clearTimeout(quiet)
  quiet = setTimeout(() => filter(form.elements.q.value.trim(), form.elements.state.value), pause)
}

form.addEventListener("input", () => filterSoon(TYPING))
form.addEventListener("submit", event => { event.preventDefault(); filterSoon(0) })
form.addEventListener("keydown", event => { if (event.key === "ArrowDown" && event.target.matches("input")) { event.preventDefault(); focus(visible()[0]) } })

// What came of a verb, by reason, below its line once it has ended.
const lines = document.getElementById("operations-here")
const ENDED = new Set(["succeeded", "partial", "failed", "cancelled"])
const KEPT = 4 // operations shown above the panel

async function showOutcome(line) {
  line.dataset.told = ""
  const answer = await ask(address("outcome", line.dataset.operation))
  if (!answer) return
  const fresh = document.createElement("template")
  fresh.innerHTML = await answer.text()
  const outcome = fresh.content.querySelector(".outcome")
  if (outcome?.children.length) line.after(outcome)
}

new MutationObserver(() => {
  for (const line of lines.querySelectorAll("[data-line]:not([data-told])")) if (ENDED.has(line.dataset.status)) showOutcome(line)
  for (const old of [...lines.querySelectorAll(":scope > .operation")].slice(KEPT)) { if (old.nextElementSibling?.matches(".outcome")) old.nextElementSibling.remove(); old.remove() }
}).observe(lines, { childList: true, subtree: true, attributes: true, attributeFilter: ["data-status"] })

keepReachable()
choice.restore().then(item => { if (item && !narrow.matches) item.querySelector(".branch-line").scrollIntoView({ block: "nearest" }) })
document.documentElement.dataset.tree = "ready"
