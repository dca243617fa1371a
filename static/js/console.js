// The console's pages: what changes without an event (a worker that died, an age) is read again now and then; a bar tells
// how many rows are chosen.
import { refresh } from "./fragments.js"

for (const place of document.querySelectorAll("[data-every]")) {
  setInterval(() => { if (!document.hidden) refresh(place) }, Number(place.dataset.every))
}

document.addEventListener("olimpus:selection", event => {
  const bar = document.querySelector("[data-chosen-bar]")
  if (!bar) return
  bar.hidden = event.detail.chosen === 0
  bar.querySelector("[data-selected]").textContent = event.detail.chosen
})
