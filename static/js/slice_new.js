// A new slice: what it begins with (a topology, a file, a template, nothing), what it is called, and where it goes.
import { all, ask, page, sentence } from "./slice_api.js"
import { fields, kindIcon, nested, tell, values } from "./slice_fields.js"
import { draw, outline } from "./slice_preview.js"
import { Report } from "./slice_report.js"

const NAMED = ["image", "flavor"]
const PAUSE = 350 // ms without a change before the preview is asked for
const form = document.querySelector("[data-new-slice]")
const one = name => form.querySelector(`[data-${name}]`)
const report = new Report(one("report"))
const kinds = new Map()
let chosen = null, made = null, taken = null, timer = 0, turn = 0

// -- choosing

function choose(button) {
  for (const each of form.querySelectorAll("[data-begin]")) each.setAttribute("aria-pressed", String(each === button))
  chosen = { ...button.dataset }
  one("file-part").hidden = chosen.begin !== "file"
  one("report").hidden = true
  const schema = chosen.begin === "topology" ? kinds.get(chosen.kind).schema : chosen.begin === "template" ? schemaOf(JSON.parse(chosen.parameters || "{}")) : {}
  one("fields").replaceChildren(...fields(schema, "p."))
  if (chosen.begin === "template") offerNames(chosen.id)
  const name = form.elements.name
  if (!name.dataset.typed) name.value = chosen.name ?? chosen.kind ?? ""
  soon()
}

/** A template's parameters as the schema of a form. */
function schemaOf(parameters) {
  const properties = Object.entries(parameters).map(([name, { type, choices, ...rest }]) => [name, { ...rest, ...(NAMED.includes(type) ? { type: "string", known: type } : { type }), ...(choices && { enum: choices }) }])
  return { properties: Object.fromEntries(properties) }
}

/** The images and flavors that machines of this template can have. */
async function offerNames(id) {
  const { ok, told: { names = {} } } = await ask(page.vocabulary.replace("/0/", `/${id}/`))
  if (ok) for (const kind of NAMED) document.getElementById(`known-${kind}`).replaceChildren(...(names[kind] ?? []).map(value => Object.assign(document.createElement("option"), { value })))
}

// -- the preview

function soon() { clearTimeout(timer); timer = setTimeout(look, PAUSE) }

async function look() {
  const mine = turn += 1
  const found = await document_()
  if (mine !== turn) return
  made = found
  if (found) draw(one("picture"), outline(found))
  const nodes = found?.nodes?.length ?? 0
  one("counts").textContent = found && page.wordCounts.replace("{nodes}", nodes).replace("{links}", (found?.links?.length ?? 0) + (found?.networks?.length ?? 0))
}

/** The document that would be made now; null when it cannot be. */
async function document_() {
  refuse({})
  if (chosen.begin === "topology") return told(await ask(all("generate"), { method: "POST", body: { kind: chosen.kind, ...values(one("fields")) } }))
  if (chosen.begin === "template") return told(await ask(all("generate"), { method: "POST", body: { template: Number(chosen.id), parameters: values(one("fields")) } }))
  if (chosen.begin === "file") return report.document
  return { nodes: [] }
}

function told({ ok, told: answer }) {
  if (!ok) { refuse(answer); return null }
  return answer.document ?? answer
}

/** What was refused: each fault at its field, the rest below. */
function refuse({ message, hint, errors, where = "" }) {
  const faults = errors?.length ? errors : message ? [{ where, message, hint }] : []
  const left = tell(form, faults)
  complain([...new Set(left.slice(0, 6).map(fault => [fault.where, sentence(fault)].filter(Boolean).join(": ")))].join("\n"))
  form.querySelector("[aria-invalid]")?.scrollIntoView({ block: "nearest" })
}

/** Read the file; what it names and nobody knows is asked for beside. */
async function take(file) {
  taken = file
  const { ok, told: answer } = await sendFile(file)
  if (!ok) { made = report.document = null; return complain([sentence(answer), ...(answer.errors ?? []).slice(0, 5).map(fault => `${fault.where}: ${fault.message}`)].join("\n")) }
  report.show(answer)
  const name = form.elements.name
  if (!name.dataset.typed) name.value = answer.document.name || file.name.replace(/\.[^.]*$/, "").replace(/[^\w.-]+/g, "-")
  look()
}

function sendFile(file, mapping) {
  const body = new FormData()
  body.set("file", file)
  for (const [name, value] of Object.entries({ format: form.elements.format.value, hypervisor: form.elements.hypervisor.value, mapping: mapping && JSON.stringify(mapping) })) if (value) body.set(name, value)
  return ask(all("import"), { method: "POST", body })
}

/** The file once more, in the names that were chosen: the server remembers them. */
async function mapped(document) {
  const mapping = report.mapping()
  return mapping ? told(await sendFile(taken, mapping)) : document
}

function complain(text) {
  const place = one("error")
  place.hidden = !text
  place.textContent = text
}

// -- making it

async function make(event) {
  event.preventDefault()
  const { name, to: folder, hypervisor, description } = form.elements
  const found = made ?? await document_()
  if (!found) return
  const begun = chosen.begin === "template" ? { template: Number(chosen.id), parameters: values(one("fields")) } : chosen.begin === "file" ? await mapped(found) : found
  if (!begun) return
  const button = form.querySelector("button[type=submit]")
  button.classList.add("working")
  const body = { ...begun, name: name.value.trim(), ...(description.value.trim() && { description: description.value.trim() }), ...(folder.value.trim() && { folder: folder.value.trim() }), ...(hypervisor.value && { hypervisor: hypervisor.value }) }
  const { ok, told: answer } = await ask(page.api, { method: "POST", body })
  button.classList.remove("working")
  if (!ok) return refuse(answer)
  location.assign(page.editor.replace("/0/", `/${(answer.slice ?? answer).id}/`))
}

async function offer() {
  const topologies = await ask(all("topologies"))
  if (topologies.ok) for (const kind of topologies.told) if (!nested(kind.schema)) kinds.set(kind.name, kind)
  one("topologies").replaceChildren(...[...kinds.values()].map(card))
  if (!chosen) choose(form.querySelector(page.template ? `[data-begin=template][data-id="${page.template}"]` : "[data-begin=topology][data-kind=ring]") ?? form.querySelector("[data-begin]"))
}

function card({ name, title }) {
  const button = Object.assign(document.createElement("button"), { type: "button", className: "slice-kind" })
  Object.assign(button.dataset, { begin: "topology", kind: name })
  button.innerHTML = `<svg class="icon" aria-hidden="true"><use href="${page.sprite}#${kindIcon(name)}"/></svg>`
  button.append(Object.assign(document.createElement("span"), { textContent: title }))
  return button
}

form.addEventListener("click", event => {
  const button = event.target.closest("[data-begin]")
  if (!button) return
  choose(button)
  if (matchMedia("(max-width: 900px)").matches) form.querySelector(".slice-new-side").scrollIntoView() // the rest stands below
})
form.addEventListener("input", event => { if (event.target === form.elements.name) event.target.dataset.typed = "yes"; if (one("fields").contains(event.target)) soon() })
form.addEventListener("change", ({ target }) => {
  if (target === form.elements.file && target.files[0]) take(target.files[0])
  else if (taken && [form.elements.format, form.elements.hypervisor].includes(target)) take(taken)
})
form.addEventListener("submit", make)
for (const type of ["dragover", "drop"]) form.addEventListener(type, event => event.preventDefault())
form.addEventListener("drop", event => {
  const file = event.dataTransfer.files[0]
  if (file) { choose(form.querySelector("[data-begin=file]")); take(file) }
})
offer()
