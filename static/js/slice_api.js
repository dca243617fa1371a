// Asking the server: answers as {ok, status, told}; a server that does not answer is told in the same shape.
const page = document.getElementById("slice").dataset

export async function ask(address, { method = "GET", body } = {}) {
  const headers = { Accept: "application/json", "X-CSRFToken": page.csrf }
  if (body && !(body instanceof FormData)) headers["Content-Type"] = "application/json"
  const sent = body && !(body instanceof FormData) ? JSON.stringify(body) : body
  const answer = await fetch(address, { method, headers, body: sent, keepalive: false }).catch(() => null)
  if (!answer) return { ok: false, status: 0, told: { message: page.wordNoAnswer, hint: page.wordTryAgain, errors: [] } }
  const told = await answer.json().catch(() => ({}))
  if (!answer.ok) told.message ??= told.title || page.wordRefused.replace("{status}", answer.status)
  return { ok: answer.ok, status: answer.status, told }
}

/** Of this slice: `ask(of("plan"))`. */
export const of = (part = "") => `${page.api}/${page.id}${part && `/${part}`}`
/** Of all slices: `ask(all("topologies"))`. */
export const all = part => `${page.api}/${part}`
export { page }

/** What was refused, in one sentence. */
export const sentence = told => [told.message, told.hint].filter(Boolean).join(" ")
