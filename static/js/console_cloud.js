// The pages of a cloud: parts that ask the cloud by themselves, the refresh button, and uploads with their progress.
import { fetchInto } from "./fragments.js"

// -- parts --------------------------------------------------------------------------------------------------------------
const parts = () => [...document.querySelectorAll("[data-cloud-part]")]

async function ask(place, query = "") {
  if (place.ariaBusy === "true") return
  place.ariaBusy = "true"
  const address = new URL(place.dataset.refresh, location.href)
  if (query) address.searchParams.set("refresh", "1")
  await fetchInto(place, address)
  place.ariaBusy = "false"
}

for (const place of parts()) {
  if ("stale" in place.dataset) ask(place)
  setInterval(() => { if (!document.hidden && !touched(place)) ask(place) }, Number(place.dataset.pause))
}

/** Nothing is redrawn under somebody who is choosing or reading what is unfolded. */
const touched = place => place.querySelector("select:focus, details[open]")

document.addEventListener("submit", async event => {
  if (!event.target.matches("[data-cloud-refresh]")) return
  event.preventDefault()
  const button = event.target.querySelector("button")
  button.classList.add("working")
  await Promise.all(parts().map(place => ask(place, "refresh")))
  button.classList.remove("working")
})

// -- what takes a while is asked once -----------------------------------------------------------------------------------
document.addEventListener("submit", event => {
  if (!event.target.matches("[data-once]")) return
  if (event.target.dataset.sent) { event.preventDefault(); return }
  event.target.dataset.sent = "1"
  event.submitter?.classList.add("working")
  setTimeout(() => { for (const words of event.target.querySelectorAll("[data-wait]")) words.hidden = false }, 3000)
})
addEventListener("pageshow", () => {
  for (const form of document.querySelectorAll("[data-once]")) delete form.dataset.sent
  for (const button of document.querySelectorAll(".btn.working")) button.classList.remove("working")
  for (const words of document.querySelectorAll("[data-wait]")) words.hidden = true
})

// -- uploads ------------------------------------------------------------------------------------------------------------
let sending = null
const language = document.documentElement.lang
const SIZES = ["KiB", "MiB", "GiB"]

function size(bytes) {
  const step = bytes < 2 ** 20 ? 1 : bytes < 2 ** 30 ? 2 : 3
  return `${new Intl.NumberFormat(language, { maximumFractionDigits: 1 }).format(bytes / 1024 ** step)} ${SIZES[step - 1]}`
}

function time(seconds) {
  const [value, unit] = seconds >= 90 ? [seconds / 60, "minute"] : [seconds, "second"]
  return new Intl.NumberFormat(language, { style: "unit", unit, maximumFractionDigits: 0 }).format(Math.ceil(value))
}

const filled = (text, values) => text.replace(/\{(\w+)\}/g, (_all, name) => values[name])

/** The name of an image, when none is typed yet: that of its file. */
document.addEventListener("change", event => {
  const form = event.target.closest("[data-upload]")
  if (!form || event.target.type !== "file" || form.elements.name.value) return
  form.elements.name.value = event.target.files[0]?.name.replace(/\.\w{2,5}$/, "") ?? ""
})

document.addEventListener("submit", event => {
  const form = event.target
  if (!form.matches("[data-upload]") || !form.elements.file.files.length) return
  event.preventDefault()
  if (!sending) upload(form, form.elements.file.files[0])
})

function upload(form, file) {
  const shown = form.parentElement.querySelector("[data-upload-progress]")
  const words = shown.querySelector("[data-upload-words]")
  const bar = shown.querySelector("progress")
  const limit = Number(form.dataset.limit)
  shown.hidden = false
  if (file.size > limit) return end(form, shown, shown.dataset.large)
  form.hidden = true
  bar.value = 0
  for (const element of shown.querySelectorAll("progress, button, p.small")) element.hidden = false
  const began = performance.now()
  sending = new XMLHttpRequest()
  sending.open("POST", form.action)
  sending.setRequestHeader("X-Requested-With", "fetch")
  let clock = 0
  sending.upload.addEventListener("progress", ({ loaded, total }) => {
    bar.value = 100 * loaded / total
    const left = (performance.now() - began) / 1000 * (total - loaded) / Math.max(1, loaded)
    words.textContent = filled(shown.dataset.sending, { name: file.name, sent: size(loaded), size: size(total), left: time(left) })
  })
  sending.upload.addEventListener("load", () => {
    bar.removeAttribute("value")
    const from = performance.now()
    const tell = () => { words.textContent = filled(shown.dataset.storing, { name: file.name, seconds: Math.round((performance.now() - from) / 1000) }) }
    tell()
    clock = setInterval(tell, 1000)
  })
  sending.addEventListener("loadend", () => {
    clearInterval(clock)
    const answer = sending
    sending = null
    if (answer.status === 200) return done(answer.responseText)
    end(form, shown, answer.status === 0 && answer.stopped ? "" : shown.dataset.lost)
  })
  shown.querySelector("[data-upload-stop]").onclick = () => { if (sending) { sending.stopped = true; sending.abort() } }
  sending.send(new FormData(form))
  shown.querySelector("[data-upload-stop]").focus()
}

/** The form again, with what is to be told. */
function end(form, shown, text) {
  form.hidden = false
  shown.hidden = !text
  shown.querySelector("[data-upload-words]").textContent = text
  for (const element of shown.querySelectorAll("progress, button, p.small")) element.hidden = true
  form.querySelector("button").focus()
}

/** Where to go on; or the page again, whose form says what is wrong: the file stays chosen. */
function done(text) {
  try { location.assign(JSON.parse(text).url); return } catch { /* it is a page */ }
  const page = new DOMParser().parseFromString(text, "text/html")
  page.querySelector("#upload [type=file]")?.replaceWith(page.adoptNode(document.querySelector("#upload [type=file]")))
  for (const place of ["#notices", "#upload"]) document.querySelector(place).replaceWith(document.adoptNode(page.querySelector(place)))
  document.querySelector("#upload .has-error :is(input, select)")?.focus()
}

addEventListener("beforeunload", event => { if (sending) event.preventDefault() })
