// Hypervisors in the console: the connection test, told step by step; the bar of the chosen rows; a form that is not lost.

const NDJSON = "application/x-ndjson"

// -- the test -----------------------------------------------------------------------------------------------------------
async function test(panel, address, body, button) {
  const list = panel.querySelector("[data-test-steps]")
  const verdict = panel.querySelector("[data-test-verdict]")
  panel.original ??= list.innerHTML
  list.innerHTML = panel.original
  for (const step of list.children) show(step, "waiting")
  verdict.replaceChildren()
  button.disabled = true
  tryNext(panel, list)
  try {
    await follow(panel, list, verdict, address, body)
  } catch {
    verdict.append(panel.querySelector("[data-test-lost]").content.cloneNode(true))
  }
  button.disabled = false
  for (const step of list.querySelectorAll("[data-outcome=waiting], [data-outcome=trying]")) skip(panel, step)
}

async function follow(panel, list, verdict, address, body) {
  const answer = await fetch(address, { method: "POST", body, headers: { Accept: NDJSON, "X-Requested-With": "fetch" } })
  if (!answer.ok || !answer.headers.get("Content-Type")?.startsWith(NDJSON)) throw new Error(answer.statusText)
  for await (const told of lines(answer.body)) {
    if (told.done) { verdict.innerHTML = told.html; continue }
    const row = document.createElement("template")
    row.innerHTML = told.html.trim()
    place(list, told.step, row.content.firstElementChild)
    if (told.ok) tryNext(panel, list)
  }
}

async function* lines(stream) {
  const reader = stream.pipeThrough(new TextDecoderStream()).getReader()
  let rest = ""
  for (;;) {
    const { value, done } = await reader.read()
    if (done) return
    const parts = (rest + value).split("\n")
    rest = parts.pop()
    for (const part of parts) if (part) yield JSON.parse(part)
  }
}

function place(list, step, row) {
  const here = list.querySelector(`[data-step="${CSS.escape(step)}"]`)
  if (here) return here.replaceWith(row)
  const next = list.querySelector("[data-outcome=waiting], [data-outcome=trying]")
  if (next) next.before(row)
  else list.append(row)
}

function tryNext(panel, list) {
  const next = list.querySelector("[data-outcome=waiting]")
  if (!next) return
  show(next, "trying")
  next.querySelector(".test-outcome").replaceChildren(panel.querySelector("[data-test-trying]").content.cloneNode(true))
}

function skip(panel, step) {
  show(step, "skipped")
  step.querySelector(".test-outcome").replaceChildren(panel.querySelector("[data-test-skipped]").content.cloneNode(true))
}

function show(step, outcome) {
  step.dataset.outcome = outcome
  step.className = `test-step test-${outcome}`
}

document.addEventListener("submit", event => {
  const { target: form, submitter } = event
  const before = submitter?.matches("[data-test-button]")
  if (!before && !form.matches("[data-test-form]")) return
  const panel = (before ? submitter.closest("section") : form.parentElement).querySelector("[data-test-panel]")
  event.preventDefault()
  test(panel, before ? submitter.formAction : form.action, new FormData(form), submitter ?? form.querySelector("button"))
})

// -- chosen rows --------------------------------------------------------------------------------------------------------
const boxes = () => [...document.querySelectorAll("[data-choose]")]

function showChosen() {
  const bar = document.querySelector("[data-chosen-bar]")
  if (!bar) return
  const chosen = boxes().filter(box => box.checked).length
  bar.hidden = chosen === 0
  bar.querySelector("[data-chosen-number]").textContent = chosen
  const all = document.querySelector("[data-choose-all]")
  if (all) { all.checked = chosen > 0 && chosen === boxes().length; all.indeterminate = chosen > 0 && !all.checked }
}

document.addEventListener("change", event => {
  if (event.target.matches("[data-choose-all]")) for (const box of boxes()) box.checked = event.target.checked
  if (event.target.matches("[data-choose], [data-choose-all]")) showChosen()
})
addEventListener("pageshow", showChosen)

// -- a form that is not lost --------------------------------------------------------------------------------------------
let typed = false
document.addEventListener("input", event => { if (event.target.closest("[data-keep-typed]")) typed = true })
document.addEventListener("submit", event => { if (!event.defaultPrevented) typed = false })
addEventListener("beforeunload", event => { if (typed) event.preventDefault() })

// -- folders suggested as one types -------------------------------------------------------------------------------------
let asking = 0
async function suggest(field) {
  const address = new URL(field.dataset.suggestFolders, location.href)
  address.searchParams.set("to", field.value)
  const answer = await fetch(address, { headers: { "X-Requested-With": "fetch" } }).catch(() => null)
  if (answer?.ok) field.list.innerHTML = await answer.text()
}
document.addEventListener("input", event => {
  if (!event.target.matches("[data-suggest-folders]")) return
  clearTimeout(asking)
  asking = setTimeout(suggest, 200, event.target)
})
for (const field of document.querySelectorAll("[data-suggest-folders]")) suggest(field)
