// Before the first paint: the theme this browser chose, else what the system prefers.
(() => {
  let chosen = null
  try { chosen = localStorage.getItem("olimpus-theme") } catch { /* storage is off: follow the system */ }
  const dark = chosen ? chosen === "dark" : matchMedia("(prefers-color-scheme: dark)").matches
  document.documentElement.dataset.bsTheme = dark ? "dark" : "light"
})()
