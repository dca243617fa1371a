// The palette: machines, networks and topologies, dragged onto the drawing or pressed. What is offered here is the server's.
import { all, ask, page, sentence } from "./slice_api.js"
import { fields, kindIcon, nested, tell, values } from "./slice_fields.js"
import { addNetwork, addNode, merge, read } from "./slice_model.js"
import { settle } from "./slice_elements.js"
import { away } from "./slice_join.js"
import { layOut } from "./slice_layout.js"

const FAR = 6 // pixels from which on a press is a drag
const GAP = 110 // between what is there and what comes beside it

export class Palette {
  constructor(place, canvas, dialog) {
    Object.assign(this, { place, canvas, dialog, kinds: new Map(), ghost: null })
    place.addEventListener("pointerdown", event => this.press(event))
    place.addEventListener("click", event => { if (event.detail === 0 || !this.dragged) this.add(event.target.closest("[data-add]")) })
    dialog.querySelector("form").addEventListener("submit", event => { event.preventDefault(); this.generate() })
    this.load()
  }

  async load() {
    const [topologies, words] = await Promise.all([ask(all("topologies")), ask(page.vocabulary)])
    if (topologies.ok) this.showKinds(topologies.told)
    if (words.ok) this.showNames(words.told)
  }

  showKinds(kinds) {
    for (const kind of kinds) if (!nested(kind.schema)) this.kinds.set(kind.name, kind)
    this.place.querySelector("[data-topologies]").replaceChildren(...[...this.kinds].map(([name, { title }]) => item({ add: "topology", kind: name }, title, kindIcon(name))))
  }

  showNames({ names = {}, schema = {} }) {
    const put = (where, found, role) => {
      const part = this.place.querySelector(where)
      part.hidden = !found?.length
      part.querySelector("[data-items]").replaceChildren(...(found ?? []).map(name => item({ add: "node", [role]: name, name: "vm1" }, name, role === "image" ? "photo" : "box")))
    }
    put("[data-prototypes]", names.prototype, "prototype")
    put("[data-images]", names.image, "image")
    const places = [...names.host ?? [], ...names.availability_zone ?? []]
    const known = { ...names, place: places, role: ["host", "router", "switch", "server", "firewall", "client"], parameter: Object.keys(schema.properties ?? {}) }
    for (const [name, values] of Object.entries(known)) offer(name, values)
  }

  // -- dragging

  press(event) {
    const source = event.target.closest("[data-add]")
    this.dragged = false
    if (!source || event.button > 0 || source.disabled) return
    const start = { x: event.clientX, y: event.clientY }
    const move = moved => {
      if (!this.ghost && Math.hypot(moved.clientX - start.x, moved.clientY - start.y) < FAR) return
      if (!this.ghost) this.lift(source)
      this.ghost.style.setProperty("translate", `${moved.clientX - 20}px ${moved.clientY - 20}px`)
    }
    const end = ended => {
      removeEventListener("pointermove", move)
      removeEventListener("pointerup", end)
      removeEventListener("pointercancel", end)
      if (this.ghost) this.drop(source, ended)
    }
    addEventListener("pointermove", move)
    addEventListener("pointerup", end)
    addEventListener("pointercancel", end)
  }

  lift(source) {
    this.dragged = true
    this.ghost = source.cloneNode(true)
    this.ghost.classList.add("slice-ghost")
    this.ghost.setAttribute("aria-hidden", "true")
    document.body.append(this.ghost)
  }

  drop(source, event) {
    this.ghost.remove()
    this.ghost = null
    const box = this.canvas.container.getBoundingClientRect()
    const inside = event.type === "pointerup" && event.clientX > box.left && event.clientX < box.right && event.clientY > box.top && event.clientY < box.bottom
    if (inside) this.add(source, this.canvas.at(event))
  }

  // -- adding

