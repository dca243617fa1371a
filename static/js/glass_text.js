// A serial line in a terminal.
import { FitAddon } from "../vendor/xterm-6.0.0/addon-fit.mjs"
import { Terminal } from "../vendor/xterm-6.0.0/xterm.mjs"

const SCROLLBACK = 5000
const SENT = { Escape: "\x1b", Tab: "\t", ArrowUp: "\x1b[A", ArrowDown: "\x1b[B", ArrowRight: "\x1b[C", ArrowLeft: "\x1b[D" }

/** Our policy forbids style elements; xterm's are style sheets adopted by the document instead. */
class Sheet extends HTMLElement {
  #sheet = new CSSStyleSheet()
  #text = ""
  set textContent(text) { this.#text = text; this.#sheet.replaceSync(text) }
  get textContent() { return this.#text }
  connectedCallback() { document.adoptedStyleSheets = [...document.adoptedStyleSheets, this.#sheet] }
  disconnectedCallback() { document.adoptedStyleSheets = document.adoptedStyleSheets.filter(one => one !== this.#sheet) }
}
customElements.define("adopted-sheet", Sheet)

/** Do it while every style element that is made is such a sheet: xterm makes all of its own when it opens. */
function adopting(deed) {
  const make = Document.prototype.createElement.bind(document)
  document.createElement = (tag, ...more) => tag === "style" ? new Sheet() : make(tag, ...more)
  try { deed() } finally { delete document.createElement }
}

export function show(pane, link, { watch }) {
  const terminal = new Terminal({
    scrollback: SCROLLBACK, cursorBlink: !watch, disableStdin: watch,
    fontFamily: '"Noto Sans Mono", "DejaVu Sans Mono", ui-monospace, monospace', fontSize: innerWidth < 600 ? 13 : 15,
    theme: { background: "#0b0f14", foreground: "#e6e9ed" },
  })
  const fit = new FitAddon(), encoder = new TextEncoder()
  terminal.loadAddon(fit)
  adopting(() => terminal.open(pane))
  fit.fit()
  const watcher = new ResizeObserver(() => fit.fit())
  watcher.observe(pane)
  let control = false, released = () => {}
  const send = text => link.send(encoder.encode(text))
  terminal.onData(text => {
    if (control && text.length === 1) { text = controlled(text); control = false; released() }
    send(text)
  })
  terminal.onBinary(data => link.send(Uint8Array.from(data, letter => letter.charCodeAt(0))))
  link.onmessage = event => terminal.write(new Uint8Array(event.data))
  return {
    type: text => send(text.replaceAll("\r\n", "\r").replaceAll("\n", "\r")),
    key: name => { send(SENT[name]); terminal.focus() },
    hold: (names, done) => { control = names.includes("Control"); released = done; terminal.focus() },
    keyboard: () => terminal.focus(),
    focus: () => terminal.focus(),
    close: () => { watcher.disconnect(); terminal.dispose() },
  }
}

/** What Ctrl makes of a letter. */
const controlled = letter => String.fromCharCode(letter.toUpperCase().charCodeAt(0) & 31)
