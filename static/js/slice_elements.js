// What Cytoscape is given for a drawing: nodes, shared networks as vertices of their own, links, groups. Pure but for sizes.
// A link that gateways lead from one hypervisor to another has more than two ends: it is drawn as a shared network is.

export const groupKey = name => `g:${name}`
export const parentOf = node => node.group ? groupKey(node.group) : undefined

/** Map of id → element. Edges of a shared network have ids of their own and the network's key. */
export function elementsOf(model) {
  const found = new Map()
  for (const name of new Set(model.nodes.map(node => node.group).filter(Boolean))) {
    found.set(groupKey(name), { group: "nodes", classes: "group", data: { id: groupKey(name), label: name } })
  }
  for (const node of model.nodes) found.set(node.key, nodeElement(node))
  const pairs = new Map()
  for (const link of model.links) {
    const edges = link.shared || link.ends.length > 2 ? sharedElements(link, model) : wire(link, pairs)
    for (const element of edges) found.set(element.data.id, element)
  }
  return found
}

function nodeElement({ key, name, role, critical, group, x, y }) {
  return { group: "nodes", data: { id: key, label: name, role, critical, parent: parentOf({ group }) }, position: { x: x ?? 0, y: y ?? 0 } }
}

function wire({ key, name, cidr, ends }, pairs) {
  if (ends.length !== 2) return []
  const pair = ends.map(end => end.node).sort().join(" ")
  const several = pairs.has(pair)
  pairs.set(pair, key)
  return [{ group: "edges", classes: several ? "wire several" : "wire", data: { id: key, key, source: ends[0].node, target: ends[1].node, label: cidr || "", name } }]
}

function sharedElements({ key, name, cidr, ends, x, y }, model) {
  const vertex = { group: "nodes", classes: "net", data: { id: key, label: cidr ? `${name}\n${cidr}` : name }, position: x == null ? middleOf(ends, model) : { x, y } }
  return [vertex, ...ends.map(end => ({ group: "edges", classes: "card", data: { id: `${key}~${end.node}`, key, source: end.node, target: key } }))]
}

function middleOf(ends, model) {
  const nodes = model.nodes.filter(node => ends.some(end => end.node === node.key))
  if (!nodes.length) return { x: 0, y: 0 }
  const sum = axis => nodes.reduce((total, node) => total + (node[axis] ?? 0), 0) / nodes.length
  const near = nodes.some(node => Math.hypot((node.x ?? 0) - sum("x"), (node.y ?? 0) - sum("y")) < 40)
  return { x: Math.round(sum("x")), y: Math.round(sum("y")) + (near ? 90 : 0) }
}

/** Whether nobody has said where the nodes lie: then a layout must. */
export const settle = model => model.nodes.length > 0 && model.nodes.filter(node => node.x === null).length > model.nodes.length / 2
