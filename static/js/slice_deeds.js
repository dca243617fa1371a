// What buttons and keys do. Each has a name: `data-do` on a button.
import { ask, of, page, sentence } from "./slice_api.js"
import { copyChosen, paste } from "./slice_clip.js"
import { connectChosen } from "./slice_connect.js"
import { png, svg, download } from "./slice_export.js"
import { align, distribute, layOut, show } from "./slice_layout.js"
import { addNode, changeAll, isNode, read, remove, unused } from "./slice_model.js"
import { notice } from "./slice_save.js"
import { openKeys } from "./keys.js"

const root = document.getElementById("slice")
const SHEET = 0.4 // of the drawing's height that details from below leave free
const narrow = matchMedia("(max-width: 960px)")

export class Deeds {
  constructor(parts) {
    Object.assign(this, parts)
    document.addEventListener("click", event => this.clicked(event))
    for (const dialog of document.querySelectorAll("dialog.slice-dialog")) dialog.querySelector("[data-dialog-close-own]").addEventListener("click", () => dialog.close())
    this.sayPressed()
    narrow.addEventListener("change", () => this.sayPressed())
    if (!page.may.includes("edit")) this.lock()
  }

  clicked(event) {
    const button = event.target.closest("[data-do]"), tab = event.target.closest("[data-tab]")
    if (tab) this.tab(tab.dataset.tab)
    if (button && !button.disabled && button.dataset.do !== "parameter") this.run(button.dataset.do, button.dataset.with, button)
  }

  run(name, what) {
    const deed = this[`do_${name.replaceAll("-", "_")}`]
    if (!deed || (!page.may.includes("edit") && EDITS.has(name))) return
    deed.call(this, what)
  }

  lock() {
    for (const button of document.querySelectorAll("[data-edits]")) button.hidden = true
    root.classList.add("no-palette")
  }

  /** Show what the server says that one may do now. */
  allow(verbs) {
    this.live.verbs = this.plan.verbs = verbs
    for (const button of document.querySelectorAll("[data-needs]")) if (button.dataset.needs !== "deploy") button.hidden = !verbs.includes(button.dataset.needs)
  }

  // -- drawing
  do_undo_edit() { this.store.undo() }
  do_redo_edit() { this.store.redo() }
  do_connect() { connectChosen(this.canvas) }
  do_remove() { this.store.edit(this.canvas.chosen.length ? remove(this.store.model, this.canvas.chosen) : null) }
  do_layout(name) { layOut(this.canvas, name) }
  do_align(edge) { align(this.canvas, edge) }
  do_distribute(axis) { distribute(this.canvas, axis) }
  do_select_all() { this.canvas.cy.elements().not(".group").select() }
  do_none() { this.canvas.choose([]) }
  do_copy() { copyChosen(this.canvas) }
  do_cut() { if (copyChosen(this.canvas)) this.do_remove() }
  do_paste() { paste(this.canvas) }
  do_duplicate() { if (copyChosen(this.canvas)) paste(this.canvas) }
  do_new() {
    const [model, key] = addNode(this.store.model, { name: "h1", role: "host", ...this.palette.free(this.canvas.middle) })
    this.store.edit(model)
    this.canvas.choose([key])
  }
  do_group() {
    const keys = this.canvas.chosen.filter(isNode)
    if (!keys.length) return
    const taken = new Set(this.store.model.nodes.map(node => node.group))
    this.store.edit(changeAll(this.store.model, keys, { group: unused(`${page.wordGroup}1`, taken) }))
  }
  do_ungroup() { this.store.edit(changeAll(this.store.model, this.canvas.chosen.filter(isNode), { group: "" })) }
  do_save() { this.saving.now() }

  // -- looking
  do_zoom_in() { this.canvas.zoom(1.25) }
  do_zoom_out() { this.canvas.zoom(0.8) }
  do_fit() { this.canvas.fit() }
  do_minimap() { const map = root.querySelector("[data-map]"); map.hidden = !map.hidden; this.canvas.cy.emit("viewport") }
  do_full() { if (document.fullscreenElement) document.exitFullscreen(); else root.requestFullscreen() }
  do_keys() { openKeys() }
  do_png() { png(this.canvas, page.path.split("/").pop()) }
  do_svg() { svg(this.canvas, page.path.split("/").pop()) }
  do_palette() { this.toggle("palette") }
  do_panel() { this.toggle("panel") }
  do_search() { this.canvas.choose([]); this.showPanel(true); this.side.show(); root.querySelector("[data-search]").focus() }
  do_drawer() { this.canvas.withOtherRoom(() => { this.drawer.hidden = true }) }

  /** Wide screens show palette and panel until they are put away; narrow ones when they are asked for. */
  toggle(name) {
    this.canvas.withOtherRoom(() => root.classList.toggle(narrow.matches ? `with-${name}` : `no-${name}`))
    this.sayPressed()
  }

  sayPressed() {
    for (const name of ["palette", "panel"]) {
      const on = narrow.matches ? root.classList.contains(`with-${name}`) : !root.classList.contains(`no-${name}`)
      root.querySelector(`.slice-tools [data-do=${name}]`).setAttribute("aria-pressed", String(on))
    }
  }

