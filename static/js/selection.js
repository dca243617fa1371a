// The selection bar: how many, which verbs apply to how many of them (the server counts), and all that match the filter.
import { latest } from "./latest.js"
import { none, selected } from "./table.js"

const PAUSE = 120 // ms until the server is asked
const counts = latest("application/json")
const bar = document.getElementById("selection")
const form = document.getElementById("bulk")
const matching = bar?.querySelector("[data-select-matching]")
let timer = 0
let everything = false

const total = () => Number(document.querySelector(".results")?.dataset.total ?? 0)
const number = new Intl.NumberFormat(document.documentElement.lang)

function take(all) {
  everything = all
  form.elements.all.value = all ? "1" : ""
  form.elements.filter.value = document.querySelector(".results")?.dataset.query ?? ""
}

function show({ chosen, shown }) {
  if (chosen === 0 || chosen < shown) take(false)
  bar.hidden = chosen === 0
  if (chosen === 0) return
  if (!everything) bar.querySelector("[data-selected]").textContent = number.format(chosen)
  matching.hidden = everything || total() <= chosen
  matching.textContent = matching.dataset.words.replace("{n}", number.format(total()))
  clearTimeout(timer)
  timer = setTimeout(count, PAUSE)
}

async function count() {
  const query = new URLSearchParams(selected())
  const answer = await counts.ask(`${form.dataset.selection}?${query}`)
  if (answer) offer(answer)
}

function offer({ total: machines, verbs }) {
  const found = new Map(verbs.map(verb => [verb.verb, verb]))
  for (const button of bar.querySelectorAll("button[name=verb]")) {
    const told = found.get(button.value)
    button.hidden = !told
    if (!told) continue
    button.querySelector("[data-label]").textContent = told.label
    button.title = told.why
  }
  bar.querySelector("[data-no-verb]").hidden = found.size > 0
  bar.querySelector("[data-why-not]").textContent = verbs.find(verb => verb.why)?.why ?? ""
  if (everything) bar.querySelector("[data-selected]").textContent = number.format(machines)
}

if (bar) {
  document.addEventListener("olimpus:selection", event => show(event.detail))
  document.addEventListener("olimpus:accepted", () => none())
  matching.addEventListener("click", () => { take(true); show({ chosen: 1, shown: 0 }) })
  // What the verbs apply to changes while machines come up.
  document.addEventListener("olimpus:event", event => {
    if (bar.hidden || !event.detail.state) return
    clearTimeout(timer)
    timer = setTimeout(count, 1500)
  })
}
