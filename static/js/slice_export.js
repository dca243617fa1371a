// The drawing as a picture: PNG by Cytoscape, SVG written here, both of all that is drawn and in its colours.
import { roleIcon, strokes } from "./slice_icons.js"
import { stateColour, tileColour } from "./slice_style.js"

const ESCAPES = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" }
const escaped = text => String(text).replace(/[&<>"]/g, sign => ESCAPES[sign])
const MARGIN = 30

export function download(blob, name) {
  const link = Object.assign(document.createElement("a"), { href: URL.createObjectURL(blob), download: name })
  link.click()
  setTimeout(() => URL.revokeObjectURL(link.href), 10000)
}

export async function png(canvas, name) {
  const most = 8000 / Math.max(1, ...Object.values(canvas.cy.elements().boundingBox()).map(Math.abs))
  const blob = await canvas.cy.png({ output: "blob-promise", full: true, scale: Math.min(2, Math.max(0.5, most)), bg: canvas.colours.ground })
  download(blob, `${name}.png`)
}

export function svg(canvas, name) {
  download(new Blob([drawn(canvas)], { type: "image/svg+xml" }), `${name}.svg`)
}

/** The whole drawing as SVG. */
export function drawn(canvas) {
  const { cy, colours } = canvas
  const { x1, y1, w, h } = cy.elements().boundingBox()
  const box = [x1 - MARGIN, y1 - MARGIN, w + 2 * MARGIN, h + 2 * MARGIN].map(Math.round)
  const parts = [...cy.nodes(".group").map(node => group(node, colours)), ...cy.edges().map(edge => line(edge, colours)), ...cy.nodes().not(".group").map(node => vertex(node, colours))]
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="${box.join(" ")}" width="${box[2]}" height="${box[3]}" font-family="sans-serif" font-size="12">
<rect x="${box[0]}" y="${box[1]}" width="${box[2]}" height="${box[3]}" fill="${colours.ground}"/>
${parts.join("\n")}
</svg>
`
}

function line(edge, colours) {
  const from = edge.source().position(), to = edge.target().position()
  const stroke = edge.hasClass("card") ? colours.accent : colours.quiet
  const label = edge.data("label") ? text(edge.data("label"), (from.x + to.x) / 2, (from.y + to.y) / 2 - 4, colours.quiet, 9) : ""
  return `<line x1="${round(from.x)}" y1="${round(from.y)}" x2="${round(to.x)}" y2="${round(to.y)}" stroke="${stroke}" stroke-width="1.75"/>${label}`
}

function vertex(node, colours) {
  const { x, y } = node.position(), w = node.width(), h = node.height(), data = node.data()
  const net = node.hasClass("net"), fill = net ? colours["accent-soft"] : tileColour(data, colours)
  const border = net ? colours.accent : data.state ? stateColour(data.state, colours) : colours.slate
  const icon = net ? "" : `<g transform="translate(${round(x - 12)} ${round(y - 12)})">${strokes(roleIcon(data.role), data.colour ? "#fff" : colours.text)}</g>`
  const lines = String(data.label).split("\n").map((part, at) => text(part, x, y + h / 2 + 16 + 14 * at, colours.text, 12)).join("")
  return `<g><title>${escaped([data.label, data.state, data.why].filter(Boolean).join(" · "))}</title><rect x="${round(x - w / 2)}" y="${round(y - h / 2)}" width="${w}" height="${h}" rx="8" fill="${fill}" stroke="${border}" stroke-width="2"/>${icon}${lines}</g>`
}

function group(node, colours) {
  const { x1, y1, w, h } = node.boundingBox({ includeLabels: false })
  return `<rect x="${round(x1)}" y="${round(y1)}" width="${round(w)}" height="${round(h)}" rx="8" fill="none" stroke="${colours.quiet}" stroke-dasharray="4 3"/>${text(node.data("label"), x1 + w / 2, y1 - 5, colours.quiet, 12)}`
}

const text = (words, x, y, colour, size) => `<text x="${round(x)}" y="${round(y)}" text-anchor="middle" fill="${colour}" font-size="${size}">${escaped(words)}</text>`
const round = value => Math.round(value * 10) / 10
