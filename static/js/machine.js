// One machine: parts that ask the hypervisor are fetched when they are opened and follow the feed while they are; buttons
// that cannot be pressed say why.
import { refresh } from "./fragments.js"

const bodyOf = fold => fold.querySelector("[data-fold-body]")

function follow(fold) {
  const body = bodyOf(fold)
  if (fold.open) { body.dataset.panel = body.dataset.foldBody; refresh(body) } // `data-panel`: the feed keeps it fresh
  else delete body.dataset.panel
  keepInAddress()
}

/** What is open is in the address, so that a link shows the same. */
function keepInAddress() {
  const open = [...document.querySelectorAll("details[data-fold][open]")].map(fold => fold.id)
  history.replaceState(null, "", open.length ? `#${open.join(",")}` : location.pathname + location.search)
}

function openFold(id) {
  const fold = document.getElementById(id)
  if (fold?.matches("details[data-fold]")) { fold.open = true; fold.querySelector("summary").focus() }
}

for (const fold of document.querySelectorAll("details[data-fold]")) fold.addEventListener("toggle", () => follow(fold))
for (const id of location.hash.slice(1).split(",")) openFold(id)

document.addEventListener("click", event => {
  const opener = event.target.closest("[data-open-fold]")
  if (opener) openFold(opener.dataset.openFold)
  const again = event.target.closest("[data-fold-again]")
  if (again) refresh(again.closest("[data-fold-body]"))
})

// Fingers have no hover: the reason is also written below the buttons, where screen readers hear it.
const why = document.querySelector("[data-verbs-why]")

function say(event) {
  const button = event.target.closest?.(".machine-state [aria-disabled=true], .thumb-bar [aria-disabled=true]")
  if (why && button) why.textContent = `${button.textContent.trim()}: ${button.title}`
  else if (why && event.type === "click") why.textContent = ""
}

for (const type of ["click", "focusin", "mouseover"]) document.addEventListener(type, say)

// A snapshot was asked for: its name is no longer needed.
document.addEventListener("submit", event => {
  const field = event.target.querySelector("#snapshot-name")
  if (field) setTimeout(() => { field.value = "" })
})
