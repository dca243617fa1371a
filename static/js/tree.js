// The folders on the left: fold and unfold (htmx fetches a level once), and the drawer on narrow screens.

const sidebar = document.getElementById("sidebar")

function fold(toggle) {
  const open = toggle.getAttribute("aria-expanded") !== "true"
  toggle.setAttribute("aria-expanded", open)
  const inner = toggle.closest("li").querySelector(":scope > ul")
  if (inner) inner.hidden = !open
}

function drawer(open) {
  sidebar?.classList.toggle("open", open)
  document.querySelector("[data-tree-drawer]")?.setAttribute("aria-expanded", open)
  if (open) sidebar?.querySelector("a")?.focus()
}

document.addEventListener("click", event => {
  const toggle = event.target.closest("button.tree-toggle")
  if (toggle) fold(toggle)
  if (event.target.closest("[data-tree-drawer]")) drawer(!sidebar.classList.contains("open"))
  else if (sidebar?.classList.contains("open") && !event.target.closest("#sidebar")) drawer(false)
})

document.addEventListener("keydown", event => {
  if (event.key === "Escape" && sidebar?.classList.contains("open")) drawer(false)
})

// The tree stays where it was left when one walks through it.
const place = "olimpus-tree-scroll"
try {
  if (sidebar) sidebar.scrollTop = Number(sessionStorage.getItem(place) ?? 0)
  addEventListener("pagehide", () => sessionStorage.setItem(place, sidebar?.scrollTop ?? 0))
} catch { /* storage is off */ }
