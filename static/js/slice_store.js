// The drawing and its past: each edit can be undone and done again. Tells `change` with what was before and what is now.
import { EMPTY } from "./slice_model.js"

const MOST = 200 // edits that are remembered

export class Store extends EventTarget {
  constructor() {
    super()
    Object.assign(this, { model: EMPTY, past: [], future: [] })
  }

  /** Show this drawing, from which nothing can be undone: it was loaded. */
  load(model) {
    Object.assign(this, { past: [], future: [] })
    this.become(model, "load")
  }

  /** One edit; nothing happens when it changes nothing. */
  edit(model) {
    if (!model || model === this.model) return false
    this.past = [...this.past, this.model].slice(-MOST)
    this.future = []
    this.become(model, "edit")
    return true
  }

  undo() { this.step("past", "future") }
  redo() { this.step("future", "past") }

  step(from, to) {
    const model = this[from].pop()
    if (!model) return
    this[to].push(this.model)
    this.become(model, "edit")
  }

  become(model, why) {
    const before = this.model
    this.model = model
    this.dispatchEvent(new CustomEvent("change", { detail: { before, model, why } }))
  }
}