  showPanel(on) {
    root.classList.toggle("with-panel", on)
    if (on) root.classList.remove("no-panel")
    this.sayPressed()
  }

  /** On narrow screens the details come from below over the drawing; what was chosen stays in sight. */
  showChosen() {
    if (!narrow.matches) return
    const chosen = this.canvas.cy.$(":selected")
    this.showPanel(chosen.nonempty())
    this.canvas.bringIntoView(chosen, SHEET)
  }

  tab(name) {
    for (const tab of this.drawer.querySelectorAll("[data-tab]")) tab.setAttribute("aria-selected", String(tab.dataset.tab === name))
    for (const pane of this.drawer.querySelectorAll("[data-pane]")) pane.hidden = pane.dataset.pane !== name
    if (this.drawer.hidden) this.canvas.withOtherRoom(() => { this.drawer.hidden = false })
  }

  // -- deploying
  async do_plan() {
    if (this.saving.behind && !this.saving.dirty) await this.again() // the plan is of what is saved
    this.tab("plan")
    await this.plan.make()
    if (this.faults.faults.length) this.tab("faults")
  }

  async do_deploy() {
    const told = await this.post("deploy", { digest: this.plan.plan?.digest })
    if (!told) return
    this.plan.plan = null
    this.plan.clear()
    this.do_drawer()
    await this.again()
    if (!told.deployment) this.saving.say(page.wordNothingToDo)
  }

  /** Go on with what failed: all of it, or one node. */
  async do_resume(node) { if (await this.post("resume", node ? { nodes: [node] } : {})) await this.again() }

  async do_undo() {
    if (await this.sure("undo") && await this.post("undo", {})) await this.again()
  }

  async do_teardown() {
    if (!await this.sure("teardown")) return
    const { ok, told } = await ask(of(), { method: "DELETE" })
    if (!ok) return this.refused(told)
    this.live.addEventListener("gone", () => location.assign(page.list), { once: true })
    await this.live.read()
  }

  async post(part, body) {
    if (!await this.saving.now()) return null
    const { ok, told } = await ask(of(part), { method: "POST", body })
    if (ok) return told
    this.refused(told)
    return null
  }

  refused(told) { this.notices.replaceChildren(notice(sentence(told), [], "danger")) }

  /** The tree has changed: the slice as it is now, without losing what is chosen. */
  async again() {
    this.notices.replaceChildren()
    const { ok, told } = await ask(of())
    if (ok) {
      const names = this.canvas.chosen.map(key => this.store.model.nodes.find(node => node.key === key)?.name)
      this.saving.take(told)
      this.faults.set(this.saving.faults)
      const view = { zoom: this.canvas.cy.zoom(), pan: { ...this.canvas.cy.pan() } }
      show(this.canvas, read(told.draft?.document ?? told.document))
      this.canvas.cy.viewport(view)
      this.canvas.choose(this.store.model.nodes.filter(node => names.includes(node.name)).map(node => node.key))
      this.allow(told.can ?? [])
    }
    await this.live.read()
    this.live.soon()
  }

  sure(what) {
    const dialog = this.ask, key = `word${what[0].toUpperCase()}${what.slice(1)}`
    const put = (slot, text) => { dialog.querySelector(`[data-slot=${slot}]`).textContent = text.replace("{name}", page.path.split("/").pop()).replace("{n}", this.store.model.nodes.length) }
    put("title", page[key]); put("text", page[`${key}Text`]); put("yes", page[`${key}Yes`])
    dialog.returnValue = ""
    dialog.showModal()
    return new Promise(resolve => dialog.addEventListener("close", () => resolve(dialog.returnValue === "yes"), { once: true }))
  }

  // -- for others

  /** Offer it to those who make a new slice, or no longer. */
  async do_template() {
    const address = `${page.nodes}/${page.id}/definition`
    const { ok, told } = await ask(address)
    if (!ok) return this.refused(told)
    const { template, ...slice } = told.local.slice
    const answer = await ask(address, { method: "PATCH", body: { slice: template ? slice : { ...slice, template: true } } })
    if (!answer.ok) return this.refused(answer.told)
    for (const words of root.querySelectorAll("[data-do=template] span")) words.hidden = !words.hidden
    this.saving.say(template ? "" : page.wordTemplate)
  }

  async do_export(format) {
    if (!await this.saving.now()) return
    const answer = await fetch(`${of("export")}?format=${format}`)
    if (!answer.ok) return this.refused(await answer.json().catch(() => ({ message: page.wordRefused.replace("{status}", answer.status) })))
    const named = /filename="?([^";]+)/.exec(answer.headers.get("Content-Disposition") ?? "")?.[1]
    download(await answer.blob(), named ?? `${page.path.split("/").pop()}.${format}`)
  }
}

const EDITS = new Set(["undo-edit", "redo-edit", "connect", "remove", "layout", "align", "distribute", "cut", "paste", "duplicate", "new", "group", "ungroup", "save", "plan", "deploy", "resume", "undo", "teardown", "template"])
