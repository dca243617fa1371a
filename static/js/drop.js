// Documents dropped onto a page. On the page of imports they fill the form, whose plan is then asked for; on a folder's page
// the document is carried there, with the folder as its base.
const CARRIED = "olimpus-dropped-document"
const zone = document.querySelector("[data-drop]")
const link = document.querySelector("[data-drop-base]")

const holdsFile = event => [...(event.dataTransfer?.types ?? [])].includes("Files")

function complain(text) {
  const place = zone.querySelector("[data-drop-error]")
  place.textContent = text
  place.hidden = !text
}

async function take(file) {
  if (file.size > Number(zone.dataset.limit)) return complain(zone.dataset.tooBig)
  const text = await file.text()
  if (text.includes("\0") || text.includes("\uFFFD")) return complain(zone.dataset.notText)
  complain("")
  fill(text)
}

/** Put the text into the form and ask for its plan. */
function fill(text) {
  const form = zone.closest("form")
  form.elements.document.value = text
  form.elements.file.value = ""
  form.requestSubmit(form.querySelector("[name=step][value=plan]"))
}

async function carry(file) {
  try {
    sessionStorage.setItem(CARRIED, await file.text())
  } catch { /* too large to carry: it is dropped again there */ }
  location.assign(link.href)
}

function pickUp() {
  let text = null
  try {
    text = sessionStorage.getItem(CARRIED)
    sessionStorage.removeItem(CARRIED)
  } catch { /* storage is off */ }
  if (text !== null) fill(text)
}

function listen() {
  document.addEventListener("dragover", event => {
    if (!holdsFile(event)) return
    event.preventDefault()
    document.documentElement.dataset.dropping = (zone ?? link).dataset.dropHint ?? ""
  })
  for (const type of ["dragleave", "drop"]) document.addEventListener(type, event => {
    if (type === "drop" || !event.relatedTarget) delete document.documentElement.dataset.dropping
  })
  document.addEventListener("drop", event => {
    const file = event.dataTransfer?.files[0]
    if (!file) return
    event.preventDefault()
    if (zone) take(file)
    else carry(file)
  })
}

if (zone ?? link) listen()
if (zone) {
  zone.querySelector("input[type=file]").addEventListener("change", event => {
    if (event.target.files[0]) take(event.target.files[0])
  })
  pickUp()
  document.querySelector("[data-plan]")?.scrollIntoView({ block: "nearest" })
}
