// What an import understood and what not, and what its unknown images and flavors shall be here: remembered for the next file.
const STORE = "olimpus-slice-mapping"
const KINDS = { images: "image", flavors: "flavor" }

export class Report {
  constructor(place) {
    this.place = place
    this.document = null
    place.addEventListener("change", () => this.remember())
  }

  show({ document: found, report = {} }) {
    this.document = found
    this.place.hidden = false
    const { understood = [], ignored = [], unmapped = {} } = report
    this.list("understood", understood.map(text => typeof text === "string" ? text : Object.values(text).join(" ")))
    this.list("ignored", ignored.map(({ line, what }) => line ? `${line}: ${what}` : what))
    this.rows = Object.entries(KINDS).flatMap(([kind, parameter]) => Object.entries(unmapped[kind] ?? {}).map(([name, suggestion]) => ({ kind, parameter, name, suggestion })))
    const part = this.place.querySelector("[data-part=unmapped]")
    part.hidden = !this.rows.length
    part.querySelector("[data-rows]").replaceChildren(...this.rows.map(row => this.field(row)))
  }

  list(name, texts) {
    const part = this.place.querySelector(`[data-part=${name}]`)
    part.hidden = !texts.length
    part.querySelector("ul").replaceChildren(...texts.map(text => Object.assign(document.createElement("li"), { textContent: text })))
  }

  field({ kind, parameter, name, suggestion }) {
    const label = Object.assign(document.createElement("label"), { className: "form-label", textContent: `${parameter}: ${name}` })
    const field = Object.assign(document.createElement("input"), { className: "form-control code", value: known()[kind]?.[name] ?? suggestion ?? "" })
    field.setAttribute("list", `known-${parameter}`)
    Object.assign(field.dataset, { kind, name, parameter })
    label.append(field)
    return label
  }

  fields() { return [...this.place.querySelectorAll("input[data-kind]")] }

  remember() {
    const found = known()
    for (const field of this.fields()) found[field.dataset.kind] = { ...found[field.dataset.kind], [field.dataset.name]: field.value.trim() }
    try { localStorage.setItem(STORE, JSON.stringify(found)) } catch { /* for this page only */ }
  }

  /** A document with the images and flavors that stand in the fields. */
  mapped(found) {
    if (!found) return found
    const wanted = new Map(this.fields().map(field => [`${field.dataset.parameter} ${field.dataset.name}`, field.value.trim()]))
    const put = row => ({ ...row, ...Object.fromEntries(Object.values(KINDS).filter(name => wanted.get(`${name} ${row[name]}`)).map(name => [name, wanted.get(`${name} ${row[name]}`)])) })
    return { ...found, ...(found.defaults && { defaults: put(found.defaults) }), nodes: (found.nodes ?? []).map(put) }
  }
}

function known() {
  try { return JSON.parse(localStorage.getItem(STORE) ?? "{}") } catch { return {} }
}
