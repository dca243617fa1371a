// How keyboards are laid out: character → the strokes that make it, each {code, shift, altgr}. `code` names a key by its
// place, as browsers do; the guest reads places, so its layout must be known to type "@" for whoever has it elsewhere.
const ROWS = [
  ["Backquote", "Digit1", "Digit2", "Digit3", "Digit4", "Digit5", "Digit6", "Digit7", "Digit8", "Digit9", "Digit0", "Minus", "Equal"],
  ["BracketLeft", "BracketRight", "Backslash", "Semicolon", "Quote", "IntlBackslash", "Comma", "Period", "Slash"],
]
const PLACES = ROWS.flat()
// Per layout: plain, with Shift, with AltGr, in the order of PLACES; a blank where there is nothing. Dead keys are apart.
const LAYOUTS = {
  us: { plain: "`1234567890-=[]\\;' ,./", shift: "~!@#$%^&*()_+{}|:\" <>?", altgr: "", more: {}, dead: {} },
  es: {
    plain: "º1234567890'¡ +çñ <,.-", shift: "ª!\"·$%&/()=?¿ *ÇÑ >;:_", altgr: "\\|@#~ ¬       ]}   ", more: { "€": "KeyE", "[": "BracketLeft", "{": "Quote" },
    dead: { "´": { code: "Quote" }, "¨": { code: "Quote", shift: true }, "`": { code: "BracketLeft" }, "^": { code: "BracketLeft", shift: true } },
  },
  latam: {
    plain: "|1234567890'¿ +}ñ{<,.-", shift: "°!\"#$%&/()=?¡ *]Ñ[>;:_", altgr: "¬          \\  ~       ", more: { "@": "KeyQ", "€": "KeyE" },
    dead: { "´": { code: "BracketLeft" }, "¨": { code: "BracketLeft", shift: true }, "`": { code: "Backslash", altgr: true }, "^": { code: "Quote", altgr: true } },
  },
}
const ACCENTS = { "\u0301": "´", "\u0308": "¨", "\u0300": "`", "\u0302": "^" }
const ANYWHERE = { " ": "Space", "\n": "Enter", "\t": "Tab" }

function table({ plain, shift, altgr, more, dead }) {
  const made = new Map()
  const put = (text, held) => [...text].forEach((letter, place) => { if (letter !== " ") made.set(letter, [{ code: PLACES[place], ...held }]) })
  put(altgr, { altgr: true })
  put(shift, { shift: true })
  put(plain, {})
  for (const [letter, code] of Object.entries(more)) made.set(letter, [{ code, altgr: true }])
  for (const letter of "abcdefghijklmnopqrstuvwxyz") {
    made.set(letter, [{ code: `Key${letter.toUpperCase()}` }])
    made.set(letter.toUpperCase(), [{ code: `Key${letter.toUpperCase()}`, shift: true }])
  }
  for (const [letter, code] of Object.entries(ANYWHERE)) made.set(letter, [{ code }])
  for (const [letter, stroke] of Object.entries(dead)) made.set(letter, [stroke, { code: "Space" }])
  return { made, dead }
}

const TABLES = Object.fromEntries(Object.entries(LAYOUTS).map(([name, layout]) => [name, table(layout)]))

/** The strokes that make a character on a keyboard of this layout; null when it has none. */
export function strokes(letter, layout) {
  const { made, dead } = TABLES[layout]
  if (made.has(letter)) return made.get(letter)
  const [base, accent] = letter.normalize("NFD")
  const key = dead[ACCENTS[accent]]
  return key && made.has(base) ? [key, ...made.get(base)] : null
}
