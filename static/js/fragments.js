// Fragments that only the server can draw are fetched again, seldom, however many events arrive.
export const REFRESH = 1200 // ms between two fetches of the same fragment

const waiting = new Map()

export function refresh(place) {
  if (waiting.has(place)) { waiting.set(place, true); return }
  waiting.set(place, false)
  fetchInto(place)
  setTimeout(() => { const again = waiting.get(place); waiting.delete(place); if (again && place.isConnected) refresh(place) }, REFRESH)
}

async function fetchInto(place) {
  const answer = await fetch(place.dataset.refresh ?? place.dataset.url, { headers: { "X-Requested-With": "fetch" } }).catch(() => null)
  if (answer?.ok) place.innerHTML = await answer.text()
}

// Rows whose addresses and marks may have changed: one request for all of them.
const stale = new Set()
let timer = 0

/** Bring a table row's address and marks up to date, soon and together with others. */
export function refreshRow(id) {
  if (!document.querySelector(`tr[data-node="${id}"]`)) return
  stale.add(id)
  timer ||= setTimeout(fetchRows, REFRESH)
}

async function fetchRows() {
  timer = 0
  const ids = [...stale]
  stale.clear()
  const address = document.querySelector("[data-rows]").dataset.rows
  const answer = await fetch(`${address}?ids=${ids.join(",")}`, { headers: { "X-Requested-With": "fetch" } }).catch(() => null)
  if (!answer?.ok) return
  const fresh = document.createElement("template")
  fresh.innerHTML = await answer.text()
  for (const row of fresh.content.querySelectorAll("tr[data-node]")) adopt(row)
}

function adopt(row) {
  const here = document.querySelector(`tr[data-node="${row.dataset.node}"]`)
  if (!here) return
  here.querySelector(".cell-address").replaceChildren(...row.querySelector(".cell-address").childNodes)
  here.querySelector("[data-mark=pending]").hidden = row.querySelector("[data-mark=pending]").hidden
}
