// The small map: everything as dots, and what is seen now as a frame that can be dragged.
/** Where nodes lie, at the cost of reading their places alone. */
function extent(nodes) {
  const found = { x1: Infinity, y1: Infinity, x2: -Infinity, y2: -Infinity }
  nodes.forEach(node => {
    const { x, y } = node.position()
    Object.assign(found, { x1: Math.min(found.x1, x), y1: Math.min(found.y1, y), x2: Math.max(found.x2, x), y2: Math.max(found.y2, y) })
  })
  return found
}

export class SmallMap {
  constructor(element, canvas) {
    Object.assign(this, { element, canvas, waiting: 0 })
    this.paint2d = element.getContext("2d")
    canvas.cy.on("viewport position add remove data resize", () => this.soon())
    canvas.container.addEventListener("recoloured", () => this.soon())
    for (const type of ["pointerdown", "pointermove"]) element.addEventListener(type, event => this.drag(event))
  }

  soon() { if (!this.element.hidden) this.waiting ||= setTimeout(() => { this.waiting = 0; this.paint() }, 120) }

  paint() {
    const { cy, colours } = this.canvas, { width, height } = this.element, pen = this.paint2d
    pen.clearRect(0, 0, width, height)
    if (cy.nodes().empty()) return
    const all = extent(cy.nodes()), seen = cy.extent()
    const x1 = Math.min(all.x1, seen.x1), y1 = Math.min(all.y1, seen.y1)
    const w = Math.max(all.x2, seen.x2) - x1, h = Math.max(all.y2, seen.y2) - y1
    const scale = Math.min((width - 8) / w, (height - 8) / h)
    this.frame = { x1, y1, scale, left: (width - w * scale) / 2, top: (height - h * scale) / 2 }
    const put = ({ x, y }) => [this.frame.left + (x - x1) * scale, this.frame.top + (y - y1) * scale]
    for (const node of cy.nodes()) this.dot(node, put(node.position()), colours)
    pen.strokeStyle = colours.accent
    pen.lineWidth = 1.5
    pen.strokeRect(...put({ x: seen.x1, y: seen.y1 }), seen.w * scale, seen.h * scale)
  }

  dot(node, [x, y], colours) {
    if (node.hasClass("group")) return
    this.paint2d.fillStyle = node.selected() ? colours.accent : node.data("colour") ?? { running: colours.ok, failed: colours.danger }[node.data("state")] ?? colours.slate
    this.paint2d.fillRect(x - 1.5, y - 1.5, 3, 3)
  }

  drag(event) {
    if (!event.buttons || !this.frame) return
    event.preventDefault()
    this.element.setPointerCapture(event.pointerId)
    const box = this.element.getBoundingClientRect(), { x1, y1, scale, left, top } = this.frame, { cy } = this.canvas
    const x = ((event.clientX - box.left) * this.element.width / box.width - left) / scale + x1
    const y = ((event.clientY - box.top) * this.element.height / box.height - top) / scale + y1
    cy.pan({ x: cy.width() / 2 - x * cy.zoom(), y: cy.height() / 2 - y * cy.zoom() })
  }
}
