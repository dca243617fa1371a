// Fields made of a JSON Schema, and what is written in them: parameters of topologies and of templates.
const ICONS = { linear: "line", line: "line", ring: "topology-ring-2", mesh: "topology-full", "full-mesh": "topology-full", "partial-mesh": "topology-complex", star: "topology-star", tree: "hierarchy", bus: "topology-bus", grid: "layout-grid", "leaf-spine": "hierarchy-2", clos: "hierarchy-2", dumbbell: "circles-relation", random: "shape", join: "affiliate" }

/** The picture of a topology. */
export const kindIcon = name => ICONS[name] ?? "affiliate"

/** Topologies made of topologies are joined by drawing. */
export const nested = ({ properties = {} }) => Object.values(properties).some(({ type }) => type === "object")

/** Fields for a JSON Schema's properties; `values` reads them. `prefix`: before their names in the form. */
export function fields({ properties = {}, required = [] }, prefix = "") {
  return Object.entries(properties).filter(([name]) => name !== "kind").map(([name, schema]) => {
    const flag = schema.type === "boolean", field = fieldOf(schema)
    Object.assign(field, { name: prefix + name, required: required.includes(name) && !flag, className: schema.enum ? "form-select" : flag ? "form-check-input" : "form-control" })
    Object.assign(field.dataset, { kind: schema.type ?? "string", parameter: name })
    const label = Object.assign(document.createElement("label"), { className: flag ? "form-check" : "form-label" }), word = part("span", schema.title ?? name)
    label.append(...(flag ? [field, word] : [word, field]))
    if (schema.description) label.append(part("small", schema.description, "form-hint"))
    return label
  })
}

function fieldOf(schema) {
  if (schema.enum) return choice(schema.enum, schema.default)
  const field = document.createElement("input")
  field.type = { integer: "number", number: "number", boolean: "checkbox" }[schema.type] ?? "text"
  if (schema.type === "number") field.step = "any"
  for (const [from, to] of [["minimum", "min"], ["maximum", "max"]]) if (schema[from] !== undefined) field[to] = schema[from]
  if (schema.type === "boolean") field.checked = Boolean(schema.default)
  else field.value = schema.default ?? ""
  if (schema.known) field.setAttribute("list", `known-${schema.known}`)
  return field
}

function choice(options, chosen) {
  const select = document.createElement("select")
  const none = chosen === undefined ? [new Option("", "")] : []
  select.append(...none, ...options.map(value => new Option(value, JSON.stringify(value), value === chosen, value === chosen)))
  return select
}

function part(kind, textContent, className = "") {
  return Object.assign(document.createElement(kind), { textContent, className })
}

export function values(place) {
  const said = [...place.querySelectorAll("[data-kind]")].filter(field => field.type === "checkbox" || field.value !== "")
  return Object.fromEntries(said.map(field => [field.dataset.parameter, valueOf(field)]))
}

function valueOf(field) {
  if (field.tagName === "SELECT") return JSON.parse(field.value)
  if (field.type === "checkbox") return field.checked
  return ["integer", "number"].includes(field.dataset.kind) ? Number(field.value) : field.value
}

/** Say each fault at the field that it is about (`parameters.size`, `topology.size`, `name`); returns those of no field. */
export function tell(form, faults) {
  for (const old of form.querySelectorAll("[data-fault]")) old.remove()
  for (const field of form.querySelectorAll(".is-invalid")) { field.classList.remove("is-invalid"); field.removeAttribute("aria-invalid"); field.removeAttribute("aria-describedby") }
  return faults.filter(fault => {
    const name = (fault.where ?? "").replace(/^(parameters|topology)\./, "")
    const field = [...form.querySelectorAll("[data-parameter]")].find(each => each.dataset.parameter === name) ?? (name === fault.where ? form.elements[name === "folder" ? "to" : name] : null)
    if (!field?.labels?.length) return true
    const told = part("span", [fault.message, fault.hint].filter(Boolean).join(" "), "field-error")
    Object.assign(told, { id: `fault-${name}` }).dataset.fault = name
    field.labels[0].append(told)
    field.classList.add("is-invalid")
    field.setAttribute("aria-invalid", "true")
    field.setAttribute("aria-describedby", told.id)
    return false
  })
}
