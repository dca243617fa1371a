// The keyboard on the drawing. Single letters work while the drawing has the focus, or nothing else has it.
import { lettersAreKeys, typing } from "./shell.js"
import { nudge } from "./slice_layout.js"

const WITH_CTRL = { z: "undo-edit", y: "redo-edit", a: "select-all", c: "copy", v: "paste", x: "cut", d: "duplicate", g: "group", f: "search", s: "save" }
const ALONE = { Delete: "remove", Backspace: "remove", "+": "zoom-in", "=": "zoom-in", "-": "zoom-out", "0": "fit", Escape: "none" }
const LETTERS = { l: "connect", n: "new", p: "plan", f: "full" }
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }
const STEP = 10, LONG_STEP = 50

export function listen(canvas, run, { editable }) {
  document.addEventListener("keydown", event => {
    const elsewhere = typing(event.target) || document.querySelector("dialog[open]") || event.altKey
    const ctrl = event.ctrlKey || event.metaKey
    if (ctrl && event.key.toLowerCase() === "s") { event.preventDefault(); return run("save") }
    if (elsewhere) return
    const key = event.key.length === 1 ? event.key.toLowerCase() : event.key
    const name = ctrl ? (key === "z" && event.shiftKey ? "redo-edit" : WITH_CTRL[key]) : ALONE[key] ?? (lettersAreKeys() ? LETTERS[key] : undefined)
    if (name && !(key === "c" && getSelection().toString())) { event.preventDefault(); return run(name) }
    if (ARROWS[key] && editable && canvas.container.contains(document.activeElement)) move(canvas, key, event)
  })
}

function move(canvas, key, event) {
  const step = event.shiftKey ? LONG_STEP : STEP
  if (nudge(canvas, ...ARROWS[key].map(way => way * step))) event.preventDefault()
}
