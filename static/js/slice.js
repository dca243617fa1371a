// The page of a slice: loads it, and joins the parts that draw, save, plan and watch it.
import { ask, of, page, sentence } from "./slice_api.js"
import { Canvas } from "./slice_canvas.js"
import { Connecting } from "./slice_connect.js"
import { Deeds } from "./slice_deeds.js"
import { Details } from "./slice_details.js"
import { Faults } from "./slice_faults.js"
import { loadIcons } from "./slice_icons.js"
import { listen } from "./slice_keys.js"
import { show } from "./slice_layout.js"
import { List } from "./slice_list.js"
import { Live } from "./slice_live.js"
import { SmallMap } from "./slice_map.js"
import { read } from "./slice_model.js"
import { Palette } from "./slice_palette.js"
import { Panel } from "./slice_panel.js"
import { Plan } from "./slice_plan.js"
import { Saving, notice } from "./slice_save.js"
import { Store } from "./slice_store.js"
import { Together } from "./slice_together.js"

const one = name => document.querySelector(`[data-${name}]`)
const editable = page.may.includes("edit")

const store = new Store()
await loadIcons()
const canvas = new Canvas(one("canvas"), store, { editable })
const notices = one("notices"), drawer = one("drawer"), panelPlace = one("panel-of-slice")
const saving = new Saving(store, { said: one("saved"), notices, editable })
const faults = new Faults(canvas, { list: one("fault-list"), none: one("no-faults"), count: document.querySelector("[data-count-of=faults]") })
const panel = new Panel(panelPlace, canvas, faults, { editable })
const plan = new Plan(document.querySelector("[data-pane=plan]"), canvas, { saving, faults, legend: one("legend"), tip: one("tip") })
const live = new Live(canvas, { status: one("status"), progress: one("progress") })
new Details(panel, live, panelPlace)
new List(panelPlace, canvas)
new SmallMap(one("map"), canvas)
const deeds = new Deeds({ canvas, store, saving, plan, live, faults, notices, drawer, side: panel, ask: one("ask-dialog") })
if (editable) new Connecting(canvas, one("handle"))
const palette = editable ? new Palette(one("palette-of-slice"), canvas, one("topology-dialog")) : null
deeds.palette = palette
listen(canvas, name => deeds.run(name), { editable })

live.addEventListener("fewer", () => { if (!saving.dirty) deeds.again() }) // what was undone is gone now
saving.addEventListener("theirs", async ({ detail }) => { await deeds.again(); if (detail) saving.offerMine(detail) })
saving.addEventListener("faults", ({ detail }) => { if (detail.length || faults.faults.length) faults.set(detail) })
store.addEventListener("change", () => {
  one("empty").hidden = store.model.nodes.length + store.model.links.length > 0
  document.querySelector("[data-do=undo-edit]").disabled = !store.past.length
  document.querySelector("[data-do=redo-edit]").disabled = !store.future.length
})
canvas.cy.on("dbltap", "node", event => { const id = live.of(event.target.data("label"))?.id; if (id) open(page.machine.replace("{id}", id), "_blank", "noopener") })
canvas.cy.on("taphold", "node", event => event.target.select()) // a long press adds to what is chosen
canvas.cy.on("tap select", () => deeds.showChosen())

const { ok, told } = await ask(of())
if (ok) {
  saving.take(told)
  show(canvas, read(told.draft?.document ?? told.document))
  deeds.allow(told.can)
  faults.set(saving.faults)
  if (!editable) one("saved").textContent = page.wordReadOnly
  await live.read()
} else notices.replaceChildren(notice(sentence(told), [], "danger"))
new Together(one("together")).addEventListener("saved", ({ detail }) => saving.heard(detail))
document.documentElement.dataset.slice = "ready"
Object.assign(canvas.container, { drawing: canvas }) // for tests and measurements: what is painted has no elements
