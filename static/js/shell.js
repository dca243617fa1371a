// The frame: theme, search focus, copying, closing notices, ages that stay true.

const ASKED = "olimpus-theme-asked"

const words = () => document.getElementById("words")?.dataset ?? {}

function toggleTheme() {
  const root = document.documentElement
  root.dataset.bsTheme = root.dataset.bsTheme === "dark" ? "light" : "dark"
  keepTheme(root.dataset.bsTheme)
}

/** Remember a theme in this browser, and with the account when somebody is signed in. */
export function keepTheme(theme) {
  try { localStorage.setItem("olimpus-theme", theme) } catch { /* remembered for this page only */ }
  tellAccount(theme)
}

/** Who leaves the page before the account has answered keeps the theme: the next page shows it and tells the account again. */
async function tellAccount(theme) {
  const root = document.documentElement
  const token = document.querySelector("[name=csrfmiddlewaretoken]")?.value
  if (!root.dataset.themeUrl || !token) return
  root.dataset.theme = theme
  try { sessionStorage.setItem(ASKED, theme) } catch { /* a page left too early forgets it */ }
  const body = new URLSearchParams({ theme })
  try {
    await fetch(root.dataset.themeUrl, { method: "POST", body, headers: { "X-CSRFToken": token }, keepalive: true })
    if (sessionStorage.getItem(ASKED) === theme) sessionStorage.removeItem(ASKED)
  } catch { /* left or offline: told again by the next page; or storage is off, and nothing was kept */ }
}

try {
  const asked = sessionStorage.getItem(ASKED)
  if (asked) tellAccount(asked)
} catch { /* storage is off: nothing was left open */ }

async function copy(button) {
  const text = button.dataset.copy
  try {
    await navigator.clipboard.writeText(text)
  } catch { // no clipboard without HTTPS: select the text instead, Ctrl-C does the rest
    getSelection().selectAllChildren(button.previousElementSibling ?? button)
    return
  }
  const title = button.title
  button.classList.add("copied")
  button.title = words().copied ?? ""
  setTimeout(() => { button.classList.remove("copied"); button.title = title }, 1500)
}

document.addEventListener("click", event => {
  const button = event.target.closest("[data-theme-toggle], [data-copy], [data-dismiss]")
  if (!button) return
  if ("themeToggle" in button.dataset) toggleTheme()
  if ("copy" in button.dataset) copy(button)
  if ("dismiss" in button.dataset) button.closest(".notice, #operations-here > *")?.remove()
})

/** Whether single letters are keys: who speaks to the computer switches that off, in the dialog of keys. */
export function lettersAreKeys() {
  try { return localStorage.getItem("olimpus-keys") !== "off" } catch { return true }
}

export const typing = element => element?.closest?.("input, textarea, select, [contenteditable]")

document.addEventListener("keydown", event => {
  if (event.key !== "/" || event.ctrlKey || event.metaKey || event.altKey || typing(event.target) || !lettersAreKeys()) return
  const search = document.getElementById("search")
  if (!search) return
  event.preventDefault()
  search.focus()
  search.select()
})

// Forms that filter as soon as a choice is made.
document.addEventListener("change", event => {
  if (event.target.closest("[data-submit-on-change]")) event.target.form.requestSubmit()
})

/** Put a notice on top of the content; it stays until it is closed or replaced. */
export function notice(text, hint = "") {
  const place = document.getElementById("notices")
  const filled = document.getElementById("notice").content.cloneNode(true)
  filled.querySelector("[data-slot=text]").textContent = text
  filled.querySelector("[data-slot=hint]").textContent = hint
  place.replaceChildren(filled)
}

const relative = new Intl.RelativeTimeFormat(document.documentElement.lang, { numeric: "auto" })
const UNITS = [["day", 86400], ["hour", 3600], ["minute", 60]]

export function age(moment) {
  const seconds = (new Date(moment) - Date.now()) / 1000
  for (const [unit, size] of UNITS) if (-seconds >= size) return relative.format(Math.trunc(seconds / size), unit)
  return relative.format(Math.min(0, Math.trunc(seconds)), "second")
}

setInterval(() => {
  for (const time of document.querySelectorAll("time[datetime]")) time.textContent = age(time.dateTime)
}, 20000)
