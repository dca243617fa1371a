// Before the first paint: the theme kept with the account, else the one this browser chose, else what the system prefers.
(() => {
  const root = document.documentElement
  let chosen = root.dataset.theme
  try { chosen ||= localStorage.getItem("olimpus-theme") } catch { /* storage is off: follow the system */ }
  const dark = chosen === "dark" || (chosen !== "light" && matchMedia("(prefers-color-scheme: dark)").matches)
  try { if (localStorage.getItem("olimpus-sidebar") === "closed") root.dataset.sidebar = "closed" } catch { /* the folders stay */ }
  root.dataset.bsTheme = dark ? "dark" : "light"
})()
