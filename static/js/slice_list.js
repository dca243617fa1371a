// All that is drawn as a list, with search: for finding, and for those who cannot see the drawing.
import { page } from "./slice_api.js"

const MOST = 200

export class List {
  constructor(place, canvas) {
    Object.assign(this, { place, canvas })
    this.field = place.querySelector("[data-search]")
    this.field.addEventListener("input", () => this.show())
    this.field.addEventListener("keydown", event => { if (event.key === "Enter") { event.preventDefault(); place.querySelector("[data-found] button")?.click() } })
    canvas.store.addEventListener("change", () => this.soon())
    this.soon()
  }

  soon() { this.waiting ||= requestAnimationFrame(() => { this.waiting = 0; this.show() }) }

  show() {
    const { model } = this.canvas.store, text = this.field.value.trim().toLowerCase()
    const names = new Map(model.nodes.map(node => [node.key, node.name]))
    const fits = row => !text || [row.name, row.role, row.group, row.cidr, row.definition?.image, ...(row.ends ?? []).flatMap(end => [end.ip, row.shared ? "" : names.get(end.node)])].some(word => word?.toLowerCase?.().includes(text))
    const nodes = model.nodes.filter(fits), links = model.links.filter(link => (link.shared || text) && fits(link))
    const found = [...nodes, ...links]
    this.place.querySelector("[data-found]").replaceChildren(...found.slice(0, MOST).map(row => this.line(row, model, names)))
    this.place.querySelector("[data-none]").hidden = found.length > 0 || !text
    this.dim(text, found)
  }

  dim(text, found) {
    const keys = new Set(found.map(row => row.key))
    this.canvas.cy.batch(() => this.canvas.cy.elements().not(".group").forEach(element => { element.toggleClass("faint", Boolean(text) && !keys.has(element.data("key") ?? element.id())) }))
  }

  line(row, model, names) {
    const item = document.createElement("li"), button = document.createElement("button")
    button.type = "button"
    button.append(Object.assign(document.createElement("b"), { textContent: row.name }), Object.assign(document.createElement("span"), { textContent: this.detail(row, model, names) }))
    button.addEventListener("click", () => this.take(row.key))
    item.append(button)
    return item
  }

  /** Found: it is chosen, and the rest is seen again. */
  take(key) {
    this.canvas.choose([key], { centre: true })
    this.field.value = ""
    this.show()
  }

  detail(row, model, names) {
    if (row.ends) return [row.cidr, row.shared ? page.wordNodes.replace("{n}", row.ends.length) : row.ends.map(end => names.get(end.node)).join(" – ")].filter(Boolean).join(" · ")
    const beside = model.links.filter(link => link.ends.some(end => end.node === row.key)).map(link => link.shared ? link.name : names.get(link.ends.find(end => end.node !== row.key)?.node)).filter(Boolean)
    return [row.role, beside.slice(0, 4).join(", ") + (beside.length > 4 ? "…" : "")].filter(Boolean).join(" · ")
  }
}
