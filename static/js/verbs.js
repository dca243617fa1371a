// Verbs: buttons of the shared form #verbs. One that asks first (GET) opens its question in the dialog, rendered by the
// server; the answer shows in place, and the feed brings the rest. Without script the same forms work as pages.
import { refresh } from "./fragments.js"
import { notice } from "./shell.js"
import { showAnswer } from "./nodes.js"

const dialog = document.getElementById("dialog")
const words = document.getElementById("words")?.dataset ?? {}

document.addEventListener("click", event => {
  if (event.target.closest("[aria-disabled=true]")) event.preventDefault()
  const link = event.target.closest("a[data-ask]")
  if (link) { event.preventDefault(); ask(link.href, new FormData()) }
  if (event.target.closest("[data-dialog-close]")) { event.preventDefault(); dialog.close() }
})

document.addEventListener("submit", event => {
  const { target: form, submitter } = event
  if (form.id !== "verbs" && !("inPlace" in form.dataset)) return
  event.preventDefault()
  const method = (submitter?.getAttribute("formmethod") ?? form.getAttribute("method") ?? "get").toLowerCase()
  const address = submitter?.getAttribute("formaction") ?? form.getAttribute("action")
  const data = new FormData(form, submitter)
  if (method === "get") ask(address, data)
  else act(address, data, submitter)
})

export async function ask(address, data) {
  data.delete("csrfmiddlewaretoken")
  const wanted = new URL(address, location.href)
  for (const [name, value] of data) wanted.searchParams.append(name, value)
  const answer = await send(wanted)
  if (!answer) return
  dialog.innerHTML = await answer.text()
  if (!dialog.open) dialog.showModal()
}

export async function act(address, data, button) {
  button?.classList.add("working")
  const answer = await send(address, { method: "POST", body: data })
  button?.classList.remove("working")
  if (!answer) return
  const told = await answer.json()
  if (!answer.ok) return refuse(told)
  if (dialog.open) dialog.close()
  for (const node of told.nodes ?? []) showAnswer(node)
  if (told.line) { showLine(told.line); document.dispatchEvent(new CustomEvent("olimpus:accepted")) }
  if (told.go) location.assign(told.go)
}

function refuse(told) {
  const place = dialog.open && dialog.querySelector("[data-slot=error]")
  if (!place) return notice(told.message, told.hint)
  place.hidden = false
  place.textContent = `${told.message} ${told.hint ?? ""}`
}

function showLine(html) {
  const place = document.getElementById("operations-here")
  if (!place) return
  const shelf = document.createElement("div")
  shelf.className = "operation-shelf"
  shelf.innerHTML = html
  refresh(shelf.firstElementChild) // it may have gone on before it was put here
  shelf.append(document.getElementById("notice").content.querySelector("[data-dismiss]").cloneNode(true))
  place.prepend(shelf)
}

async function send(address, options = {}) {
  try {
    return await fetch(address, { ...options, headers: { Accept: options.method ? "application/json" : "text/html", "X-Requested-With": "fetch" } })
  } catch {
    notice(words.noAnswer, words.tryAgain)
    return null
  }
}
