// Before the first paint: the theme kept with the account, else the one this browser chose, else what the system prefers.
(() => {
  const root = document.documentElement
  let chosen = root.dataset.theme
  try { chosen ||= localStorage.getItem("olimpus-theme") } catch { /* storage is off: follow the system */ }
  const dark = chosen === "dark" || (chosen !== "light" && matchMedia("(prefers-color-scheme: dark)").matches)
  root.dataset.bsTheme = dark ? "dark" : "light"
})()
