// The draft is kept as one draws. Whoever finds that somebody else saved first is told who and when, and chooses.
import { ask, of, page, sentence } from "./slice_api.js"
import { read, write } from "./slice_model.js"
import { age } from "./shell.js"

const PAUSE = 900 // ms without an edit before the draft is saved

export class Saving extends EventTarget {
  constructor(store, { said, notices }) {
    super()
    Object.assign(this, { store, said, notices, version: 0, timer: 0, dirty: false, running: null, stuck: false, faults: [] })
    store.addEventListener("change", ({ detail }) => { if (detail.why === "edit") this.later() })
    addEventListener("beforeunload", event => { if (this.dirty) event.preventDefault() })
    document.addEventListener("visibilitychange", () => { if (document.hidden && this.dirty) this.now() })
  }

  take({ version, faults }) {
    this.version = version ?? this.version
    this.faults = faults ?? []
  }

  later() {
    this.dirty = true
    clearTimeout(this.timer)
    if (this.stuck) return
    this.say(page.wordUnsaved)
    this.timer = setTimeout(() => this.now(), PAUSE)
  }

  /** Save what is drawn; whether the server has it. One at a time: a later edit is saved after the one on its way. */
  async now() {
    clearTimeout(this.timer)
    while (this.running) await this.running
    if (!this.dirty) return true
    if (this.stuck) return false
    this.running = this.send()
    const saved = await this.running
    this.running = null
    return saved
  }

  async send() {
    this.dirty = false
    this.say(page.wordSaving)
    const { ok, status, told } = await ask(of(), { method: "PATCH", body: { document: write(this.store.model), version: this.version } })
    if (ok) return this.saved(told)
    this.dirty = true
    if (status === 409) this.conflict(told)
    else this.refused(told)
    return false
  }

  saved(told) {
    this.take(told)
    this.say(page.wordSaved)
    this.faults = told.faults ?? []
    this.dispatchEvent(new CustomEvent("faults", { detail: this.faults }))
    return true
  }

  refused(told) {
    this.say(`${page.wordNotSaved}: ${sentence(told)}`)
    this.dispatchEvent(new CustomEvent("faults", { detail: told.errors?.length ? told.errors : [{ where: told.where ?? "", message: told.message, hint: told.hint }] }))
  }

  // -- two people

  /** Somebody else saved, as the feed tells: said at once when there is something of ours that would be refused. */
  conflict(told) {
    this.stuck = true
    this.say(page.wordNotSaved)
    const { by, at } = told.errors?.[0] ?? {}
    const text = page.wordConflict.replace("{who}", by || page.wordSomebody).replace("{when}", at ? age(at) : "")
    this.notices.replaceChildren(notice(text, [[page.wordTheirs, () => this.showTheirs()], [page.wordMine, () => this.keepMine()]]))
  }

  async showTheirs() {
    const { ok, told } = await ask(of())
    if (!ok) return this.refused(told)
    Object.assign(this, { stuck: false, dirty: false })
    this.take(told)
    this.notices.replaceChildren()
    this.store.load(read(told.draft?.document ?? told.document))
    this.say(page.wordSaved)
  }

  async keepMine() {
    const document = write(this.store.model)
    const folder = page.path.replace(/\/[^/]*$/, "") || "/"
    const name = page.wordCopy.replace("{name}", page.path.split("/").pop())
    const { ok, told } = await ask(page.api, { method: "POST", body: { ...document, name, folder } })
    if (!ok) return this.refused(told)
    this.dirty = false
    location.assign(page.editor.replace("/0/", `/${(told.slice ?? told).id}/`))
  }

  say(text) { this.said.textContent = text }
}

/** A notice with buttons that say what they do. */
export function notice(text, choices = [], level = "warning") {
  const place = document.createElement("div")
  place.className = `notice notice-${level}`
  place.setAttribute("role", "alert")
  const words = document.createElement("div")
  words.textContent = text
  place.append(words, ...choices.map(([label, then]) => {
    const button = document.createElement("button")
    Object.assign(button, { type: "button", className: "btn btn-sm", textContent: label })
    button.addEventListener("click", then)
    return button
  }))
  return place
}

