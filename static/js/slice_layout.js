// Automatic layouts, and aligning by hand: each is one edit that can be undone.
import { settle } from "./slice_elements.js"
import { inTheirPlaces, place } from "./slice_model.js"

const GAP = 110
const OPTIONS = {
  circle: nodes => ({ name: "circle", radius: Math.max(120, nodes.length * GAP / 6.3), startAngle: -Math.PI / 2 }),
  grid: nodes => ({ name: "grid", avoidOverlapPadding: GAP - 50, condense: true, cols: Math.ceil(Math.sqrt(nodes.length)) }),
  layered: (_nodes, roots) => ({ name: "breadthfirst", directed: false, spacingFactor: 1.25, roots, grid: false }),
  force: nodes => ({ name: "cose", randomize: nodes.length < 400, nodeRepulsion: () => 90000, idealEdgeLength: () => GAP, numIter: nodes.length > 200 ? 250 : 700, gravity: 0.4, nodeOverlap: 20, componentSpacing: 120 }),
  concentric: () => ({ name: "concentric", concentric: node => node.degree(), levelWidth: nodes => Math.max(1, nodes.maxDegree() / 4), minNodeSpacing: 60 }),
}

/** Show a drawing that was loaded: nodes without a place stay where one of their name was drawn until now, or are laid out.
 * Nobody has changed anything by that: the places are saved with the next edit. */
export function show(canvas, model) {
  canvas.store.load(inTheirPlaces(model, canvas.store.model))
  if (settle(canvas.store.model)) layOut(canvas, "force", found => canvas.store.load(found))
}

/** Lay out what is chosen (two nodes or more), or everything; `take` is given the drawing that comes of it. */
export function layOut(canvas, name, take = found => canvas.store.edit(found)) {
  const chosen = canvas.drawn.filter(":selected")
  const nodes = chosen.length > 1 ? chosen : canvas.drawn
  if (nodes.empty()) return
  const before = nodes.boundingBox()
  const roots = nodes.filter(node => /rout|core|spine/i.test(node.data("role") ?? "") || node.data("critical"))
  const eles = nodes.union(nodes.edgesWith(nodes))
  const layout = eles.layout({ ...OPTIONS[name](nodes, roots.nonempty() ? roots : undefined), animate: false, fit: false, boundingBox: name === "grid" ? box(nodes) : undefined })
  layout.run()
  const after = nodes.boundingBox()
  const shift = chosen.length > 1 ? { x: (before.x1 + before.x2 - after.x1 - after.x2) / 2, y: (before.y1 + before.y2 - after.y1 - after.y2) / 2 } : { x: 0, y: 0 }
  take(placed(canvas, nodes, at => ({ x: at.x + shift.x, y: at.y + shift.y })))
  if (nodes.length === canvas.drawn.length) canvas.fit()
}

function box(nodes) {
  const side = Math.ceil(Math.sqrt(nodes.length)) * GAP
  return { x1: -side / 2, y1: -side / 2, w: side, h: side }
}

function keep(canvas, nodes, at) { canvas.store.edit(placed(canvas, nodes, at)) }

const placed = (canvas, nodes, at) => place(canvas.store.model, new Map(nodes.map(node => [node.id(), at(node.position())])))

const EDGE = {
  left: nodes => ["x", Math.min(...nodes.map(node => node.position("x")))],
  right: nodes => ["x", Math.max(...nodes.map(node => node.position("x")))],
  centre: nodes => ["x", mean(nodes, "x")],
  top: nodes => ["y", Math.min(...nodes.map(node => node.position("y")))],
  bottom: nodes => ["y", Math.max(...nodes.map(node => node.position("y")))],
  middle: nodes => ["y", mean(nodes, "y")],
}
const mean = (nodes, axis) => nodes.map(node => node.position(axis)).reduce((sum, one) => sum + one, 0) / nodes.length

/** Put what is chosen in one line: left, centre, right, top, middle, bottom. */
export function align(canvas, edge) {
  const nodes = canvas.drawn.filter(":selected")
  if (nodes.length < 2) return
  const [axis, value] = EDGE[edge](nodes)
  keep(canvas, nodes, at => ({ ...at, [axis]: value }))
}

/** The same distance between all that is chosen, along an axis. */
export function distribute(canvas, axis) {
  const nodes = canvas.drawn.filter(":selected").sort((one, other) => one.position(axis) - other.position(axis))
  if (nodes.length < 3) return
  const first = nodes[0].position(axis), step = (nodes[nodes.length - 1].position(axis) - first) / (nodes.length - 1)
  const rank = new Map(nodes.map((node, at) => [node.id(), at]))
  canvas.store.edit(place(canvas.store.model, new Map(nodes.map(node => [node.id(), { ...node.position(), [axis]: first + step * rank.get(node.id()) }]))))
}

/** Move what is chosen a little. */
export function nudge(canvas, x, y) {
  const nodes = canvas.drawn.filter(":selected")
  if (nodes.nonempty()) keep(canvas, nodes, at => ({ x: at.x + x, y: at.y + y }))
  return nodes.nonempty()
}
