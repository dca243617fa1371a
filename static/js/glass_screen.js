// A screen by noVNC. Keys go as they lie on the keyboard (QEMU's extended key events), so the guest's layout decides what
// they write; when a layout is chosen here, or no key was pressed (a phone, a paste), characters are typed on that layout.
import KeyTable from "../vendor/novnc-1.7.0/core/input/keysym.js"
import lookup from "../vendor/novnc-1.7.0/core/input/keysymdef.js"
import RFB from "../vendor/novnc-1.7.0/core/rfb.js"
import { strokes } from "./glass_layouts.js"

const PAUSE = 12 // ms between characters of a paste: guests lose keys that come faster
const KEYS = { Escape: "XK_Escape", Tab: "XK_Tab", ArrowUp: "XK_Up", ArrowDown: "XK_Down", ArrowLeft: "XK_Left", ArrowRight: "XK_Right", Enter: "XK_Return", Backspace: "XK_BackSpace", Control: "XK_Control_L", Alt: "XK_Alt_L" }
const PLACES = { Control: "ControlLeft", Alt: "AltLeft" }
const SHIFT = [KeyTable.XK_Shift_L, "ShiftLeft"], ALTGR = [KeyTable.XK_ISO_Level3_Shift, "AltRight"]
const HELD = new Set(["ControlLeft", "ControlRight", "AltLeft", "MetaLeft", "MetaRight"])
const isShift = code => code === "ShiftLeft" || code === "ShiftRight"
const pause = ms => new Promise(done => setTimeout(done, ms))

/** The character that a keysym stands for; "" for a key that writes nothing. */
function letterOf(keysym) {
  if (keysym >= 0x20 && keysym <= 0xff) return String.fromCharCode(keysym)
  if (keysym === 0x20ac) return "€"
  return keysym > 0x01000000 && keysym < 0x01110000 ? String.fromCodePoint(keysym - 0x01000000) : ""
}

class Screen extends RFB {
  layout = ""
  down = new Set() // modifiers that are held on the real keyboard

  sendKey(keysym, code, down) {
    if (down === undefined || !code) return super.sendKey(keysym, code, down)
    if (down) this.down.add(code)
    else this.down.delete(code)
    const letter = this.layout && this._qemuExtKeyEventSupported ? letterOf(keysym) : ""
    if (this.layout && code === "AltRight") return // the layout says when it is needed
    const made = letter && strokes(letter, this.layout)
    if (!made) return super.sendKey(keysym, code, down)
    if ([...this.down].some(each => HELD.has(each))) return super.sendKey(keysym, made.at(-1).code, down)
    if (down) this.strike(letter, made, [...this.down].some(isShift))
  }

  /** Type one character on a layout, whatever is held. */
  strike(letter, made, shifted = false) {
    for (const { code, shift = false, altgr = false } of made) {
      const press = (key, on) => super.sendKey(key[0], key[1], on)
      if (shift !== shifted) press(SHIFT, shift)
      if (altgr) press(ALTGR, true)
      super.sendKey(code === "Enter" ? KeyTable.XK_Return : lookup.lookup(letter.codePointAt(0)), code, true)
      super.sendKey(code === "Enter" ? KeyTable.XK_Return : lookup.lookup(letter.codePointAt(0)), code, false)
      if (altgr) press(ALTGR, false)
      if (shift !== shifted) press(SHIFT, shifted)
    }
  }

  /** Type a character for which no key was pressed. */
  write(letter) {
    const made = this._qemuExtKeyEventSupported && strokes(letter, this.layout || "us")
    if (made) this.strike(letter, made)
    else super.sendKey(letter === "\n" ? KeyTable.XK_Return : letter === "\t" ? KeyTable.XK_Tab : lookup.lookup(letter.codePointAt(0)), "")
  }
}

export function show(pane, link, { watch, layout }) {
  const screen = new Screen(pane, link, { shared: true })
  screen.layout = layout
  screen.viewOnly = watch
  screen.scaleViewport = true
  screen.background = "transparent"
  const typing = watch ? null : document.querySelector("[data-typing]")
  const press = name => screen.sendKey(KeyTable[KEYS[name]], PLACES[name] ?? name)
  let held = [], released = () => {}

  function hold(names, on) { for (const name of names) screen.sendKey(KeyTable[KEYS[name]], PLACES[name], on) }

  function held_(deed) {
    hold(held, true)
    deed()
    hold(held, false)
    held = []
    released()
  }

  function typed(event) {
    if (event.inputType === "deleteContentBackward") press("Backspace")
    else if (event.inputType === "insertLineBreak") press("Enter")
    else for (const letter of event.data ?? "") held_(() => screen.write(letter))
    typing.value = " " // something to delete, so that deleting is heard of
  }
  if (typing) { typing.value = " "; typing.oninput = typed }
  return {
    type: async text => { for (const letter of text.replaceAll("\r\n", "\n")) { screen.write(letter); await pause(PAUSE) } },
    key: name => held_(() => press(name)),
    hold: (names, done) => { held = names; released = done },
    keyboard: () => typing?.focus(),
    focus: () => screen.focus({ preventScroll: true }),
    layout: name => { screen.layout = name },
    scale: fit => { screen.scaleViewport = fit; screen.clipViewport = !fit; screen.dragViewport = !fit && watch },
    ctrlAltDel: () => screen.sendCtrlAltDel(),
    close: () => { if (typing) typing.oninput = null; screen.disconnect() },
  }
}
