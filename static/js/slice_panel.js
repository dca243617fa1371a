// The side panel: fields of what is chosen. What is written here is one edit of the drawing.
import { change, find, isNode } from "./slice_model.js"
import { ask, page } from "./slice_api.js"
import { roleIcon } from "./slice_icons.js"
import { cardsOf, parametersOf, readCard, readValue } from "./slice_cards.js"

export class Panel extends EventTarget {
  constructor(place, canvas, faults, { editable }) {
    super()
    Object.assign(this, { place, canvas, faults, editable, keys: [], above: {} })
    this.forms = Object.fromEntries([...place.querySelectorAll("form[data-for]")].map(form => [form.dataset.for, form]))
    for (const form of Object.values(this.forms)) form.addEventListener("submit", event => event.preventDefault())
    if (!editable) for (const fields of place.querySelectorAll("[data-fields], form[data-for=slice] :is(input:not([type=search]), textarea)")) fields.disabled = true
    canvas.cy.on("select unselect", () => this.soon())
    canvas.store.addEventListener("change", () => this.soon())
    canvas.container.addEventListener("faulted", () => this.soon())
    place.addEventListener("change", event => this.edited(event.target))
    place.addEventListener("click", event => this.pressed(event.target))
    this.soon()
    this.lookAbove()
  }

  async lookAbove() {
    const { ok, told } = await ask(`${page.nodes}/${page.id}/definition`)
    if (ok) this.above = told.computed ?? {}
    this.soon()
  }

  soon() { this.waiting ||= requestAnimationFrame(() => { this.waiting = 0; this.show() }) }

  get kind() {
    if (!this.keys.length) return "slice"
    if (this.keys.length > 1) return "many"
    return isNode(this.keys[0]) ? "node" : "link"
  }

  get form() { return this.forms[this.kind] }

  show() {
    const { model } = this.canvas.store, before = this.keys.join()
    this.keys = this.canvas.chosen.filter(key => find(model, key))
    for (const [kind, form] of Object.entries(this.forms)) form.hidden = kind !== this.kind
    const one = this.keys.length === 1 ? find(model, this.keys[0]) : null
    this.slot("title", one?.name ?? page.wordChosen.replace("{n}", this.keys.length))
    if (this.kind === "node") this.form.querySelector("h2 use").setAttribute("href", `${page.sprite}#${roleIcon(one.role)}`)
    this.fill(one, model)
    this.wrong()
    if (this.keys.join() !== before) this.dispatchEvent(new CustomEvent("chosen", { detail: one }))
  }

  slot(name, text) {
    const place = this.form.querySelector(`[data-slot=${name}]`)
    if (place) place.textContent = text
  }

  fill(one, model) {
    const shown = this.kind === "slice" ? { ...model.head, definition: model.head.defaults ?? {} } : this.kind === "many" ? common(this.keys.map(key => find(model, key))) : one
    for (const field of this.form.elements) if (field.name && field !== document.activeElement) put(field, valueOf(shown, field.name))
    for (const field of this.form.elements) if (field.name?.startsWith("d.")) field.placeholder = this.inherited(field.name.slice(2), model)
    if (this.kind === "slice") {
      for (const [name, number] of [["nodes", model.nodes.length], ["links", model.links.filter(link => !link.shared).length], ["networks", model.links.filter(link => link.shared).length]]) this.slot(name, number)
    }
    if (this.form.contains(document.activeElement) && document.activeElement.closest("[data-cards], [data-parameters]")) return
    this.form.querySelector("[data-cards]")?.replaceChildren(...cardsOf(model, one, this.place.querySelector("[data-template=card]")))
    this.form.querySelector("[data-parameters]")?.replaceChildren(...parametersOf(one, this.form, this.place.querySelector("[data-template=parameter]")))
    for (const field of this.form.querySelectorAll("[data-cards] input, [data-parameters] input")) field.disabled = !this.editable
  }

  /** What a machine has when its own field is empty. */
  inherited(name, { head }) {
    const found = (this.kind === "slice" ? undefined : head.defaults?.[name]) ?? this.above[name]
    return ["string", "number"].includes(typeof found) ? String(found) : ""
  }

  wrong() {
    const list = this.form.querySelector("[data-faults]")
    if (!list) return
    const found = this.faults.of(this.keys[0])
    list.replaceChildren(...found.map(fault => Object.assign(document.createElement("li"), { textContent: [fault.message, fault.hint].filter(Boolean).join(" ") })))
    for (const field of this.form.elements) field.classList?.toggle("is-invalid", found.some(fault => fault.field && [fault.field, `d.${fault.field}`, `o.${fault.field}`].includes(field.name)))
  }

