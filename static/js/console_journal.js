// The journal in the console: says when newer entries wait; they are shown when somebody asks, so nothing moves by itself.
const EVERY = 8000 // ms
const button = document.querySelector("[data-news]")

async function look() {
  if (document.hidden) return
  const answer = await fetch(button.dataset.news, { headers: { Accept: "application/json", "X-Requested-With": "fetch" } }).catch(() => null)
  if (!answer?.ok) return
  const { count, many } = await answer.json()
  button.hidden = count === 0
  const words = many ? button.dataset.many : count === 1 ? button.dataset.one : button.dataset.more
  button.textContent = words.replace("{n}", count)
}

if (button) {
  setInterval(look, EVERY)
  button.addEventListener("click", () => location.reload())
}
