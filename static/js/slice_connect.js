// Connecting by dragging: a handle beside the node under the pointer (or the chosen one, for fingers) draws a line to another.
import { connect, link } from "./slice_model.js"

export class Connecting {
  constructor(canvas, handle) {
    Object.assign(this, { canvas, handle, from: null, target: null })
    this.line = handle.parentElement.querySelector("[data-rubber]")
    const { cy } = canvas
    cy.on("mouseover", "node", event => this.offer(event.target))
    cy.on("select", "node", event => this.offer(event.target))
    cy.on("unselect remove", "node", event => { if (this.from?.id() === event.target.id() && !this.drawing) this.hide() })
    cy.on("viewport", () => this.put())
    cy.on("position", "node", event => { if (this.from && event.target.id() === this.from.id()) this.put() })
    handle.addEventListener("pointerdown", event => this.begin(event))
    handle.addEventListener("pointermove", event => this.draw(event))
    handle.addEventListener("pointerup", event => this.end(event))
    handle.addEventListener("pointercancel", () => this.stop())
  }

  offer(node) {
    if (this.drawing || node.hasClass("group") || this.canvas.cy.$("node:selected").length > 1) return
    this.from = node
    this.handle.hidden = false
    this.put()
  }

  hide() {
    this.from = null
    this.handle.hidden = true
  }

  put() {
    if (!this.from || this.from.removed()) return this.hide()
    const at = this.from.renderedPosition(), aside = this.from.renderedWidth() / 2 + 14
    this.handle.style.setProperty("translate", `${at.x + aside - 14}px ${at.y - 14}px`)
  }

  begin(event) {
    event.preventDefault()
    this.handle.setPointerCapture(event.pointerId)
    this.drawing = true
    this.line.parentElement.hidden = false
    this.draw(event)
  }

  draw(event) {
    if (!this.drawing) return
    const box = this.canvas.container.getBoundingClientRect(), start = this.from.renderedPosition()
    for (const [name, value] of Object.entries({ x1: start.x, y1: start.y, x2: event.clientX - box.left, y2: event.clientY - box.top })) this.line.setAttribute(name, value)
    const under = this.canvas.under(this.canvas.at(event))
    if (under?.id() === this.target?.id()) return
    this.target?.removeClass("target")
    this.target = under && under.id() !== this.from.id() ? under.addClass("target") : null
  }

  end(event) {
    if (!this.drawing) return
    this.draw(event)
    const { from, target } = this
    this.stop()
    if (from && target) this.canvas.store.edit(connect(this.canvas.store.model, from.id(), target.id()))
  }

  stop() {
    this.drawing = false
    this.line.parentElement.hidden = true
    this.target?.removeClass("target")
    this.target = null
  }
}

/** Connect what is chosen: two by a link, a network with nodes by cards, three nodes or more by a shared network. */
export function connectChosen(canvas) {
  const { store } = canvas
  const chosen = canvas.drawn.filter(":selected")
  const networks = chosen.filter(".net").map(node => node.id()), nodes = chosen.not(".net").map(node => node.id())
  if (networks.length === 1 && nodes.length) return store.edit(nodes.reduce((model, node) => connect(model, node, networks[0]) ?? model, store.model))
  if (nodes.length === 2) return store.edit(connect(store.model, ...nodes))
  return nodes.length > 2 && store.edit(link(store.model, nodes, true))
}
