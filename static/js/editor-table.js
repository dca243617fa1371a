// The table of computed values: narrowed as one types, overridden values opened on demand.

/** Show the rows that match the filter of this section. */
export function narrow(section) {
  const words = (section.querySelector("[data-filter-rows]")?.value ?? "").toLowerCase().split(/\s+/).filter(Boolean)
  const only = section.querySelector("[data-only-changed]")?.checked
  let shown = 0
  for (const row of section.querySelectorAll("[data-filterable]")) {
    const text = row.dataset.filterable.toLowerCase()
    row.hidden = !words.every(word => text.includes(word)) || (only && !row.hasAttribute("data-changed"))
    shown += !row.hidden
  }
  const none = section.querySelector("[data-filter-none]")
  if (none) none.hidden = shown > 0 || !section.querySelector("[data-filterable]")
  const open = section.querySelector("[data-show-overridden]")?.checked
  if (open !== undefined && section.dataset.overridden !== String(open)) {
    section.dataset.overridden = open
    for (const details of section.querySelectorAll("[data-overridden]")) details.open = open
  }
}

for (const section of document.querySelectorAll(".computed, [data-filtered]")) {
  for (const tools of section.querySelectorAll("[data-computed-tools]")) tools.hidden = false
  section.addEventListener("input", event => { if (event.target.closest("[data-filter-rows], [data-only-changed], [data-show-overridden]")) narrow(section) })
}
