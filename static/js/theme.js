// Before the first paint: the theme just switched to (the account may not have heard of it yet), else the one kept with the
// account, else the one this browser chose, else what the system prefers.
(() => {
  const root = document.documentElement
  let chosen = root.dataset.theme
  try { chosen = sessionStorage.getItem("olimpus-theme-asked") || chosen } catch { /* storage is off: ask the account alone */ }
  try { chosen ||= localStorage.getItem("olimpus-theme") } catch { /* storage is off: follow the system */ }
  const dark = chosen === "dark" || (chosen !== "light" && matchMedia("(prefers-color-scheme: dark)").matches)
  try { if (localStorage.getItem("olimpus-sidebar") === "closed") root.dataset.sidebar = "closed" } catch { /* the folders stay */ }
  root.dataset.bsTheme = dark ? "dark" : "light"
})()