  // -- writing

  edited(field) {
    const { store } = this.canvas
    if (field.dataset.card) return store.edit(readCard(store.model, field))
    if (field.closest("[data-parameters]")) return this.parameters()
    if (!field.name) return
    const value = field.type === "checkbox" ? field.checked : field.value.trim()
    if (field.name === "name" && !value) return this.show()
    if (this.kind === "slice") return store.edit({ ...store.model, head: written(store.model.head, field.name, value, "defaults") })
    if (this.kind === "many") return store.edit(this.keys.filter(isNode).reduce((model, key) => change(model, key, delta(find(model, key), field.name, value)), store.model))
    const one = find(store.model, this.keys[0])
    store.edit(change(store.model, one.key, delta(one, field.name, value)))
  }

  /** Rows of name and value make the rest of the definition; what has a field of its own stays. */
  parameters() {
    const { store } = this.canvas, one = find(store.model, this.keys[0])
    const own = new Set([...this.form.elements].filter(field => field.name?.startsWith("d.")).map(field => field.name.slice(2)).concat("host", "availability_zone"))
    const kept = Object.fromEntries(Object.entries(one.definition).filter(([name]) => own.has(name)))
    const rows = [...this.form.querySelectorAll(".slice-parameter")].map(row => [row.querySelector("[data-part=name]").value.trim(), row.querySelector("[data-part=value]").value])
    store.edit(change(store.model, one.key, { definition: { ...kept, ...Object.fromEntries(rows.filter(([name]) => name).map(([name, value]) => [name, readValue(value)])) } }))
  }

  pressed(target) {
    if (target.closest("[data-part=remove]")) { target.closest(".slice-parameter").remove(); this.parameters() }
    if (target.closest("[data-do=parameter]")) this.addParameter()
    const go = target.closest("[data-goto]")
    if (go) this.canvas.choose([go.dataset.goto], { centre: true })
  }

  addParameter() {
    const row = this.place.querySelector("[data-template=parameter]").content.firstElementChild.cloneNode(true)
    this.form.querySelector("[data-parameters]").append(row)
    row.querySelector("input").focus()
  }
}

// -- fields by their names: `name`, `d.image` (of the definition), `o.type` (of a link's options), `place`

function valueOf(row, name) {
  if (!row) return ""
  if (name === "place") return row.definition?.host ?? row.definition?.availability_zone ?? ""
  if (name.startsWith("d.")) return row.definition?.[name.slice(2)]
  if (name.startsWith("o.")) return row.options?.[name.slice(2)]
  return row[name]
}

function put(field, value) {
  if (field.type === "checkbox") field.checked = Boolean(value)
  else if ("value" in field && field.tagName !== "FIELDSET" && field.tagName !== "BUTTON") field.value = value ?? ""
}

/** What a field changes in a node or link. */
function delta(row, name, value) {
  if (name === "place") return { definition: set(set(row.definition, "host", ""), "availability_zone", "", ["host", value]) }
  if (name.startsWith("d.")) return { definition: set(row.definition, name.slice(2), number(name, value)) }
  if (name.startsWith("o.")) return { options: set(row.options, name.slice(2), value) }
  return { [name]: value }
}

function written(head, name, value, where) {
  return name.startsWith("d.") ? { ...head, [where]: set(head[where] ?? {}, name.slice(2), value) } : set(head, name, value)
}

const NUMBERS = ["d.cpus", "d.memory_mib", "d.disk_gib"]
const number = (name, value) => NUMBERS.includes(name) && value !== "" ? Number(value) : value

function set(found, name, value, more) {
  const { [name]: _old, ...rest } = found
  const next = value === "" || value === false ? rest : { ...rest, [name]: value }
  return more && more[1] ? { ...next, [more[0]]: more[1] } : next
}

/** What several have in common; fields that differ are empty. */
function common(rows) {
  const nodes = rows.filter(row => isNode(row.key))
  const same = read => nodes.length && nodes.every(node => read(node) === read(nodes[0])) ? read(nodes[0]) : ""
  const names = new Set(nodes.flatMap(node => Object.keys(node.definition)))
  return { ...Object.fromEntries(["role", "group", "apart", "critical"].map(name => [name, same(node => node[name])])), definition: Object.fromEntries([...names].map(name => [name, same(node => node.definition[name])])) }
}

