// The drawing on the screen: Cytoscape shows what the store holds, and tells the store where things were dragged to.
import cytoscape from "../vendor/cytoscape-3.34.4/cytoscape.mjs"
import { find, place } from "./slice_model.js"
import { elementsOf } from "./slice_elements.js"
import { palette, sheet } from "./slice_style.js"

const LARGE = 150 // nodes from which on quickness comes before fine lines

export class Canvas {
  constructor(container, store, { editable }) {
    Object.assign(this, { container, store, editable, colours: palette(), marks: new Map() })
    this.cy = cytoscape({
      container, style: sheet(this.colours), minZoom: 0.05, maxZoom: 4, boxSelectionEnabled: true, selectionType: "single",
      autoungrabify: !editable, textureOnViewport: false, hideEdgesOnViewport: false, motionBlur: false, pixelRatio: "auto", layout: { name: "preset" },
    })
    this.moves = new Map()
    store.addEventListener("change", ({ detail }) => this.draw(detail.model, detail.why))
    this.cy.on("dragfree", "node", event => this.dragged(event.target))
    new MutationObserver(() => this.restyle()).observe(document.documentElement, { attributes: true, attributeFilter: ["data-bs-theme"] })
  }

  get drawn() { return this.cy.nodes().not(".group") }
  get chosen() { return this.cy.$(":selected").map(element => element.data("key") ?? element.id()).filter((key, at, all) => all.indexOf(key) === at) }

  /** Bring what is shown up to the model: only what differs is touched. */
  draw(model, why) {
    const { cy } = this
    if (why === "load") this.quicken(model.nodes.length)
    cy.batch(() => {
      const wanted = elementsOf(model), known = new Set(cy.elements().map(element => element.id()))
      const added = [...wanted.values()].filter(({ data }) => !known.has(data.id))
      const groups = added.filter(({ classes }) => classes === "group")
      cy.add(groups)
      for (const { data, position } of wanted.values()) if (known.has(data.id)) this.bring(data, position)
      cy.remove(cy.elements().filter(element => !wanted.has(element.id())))
      cy.add(added.filter(each => !groups.includes(each)).map(each => this.marked(each)))
    })
    if (why === "load") this.fit()
  }

  bring(data, position) {
    const element = this.cy.getElementById(data.id)
    const differs = Object.entries(data).some(([name, value]) => element.data(name) !== value && name !== "parent")
    if (differs) element.data(data)
    if (!element.isNode() || element.hasClass("group")) return
    if ((element.parent().id() ?? null) !== (data.parent ?? null)) element.move({ parent: data.parent ?? null })
    if (position && (element.position("x") !== position.x || element.position("y") !== position.y)) element.position(position)
  }

  /** With what was said of it before: its state, its place in the plan. */
  marked(element) {
    return { ...element, data: { ...element.data, ...this.marks.get(element.data.id) } }
  }

  /** Say something of elements that is no part of the drawing: Map of key → data. What is undefined is taken away. */
  mark(news) {
    this.cy.batch(() => {
      for (const [key, data] of news) {
        this.marks.set(key, { ...this.marks.get(key), ...data })
        const element = this.cy.getElementById(key)
        for (const [name, value] of Object.entries(data)) if (value === undefined) element.removeData(name)
        element.data(Object.fromEntries(Object.entries(data).filter(([, value]) => value !== undefined)))
      }
    })
  }

  dragged(node) {
    const row = find(this.store.model, node.id())
    if (row) this.moves.set(node.id(), { ...node.position() })
    else for (const child of node.children()) this.moves.set(child.id(), { ...child.position() })
    cancelAnimationFrame(this.waiting)
    this.waiting = requestAnimationFrame(() => this.settleMoves())
  }

  settleMoves() {
    const moved = place(this.store.model, this.moves)
    this.moves = new Map()
    this.store.edit(moved)
  }

  choose(keys, { centre = false } = {}) {
    const wanted = new Set(keys)
    this.cy.batch(() => {
      this.cy.elements().unselect()
      this.cy.elements().filter(element => wanted.has(element.data("key") ?? element.id())).select()
    })
    if (centre) this.bringIntoView(this.cy.$(":selected"))
  }

  /** Move the view only when what was chosen is not seen; `part`: how much of the height is seen, from above. */
  bringIntoView(found, part = 1) {
    if (found.empty()) return
    const { x1, y1, x2, y2 } = found.renderedBoundingBox(), width = this.cy.width(), height = this.cy.height() * part
    if (x1 >= 0 && y1 >= 0 && x2 <= width && y2 <= height) return
    this.cy.panBy({ x: width / 2 - (x1 + x2) / 2, y: height / 2 - (y1 + y2) / 2 })
  }

  fit() {
    if (this.cy.elements().empty()) return this.cy.viewport({ zoom: 1, pan: { x: this.cy.width() / 2, y: this.cy.height() / 2 } })
    this.cy.fit(undefined, 48)
    if (this.cy.zoom() > 1.25) this.cy.zoom({ level: 1.25, renderedPosition: { x: this.cy.width() / 2, y: this.cy.height() / 2 } })
  }

  /** Change the room that the drawing has: what was seen as a whole is seen as a whole again. */
  withOtherRoom(change) {
    const all = this.cy.elements().boundingBox(), seen = this.cy.extent()
    const whole = all.x1 >= seen.x1 - 1 && all.x2 <= seen.x2 + 1 && all.y1 >= seen.y1 - 1 && all.y2 <= seen.y2 + 1
    change()
    this.cy.resize()
    if (whole) this.fit()
  }

  zoom(by) {
    this.cy.zoom({ level: this.cy.zoom() * by, renderedPosition: { x: this.cy.width() / 2, y: this.cy.height() / 2 } })
  }

  /** Where a point of the window lies in the drawing. */
  at({ clientX, clientY }) {
    const box = this.container.getBoundingClientRect(), pan = this.cy.pan(), zoom = this.cy.zoom()
    return { x: Math.round((clientX - box.left - pan.x) / zoom), y: Math.round((clientY - box.top - pan.y) / zoom) }
  }

  get middle() {
    const { x1, y1, w, h } = this.cy.extent()
    return { x: Math.round(x1 + w / 2), y: Math.round(y1 + h / 2) }
  }

  /** The node or network under a point of the drawing. */
  under({ x, y }, beside = 10) {
    return this.drawn.filter(node => {
      const at = node.position()
      return Math.abs(at.x - x) <= node.width() / 2 + beside && Math.abs(at.y - y) <= node.height() / 2 + beside
    })[0] ?? null
  }

  restyle() {
    this.colours = palette()
    this.cy.style(sheet(this.colours))
    this.container.dispatchEvent(new Event("recoloured"))
  }

  /** Large drawings are painted with one pixel for each of the screen's, and without edges while the view moves. */
  quicken(nodes) {
    const renderer = this.cy.renderer(), large = nodes >= LARGE
    if (!renderer) return
    renderer.hideEdgesOnViewport = large
    renderer.textureOnViewport = large
    renderer.forcedPixelRatio = large ? 1 : undefined
    this.cy.resize()
  }
}
