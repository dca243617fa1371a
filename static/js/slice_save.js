// The draft is kept as one draws. Whoever finds that somebody else saved first is told who and when, and chooses.
import { ask, of, page, sentence } from "./slice_api.js"
import { write } from "./slice_model.js"
import { age } from "./shell.js"

const PAUSE = 900 // ms without an edit before the draft is saved

export class Saving extends EventTarget {
  constructor(store, { said, notices, editable }) {
    super()
    Object.assign(this, { store, said, notices, editable, behind: null, version: 0, timer: 0, dirty: false, running: null, stuck: false, faults: [] })
    store.addEventListener("change", ({ detail }) => { if (detail.why === "edit") this.later() })
    addEventListener("beforeunload", event => { if (this.dirty) event.preventDefault() })
    document.addEventListener("visibilitychange", () => { if (document.hidden && this.dirty) this.now() })
  }

  take({ version, faults }) {
    this.version = version ?? this.version
    this.behind = null
    this.faults = faults ?? []
  }

  later() {
    this.dirty = true
    clearTimeout(this.timer)
    if (this.stuck) return
    if (this.behind) return this.conflict()
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
    if (status !== 409) this.refused(told)
    else {
      this.behind = told.errors?.[0] ?? {}
      this.conflict()
    }
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

  /** Somebody has saved or deployed, as the server tells. Ours is not written over it, and stays until one has chosen. */
  async heard({ version, by, at, elsewhere }) {
    await this.running
    if (version <= this.version || (by === page.me && !elsewhere)) return
    const known = this.behind?.by === by
    this.behind = { by, at }
    if (!this.editable) this.showTheirs()
    else if (this.dirty) this.conflict()
    else if (!known) this.tell("TheyHave", [["Theirs", () => this.showTheirs()]], "info")
  }

  /** What is drawn here and what they saved differ: nothing more is sent until somebody has chosen. */
  conflict() {
    clearTimeout(this.timer)
    this.say(page.wordNotSaved)
    if (!this.stuck) this.tell("Conflict", [["Theirs", () => this.showTheirs()], ["Mine", () => this.keepMine(write(this.store.model))]])
    this.stuck = true
  }

  /** What is said, and by which buttons: in other words to who has saved it himself, in another window. */
  tell(text, choices, level) {
    const { by, at } = this.behind, own = by === page.me ? "Own" : ""
    const word = name => page[`word${name}${own}`] ?? page[`word${name}`]
    const told = word(text).replace("{who}", by || page.wordSomebody).replace("{when}", at ? age(at) : "")
    this.notices.replaceChildren(notice(told, choices.map(([name, then]) => [word(name), then]), level))
  }

  /** Theirs is shown; what was drawn here can still be kept as a copy. */
  showTheirs() {
    const mine = this.stuck ? write(this.store.model) : null
    Object.assign(this, { stuck: false, dirty: false, behind: null })
    this.say("")
    this.dispatchEvent(new CustomEvent("theirs", { detail: mine }))
  }

  offerMine(mine) {
    this.notices.replaceChildren(notice(page.wordMineIsKept, [[page.wordMine, () => this.keepMine(mine)], [page.wordForget, () => this.notices.replaceChildren()]], "info"))
  }

  async keepMine(document) {
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

