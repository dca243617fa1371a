// What the server remembers of how one likes pages. Written in the background; a page never waits for it.

/** The token that every POST carries. */
export function token() {
  return document.querySelector("#verbs input[name=csrfmiddlewaretoken]")?.value ?? ""
}

/** Remember one choice. */
export function remember(name, value) {
  const address = document.querySelector("[data-remember-at]")?.dataset.rememberAt
  if (!address) return
  const body = new URLSearchParams({ name, value })
  fetch(address, { method: "POST", body, keepalive: true, headers: { "X-CSRFToken": token(), "X-Requested-With": "fetch" } }).catch(() => null)
}

document.addEventListener("click", event => {
  const link = event.target.closest("[data-remember]")
  if (link) remember(link.dataset.remember, link.dataset.value)
})
