// Fragments that only the server can draw are fetched again, seldom, however many events arrive.
export const REFRESH = 1200 // ms between two fetches of the same fragment

const waiting = new Map()

export function refresh(place) {
  if (waiting.has(place)) { waiting.set(place, true); return }
  waiting.set(place, false)
  fetchInto(place)
  setTimeout(() => { const again = waiting.get(place); waiting.delete(place); if (again && place.isConnected) refresh(place) }, Number(place.dataset.pause ?? REFRESH))
}

/** Fetch a fragment now; whether that went well. */
export async function fetchInto(place, address = place.dataset.refresh ?? place.dataset.url) {
  const answer = await fetch(address, { headers: { "X-Requested-With": "fetch" } }).catch(() => null)
  if (answer?.ok) put(place, await answer.text())
  return Boolean(answer?.ok)
}

/** A place in parts keeps those that are as they were: nothing that is scrolled or has the focus is taken away. */
function put(place, html) {
  if (!place.querySelector("[data-part]")) { place.innerHTML = html; return }
  const fresh = document.createElement("template")
  fresh.innerHTML = html
  for (const part of fresh.content.querySelectorAll("[data-part]")) {
    const here = place.querySelector(`[data-part="${part.dataset.part}"]`)
    if (here && here.innerHTML !== part.innerHTML) swap(here, part)
  }
}

function swap(here, part) {
  const links = () => [...here.querySelectorAll("a, button")]
  const focused = links().indexOf(document.activeElement)
  here.replaceChildren(...part.childNodes)
  if (focused >= 0) links()[focused]?.focus({ preventScroll: true })
}

// Rows of machines whose addresses and marks may have changed: one request for all of them. Folders have neither.
const stale = new Set()
const rowOf = id => document.querySelector(`tr[data-node="${id}"]:not(.is-folder)`)
let timer = 0

/** Bring a table row's address and marks up to date, soon and together with others. */
export function refreshRow(id) {
  if (!rowOf(id)) return
  stale.add(id)
  timer ||= setTimeout(fetchRows, REFRESH)
}

async function fetchRows() {
  timer = 0
  const ids = [...stale]
  stale.clear()
  const address = document.querySelector("[data-rows]")?.dataset.rows
  if (!address) return // another view has taken the table's place
  const answer = await fetch(`${address}?ids=${ids.join(",")}`, { headers: { "X-Requested-With": "fetch" } }).catch(() => null)
  if (!answer?.ok) return
  const fresh = document.createElement("template")
  fresh.innerHTML = await answer.text()
  for (const row of fresh.content.querySelectorAll("tr[data-node]")) adopt(row)
}

function adopt(row) {
  const here = rowOf(row.dataset.node)
  if (!here) return
  here.querySelector(".cell-address").replaceChildren(...row.querySelector(".cell-address").childNodes)
  here.querySelector("[data-mark=pending]").hidden = row.querySelector("[data-mark=pending]").hidden
}