  /** Where it was dropped; pressed: in the middle, a topology beside all there is. */
  add(source, at = null) {
    if (!source || source.disabled) return
    const { add, name, role, image, prototype, kind } = source.dataset
    if (add === "topology") return this.askFor(kind, at)
    const { store } = this.canvas
    const free = this.free(at ?? this.canvas.middle)
    const [model, key] = add === "network" ? addNetwork(store.model, page.wordNetwork + "1", free) : addNode(store.model, { name, role, ...(image && { image }), ...(prototype && { prototype }), ...free })
    store.edit(model)
    this.canvas.choose([key])
  }

  /** Beside what is there already, not on it. */
  free({ x, y }) {
    const at = { x, y }
    while (this.canvas.under(at, 30)) { at.x += 90; if (at.x > x + 450) { at.x = x; at.y += 90 } }
    return at
  }

  askFor(name, at) {
    const kind = this.kinds.get(name)
    const { title, schema } = kind, join = this.joinAt(at)
    this.wanted = { name, at, join }
    const slot = part => this.dialog.querySelector(`[data-slot=${part}]`)
    slot("title").textContent = title
    slot("text").textContent = schema.description ?? ""
    slot("error").hidden = true
    this.dialog.querySelector("[data-fields]").replaceChildren(...fields(schema))
    this.dialog.querySelector("[data-join]").hidden = !join
    slot("join").textContent = join ? page.wordJoin.replace("{name}", join.name) : ""
    this.dialog.querySelector("[name=join]").checked = Boolean(join && at)
    this.dialog.showModal()
  }

  /** The machine that it was dropped on, or the only one that is chosen: there it can be joined. */
  joinAt(at) {
    const { model } = this.canvas.store, chosen = this.canvas.chosen
    const key = at ? this.canvas.under(at)?.id() : chosen.length === 1 ? chosen[0] : ""
    return model.nodes.find(node => node.key === key)
  }

  async generate() {
    const { name, at, join } = this.wanted
    const parameters = values(this.dialog.querySelector("[data-fields]"))
    const { ok, told } = await ask(all("generate"), { method: "POST", body: { kind: name, ...parameters } })
    const error = this.dialog.querySelector("[data-slot=error]")
    const left = tell(this.dialog.querySelector("form"), ok ? [] : told.errors?.length ? told.errors : [told])
    error.hidden = !left.length
    error.textContent = left.map(sentence).join(" ")
    if (!ok) return
    this.dialog.close()
    const joined = join && this.dialog.querySelector("[name=join]").checked
    this.insert(told.document ?? told, joined ? null : at, joined ? join : null)
  }

  insert(document, at, join = null) {
    const { store } = this.canvas
    const empty = store.model.nodes.length === 0
    const [model, keys] = join ? merge(store.model, away(document, join, this.canvas.drawn.boundingBox()), { at: join.key }) : merge(store.model, document, empty ? {} : this.beside(document, at))
    store.edit(model)
    this.canvas.choose(keys)
    if (settle(read(document))) layOut(this.canvas, "force")
    if (empty) this.canvas.choose([])
    if (empty || !at) this.canvas.fit()
  }

  /** How far to move a document so that its middle comes to a point, or that it lies right of everything. */
  beside({ nodes }, at) {
    const xs = nodes.map(node => node.x ?? 0), ys = nodes.map(node => node.y ?? 0)
    const left = Math.min(...xs), middle = (Math.min(...ys) + Math.max(...ys)) / 2
    if (at) return { x: at.x - (left + Math.max(...xs)) / 2, y: at.y - middle }
    const all = this.canvas.drawn.boundingBox()
    return { x: Math.round(all.x2 + GAP - left), y: Math.round((all.y1 + all.y2) / 2 - middle) }
  }
}

function item(data, text, image) {
  const button = document.createElement("button")
  Object.assign(button, { type: "button", className: "slice-item", title: text })
  Object.assign(button.dataset, data)
  button.innerHTML = `<svg class="icon" aria-hidden="true"><use href="${page.sprite}#${image}"/></svg> `
  const word = document.createElement("span")
  word.textContent = text
  button.append(word)
  return button
}

function offer(name, found) {
  const list = document.getElementById(`known-${name}`)
  list?.replaceChildren(...(found ?? []).map(value => Object.assign(document.createElement("option"), { value })))
}
