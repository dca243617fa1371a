// The plan: a row with its reason for each node, the same on the drawing by colour and letter, and what deploys exactly that.
import { ask, of, page, sentence } from "./slice_api.js"
import { placeColour, placeLetter } from "./slice_style.js"

export class Plan extends EventTarget {
  constructor(place, canvas, { saving, faults, legend, tip }) {
    super()
    Object.assign(this, { place, canvas, saving, faults, legend, tip, pins: {}, plan: null, verbs: [] })
    this.form = place.querySelector("[data-plan-form]")
    this.heads = place.querySelectorAll("thead th")
    this.form.addEventListener("change", () => this.make())
    this.form.addEventListener("submit", event => event.preventDefault())
    place.querySelector("[data-rows]").addEventListener("change", event => this.pin(event.target))
    place.querySelector("[data-rows]").addEventListener("click", event => this.goTo(event.target.closest("tr")))
    canvas.store.addEventListener("change", ({ detail }) => { if (detail.why === "edit" && differ(detail.before, detail.model)) this.forget() })
    canvas.cy.on("mouseover", "node", event => this.tell(event.target))
    canvas.cy.on("mouseout drag viewport", () => { this.tip.hidden = true })
  }

  say(text) { this.place.querySelector("[data-said]").textContent = text }
  get deploy() { return this.place.querySelector("[data-do=deploy]") }

  async make() {
    this.say(page.wordPlanning)
    this.deploy.hidden = true
    if (!await this.saving.now() || this.saving.faults.length) return this.say(page.wordMend)
    const { strategy, optimise } = this.form.elements
    const { ok, told } = await ask(of("plan"), { method: "POST", body: { strategy: strategy.value, optimise: optimise.checked, pins: this.pins } })
    if (!ok) {
      this.say(sentence(told))
      if (told.errors?.length) this.faults.set(told.errors)
      return
    }
    this.faults.set([])
    this.show(told)
  }

  show(plan) {
    this.plan = plan
    const refused = new Map((plan.refusals ?? []).filter(({ node }) => node).map(({ node, message }) => [node, message]))
    const places = [...new Set(plan.rows.map(placeOf).filter(Boolean))].sort()
    this.place.querySelector("[data-rows]").replaceChildren(...plan.rows.map(row => this.row(row, refused, places)))
    this.place.querySelector("[data-networks]").textContent = plan.networks?.length ? page.wordNetworks.replace("{names}", plan.networks.map(({ name, cidr, change }) => `${name}${cidr ? ` ${cidr}` : ""} (${changeWord(change)})`).join(" · ")) : ""
    const changes = plan.rows.some(row => row.change !== "keep") || plan.networks?.some(row => row.change !== "keep")
    this.say(plan.refusals?.length ? page.wordDoesNotFit.replace("{n}", plan.refusals.length) : changes ? page.wordFits.replace("{n}", plan.rows.filter(row => row.change !== "remove").length) : page.wordNothingToDo)
    this.general(plan.refusals ?? [])
    this.deploy.hidden = !plan.fits || !changes || !this.verbs.includes("deploy")
    this.colour(plan, refused, places)
  }

  /** What is refused of the slice as a whole: quotas, ranges, nodes that are in no row. */
  general(refusals) {
    const nodes = new Set(this.plan.rows.map(row => row.node))
    const told = [...new Set(refusals.filter(({ node }) => !nodes.has(node)).map(({ node, message }) => [node, message].filter(Boolean).join(": ")))]
    this.place.querySelector("[data-refused]").replaceChildren(...told.map(textContent => Object.assign(document.createElement("li"), { textContent })))
  }

  row(row, refused, places) {
    const line = document.createElement("tr")
    line.dataset.node = row.node
    line.classList.toggle("refused", refused.has(row.node))
    const place = document.createElement("td")
    place.append(mark(places.indexOf(placeOf(row))), this.choice(row), ...(row.place && row.hypervisor ? [Object.assign(document.createElement("small"), { textContent: row.hypervisor })] : []))
    const size = [row.cpus, row.memory_mib, row.disk_gib].map(value => cell("td", value ?? "", "number"))
    const parts = [cell("th", row.node), cell("td", [changeWord(row.change), row.restart ? page.wordRestart : ""].filter(Boolean).join(", "), `change-${row.change}`), place, cell("td", row.flavor), ...size, cell("td", [refused.get(row.node) ?? row.reason, row.flavor_reason, row.note].filter(Boolean).join(" "), "reason")]
    parts.forEach((part, at) => { part.dataset.label = this.heads[at].textContent }) // narrow screens show no head
    line.append(...parts)
    return line
  }

