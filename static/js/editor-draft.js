// While one types: faults at their lines, the computed result beside, and the plan. Nothing is saved by this.
import { narrow } from "./editor-table.js"

const PAUSE = 400 // ms without a key before the server is asked

export function follow(area) {
  const place = area.closest("[data-definition]")
  const address = place?.dataset.draft ?? area.dataset.check
  linkFaults(area)
  keepTyped(area)
  if (address) new Draft(area, place, address)
}

class Draft {
  constructor(area, place, address) {
    Object.assign(this, { area, place, address, asked: 0, timer: 0 })
    this.form = area.form
    this.saved = area.value
    area.addEventListener("input", () => this.changed())
    this.button("plan")?.addEventListener("click", event => this.planNow(event))
    if (place && !area.closest(".has-error") && this.text("started") !== area.value) this.look()
    else if (place?.hasAttribute("data-easy") && this.text("started") !== area.value) this.look("plan")
  }

  text(name) { return this.form.elements[name]?.value ?? "" }
  find(selector) { return this.place?.querySelector(selector) }
  button(step) { return this.find(`[data-step=${step}]`) }

  changed() {
    clearTimeout(this.timer)
    this.unplan()
    this.timer = setTimeout(() => this.look(), PAUSE)
  }

  unplan() {
    if (!this.place) return
    this.form.elements.planned.value = ""
    this.primary("plan")
    this.find("[data-plan-card]").classList.add("working")
  }

  primary(step) {
    for (const name of ["plan", "save"]) this.button(name)?.classList.toggle("btn-primary", name === step)
  }

  async look(part = "computed") {
    const number = this.asked += 1
    if (part === "computed") this.say("working")
    const answer = await this.ask(part)
    if (number !== this.asked || !answer) return // a later one is on its way
    this.faults(answer.faults)
    if (!this.place) return
    this.stale(answer.stale)
    if (part === "plan") return this.showPlan(answer)
    this.say(answer.faults.length ? "wrong" : this.area.value === this.text("started") ? "clean" : "draft")
    if (answer.computed !== undefined) this.put(answer.computed)
    this.find(".computed").classList.toggle("working", answer.faults.length > 0)
    if (!answer.faults.length && this.place.hasAttribute("data-easy")) this.look("plan")
    else if (answer.faults.length) this.find("[data-plan-card]").hidden = true
  }

  async ask(part) {
    const body = new FormData()
    body.set("definition", this.area.value)
    body.set("version", this.text("version"))
    body.set("part", part)
    body.set("door", this.place?.dataset.door ?? "")
    body.set("csrfmiddlewaretoken", this.text("csrfmiddlewaretoken"))
    const answer = await fetch(this.address, { method: "POST", body, headers: { Accept: "application/json", "X-Requested-With": "fetch" } }).catch(() => null)
    const told = await answer?.json().catch(() => null)
    return answer?.ok ? told : told && { faults: [{ line: 0, text: told.message, sentence: `${told.message} ${told.hint ?? ""}` }] }
  }

  async planNow(event) {
    event.preventDefault()
    const card = this.find("[data-plan-card]")
    card.hidden = false
    card.classList.add("working")
    this.find("[data-plan]").textContent ||= card.dataset.wordWorking
    clearTimeout(this.timer)
    await this.look("plan")
    card.scrollIntoView({ block: "nearest" })
  }

  showPlan(answer) {
    const card = this.find("[data-plan-card]")
    this.say(answer.faults.length ? "wrong" : this.area.value === this.text("started") ? "clean" : "draft")
    card.hidden = answer.plan === undefined
    if (card.hidden) return
    card.classList.remove("working")
    this.find("[data-plan]").innerHTML = answer.plan
    this.form.elements.planned.value = answer.saveable ? answer.planned : ""
    this.primary(answer.saveable ? "save" : "plan")
  }

  faults(faults) {
    this.area.editor?.mark(faults)
    const field = this.area.closest("[data-editor-field]")
    field.classList.toggle("has-error", faults.length > 0)
    field.querySelector("[data-editor-faults]").replaceChildren(...faults.map(fault => {
      const line = document.createElement("li")
      line.className = "field-error"
      line.textContent = fault.sentence
      if (fault.line) Object.assign(line.dataset, { line: fault.line, column: fault.column })
      return line
    }))
    linkFaults(this.area)
  }

  stale(words) {
    const notice = this.find("[data-stale]")
    notice.hidden = !words
    notice.querySelector("[data-slot=text]").textContent = words
  }

  put(html) {
    const place = this.find("[data-computed]")
    const open = [...place.querySelectorAll("tr:has(details[open])")].map(row => row.id)
    place.innerHTML = html
    for (const id of open) document.getElementById(id)?.querySelector("details").setAttribute("open", "")
    narrow(place.closest(".computed"))
  }

  say(word) {
    const place = this.find("[data-computed-state]")
    if (place) place.textContent = place.dataset[`word${word[0].toUpperCase()}${word.slice(1)}`]
  }
}

/** Faults with a line become buttons that lead there. */
function linkFaults(area) {
  for (const line of area.closest("[data-editor-field]")?.querySelectorAll("li[data-line]") ?? []) {
    if (line.querySelector("button")) continue
    const button = document.createElement("button")
    button.type = "button"
    button.textContent = line.textContent
    button.addEventListener("click", () => area.editor.goTo(Number(line.dataset.line), Number(line.dataset.column)))
    line.replaceChildren(button)
  }
}

/** What was typed is not lost by leaving the page without a question. */
function keepTyped(area) {
  const began = area.form?.elements.started?.value ?? area.value
  let leaving = false
  area.form?.addEventListener("submit", () => { leaving = true })
  addEventListener("beforeunload", event => { if (!leaving && area.value.trim() !== began.trim()) event.preventDefault() })
}
