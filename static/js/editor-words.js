// What the editor knows about a definition: where the cursor is in the YAML, and what may be written there.

const LINE = /^(\s*)((?:- +)*)(.*)$/
const KEY = /^("[^"]*"|[^\s:#"'[\]{},&*!|>%@`-][^:#]*?|[^\s:#"'[\]{},&*!|>%@`]+?):(?:\s+(.*))?$/
const BLOCK = /^[|>][-+0-9]*\s*(#.*)?$/

function split(text) {
  const [, space, dashes, rest] = LINE.exec(text)
  const key = KEY.exec(rest)
  return { indent: space.length, dashes: dashes.length / 2 | 0, column: space.length + dashes.length, rest, key: key?.[1].replace(/^"|"$/g, ""), value: key?.[2] ?? "" }
}

/** The keys that lead to a line ("[]" for an entry of a list), from outside in; null inside a block of text. */
export function pathOf(doc, number, parts = split(doc.line(number).text)) {
  const keys = Array(parts.dashes).fill("[]")
  let limit = parts.dashes ? parts.indent + 1 : parts.column // what holds this line begins before this column
  for (let above = number - 1; above > 0 && limit > 0; above -= 1) {
    const { text } = doc.line(above)
    if (!text.trim() || text.trimStart().startsWith("#")) continue
    const line = split(text)
    if (line.column < limit) {
      if (!line.key || BLOCK.test(line.value)) return null
      keys.unshift(line.key)
    } else if (!line.dashes || line.indent >= limit) continue
    keys.unshift(...Array(line.dashes).fill("[]"))
    limit = line.dashes ? line.indent + 1 : line.column
  }
  return keys
}

/** Where the cursor is: {keys, value}: on the name of an entry below `keys`, or on the value at `keys`. */
export function placeOf(doc, position) {
  const line = doc.lineAt(position)
  const before = line.text.slice(0, position - line.from)
  const parts = split(before)
  const keys = pathOf(doc, line.number, split(before))
  if (!keys || /(^|\s)#/.test(before)) return null
  const typed = KEY.exec(parts.rest)
  if (typed) return { keys: [...keys, parts.key], value: true, from: line.from + before.length - (typed[2] ?? "").length, column: parts.column }
  if (/:\s*$/.test(parts.rest)) return null
  return { keys, value: false, from: line.from + parts.column, column: parts.column }
}

export class Words {
  constructor(told, labels) {
    this.told = told
    this.labels = labels
  }

  /** The schema of the value at these keys, or null. */
  at(keys) {
    let here = this.told.schema
    for (const [depth, key] of keys.entries()) {
      here = this.inside(here, key, keys.slice(0, depth))
      if (!here) return null
    }
    return here
  }

  inside(schema, key, above) {
    if (above.length === 1 && above[0] === "prototypes") return this.prototype()
    if (key === "[]") return schema.items ?? null
    if (schema.properties?.[key]) return schema.properties[key]
    return typeof schema.additionalProperties === "object" ? schema.additionalProperties : null
  }

  prototype() {
    const properties = { ...this.told.schema.properties }
    for (const name of this.told.not_in_prototypes) delete properties[name]
    return { type: "object", properties: { ...properties, [this.told.extends]: { type: "string", known: "prototype" } } }
  }

  /** Names that may stand below these keys: [name, schema]. */
  names(keys) {
    const schema = this.at(keys)
    if (keys.length === 2 && keys[0] === "rights") return Object.entries(this.told.operations).map(([name, description]) => [name, { type: "boolean", description }])
    return Object.entries(schema?.properties ?? {})
  }

  /** Values that may stand at these keys: [value, what it is]. */
  values(keys) {
    const schema = this.at(keys)
    if (!schema) return []
    const types = [schema.type].flat()
    const name = keys.findLast(key => key !== "[]")
    const known = this.told.names[schema.known ?? (name === "hypervisors" ? "hypervisor" : name)] ?? []
    const found = [...(schema.enum ?? []).filter(value => value !== null), ...(types.includes("boolean") ? ["true", "false"] : [])].map(value => [String(value), ""])
    if (types.includes("string")) found.push(...known.map(value => [value, this.labels.known]))
    if (types.includes("null")) found.push(["null", this.labels.remove])
    return found
  }

  type(schema) {
    const types = [schema.type].flat().filter(type => type && type !== "null").map(type => this.labels[type] ?? type)
    return [types.join(" / "), schema["x-unit"]].filter(Boolean).join(", ")
  }

  /** What the parameter at these keys is, as lines of [label, text]. */
  help(keys) {
    const schema = this.at(keys)
    if (!schema || !keys.length) return null
    const top = keys.length === 1 ? schema : this.told.schema.properties[keys[0]]
    const when = { creation: this.labels.creation, run: this.labels.run, free: this.labels.any }[top?.["x-kind"]]
    const choices = (schema.enum ?? []).filter(value => value !== null).join(", ")
    const example = schema.examples?.[0]
    return {
      name: keys.filter(key => key !== "[]").join("."),
      kind: [this.type(schema), choices, when].filter(Boolean).join(" · "),
      text: schema.description ?? top?.description ?? "",
      example: example === undefined ? "" : `${this.labels.example}: ${typeof example === "string" ? example.trim() : JSON.stringify(example)}`,
    }
  }
}
