// Fields made of a JSON Schema, and what is written in them: parameters of topologies and of templates.
const ICONS = { linear: "line", line: "line", ring: "topology-ring-2", mesh: "topology-full", "full-mesh": "topology-full", "partial-mesh": "topology-complex", star: "topology-star", tree: "hierarchy", bus: "topology-bus", grid: "layout-grid", "leaf-spine": "hierarchy-2", clos: "hierarchy-2", dumbbell: "circles-relation", random: "shape", join: "affiliate" }

/** The picture of a topology. */
export const kindIcon = name => ICONS[name] ?? "affiliate"

/** Topologies made of topologies are joined by drawing. */
export const nested = ({ properties = {} }) => Object.values(properties).some(({ type }) => type === "object")

/** Fields for a JSON Schema's properties; `values` reads them. */
export function fields({ properties = {}, required = [] }) {
  return Object.entries(properties).filter(([name]) => name !== "kind").map(([name, schema]) => {
    const label = Object.assign(document.createElement("label"), { className: schema.type === "boolean" ? "form-check" : "form-label", title: schema.description ?? "" })
    const field = schema.enum ? choice(schema.enum) : document.createElement("input")
    field.className = schema.enum ? "form-select" : schema.type === "boolean" ? "form-check-input" : "form-control"
    if (!schema.enum) field.type = { integer: "number", number: "number", boolean: "checkbox" }[schema.type] ?? "text"
    if (schema.type === "number") field.step = "any"
    for (const [from, to] of [["minimum", "min"], ["maximum", "max"]]) if (schema[from] !== undefined) field[to] = schema[from]
    if (schema.type === "boolean") field.checked = Boolean(schema.default)
    else field.value = schema.default ?? ""
    Object.assign(field, { name, required: required.includes(name) })
    field.dataset.kind = schema.type ?? "string"
    const word = Object.assign(document.createElement("span"), { textContent: schema.title ?? name })
    label.append(...(schema.type === "boolean" ? [field, word] : [word, field]))
    return label
  })
}

function choice(options) {
  const select = document.createElement("select")
  select.append(...options.map(value => new Option(value, value)))
  return select
}

export function values(place) {
  const read = field => ({ boolean: () => field.checked, integer: () => Number(field.value), number: () => Number(field.value) }[field.dataset.kind] ?? (() => field.value))()
  return Object.fromEntries([...place.querySelectorAll("[data-kind]")].filter(field => field.type === "checkbox" || field.value !== "").map(field => [field.name, read(field)]))
}
