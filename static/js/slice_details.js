// Of the chosen node: how it is, its addresses and ways in, and its computed definition with the origin of each value.
import { ask, page } from "./slice_api.js"
import { errorOf } from "./slice_live.js"

export class Details {
  constructor(panel, live, place) {
    Object.assign(this, { panel, live, place, node: null })
    this.form = place.querySelector("form[data-for=node]")
    this.computed = this.form.querySelector("[data-computed-of]")
    panel.addEventListener("chosen", ({ detail }) => { this.node = detail?.definition ? detail : null; this.show() })
    live.addEventListener("read", () => this.show())
    this.computed.addEventListener("toggle", () => this.compute())
  }

  show() {
    if (!this.node) return
    const told = this.live.of(this.node.name), place = this.form.querySelector("[data-live-of-node]")
    place.hidden = !told?.id
    const badge = told?.id && document.getElementById(`state-${told.state}`)?.content.firstElementChild.cloneNode(true)
    this.form.querySelector("[data-slot=state]").replaceChildren(...(badge ? [badge] : []))
    if (told?.id) place.replaceChildren(...this.parts(told))
    if (told?.state === "running" && !told.stage) this.measure(told)
    if (this.computed.open) this.compute()
  }

  /** What its hypervisor measures now, while it runs and somebody looks. */
  async measure(told) {
    const place = this.form.querySelector("[data-metrics]")
    const { ok, told: found } = await ask(`${page.nodes}/${told.id}/metrics`)
    if (!ok || !place?.isConnected) return
    const { cpu_percent: cpu, memory_percent: memory } = found.metrics ?? {}
    place.replaceChildren(...[[page.wordCpu, cpu], [page.wordMemory, memory]].filter(([, value]) => value !== undefined).map(([word, value]) => meter(word, value)))
  }

  parts(told) {
    const trouble = errorOf(told)
    const links = element("div", "slice-links", [
      ...(told.state === "provisioned" ? [] : [anchor(page.machine.replace("{id}", told.id), page.wordConsole, "btn btn-sm btn-primary", true)]),
      anchor(page.tree.replace("{path}", told.path), page.wordPage, "btn btn-sm"),
      ...(told.state === "failed" ? [button(page.wordRetry, "btn btn-sm", { do: "resume", with: told.name })] : []),
    ])
    return [
      ...(trouble ? [element("p", "field-error", [trouble])] : []),
      ...(told.stage && !trouble ? [element("p", "text-secondary", [page.wordStage.replace("{verb}", told.stage.verb).replace("{attempts}", told.stage.attempts)])] : []),
      links,
      ...(told.hypervisor ? [element("p", "text-secondary", [[told.hypervisor, told.host].filter(Boolean).join(" · ")])] : []),
      marked("div", "slice-meters", "metrics"),
      ...(told.ips?.length ? [element("p", "", told.ips.map(ip => copyable(ip)))] : []),
      ...(told.ways?.length ? [element("h3", "", [page.wordWays]), ...told.ways.map(way => copyable(way.command || [way.address, way.port].filter(Boolean).join(":")))] : []),
    ]
  }

  async compute() {
    if (!this.computed.open || !this.node) return
    const { node } = this, told = this.live.of(node.name)
    const { ok, told: found } = await ask(`${page.nodes}/${told?.id ?? page.id}/definition`)
    if (!ok || node !== this.node) return
    const rows = told?.id ? rowsOf(found) : [...rowsOf(found).filter(([name]) => !(name in node.definition) && name !== "slice"), ...Object.entries(node.definition).map(([name, value]) => [name, value, ""])]
    this.form.querySelector("[data-slot=computed]").replaceChildren(this.table(rows.sort(([one], [other]) => one.localeCompare(other)), found.path))
  }

  table(rows, path) {
    const head = element("thead", "", [element("tr", "", [page.wordParameter, page.wordValue, page.wordSetIn].map(text => Object.assign(element("th", "", [text]), { scope: "col" })))])
    const body = element("tbody", "", rows.map(([name, value, origin]) => element("tr", "", [
      Object.assign(element("th", "", [name]), { scope: "row" }),
      element("td", "", [typeof value === "object" ? element("pre", "value", [JSON.stringify(value, null, 1)]) : String(value)]),
      element("td", "origin", [!origin || origin === path && !this.inherited(origin) ? page.wordHere : anchor(`${page.tree.replace("{path}", origin)}?tab=definition`, origin, "path")]),
    ])))
    return element("table", "table computed-table slice-computed", [head, body])
  }

  inherited(origin) { return origin === page.path }
}

function rowsOf({ computed, origins = {} }) {
  const originOf = name => { const found = origins[name]; return typeof found === "string" ? found : found?.path ?? "" }
  return Object.entries(computed ?? {}).map(([name, value]) => [name, value, originOf(name)])
}

function element(kind, className, children) {
  const made = Object.assign(document.createElement(kind), { className })
  made.append(...children)
  return made
}

function anchor(href, text, className, fresh = false) {
  return Object.assign(document.createElement("a"), { href, textContent: text, className, ...(fresh && { target: "_blank", rel: "noopener" }) })
}

function button(text, className, data) {
  const made = Object.assign(document.createElement("button"), { type: "button", textContent: text, className })
  Object.assign(made.dataset, data)
  return made
}

function marked(kind, className, name) {
  const made = element(kind, className, [])
  made.dataset[name] = ""
  return made
}

function meter(word, value) {
  const bar = Object.assign(document.createElement("progress"), { max: 100, value })
  return element("label", "", [word, bar, `${Math.round(value)} %`])
}

/** Press it to copy it, as addresses everywhere. */
function copyable(text) {
  const made = button(text, "slice-copy code", { copy: text })
  made.title = page.wordCopyIt
  return made
}
