// The command palette: go to a place, do a verb here or on what is selected, open a page, change a choice. Fetched when it
// is first wanted. A dialog of the browser: it keeps the focus, Escape closes it.
import { openKeys, recent } from "./keys.js"
import { act, ask } from "./verbs.js"
import { latest } from "./latest.js"
import { selected } from "./table.js"

const PAUSE = 110 // ms without a key before the server is asked
const places = latest("application/json")

let dialog, input, list, address, node, words
let items = []
let active = 0
let timer = 0

export function open(button) {
  dialog ??= build(button)
  if (dialog.open) return dialog.close()
  input.value = ""
  list.replaceChildren()
  dialog.showModal()
  input.focus()
  fill()
}

function build({ dataset }) {
  address = dataset.palette
  node = dataset.nodeId
  words = dataset
  const made = element("dialog", { className: "palette", id: "palette" })
  made.setAttribute("aria-label", dataset.label)
  input = element("input", { type: "text", className: "palette-input", placeholder: dataset.placeholder, autocomplete: "off", spellcheck: false })
  for (const [name, value] of Object.entries({ role: "combobox", "aria-expanded": "true", "aria-controls": "palette-list", "aria-autocomplete": "list", "aria-label": dataset.placeholder })) input.setAttribute(name, value)
  list = element("div", { className: "palette-list", id: "palette-list" })
  list.setAttribute("role", "listbox")
  list.setAttribute("aria-label", dataset.label)
  made.append(input, list)
  document.body.append(made)
  input.addEventListener("input", () => { clearTimeout(timer); timer = setTimeout(fill, PAUSE) })
  input.addEventListener("keydown", key)
  list.addEventListener("click", event => { const at = items.findIndex(item => item.place === event.target.closest("[role=option]")); if (at >= 0) run(items[at]) })
  made.addEventListener("click", event => { if (event.target === made) made.close() })
  return made
}

const element = (name, properties) => Object.assign(document.createElement(name), properties)

async function fill() {
  const query = new URLSearchParams({ q: input.value })
  if (node) query.set("node", node)
  for (const [name, value] of selected()) query.append(name, value)
  for (const path of recent()) if (path !== words.place) query.append("recent", path)
  const answer = await places.ask(`${address}?${query}`)
  if (answer) draw(answer.groups)
}

function draw(groups) {
  items = []
  list.replaceChildren(...groups.map(group))
  if (!items.length) list.append(element("p", { className: "palette-none text-secondary", textContent: words.nothing }))
  choose(0)
}

function group({ label, items: members }, at) {
  const place = element("div", { className: "palette-group" })
  const title = element("div", { className: "palette-title", textContent: label, id: `palette-group-${at}` })
  place.setAttribute("role", "group")
  place.setAttribute("aria-labelledby", title.id)
  place.append(title, ...members.map(option))
  return place
}

function option(item) {
  const place = element("div", { className: "palette-item", id: `palette-${items.length}` })
  place.setAttribute("role", "option")
  place.innerHTML = item.icon // made by the server, from the sprite
  place.append(element("span", { className: "palette-label", textContent: item.label }), element("span", { className: "palette-detail path", textContent: item.detail }))
  if (item.state) place.append(element("span", { className: "palette-state text-secondary", textContent: item.state }))
  items.push({ ...item, place })
  return place
}

function choose(index) {
  active = items.length ? (index + items.length) % items.length : 0
  items.forEach(({ place }, at) => place.setAttribute("aria-selected", at === active))
  const place = items[active]?.place
  if (!place) return input.removeAttribute("aria-activedescendant")
  input.setAttribute("aria-activedescendant", place.id)
  place.scrollIntoView({ block: "nearest" })
}

function key(event) {
  const steps = { ArrowDown: 1, ArrowUp: -1, PageDown: 8, PageUp: -8 }
  if (steps[event.key]) { event.preventDefault(); choose(active + steps[event.key]) }
  if (event.key === "Enter" && items[active]) { event.preventDefault(); run(items[active]) }
}

const ACTS = {
  theme: () => document.querySelector("[data-theme-toggle]")?.click(),
  keys: openKeys,
  language: code => document.querySelector(`.languages button[value="${code}"]`)?.click(),
}

function run(item) {
  dialog.close()
  if (item.go) return location.assign(item.go)
  if (item.act) return ACTS[item.act](item.value)
  const data = new FormData(document.getElementById("verbs"))
  for (const [name, value] of item.fields ?? []) data.append(name, value)
  return item.ask ? ask(item.ask, data) : act(item.do, data)
}
