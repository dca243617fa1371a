// What is wrong, where: on the drawing, beside the fields, and in a list that leads there.

export class Faults {
  constructor(canvas, { list, none, count, show }) {
    Object.assign(this, { canvas, list, none, count, show, faults: [] })
  }

  /** Faults as the API tells them: {where, message, hint}. */
  set(found) {
    const { model } = this.canvas.store
    this.faults = found.map(fault => ({ ...fault, key: keyOf(fault.where ?? "", model), field: /[.\]]\.?([a-z_]+)$/.exec(fault.where ?? "")?.[1] ?? "" }))
    this.paint()
    this.list.replaceChildren(...this.faults.map(fault => this.line(fault)))
    this.none.hidden = this.faults.length > 0
    this.count.textContent = this.faults.length
    this.count.classList.toggle("some", this.faults.length > 0)
    this.canvas.container.dispatchEvent(new Event("faulted"))
  }

  paint() {
    const wrong = new Set(this.faults.map(fault => fault.key))
    this.canvas.cy.batch(() => this.canvas.cy.elements().forEach(element => { element.toggleClass("wrong", wrong.has(element.data("key") ?? element.id())) }))
  }

  of(key) { return this.faults.filter(fault => fault.key === key) }

  line(fault) {
    const item = document.createElement("li"), button = document.createElement("button")
    button.type = "button"
    button.textContent = [fault.message, fault.hint].filter(Boolean).join(" ")
    button.addEventListener("click", () => { if (fault.key) this.canvas.choose([fault.key], { centre: true }) })
    const place = document.createElement("code")
    place.textContent = fault.where ?? ""
    item.append(place, button)
    return item
  }
}

/** The node or link that `nodes[3].name`, `nodes.r1` or `links.r1-r2` means; "" when it means neither. */
export function keyOf(where, model) {
  const indexed = /^(nodes|links|networks)\[(\d+)\]/.exec(where)
  const named = /^(nodes|links|networks)\.(.+)$/.exec(where)
  if (indexed) return rows(indexed[1], model)[Number(indexed[2])]?.key ?? ""
  if (!named) return ""
  const found = named[1] === "nodes" ? model.nodes : model.links
  return found.filter(row => named[2] === row.name || named[2].startsWith(`${row.name}.`)).sort((one, other) => other.name.length - one.name.length)[0]?.key ?? ""
}

function rows(kind, model) {
  return kind === "nodes" ? model.nodes : model.links.filter(link => link.shared === (kind === "networks"))
}
