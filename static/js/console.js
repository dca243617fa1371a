// The console's first page: what changes without an event (a worker that died, an age) is read again now and then.
import { refresh } from "./fragments.js"

for (const place of document.querySelectorAll("[data-every]")) {
  setInterval(() => { if (!document.hidden) refresh(place) }, Number(place.dataset.every))
}
