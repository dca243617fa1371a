// Pictures of screens: one that does not come is not shown; those in sight are asked for again now and then.
const AGAIN = 20000 // ms

function show(event) {
  const picture = event.target.closest?.("[data-picture]")
  if (picture) picture.closest(".picture").classList.toggle("no-picture", event.type === "error")
}

const inSight = picture => picture.offsetParent && picture.getBoundingClientRect().top < innerHeight

function again() {
  if (document.hidden) return
  for (const picture of document.querySelectorAll("[data-picture]")) {
    if (inSight(picture)) picture.src = `${picture.src.split("?")[0]}?at=${Date.now()}`
  }
}

for (const type of ["load", "error"]) document.addEventListener(type, show, true)
setInterval(again, AGAIN)
