// The bell: its number follows the feed (and a slow clock, for pages that hear nothing), what ended is said politely, and the
// menu is fetched when it is opened, which is looking. It never opens by itself and never covers what one is doing.
const PAUSE = 1200 // ms between two questions, however many events arrive
const CLOCK = 20000 // ms
const bell = document.querySelector("[data-notifications]")
let timer = 0
let shownSince = "" // what the open menu counts as new
let said = null // what ended was known when the page came; only news is announced

const ask = (address, options = {}) =>
  fetch(address, { ...options, headers: { "X-Requested-With": "fetch", ...options.headers } }).catch(() => null)

async function follow() {
  timer = 0
  const answer = await ask(bell.dataset.figures, { headers: { Accept: "application/json" } })
  if (!answer?.ok) return
  const told = await answer.json()
  show(told)
  if (said !== null && told.said && told.said !== said) bell.querySelector("[data-said]").textContent = told.said
  said = told.said
  if (isOpen()) fill()
}

function show({ shown, failed }) {
  const count = bell.querySelector(".bell-count")
  count.textContent = shown
  count.hidden = shown === 0
  count.classList.toggle("bell-failed", failed > 0)
}

const isOpen = () => bell.querySelector("[data-bs-toggle]").getAttribute("aria-expanded") === "true"

async function fill() {
  const since = shownSince ? `?since=${encodeURIComponent(shownSince)}` : ""
  const answer = await ask(bell.dataset.notifications + since)
  if (answer?.ok && !bell.querySelector(".dropdown-menu").contains(document.activeElement)) {
    bell.querySelector("[data-menu]").innerHTML = await answer.text()
  }
}

/** What is new when it is opened stays in the list while one reads it, and is seen from then on. */
async function look() {
  shownSince = ""
  await fill()
  shownSince = bell.querySelector("[data-since]")?.dataset.since ?? ""
  const token = document.querySelector("[name=csrfmiddlewaretoken]").value
  await ask(bell.dataset.seen, { method: "POST", headers: { "X-CSRFToken": token } })
  said = ""
  soon()
}

function soon() {
  timer ||= setTimeout(follow, PAUSE)
}

if (bell) {
  document.addEventListener("olimpus:operation", soon)
  bell.addEventListener("show.bs.dropdown", look)
  setInterval(() => { if (!document.hidden) soon() }, CLOCK)
  follow()
}
