// The theme is shown as soon as it is chosen; "Save" keeps it.
const choice = document.getElementById("id_theme")

choice?.addEventListener("change", () => {
  const root = document.documentElement
  const dark = choice.value === "dark" || (choice.value === "system" && matchMedia("(prefers-color-scheme: dark)").matches)
  root.dataset.bsTheme = dark ? "dark" : "light"
  try { localStorage.setItem("olimpus-theme", choice.value) } catch { /* the account remembers it */ }
})
