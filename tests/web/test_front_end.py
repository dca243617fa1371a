"""What the front end is made of: icons that exist, vendored files with their licence, little script."""

from __future__ import annotations

import gzip
import re
from collections.abc import Iterable
from pathlib import Path

import pytest

from descriptors.templatetags.portal import ICONS, SPRITE, STATES, STATUS_ICONS, state_badge
from descriptors.verbs import VERBS

ROOT = Path(__file__).resolve().parents[2]
STATIC, TEMPLATES = ROOT / "static", ROOT / "templates"
MOST_SCRIPT = 150 * 1024
#: Of the editor of definitions, on the pages that have one, beside the script of every page.
MOST_EDITOR = 125 * 1024
#: Of a screen or a terminal, on its own page.
MOST_CONSOLE = 150 * 1024
#: Of the drawing of a slice, on its own page.
MOST_DRAWING = 200 * 1024


def used_icons() -> set[str]:
    """Every icon that a template or a table names."""
    text = "\n".join(path.read_text() for path in TEMPLATES.rglob("*.html"))
    named = set(re.findall(r'{% icon "([^"]+)"', text)) | set(re.findall(r'(?<!-)image="([^"]+)"', text))
    return named | set(ICONS.values()) | set(STATUS_ICONS.values()) | {verb.icon for verb in VERBS.values()}


def test_every_icon_is_in_the_sprite() -> None:
    there = set(re.findall(r'<symbol id="([^"]+)"', (STATIC / SPRITE).read_text()))
    assert used_icons() <= there, used_icons() - there


def test_every_vendored_library_has_its_licence_and_is_listed() -> None:
    listed = (STATIC / "vendor/README.md").read_text()
    folders = [path for path in (STATIC / "vendor").iterdir() if path.is_dir()]
    assert folders
    for folder in folders:
        version = folder.name.rpartition("-")[2]
        assert (folder / "LICENSE").is_file(), folder.name
        assert version in listed, folder.name


def test_nothing_is_loaded_from_elsewhere() -> None:
    for path in [*TEMPLATES.rglob("*.html"), *(STATIC / "js").glob("*.js"), *(STATIC / "css").glob("*.css")]:
        loaded = re.findall(r'(?:src|href|url)\s*[=(]\s*["\']?(?:https?:)?//[^\s"\')]+', path.read_text())
        assert not loaded, (path, loaded)


def weight(scripts: Iterable[Path]) -> int:
    """Bytes of these scripts as they travel."""
    return sum(len(gzip.compress(path.read_bytes(), 9)) for path in scripts)


def test_a_page_loads_little_script() -> None:
    scripts = [*(STATIC / "js").glob("*.js"), *(STATIC / "vendor").glob("*/*.js")]
    others = re.compile(r"codemirror|/slice")
    assert weight(path for path in scripts if not others.search(str(path))) < MOST_SCRIPT


def test_an_editor_comes_with_its_own_script_where_there_is_one() -> None:
    assert weight((STATIC / "vendor").glob("codemirror-*/*.js")) < MOST_EDITOR
    for path in TEMPLATES.rglob("*.html"):
        if path.name in {"frame.html", "base.html", "base_plain.html"}:
            assert "editor" not in path.read_text(), path


def test_a_console_comes_with_its_own_script_where_there_is_one() -> None:
    vendor = STATIC / "vendor"
    assert weight((vendor).glob("xterm-*/*.mjs")) < MOST_CONSOLE
    assert weight((vendor).glob("novnc-*/**/*.js")) < MOST_CONSOLE
    for path in TEMPLATES.rglob("*.html"):
        assert path.name == "console.html" or not re.search("xterm|novnc|glass", path.read_text()), path


def test_a_drawing_comes_with_its_own_script_where_there_is_one() -> None:
    assert weight([*(STATIC / "vendor").glob("cytoscape-*/*.mjs"), *(STATIC / "js").glob("slice*.js")]) < MOST_DRAWING
    for path in TEMPLATES.rglob("*.html"):
        assert path.name.startswith("slice") or not re.search(r"js/slice|css/slice", path.read_text()), path


@pytest.mark.parametrize("state", STATES)
def test_a_state_is_colour_icon_and_word(state: str) -> None:
    badge = str(state_badge(state))
    assert f"state-{state}" in badge
    assert f"#{ICONS[state]}" in badge
    assert re.search(r"<span>\w+", badge)
    assert f".state-{state}" in (STATIC / "css/nodes.css").read_text()
