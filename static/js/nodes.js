// What a page shows of a node, brought up to date in place: nothing moves, nothing is fetched.
import { age } from "./shell.js"

const told = new Set() // operations that the feed has spoken of

/** Remember that the feed has told about this operation: what a slower answer says of it is older. */
export function heard(operation) {
  told.add(operation)
}

/** Show what the answer to a button says, unless the feed was faster. */
export function showAnswer(node) {
  if (!told.has(node.operation)) showNode(node.id, node)
}

/** Show `state` on every element of the node, and whether an operation holds it (`busy`: its title, or ""). */
export function showNode(id, { state, busy, since, reason, drifted }) {
  for (const place of document.querySelectorAll(`[data-node="${id}"]`)) {
    if (state) showState(place, state, since)
    if (busy !== undefined) showBusy(place, busy)
    if (drifted !== undefined) mark(place, "drift", drifted)
    if (state || busy !== undefined) refreshButtons(place)
    if (state) showReason(place, state, reason)
  }
}

function showState(place, state, since) {
  place.dataset.state = state
  const fresh = document.getElementById(`state-${state}`)?.content.firstElementChild
  for (const badge of place.querySelectorAll(".state")) {
    if (!fresh || badge.dataset.state === state) continue
    const next = fresh.cloneNode(true)
    for (const size of ["state-big", "state-small"]) next.classList.toggle(size, badge.classList.contains(size))
    badge.replaceWith(next)
    if (place.dataset.name) place.title = `${place.dataset.name}: ${next.textContent.trim()}`
  }
  if (!since) return
  for (const time of place.querySelectorAll("[data-slot=since] time")) { time.dateTime = since; time.textContent = age(since) }
}

function showReason(place, state, reason) {
  for (const element of place.querySelectorAll("[data-slot=reason]")) {
    element.hidden = state !== "failed"
    if (reason !== undefined) element.querySelector("[data-slot=reason-text]").textContent = reason
  }
}

function showBusy(place, busy) {
  if (busy) place.dataset.busy = busy
  else delete place.dataset.busy
  mark(place, "busy", Boolean(busy), busy)
}

function mark(place, name, on, title) {
  for (const element of place.querySelectorAll(`[data-mark=${name}]`)) {
    element.hidden = !on
    if (on && title) element.title = title
  }
}

/** Enable what the state allows; the others say why not. The likely next verb is the primary one. */
export function refreshButtons(place) {
  const { state, busy } = place.dataset
  for (const button of place.querySelectorAll("button[data-verb]")) {
    const possible = !busy && button.dataset.states.split(" ").includes(state)
    const likely = button.dataset.likely.split(" ").includes(state)
    if (possible) { button.removeAttribute("aria-disabled"); button.title = "" }
    else { button.setAttribute("aria-disabled", "true"); button.title = busy || button.dataset.why }
    button.classList.toggle("btn-primary", likely && possible)
    button.classList.toggle("btn-outline-danger", button.dataset.tone === "danger" && !(likely && possible))
    if (button.closest(".verb-slot")) button.hidden = !likely
  }
}
