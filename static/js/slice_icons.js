// Icons of the page's sprite as pictures that can be painted on a canvas, in any colour.
import { page } from "./slice_api.js"

const symbols = new Map()
const made = new Map()

export async function loadIcons() {
  const answer = await fetch(page.sprite).catch(() => null)
  if (!answer?.ok) return
  const sprite = new DOMParser().parseFromString(await answer.text(), "image/svg+xml")
  for (const symbol of sprite.querySelectorAll("symbol")) symbols.set(symbol.id, symbol)
}

/** The markup of an icon's strokes, for a drawing of 24 × 24. */
export function strokes(name, colour) {
  const symbol = symbols.get(name)
  if (!symbol) return ""
  const paint = value => value === "currentColor" ? colour : value
  return `<g fill="${paint(symbol.getAttribute("fill") ?? "none")}" stroke="${paint(symbol.getAttribute("stroke") ?? "none")}" stroke-width="2" stroke-linecap="round" stroke-linejoin="round">${symbol.innerHTML}</g>`
}

/** The address of an icon as a picture; "none" while the sprite is missing. `ground`: a disc behind it. */
export function picture(name, colour, ground = "") {
  const key = `${name} ${colour} ${ground}`
  if (!symbols.has(name)) return "none"
  if (!made.has(key)) made.set(key, address(name, colour, ground))
  return made.get(key)
}

function address(name, colour, ground) {
  const disc = ground ? `<circle cx="12" cy="12" r="11.5" fill="${ground}"/>` : ""
  const inner = ground ? `<g transform="translate(4 4) scale(.667)">${strokes(name, colour)}</g>` : strokes(name, colour)
  return `data:image/svg+xml,${encodeURIComponent(`<svg xmlns="http://www.w3.org/2000/svg" width="48" height="48" viewBox="0 0 24 24">${disc}${inner}</svg>`)}`
}

/** A letter on a tile, in the corner of a node: its place in the plan, for those who do not see colours. */
export function letter(text, colour) {
  const key = `letter ${text} ${colour}`
  if (!made.has(key)) made.set(key, `data:image/svg+xml,${encodeURIComponent(`<svg xmlns="http://www.w3.org/2000/svg" width="48" height="48" viewBox="0 0 24 24"><rect x="1" y="1" width="22" height="22" rx="6" fill="#fff" stroke="${colour}" stroke-width="2"/><text x="12" y="17.5" text-anchor="middle" font-family="sans-serif" font-weight="700" font-size="15" fill="${colour}">${text}</text></svg>`)}`)
  return made.get(key)
}

/** Roles that sources use, by the picture that says them best. */
const ROLES = { router: "router", switch: "switch-2", server: "server-2", database: "database", firewall: "shield-lock", gateway: "door-enter", host: "device-desktop", client: "device-laptop" }
export const roleIcon = role => ROLES[role?.toLowerCase()] ?? (/rout|spine/i.test(role ?? "") ? "router" : /switch|leaf|bridge/i.test(role ?? "") ? "switch-2" : "device-desktop")

export const STATE_ICONS = { provisioned: "circle-dashed", created: "box", starting: "loader-2", stopping: "loader-2", running: "player-play-filled", paused: "player-pause-filled", stopped: "power", failed: "alert-triangle", unknown: "cloud-off" }
