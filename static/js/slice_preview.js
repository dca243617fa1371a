// A small picture of a drawing: `data-preview` holds {nodes: [[x, y]…], networks: how many of the last of them are shared
// networks, links: [[from, to]…]}, or a document is given.
const SVG = "http://www.w3.org/2000/svg"
const WIDTH = 200, HEIGHT = 120, MARGIN = 12

function shape(name, attributes) {
  const made = document.createElementNS(SVG, name)
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value)
  return made
}

/** Dots, empty tiles for shared networks, and lines, in a frame of 200 × 120. */
export function draw(place, { nodes, networks, links }) {
  const xs = nodes.map(([x]) => x), ys = nodes.map(([, y]) => y)
  const left = Math.min(...xs), top = Math.min(...ys)
  const scale = Math.min((WIDTH - 2 * MARGIN) / Math.max(1, Math.max(...xs) - left), (HEIGHT - 2 * MARGIN) / Math.max(1, Math.max(...ys) - top), 0.7)
  const aside = (WIDTH - (Math.max(...xs) - left) * scale) / 2, above = (HEIGHT - (Math.max(...ys) - top) * scale) / 2
  const put = ([x, y]) => [Math.round(aside + (x - left) * scale), Math.round(above + (y - top) * scale)]
  const radius = nodes.length > 200 ? 1.5 : nodes.length > 40 ? 3 : 5
  const lines = links.map(([from, to]) => { const [x1, y1] = put(nodes[from]), [x2, y2] = put(nodes[to]); return shape("line", { x1, y1, x2, y2 }) })
  const dots = nodes.map((node, at) => at < nodes.length - networks ? dot(put(node), radius) : tile(put(node), radius))
  const picture = shape("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, class: "slice-picture", "aria-hidden": "true" })
  if (nodes.length) picture.append(...lines, ...dots)
  place.replaceChildren(picture)
}

const dot = ([cx, cy], r) => shape("circle", { cx, cy, r })
const tile = ([x, y], r) => shape("rect", { x: x - 1.2 * r, y: y - 0.8 * r, width: 2.4 * r, height: 1.6 * r, rx: r / 3 })

/** What a document looks like; shared networks that have no place are in the middle of their nodes. */
export function outline({ nodes = [], links = [], networks = [] }) {
  const places = nodes.map((node, at) => [node.x ?? 110 * (at % 8), node.y ?? 110 * Math.floor(at / 8)])
  const index = new Map(nodes.map((node, at) => [node.name, at]))
  const ends = link => (Array.isArray(link) ? link : link.ends ?? []).filter(end => !end.bridge).map(end => index.get(end.node ?? end)).filter(at => at !== undefined)
  const lines = links.map(ends).filter(pair => pair.length === 2)
  for (const network of networks) {
    const inside = ends(network)
    if (!inside.length) continue
    const mean = axis => inside.reduce((sum, at) => sum + places[at][axis], 0) / inside.length
    const at = places.push([network.x ?? mean(0), network.y ?? mean(1)]) - 1
    lines.push(...inside.map(node => [at, node]))
  }
  return { nodes: places, networks: places.length - nodes.length, links: lines }
}

for (const place of document.querySelectorAll("[data-preview]")) draw(place, JSON.parse(place.dataset.preview))
