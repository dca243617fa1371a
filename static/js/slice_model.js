// A slice as data that is never changed in place: each edit makes another one, so undoing is going back to the one before.
// Nodes and links are known by keys of their own, so that renaming one moves nothing.
const OWN = ["name", "role", "group", "apart", "critical", "x", "y"]
const OF_LINK = ["name", "ends", "cidr", "x", "y"]
const OF_END = ["node", "ip", "name"]

let last = 0
const fresh = kind => `${kind}${last += 1}`
const rest = (found, known) => Object.fromEntries(Object.entries(found).filter(([name]) => !known.includes(name)))
const filled = found => Object.fromEntries(Object.entries(found).filter(([, value]) => value !== undefined && value !== "" && value !== null && value !== false))

export const EMPTY = { head: {}, nodes: [], links: [] }

/** The own document (`olimpus: slice/1`) as a drawing. */
export function read(document) {
  const nodes = (document.nodes ?? []).map(nodeOf)
  const keys = new Map(nodes.map(node => [node.name, node.key]))
  const links = [
    ...(document.links ?? []).map(link => linkOf(link, keys, false)),
    ...(document.networks ?? []).map(link => linkOf(link, keys, true)),
  ]
  return { head: rest(document, ["nodes", "links", "networks"]), nodes, links }
}

function nodeOf(found) {
  const { name, role = "", group = "", apart = "", critical = false, x = null, y = null } = found
  return { key: fresh("n"), name, role, group, apart, critical: Boolean(critical), x, y, definition: rest(found, OWN) }
}

function linkOf(found, keys, shared) {
  const link = Array.isArray(found) ? { ends: found } : found
  const ends = (link.ends ?? []).map(end => endOf(end, keys)).filter(end => end.node)
  const names = (link.ends ?? []).map(end => end.node ?? end)
  return { key: fresh("l"), name: link.name || names.join("-"), shared, cidr: link.cidr ?? "", ends, options: optionsOf(link), x: link.x ?? null, y: link.y ?? null }
}

/** What else a network says; documents call its `type` `network_type` as well. */
function optionsOf(link) {
  const { network_type: type, ...options } = rest(link, OF_LINK)
  return type ? { ...options, type } : options
}

function endOf(end, keys) {
  const { node, ip = "", name = "" } = typeof end === "string" ? { node: end } : end
  return { node: keys.get(node), ip, name, card: typeof end === "string" ? {} : rest(end, OF_END) }
}

/** The own document of a drawing; what is default is left out. */
export function write({ head, nodes, links }) {
  const names = new Map(nodes.map(node => [node.key, node.name]))
  const told = links.map(link => [link, {
    name: link.name,
    ends: link.ends.map(end => writtenEnd(end, names)),
    ...filled({ cidr: link.cidr, ...(link.shared && { x: link.x, y: link.y }) }),
    ...link.options,
  }])
  return {
    ...head,
    nodes: nodes.map(({ key: _key, definition, name, ...own }) => ({ name, ...filled(own), ...definition })),
    links: told.filter(([link]) => !link.shared).map(([, found]) => found),
    networks: told.filter(([link]) => link.shared).map(([, found]) => found),
  }
}

function writtenEnd({ node, ip, name, card }, names) {
  const more = { ...filled({ ip, name }), ...card }
  return Object.keys(more).length ? { node: names.get(node), ...more } : names.get(node)
}

// -- asking

export const find = (model, key) => model.nodes.find(node => node.key === key) ?? model.links.find(link => link.key === key)
export const isNode = key => key.startsWith("n")
/** Its ends without those of gateways, which only lead it to another hypervisor. */
const talking = ({ ends }) => ends.filter(end => !end.card.bridge)
export const linksOf = (model, key) => model.links.filter(link => link.ends.some(end => end.node === key))
const between = (model, one, other) => model.links.find(link => !link.shared && link.ends.some(end => end.node === one) && link.ends.some(end => end.node === other))

/** A name that nobody has yet: the wanted one, or the next number after it. */
export function unused(wanted, taken) {
  if (!taken.has(wanted)) return wanted
  const stem = wanted.replace(/\d+$/, "") || `${wanted}-`
  for (let number = Number(/\d+$/.exec(wanted)?.[0] ?? 1) + 1; ; number += 1) if (!taken.has(stem + number)) return stem + number
}

const namesOf = rows => new Set(rows.map(row => row.name))

// -- editing

/** Another node; returns the drawing and its key. */
export function addNode(model, { name, ...fields }) {
  const node = { ...nodeOf({ ...fields, name: unused(name, namesOf(model.nodes)) }) }
  return [{ ...model, nodes: [...model.nodes, node] }, node.key]
}

/** Another shared network, which has no nodes yet. */
export function addNetwork(model, name, place = {}) {
  const link = { key: fresh("l"), name: unused(name, namesOf(model.links)), shared: true, cidr: "", ends: [], options: {}, x: null, y: null, ...place }
  return [{ ...model, links: [...model.links, link] }, link.key]
}

/** Some fields of one node or link. Links that are called after a node, and have no addresses yet, follow its new name. */
export function change(model, key, changes) {
  const swap = rows => rows.map(row => row.key === key ? { ...row, ...changes } : row)
  if (!isNode(key)) return { ...model, links: swap(model.links) }
  const next = { ...model, nodes: swap(model.nodes) }
  return "name" in changes ? { ...next, links: renamedLinks(model, next, key) } : next
}

