// The folders on the left: fold and unfold (htmx fetches a level once), and the drawer on narrow screens.

import { remember } from "./preferences.js"

const sidebar = document.getElementById("sidebar")

function fold(toggle) {
  const open = toggle.getAttribute("aria-expanded") !== "true"
  toggle.setAttribute("aria-expanded", open)
  const inner = toggle.closest("li").querySelector(":scope > ul")
  if (inner) inner.hidden = !open
  if (toggle.dataset.folder) remember(open ? "tree-open" : "tree-shut", toggle.dataset.folder)
}

function drawer(open) {
  sidebar?.classList.toggle("open", open)
  document.querySelector("[data-tree-drawer]")?.setAttribute("aria-expanded", open)
  if (open) sidebar?.querySelector("a")?.focus()
}

const narrow = matchMedia("(max-width: 960px)")
const root = document.documentElement

/** On wide screens the whole tree goes and comes; theme.js reads the choice before the first paint. */
function collapse(closed) {
  if (closed) root.dataset.sidebar = "closed"
  else delete root.dataset.sidebar
  sayWhetherOpen()
  try { localStorage.setItem("olimpus-sidebar", closed ? "closed" : "open") } catch { /* for this page only */ }
}

function sayWhetherOpen() {
  const open = narrow.matches ? sidebar?.classList.contains("open") : root.dataset.sidebar !== "closed"
  document.querySelector("[data-tree-drawer]")?.setAttribute("aria-expanded", Boolean(open))
}

sayWhetherOpen()

document.addEventListener("click", event => {
  const toggle = event.target.closest("#sidebar button.tree-toggle")
  if (toggle) fold(toggle)
  if (event.target.closest("[data-tree-drawer]")) {
    if (narrow.matches) drawer(!sidebar?.classList.contains("open"))
    else collapse(root.dataset.sidebar !== "closed")
  }
  else if (sidebar?.classList.contains("open") && !event.target.closest("#sidebar")) drawer(false)
})

document.addEventListener("keydown", event => {
  if (event.key === "Escape" && sidebar?.classList.contains("open")) drawer(false)
})

/** Where one is, is in sight. */
function showCurrent() {
  const current = sidebar?.querySelector("[aria-current=page]")
  if (!current) return
  const [at, frame] = [current.getBoundingClientRect(), sidebar.getBoundingClientRect()]
  if (at.top < frame.top || at.bottom > frame.bottom) sidebar.scrollTop += at.top - frame.top - frame.height / 3
}

// The tree stays where it was left when one walks through it.
const place = "olimpus-tree-scroll"
try {
  if (sidebar) sidebar.scrollTop = Number(sessionStorage.getItem(place) ?? 0)
  showCurrent()
  addEventListener("pagehide", () => sessionStorage.setItem(place, sidebar?.scrollTop ?? 0))
} catch { /* storage is off */ }
