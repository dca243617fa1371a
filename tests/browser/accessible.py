"""What axe-core finds wrong on a page, by WCAG 2.2 AA and its own best practices about names and structure."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from playwright.sync_api import Page

AXE = Path(__file__).parent / "vendor/axe-core-4.14.1/axe.min.js"
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
#: What lies over the page while it is open. What it covers in part is no small target: it is measured when it is closed.
OVERLAYS = ".dropdown-menu.show, .branch-menu, dialog[open], .modal.show"
RUN = """async ([tags, overlays, markup]) => {
  scrollTo({ top: 0, behavior: "instant" })  // nothing is half below the bar on top
  const over = [...document.querySelectorAll(overlays)].filter(part => part.checkVisibility())
  // Without preload: to read what a style sheet imports, axe writes an inline style, which our policy forbids.
  const run = (where, runOnly, rules) =>
    axe.run(where, { runOnly, rules, resultTypes: ["violations"], preload: false })
  const others = { "target-size": { enabled: false } }
  const all = markup ? await run(document, { type: "tag", values: tags }, others) : { violations: [] }
  const targets = await run(over.length ? over.at(-1) : document, { type: "rule", values: ["target-size"] })
  const places = nodes => nodes.map(node => [node.target.join(" "), node.html])
  return [...all.violations, ...targets.violations].map(({ id, help, nodes }) => ({ id, help, places: places(nodes) }))
}"""


@cache
def _source() -> str:
    return AXE.read_text()


def violations(page: Page, *, markup: bool = True) -> list[str]:
    """One line per rule that the page breaks: the rule, what it wants, where. Empty: nothing found.

    Without `markup` only what depends on the size of the screen. Animations are ended first: contrast of something that
    is fading in is not its contrast.
    """
    page.evaluate("document.getAnimations().forEach(motion => { try { motion.finish() } catch { motion.cancel() } })")
    if not page.evaluate("Boolean(window.axe)"):
        page.evaluate(f"(() => {{ {_source()} }})()")
    found: list[dict[str, Any]] = page.evaluate(RUN, [RULES, OVERLAYS, markup])
    return [f"{rule['id']}: {rule['help']}: {places(rule['places'])}" for rule in found]


def places(found: list[list[str]]) -> str:
    """The first places, with their markup."""
    shown = "; ".join(f"{target} {html[:160]}" for target, html in found[:3])
    return f"{shown} (and {len(found) - 3} more)" if len(found) > 3 else shown
