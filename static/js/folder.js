// A folder's page: the filter works as one types, columns hide, groups fold, counts of groups and tiles stay true.
import { remember } from "./preferences.js"
import "./selection.js"

const PAUSE = 250 // ms without a key before the rows are fetched
const REFRESH = 1500 // ms between two fetches of the counts
const form = document.getElementById("filters")
let typing = 0

function submit(pause = 0) {
  clearTimeout(typing)
  typing = setTimeout(() => form.requestSubmit(), pause)
}

function showState() {
  const on = name => form.querySelectorAll(name)
  badge("state", on("input[name=state]:checked").length)
  badge("more", on("input[data-more]:checked").length + [...on("input[data-more]:not([type=checkbox])")].filter(field => field.value.trim()).length)
  form.querySelector("[data-clear]").hidden = !new FormData(form).entries().some(([name, value]) => value && !["view", "sort"].includes(name))
}

function badge(name, n) {
  const place = form.querySelector(`[data-count-of=${name}]`)
  place.textContent = n
  place.hidden = n === 0
}

function clear() {
  for (const field of form.elements) {
    if (field.type === "checkbox") field.checked = false
    else if (field.name && field.name !== "view") field.value = ""
  }
  submit()
}

if (form) {
  form.addEventListener("input", event => { if (event.target.form === form && event.target.type !== "checkbox") submit(PAUSE) })
  form.addEventListener("change", event => {
    const { column } = event.target.dataset
    if (column) return hide(column, !event.target.checked)
    if (event.target.form === form && event.target.type === "checkbox") submit()
  })
  form.addEventListener("submit", () => { clearTimeout(typing); showState() })
  form.querySelector("[data-clear]").addEventListener("click", event => { event.preventDefault(); clear() })
}

document.addEventListener("click", event => {
  const chip = event.target.closest("[data-toggle-state]")
  const box = chip && form?.querySelector(`input[name=state][value="${chip.dataset.toggleState}"]`)
  if (!box) return
  event.preventDefault()
  box.checked = !box.checked
  submit()
})

function hide(column, hidden) {
  for (const frame of document.querySelectorAll(".table-frame")) frame.classList.toggle(`hide-${column}`, hidden)
  remember("columns", [...form.querySelectorAll("[data-column]")].filter(box => !box.checked).map(box => box.dataset.column).join(","))
}

// -- groups that fold ---------------------------------------------------------------------------------------------------

const idOf = toggle => toggle.closest("[data-group]").dataset.group
const bodyOf = toggle => document.getElementById(toggle.getAttribute("aria-controls"))

async function fold(toggle, open) {
  toggle.setAttribute("aria-expanded", open)
  const body = bodyOf(toggle)
  body.hidden = !open
  if (!open || "loaded" in body.dataset) return
  body.dataset.loaded = ""
  const answer = await fetch(toggle.dataset.url, { headers: { "X-Requested-With": "fetch" } }).catch(() => null)
  if (answer?.ok) body.innerHTML = await answer.text()
  else delete body.dataset.loaded
}

document.addEventListener("click", event => {
  const toggle = event.target.closest("[data-fold]")
  if (toggle) {
    const open = toggle.getAttribute("aria-expanded") !== "true"
    fold(toggle, open)
    remember(open ? "groups-open" : "groups-shut", idOf(toggle))
  }
  const all = event.target.closest("[data-fold-all], [data-unfold-all]")
  if (all) foldAll("unfoldAll" in all.dataset)
})

function foldAll(open) {
  const toggles = [...document.querySelectorAll("[data-fold]")]
  for (const toggle of toggles) fold(toggle, open)
  remember(open ? "groups-open" : "groups-shut", toggles.map(idOf).join(","))
}

// -- counts of groups and tiles -----------------------------------------------------------------------------------------

let waiting = 0

document.addEventListener("olimpus:event", event => {
  if (event.detail.state) waiting ||= setTimeout(refreshTallies, REFRESH)
})

async function refreshTallies() {
  waiting = 0
  const address = document.querySelector(".results")?.dataset.tallies
  const places = new Map([...document.querySelectorAll("[data-tally]")].map(place => [place.dataset.tally, place]))
  if (!address || !places.size) return
  const joint = address.includes("?") ? "&" : "?"
  const answer = await fetch(`${address}${joint}ids=${[...places.keys()].join(",")}`, { headers: { Accept: "application/json", "X-Requested-With": "fetch" } }).catch(() => null)
  if (!answer?.ok) return
  for (const [id, html] of Object.entries(await answer.json())) if (places.get(id).innerHTML !== html) places.get(id).innerHTML = html
}
