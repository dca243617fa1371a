// After deployment: what every node is doing, from the page's live feed, on the drawing, in the panel and as one line.
import { ask, of, page, sentence } from "./slice_api.js"

const PAUSE = 1000 // ms between two readings of the status, however many events arrive

export class Live extends EventTarget {
  constructor(canvas, { status, progress }) {
    super()
    Object.assign(this, { canvas, status, progress, nodes: new Map(), ids: new Map(), verbs: [], timer: 0 })
    document.addEventListener("olimpus:event", ({ detail }) => this.hear(detail))
    canvas.store.addEventListener("change", () => this.paint())
  }

  /** One event: the node's state is shown at once, the rest is asked for soon. */
  hear({ node, state }) {
    const name = this.ids.get(node)
    if (name && state) {
      this.nodes.set(name, { ...this.nodes.get(name), state })
      this.paint()
    }
    this.soon()
  }

  soon() { this.timer ||= setTimeout(() => { this.timer = 0; this.read() }, PAUSE) }

  async read() {
    const { ok, status, told } = await ask(of("status"))
    if (status === 404) this.dispatchEvent(new Event("gone"))
    if (!ok) return
    const gone = [...this.nodes.keys()].some(name => !(told.nodes ?? []).some(node => node.name === name))
    this.nodes = new Map((told.nodes ?? []).map(node => [node.name, node]))
    this.ids = new Map((told.nodes ?? []).filter(node => node.id).map(node => [node.id, node.name]))
    this.paint()
    this.line(told)
    this.dispatchEvent(new Event("read"))
    if (gone) this.dispatchEvent(new Event("fewer"))
  }

  paint() {
    const news = new Map()
    for (const { key, name } of this.canvas.store.model.nodes) {
      const node = this.nodes.get(name)
      const next = { state: node?.state, trouble: errorOf(node) || undefined }
      const known = this.canvas.marks.get(key)
      if (known?.state !== next.state || known?.trouble !== next.trouble) news.set(key, next)
    }
    if (news.size) this.canvas.mark(news)
  }

  line({ status, progress = {} }) {
    const { total = 0, running = 0, failed = 0, busy = 0 } = progress
    this.status.textContent = page[`wordStatus${camel(status)}`] ?? status
    this.status.dataset.status = status
    this.progress.hidden = !["deploying", "tearing_down", "degraded", "failed"].includes(status)
    Object.assign(this.progress.querySelector("progress"), { max: Math.max(1, total), value: running })
    this.progress.querySelector("[data-slot=said]").textContent = [page.wordDeploying.replace("{done}", running).replace("{total}", total), failed ? page.wordFailed.replace("{n}", failed) : ""].filter(Boolean).join(" · ")
    this.progress.querySelector("[data-do=resume]").hidden = !failed || busy > 0 || !this.verbs.includes("deploy")
    this.progress.classList.toggle("failed", failed > 0)
    if (busy) this.soon()
  }

  of(name) { return this.nodes.get(name) }
}

const camel = word => word.split("_").map(part => part[0].toUpperCase() + part.slice(1)).join("")

export function errorOf(node) {
  const error = node?.error
  return !error ? "" : typeof error === "string" ? error : sentence(error)
}
