// Network cards and further parameters, as rows of the side panel.
import { change, find, isNode, linksOf } from "./slice_model.js"

/** The rows of a node's cards, or of a link's ends. */
export function cardsOf(model, row, template) {
  if (!row) return []
  const pairs = isNode(row.key)
    ? linksOf(model, row.key).map(link => [link, link.ends.findIndex(end => end.node === row.key), link])
    : row.ends.map((end, at) => [row, at, find(model, end.node)])
  return pairs.map(([link, at, other]) => cardRow(template, link, at, other))
}

function cardRow(template, link, at, other) {
  const place = template.content.firstElementChild.cloneNode(true), end = link.ends[at]
  const go = place.querySelector("[data-goto]")
  go.dataset.goto = other.key
  go.textContent = other.name
  Object.assign(place.dataset, { link: link.key, end: at })
  place.querySelector("[data-card=ip]").value = end.ip
  place.querySelector("[data-card=floating]").checked = Boolean(end.card.floating)
  place.querySelector("[data-card=forwards]").value = (end.card.forwards ?? []).map(toldForward).join(", ")
  return place
}

const toldForward = ({ port, protocol = "tcp", outside }) => `${outside ? `${outside}:` : ""}${port}${protocol === "tcp" ? "" : `/${protocol}`}`

function readForward(text) {
  const [, outside, port, protocol] = /^(?:(\d+):)?(\d+)(?:\/(\w+))?$/.exec(text.trim()) ?? []
  return port && { port: Number(port), ...(protocol && protocol !== "tcp" && { protocol }), ...(outside && { outside: Number(outside) }) }
}

/** The drawing after a field of a card was written. */
export function readCard(model, field) {
  const { link: key, end: at } = field.closest(".slice-card").dataset
  const link = find(model, key)
  const ends = link.ends.map((end, number) => number === Number(at) ? changed(end, field) : end)
  return change(model, key, { ends })
}

function changed(end, field) {
  if (field.dataset.card === "ip") return { ...end, ip: field.value.trim() }
  const { [field.dataset.card]: _old, ...card } = end.card
  const forwards = field.value.split(",").map(readForward).filter(Boolean)
  const value = field.dataset.card === "floating" ? field.checked : forwards.length && forwards
  return { ...end, card: value ? { ...card, [field.dataset.card]: value } : card }
}

/** Rows for the parameters that have no field of their own. */
export function parametersOf(row, form, template) {
  if (!row) return []
  const own = new Set([...form.elements].filter(field => field.name?.startsWith("d.")).map(field => field.name.slice(2)).concat("host", "availability_zone"))
  return Object.entries(row.definition ?? {}).filter(([name]) => !own.has(name)).map(([name, value]) => {
    const place = template.content.firstElementChild.cloneNode(true)
    place.querySelector("[data-part=name]").value = name
    place.querySelector("[data-part=value]").value = typeof value === "string" ? value : JSON.stringify(value)
    return place
  })
}

/** What somebody wrote: JSON where it is some, else the text itself. */
export function readValue(text) {
  try { return JSON.parse(text) } catch { return text }
}
