// What an import understood and what not, and what its unknown images and flavors shall be here: the server remembers it.
const KINDS = { images: "image", flavors: "flavor" }

export class Report {
  constructor(place) {
    this.place = place
    this.document = null
  }

  show({ document: found, report = {} }) {
    const { understood = [], ignored = [], unmapped = [], unknown = {}, known = {} } = report
    this.document = found
    this.place.hidden = false
    for (const [name, notes] of Object.entries({ understood, ignored, unmapped })) this.list(name, notes)
    const fields = Object.entries(KINDS).flatMap(([kind, parameter]) => Object.entries(unknown[kind] ?? {}).map(([name, nearest]) => field(kind, parameter, name, nearest)))
    for (const [kind, parameter] of Object.entries(KINDS)) if (known[kind]?.length) offer(`known-${parameter}`, known[kind])
    this.part("unknown").hidden = !fields.length
    this.part("unknown").querySelector("[data-rows]").replaceChildren(...fields)
  }

  part(name) { return this.place.querySelector(`[data-part=${name}]`) }

  list(name, notes) {
    this.part(name).hidden = !notes.length
    this.part(name).querySelector("ul").replaceChildren(...notes.map(({ what, line }) => Object.assign(document.createElement("li"), { textContent: line ? `${line}: ${what}` : what })))
  }

  /** Names of the file → names of ours, as they stand in the fields; null when nothing is unknown. */
  mapping() {
    const found = { images: {}, flavors: {} }
    const fields = [...this.place.querySelectorAll("input[data-kind]")]
    for (const { dataset, value } of fields) found[dataset.kind][dataset.name] = value.trim()
    return fields.length ? found : null
  }
}

function offer(id, names) {
  document.getElementById(id).replaceChildren(...names.map(value => Object.assign(document.createElement("option"), { value })))
}

function field(kind, parameter, name, nearest) {
  const label = Object.assign(document.createElement("label"), { className: "form-label", textContent: `${parameter}: ${name}` })
  const input = Object.assign(document.createElement("input"), { className: "form-control code", value: nearest ?? "" })
  input.setAttribute("list", `known-${parameter}`)
  Object.assign(input.dataset, { kind, name })
  label.append(input)
  return label
}