  /** A pin by hand: the place in a field of its own, empty for what the planner chooses. */
  choice(row) {
    const field = document.createElement("input")
    Object.assign(field, { className: "form-control form-control-sm code", value: this.pins[row.node] ?? "", placeholder: row.place || page.wordAutomatic, disabled: row.change === "remove" || row.change === "keep" })
    field.setAttribute("list", "known-place")
    field.setAttribute("aria-label", page.wordPin.replace("{name}", row.node))
    return field
  }

  pin(field) {
    const { node } = field.closest("tr").dataset
    if (field.value.trim()) this.pins[node] = field.value.trim()
    else delete this.pins[node]
    this.make()
  }

  goTo(line) {
    const key = line && this.keyOf(line.dataset.node)
    if (key) this.canvas.choose([key], { centre: true })
  }

  keyOf(name) { return this.canvas.store.model.nodes.find(node => node.name === name)?.key }

  // -- on the drawing

  colour(plan, refused, places) {
    const news = new Map()
    for (const row of plan.rows) {
      const key = this.keyOf(row.node), at = places.indexOf(placeOf(row))
      if (key) news.set(key, { colour: refused.has(row.node) ? "#b3261e" : at >= 0 ? placeColour(at) : undefined, letter: at >= 0 ? placeLetter(at) : undefined, refused: refused.has(row.node) || undefined, why: [row.flavor, refused.get(row.node) ?? row.reason, row.flavor_reason, row.note].filter(Boolean).join(" · "), zone: placeOf(row) })
    }
    this.canvas.mark(news)
    this.legend.hidden = !places.length
    this.legend.replaceChildren(...places.map((place, at) => {
      const line = document.createElement("span")
      line.append(mark(at), `${place} (${plan.rows.filter(row => placeOf(row) === place).length})`)
      return line
    }))
    offerPlaces([...plan.places ?? [], ...plan.rows.map(row => row.place)])
  }

  /** The drawing has changed: what is shown is no plan of it any more. */
  forget() {
    if (!this.plan) return
    this.plan = null
    this.deploy.hidden = true
    this.say(page.wordChanged)
    this.clear()
  }

  clear() {
    this.canvas.mark(new Map(this.canvas.store.model.nodes.map(node => [node.key, { colour: undefined, letter: undefined, refused: undefined, why: undefined, zone: undefined }])))
    this.legend.hidden = true
  }

  tell(node) {
    const why = node.data("why") ?? node.data("trouble")
    this.tip.hidden = !why
    if (!why) return
    const at = node.renderedPosition()
    this.tip.textContent = [node.data("zone"), why].filter(Boolean).join(" · ")
    this.tip.style.setProperty("translate", `${at.x}px ${at.y + node.renderedHeight() / 2 + 22}px`)
  }
}

const placeOf = row => row.place || row.hypervisor
const changeWord = change => ({ add: page.wordAdd, remove: page.wordRemove, change: page.wordChange, anew: page.wordAnew, keep: page.wordKeep })[change] ?? change ?? ""

/** Whether more than the places of what is drawn has changed. */
function differ(before, model) {
  const bare = ({ nodes, links, head }) => JSON.stringify([head, nodes.map(({ x: _x, y: _y, ...node }) => node), links.map(({ x: _x, y: _y, ...link }) => link)])
  return bare(before) !== bare(model)
}

function cell(kind, text, className = "", title = "") {
  const made = Object.assign(document.createElement(kind), { textContent: text ?? "", className, title })
  if (kind === "th") made.scope = "row"
  return made
}

function mark(at) {
  const place = document.createElement("span")
  place.className = "slice-place"
  if (at < 0) return place
  place.textContent = placeLetter(at)
  place.style.setProperty("background-color", placeColour(at))
  return place
}

function offerPlaces(found) {
  const list = document.getElementById("known-place")
  const known = new Set([...list.options].map(option => option.value))
  for (const value of new Set(found)) if (value && !known.has(value)) list.append(new Option(value, value))
}