function renamedLinks(before, after, key) {
  const called = ({ nodes }, { ends }) => ends.map(end => nodes.find(node => node.key === end.node).name).join("-")
  return before.links.map(link => {
    const follows = !link.shared && !link.cidr && link.ends.some(end => end.node === key) && link.name === called(before, link)
    return follows ? { ...link, name: called(after, link) } : link
  })
}

/** The same fields of many nodes. */
export function changeAll(model, keys, changes) {
  const wanted = new Set(keys)
  return { ...model, nodes: model.nodes.map(node => wanted.has(node.key) ? { ...node, ...changes } : node) }
}

/** Where nodes and shared networks lie: Map of key → {x, y}. */
export function place(model, places) {
  const put = row => {
    const at = places.get(row.key)
    return at ? { ...row, x: Math.round(at.x), y: Math.round(at.y) } : row
  }
  return { ...model, nodes: model.nodes.map(put), links: model.links.map(put) }
}

/** What has no place of its own where something of its name lies in another drawing. */
export function inTheirPlaces(model, other) {
  const put = rows => {
    const known = new Map(rows.filter(row => row.x !== null).map(({ name, x, y }) => [name, { x, y }]))
    return row => row.x === null && known.has(row.name) ? { ...row, ...known.get(row.name) } : row
  }
  return { ...model, nodes: model.nodes.map(put(other.nodes)), links: model.links.map(put(other.links)) }
}

/** Without these nodes and links; links lose the ends of what goes, point-to-point links go with them. */
export function remove(model, keys) {
  const gone = new Set(keys)
  const links = model.links.filter(link => !gone.has(link.key)).flatMap(link => {
    const ends = link.ends.filter(end => !gone.has(end.node))
    if (ends.length === link.ends.length) return [link]
    return link.shared || talking({ ends }).length === 2 ? [{ ...link, ends }] : []
  })
  return { ...model, nodes: model.nodes.filter(node => !gone.has(node.key)), links }
}

/** Hang `one` and `other` together: two nodes by a link, a node and a shared network by a card. Null when they do already. */
export function connect(model, one, other) {
  if (one === other) return null
  if (isNode(one) && isNode(other)) return between(model, one, other) ? null : link(model, [one, other], false)
  if (!isNode(one) && !isNode(other)) return null
  const [node, network] = isNode(one) ? [one, other] : [other, one]
  const found = find(model, network)
  if (!found.shared || found.ends.some(end => end.node === node)) return null
  return change(model, network, { ends: [...found.ends, newEnd(node)] })
}

/** A new link of these nodes. */
export function link(model, keys, shared) {
  const names = new Map(model.nodes.map(node => [node.key, node.name]))
  const name = shared ? "net1" : keys.map(key => names.get(key)).join("-")
  const made = { key: fresh("l"), name: unused(name, namesOf(model.links)), shared, cidr: "", ends: keys.map(newEnd), options: {}, x: null, y: null }
  return { ...model, links: [...model.links, made] }
}

const newEnd = node => ({ node, ip: "", name: "", card: {} })

/** All of another document, moved by {x, y}, under names that are free; returns the drawing and the new keys.
    With `at`, the key of a node, both are joined there: the document's first node becomes that one. */
export function merge(model, document, { x = 0, y = 0, at = null } = {}) {
  const added = read(document), fresh = at ? added.nodes.slice(1) : added.nodes
  const taken = { nodes: namesOf(model.nodes), links: namesOf(model.links) }
  const free = (name, kind) => { const found = unused(name, taken[kind]); taken[kind].add(found); return found }
  const moved = row => row.x === null ? {} : { x: row.x + x, y: row.y + y }
  const nodes = [...model.nodes, ...fresh.map(node => ({ ...node, name: free(node.name, "nodes"), ...moved(node) }))]
  const before = new Map(added.nodes.map(node => [node.key, node.name])), now = new Map(nodes.map(node => [node.key, node.name]))
  const ended = ends => ends.map(end => now.has(end.node) ? end : { ...end, node: at })
  const links = added.links.map(found => {
    const own = found.name === found.ends.map(end => before.get(end.node)).join("-"), ends = ended(found.ends)
    const name = own ? ends.map(end => now.get(end.node)).join("-") : found.name
    return { ...(model.links.length ? bare({ ...found, ends }) : { ...found, ends }), name: free(name, "links"), ...moved(found) }
  })
  const head = model.nodes.length ? model.head : { ...added.head, ...rest(model.head, ["defaults"]), defaults: { ...added.head.defaults, ...model.head.defaults } }
  return [{ head, nodes, links: [...model.links, ...links] }, [...fresh, ...links.filter(found => found.shared)].map(row => row.key)]
}

/** These nodes, and the links that lie between them alone, as a document without addresses: for copying. */
export function part(model, keys) {
  const nodes = model.nodes.filter(node => keys.includes(node.key))
  const inside = new Set(nodes.map(node => node.key))
  const links = model.links.filter(found => talking(found).length > 1 && talking(found).every(end => inside.has(end.node)))
  return write({ head: {}, nodes, links: links.map(bare) })
}

/** A link without its addresses and gateways: others of the drawing may have them. */
const bare = found => ({ ...found, cidr: "", ends: talking(found).map(end => newEnd(end.node)) })
