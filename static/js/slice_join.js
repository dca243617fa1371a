// Where a topology is drawn that is joined at a machine: outside of the drawing, on the side that the machine is nearest to.
const GAP = 110

/** The document with places of its own: in rows away from the machine, by how many links they are from it. */
export function away(document, { x, y }, all) {
  const side = sideOf(all, x, y), rows = rowsOf(document)
  return { ...document, nodes: rows ? inRows(document, rows, side) : moved(document, side) }
}

/** The nearest edge of the box: the axis that leads outwards (`out`), which way, from where; and the place on the other axis. */
function sideOf({ x1, x2, y1, y2 }, x, y) {
  const sides = [
    { far: x2 - x, out: "x", way: 1, edge: x2, across: y }, { far: x - x1, out: "x", way: -1, edge: x1, across: y },
    { far: y2 - y, out: "y", way: 1, edge: y2, across: x }, { far: y - y1, out: "y", way: -1, edge: y1, across: x },
  ]
  return sides.sort((one, other) => one.far - other.far)[0]
}

const endsOf = link => (Array.isArray(link) ? link : link.ends).map(end => end.node ?? end)

/** Names by their distance from the first node, which is left out; null where a link would lie within a row. */
function rowsOf({ nodes, links = [], networks = [] }) {
  if (networks.length) return null
  const pairs = links.map(endsOf), depth = new Map([[nodes[0].name, 0]])
  for (const name of depth.keys()) {
    for (const pair of pairs.filter(pair => pair.includes(name))) {
      for (const other of pair) if (!depth.has(other)) depth.set(other, depth.get(name) + 1)
    }
  }
  if (depth.size < nodes.length || pairs.some(([one, other]) => depth.get(one) === depth.get(other))) return null
  const rows = []
  for (const [name, at] of depth) if (at) (rows[at - 1] ??= []).push(name)
  return rows
}

function inRows({ nodes }, rows, { out, way, edge, across }) {
  const other = out === "x" ? "y" : "x", places = new Map()
  rows.forEach((names, row) => names.forEach((name, at) => places.set(name, {
    [out]: Math.round(edge + way * GAP * (row + 0.75)), [other]: Math.round(across + (at - (names.length - 1) / 2) * GAP),
  })))
  return nodes.map(node => ({ ...node, ...places.get(node.name) }))
}

/** As it is drawn, beside the edge. */
function moved({ nodes: [first, ...nodes] }, { out, way, edge, across }) {
  const other = out === "x" ? "y" : "x", of = axis => nodes.map(node => node[axis] ?? 0)
  const near = way > 0 ? Math.min(...of(out)) : Math.max(...of(out)), middle = (Math.min(...of(other)) + Math.max(...of(other))) / 2
  const put = node => ({ ...node, [out]: Math.round((node[out] ?? 0) - near + edge + way * GAP), [other]: Math.round((node[other] ?? 0) - middle + across) })
  return [first, ...nodes.map(put)]
}
