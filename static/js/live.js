// The live feed: one WebSocket a page. Events come at least once and possibly late; they are de-duplicated by id and
// applied in order of id per node, and `settled` (everything up to it has arrived) is where a reconnection resumes.
import { REFRESH, refresh, refreshRow } from "./fragments.js"
import { heard, showNode } from "./nodes.js"
import { notice } from "./shell.js"

const FIRST_WAIT = 1, LONGEST_WAIT = 30 // seconds
const SIGNED_OUT = 4401, NOT_ALLOWED = 4403 // why the server closed the socket
const REMEMBERED = 5000 // ids kept to tell repeated events

const words = document.getElementById("words")?.dataset ?? {}
const bar = document.querySelector(".connection")

export class Feed {
  constructor(address, paths, since) {
    this.address = address
    this.paths = paths
    this.since = since
    this.seen = new Set()
    this.latest = new Map() // node → id of the newest event shown
    this.wait = FIRST_WAIT
  }

  open() {
    this.socket = new WebSocket(this.address)
    this.socket.onopen = () => this.subscribe()
    this.socket.onmessage = message => this.take(JSON.parse(message.data))
    this.socket.onclose = event => this.end(event.code)
  }

  subscribe() {
    this.socket.send(JSON.stringify({ subscribe: this.paths, since: this.since }))
    this.wait = FIRST_WAIT
    bar.hidden = true
  }

  take({ events = [], settled, resync, closed }) {
    for (const event of events.sort((a, b) => a.id - b.id)) this.apply(event)
    if (settled !== undefined && settled !== null) this.since = Math.max(settled, this.since ?? 0)
    if (resync) refreshAll()
    if (closed) notice(words.closed.replace("{path}", closed.join(", ")))
    document.documentElement.dataset.feed = "live"
  }

  apply(event) {
    if (this.seen.has(event.id)) return
    this.seen.add(event.id)
    if (this.seen.size > REMEMBERED) this.seen.delete(this.seen.values().next().value)
    if (event.node && (this.latest.get(event.node) ?? 0) < event.id) {
      this.latest.set(event.node, event.id)
      show(event)
    }
    if (event.operation) showStatus(event.operation, event.error?.message)
    document.dispatchEvent(new CustomEvent("olimpus:event", { detail: event }))
    if (CHANGES_TREE.test(event.verb)) offerReload()
    for (const place of document.querySelectorAll("[data-refresh]")) refresh(place)
  }

  end(code) {
    if (code === SIGNED_OUT) location.reload() // which leads to the sign-in page
    else if (code !== NOT_ALLOWED) this.retry()
  }

  retry() {
    document.documentElement.dataset.feed = "lost"
    const pause = this.wait * (0.75 + Math.random() / 2)
    this.wait = Math.min(this.wait * 2, LONGEST_WAIT)
    countdown(Math.ceil(pause), () => this.open())
  }
}

const CHANGES_TREE = /^(folder|descriptor)\.(create|move|rename|delete|copy)|^definition\.edit/

function countdown(seconds, then) {
  bar.hidden = false
  bar.textContent = seconds > 0 ? bar.dataset.lost.replace("{seconds}", seconds) : bar.dataset.trying
  if (seconds <= 0) return then()
  setTimeout(() => countdown(seconds - 1, then), 1000)
}

const OPEN = new Set(["queued", "running"])

function show(event) {
  const { node, state, operation, error, verb } = event
  if (operation) heard(operation.id)
  const busy = operation && !operation.progress ? (OPEN.has(operation.status) ? words.busy : "") : undefined
  const drifted = verb.startsWith("vm.drift") ? verb === "vm.drift" : undefined
  showNode(node, { state, busy, since: state ? event.at : undefined, reason: error?.message, drifted })
  if (operation && !OPEN.has(operation.status)) refreshRow(node)
  for (const panel of document.querySelectorAll(`[data-panel="${node}"]`)) refresh(panel)
}

/** The status of an operation wherever it is shown; a folder's counts are the server's, as its children end. */
function showStatus({ id, status, parent }, said) {
  for (const place of document.querySelectorAll(`[data-operation="${id}"]`)) {
    place.dataset.status = status
    for (const element of place.querySelectorAll("[data-status-of]")) element.hidden = element.dataset.statusOf !== status
    for (const element of place.querySelectorAll("[data-slot=said]")) element.textContent = said ?? ""
  }
  for (const line of document.querySelectorAll(`[data-line="${parent ?? id}"]`)) refresh(line)
  document.dispatchEvent(new Event("olimpus:operation"))
}

function refreshAll() {
  location.reload()
}

function offerReload() {
  const offer = document.getElementById("changed")
  if (offer) offer.hidden = false
}

export function connect() {
  const address = document.querySelector("meta[name=feed]")?.content
  const paths = [...new Set([...document.querySelectorAll("[data-feed]")].map(element => element.dataset.feed))]
  if (!address || !paths.length) return
  const cursor = document.querySelector("meta[name=feed-cursor]")?.content
  const scheme = location.protocol === "https:" ? "wss" : "ws"
  const feed = new Feed(`${scheme}://${location.host}${address}`, paths, cursor ? Number(cursor) : null)
  feed.open()
  addEventListener("pagehide", () => { feed.socket.onclose = null; feed.socket.close() })
  addEventListener("pageshow", event => { if (event.persisted) location.reload() })
}
