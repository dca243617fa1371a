// How the drawing looks, in the page's own colours: read again when light and dark change.
import { STATE_ICONS, letter, picture, roleIcon } from "./slice_icons.js"

const NAMES = ["quiet", "line", "surface", "ground", "hover", "accent", "accent-soft", "danger", "danger-soft", "warn", "warn-soft", "ok", "ok-soft", "busy", "busy-soft", "slate", "slate-soft", "dark", "dark-soft"]
const OF_STATE = { provisioned: "quiet", created: "slate", starting: "busy", stopping: "busy", running: "ok", paused: "warn", stopped: "dark", failed: "danger", unknown: "quiet" }
//: Zones and workers, told apart by more than their colour: each has a letter of the legend as well.
const PLACES = ["#2f6fd0", "#c25a00", "#7a4bd1", "#007f7a", "#b5307a", "#5d7a00", "#a0522d", "#3d5a80", "#8a6d00", "#4b4ba8"]

export const placeColour = number => PLACES[number % PLACES.length]
export const placeLetter = number => number < 26 ? String.fromCharCode(65 + number) : String(number + 1)

export function palette() {
  const style = getComputedStyle(document.documentElement)
  const found = Object.fromEntries(NAMES.map(name => [name, style.getPropertyValue(`--${name}`).trim()]))
  return { ...found, text: plain(getComputedStyle(document.body).color) }
}

/** Cytoscape knows rgb() and #, not what newer style sheets say: the browser's own canvas translates. */
function plain(colour) {
  const pen = Object.assign(document.createElement("canvas"), { width: 1, height: 1 }).getContext("2d")
  pen.fillStyle = colour
  pen.fillRect(0, 0, 1, 1)
  return `rgb(${[...pen.getImageData(0, 0, 1, 1).data].slice(0, 3).join(", ")})`
}

/** What a node shows beside its name: its role in the middle; its state, or its place in the plan, in the corner. */
export function pictures(data, colours) {
  const tile = tileColour(data, colours)
  const found = [picture(roleIcon(data.role), tile === colours.surface ? colours.text : "#ffffff")]
  if (data.letter && !data.refused) found.push(letter(data.letter, data.colour))
  else if (data.state) found.push(picture(STATE_ICONS[data.state] ?? "circle", colours.surface, colours[OF_STATE[data.state] ?? "quiet"]))
  else if (data.refused) found.push(picture("x", "#ffffff", "#b3261e"))
  else if (data.critical) found.push(picture("star", "#ffffff", "#8a5300"))
  return found
}

export function tileColour(data, colours) {
  return data.colour || colours.surface
}

export function stateColour(state, colours) {
  return colours[OF_STATE[state] ?? "quiet"]
}

const NODE = 46

export function sheet(colours) {
  const font = getComputedStyle(document.body).fontFamily
  return [
    { selector: "node", style: {
      "width": NODE, "height": NODE, "shape": "round-rectangle", "label": "data(label)", "font-family": font, "font-size": 12, "font-weight": 600, "color": colours.text,
      "text-valign": "bottom", "text-margin-y": 5, "min-zoomed-font-size": 7, "text-max-width": 130, "text-wrap": "ellipsis",
      "text-background-color": colours.ground, "text-background-opacity": 0.8, "text-background-padding": 1,
      "background-color": element => tileColour(element.data(), colours), "border-width": 2, "border-color": colours.slate,
      "background-image": element => pictures(element.data(), colours), "background-width": ["54%", "20px"], "background-height": ["54%", "20px"],
      "background-position-x": ["50%", "100%"], "background-position-y": ["50%", "0%"], "background-offset-x": ["0px", "8px"], "background-offset-y": ["0px", "-8px"], "background-clip": ["node", "none"], "background-image-containment": ["inside", "over"],
      "bounds-expansion": 14, "overlay-opacity": 0, "transition-property": "none",
    } },
    { selector: "node[state]", style: { "border-color": element => stateColour(element.data("state"), colours), "border-width": 3 } },
    { selector: "node[state = 'provisioned']", style: { "border-style": "dashed", "border-width": 2 } },
    { selector: "node[state = 'unknown']", style: { "border-style": "double" } },
    { selector: "node.net", style: { "shape": "ellipse", "width": 40, "height": 40, "background-color": colours["accent-soft"], "border-color": colours.accent, "border-width": 1.5, "background-image": picture("network", colours.accent), "background-width": "55%", "background-height": "55%", "background-position-x": "50%", "background-position-y": "50%", "background-clip": "node", "background-offset-x": 0, "background-offset-y": 0, "font-weight": 500, "text-wrap": "wrap" } },
    { selector: "node.group", style: { "shape": "round-rectangle", "background-color": colours.slate, "background-opacity": 0.07, "background-image": "none", "border-width": 1, "border-style": "dashed", "border-color": colours.quiet, "text-valign": "top", "text-margin-y": -4, "padding": 18, "color": colours.quiet } },
    { selector: "node.faint", style: { "opacity": 0.28 } },
    { selector: "edge", style: { "width": 1.75, "line-color": colours.quiet, "curve-style": "haystack", "haystack-radius": 0, "overlay-opacity": 0 } },
    { selector: "edge.several", style: { "curve-style": "bezier" } },
    { selector: "edge.wire", style: { "label": "data(label)", "font-family": font, "font-size": 9, "color": colours.quiet, "min-zoomed-font-size": 10, "text-rotation": "autorotate", "text-background-color": colours.ground, "text-background-opacity": 0.85, "text-background-padding": 1 } },
    { selector: "edge.faint", style: { "opacity": 0.2 } },
    { selector: "edge.card", style: { "line-color": colours.accent, "width": 1.25 } },
    { selector: ".change-add", style: { "border-style": "dashed" } },
    { selector: "edge.change-add", style: { "line-style": "dashed" } },
    { selector: "node.wrong", style: { "border-color": colours.danger, "border-width": 3 } },
    { selector: "edge.wrong", style: { "line-color": colours.danger, "width": 3 } },
    { selector: "node.target", style: { "underlay-color": colours.ok, "underlay-opacity": 0.35, "underlay-padding": 8 } },
    { selector: "node:selected", style: { "underlay-color": colours.accent, "underlay-opacity": 0.4, "underlay-padding": 6 } },
    { selector: "edge:selected", style: { "line-color": colours.accent, "width": 4 } },
    { selector: "core", style: { "selection-box-color": colours.accent, "selection-box-border-color": colours.accent, "selection-box-opacity": 0.15, "active-bg-size": 0 } },
  ]
}
