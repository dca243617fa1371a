// Copies what an address answers: `data-copy-from`. Where there is no clipboard (no HTTPS) it is downloaded instead.
document.addEventListener("click", async event => {
  const button = event.target.closest("[data-copy-from]")
  if (!button) return
  const address = button.dataset.copyFrom
  try {
    const answer = await fetch(address)
    await navigator.clipboard.writeText(await answer.text())
  } catch {
    location.assign(address)
    return
  }
  const label = button.querySelector("span")
  const words = label.textContent
  label.textContent = button.dataset.done
  setTimeout(() => { label.textContent = words }, 1500)
})
