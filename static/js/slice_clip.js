// Copy and paste, within a drawing and between two; the system's clipboard carries it as the own document.
import { page } from "./slice_api.js"
import { merge, part } from "./slice_model.js"
import { notice } from "./shell.js"

const STORE = "olimpus-slice-clip"
const ASIDE = 60
let pasted = 0

export function copyChosen(canvas) {
  const found = part(canvas.store.model, canvas.chosen)
  if (!found.nodes.length) return false
  pasted = 0
  try { sessionStorage.setItem(STORE, JSON.stringify(found)) } catch { /* storage is off: the clipboard has it */ }
  navigator.clipboard?.writeText(JSON.stringify({ olimpus: "slice/1", ...found }, null, 2)).catch(() => {})
  return true
}

export async function paste(canvas) {
  const found = await copied()
  if (!found) return notice(page.wordPasted)
  pasted += 1
  const [model, keys] = merge(canvas.store.model, found, { x: ASIDE * pasted, y: ASIDE * pasted })
  canvas.store.edit(model)
  canvas.choose(keys)
}

/** What was copied: in this tab, else whatever document the clipboard holds. */
async function copied() {
  const here = (() => { try { return sessionStorage.getItem(STORE) } catch { return null } })()
  const text = here ?? await navigator.clipboard?.readText().catch(() => "")
  try {
    const found = JSON.parse(text)
    return Array.isArray(found?.nodes) ? found : null
  } catch { return null }
}
