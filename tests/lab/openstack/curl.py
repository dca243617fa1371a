"""The commands of `docs/openstack.md`, run as they stand there, and the answers that stand below them.

`python -m tests.lab.openstack.curl` runs them against a new installation on the lab and writes the answers into the page;
the suite runs them too and compares. Every ```sh block between the two marks is run, all in one shell, from top to bottom;
a ```json block right after it holds what its last command printed.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.lab.cloud import Cloud
from tests.lab.openstack.campus import standing
from tests.processes.installation import PASSWORD, ROOT

PAGE = ROOT / "docs" / "openstack.md"
BEGIN, END = "<!-- commands: begin -->", "<!-- commands: end -->"
BLOCK = re.compile(r"```sh\n(?P<code>.*?)```\n(?:\n```json\n(?P<answer>.*?)```\n)?", re.DOTALL)
ADDRESS = "http://127.0.0.1:8000"
MARK = "=== block %d ==="
WIDE = 150
#: What is a matter of the moment: how far an operation is, what the last look at the cloud has seen.
PASSING = {"started_at", "finished_at", "deadline", "attempts", "power", "addresses", "age_seconds", "source"}
UNDER_WAY = ("queued", "running")
#: What differs from run to run inside a text: ids, times, addresses, numbers.
VARIES = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|[0-9a-f]{8,}|\d+", re.IGNORECASE)


@dataclass(frozen=True)
class Block:
    """Some commands, and what the last of them printed; None when nothing is shown."""

    code: str
    answer: str | None


def blocks(page: str) -> list[Block]:
    """All blocks of the page between the marks."""
    inside = page.split(BEGIN)[1].split(END)[0]
    return [Block(found["code"], found["answer"]) for found in BLOCK.finditer(inside)]


def run(page: str, address: str, place: Path) -> list[str]:
    """What each block prints on the server at this address; an AssertionError when a command fails."""
    marks = [f"\necho; echo '{MARK % number}'\n" for number in range(len(blocks(page)))]
    code = "".join(mark + block.code for mark, block in zip(marks, blocks(page), strict=True))
    script = "set -eu -o pipefail\n" + code.replace(ADDRESS, address)
    environment = {"PATH": "/usr/local/bin:/usr/bin:/bin", "PASSWORD": PASSWORD, "LANG": "C.UTF-8"}
    done = subprocess.run(
        ["bash", "-c", script], cwd=place, env=environment, capture_output=True, text=True, timeout=600
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    parts = re.split(r"\n?=== block \d+ ===\n", done.stdout)[1:]
    return [part.strip().replace(address, ADDRESS) for part in parts]


def written(page: str, printed: list[str]) -> str:
    """The page with these answers."""
    left = iter(printed)

    def fill(found: re.Match[str]) -> str:
        answer = next(left)
        if found["answer"] is None:
            return found[0]
        return f"```sh\n{found['code']}```\n\n```json\n{laid_out(last(answer))}\n```\n"

    before, rest = page.split(BEGIN)
    inside, after = rest.split(END)
    return f"{before}{BEGIN}{BLOCK.sub(fill, inside)}{END}{after}"


def last(printed: str) -> Any:
    """The last JSON document of what was printed."""
    text, decoder, found = printed.strip(), json.JSONDecoder(), None
    while text:
        found, end = decoder.raw_decode(text)
        text = text[end:].lstrip()
    return found


def laid_out(value: Any, indent: int = 0) -> str:
    """JSON for people: on one line where it fits, else an item to a line."""
    line = json.dumps(value, ensure_ascii=False)
    if len(line) + indent <= WIDE or not isinstance(value, dict | list) or not value:
        return line
    pad = " " * (indent + 2)
    if isinstance(value, list):
        items = [laid_out(item, indent + 2) for item in value]
    else:
        items = [f"{json.dumps(key)}: {laid_out(item, indent + 2)}" for key, item in value.items()]
    opening, closing = "[]" if isinstance(value, list) else "{}"
    return f"{opening}\n" + ",\n".join(pad + item for item in items) + f"\n{' ' * indent}{closing}"


def differences(shown: Any, real: Any, where: str = "answer") -> Iterator[str]:
    """Where a real answer is built otherwise than the one that is shown. Ids, times, numbers and lengths may differ."""
    if isinstance(shown, dict) and isinstance(real, dict):
        if set(shown) != set(real):
            yield f"{where}: {sorted(set(shown) ^ set(real))}"
        for key in sorted(shown.keys() & real.keys() - PASSING):
            yield from differences(shown[key], real[key], f"{where}.{key}")
    elif isinstance(shown, list) and isinstance(real, list):
        if bool(shown) != bool(real):
            yield f"{where}: {len(shown)} and {len(real)} items"
        for one, other in _pairs(shown, real):
            yield from differences(one, other, f"{where}[]")
    elif _kind(shown) != _kind(real) and not (shown in UNDER_WAY and real in UNDER_WAY):
        yield f"{where}: {shown!r} and {real!r}"


def _pairs(shown: list[Any], real: list[Any]) -> Iterator[tuple[Any, Any]]:
    """Those of one name; where names say nothing, the first two. Others may have things in the cloud, too."""
    named = {one["name"]: one for one in real if isinstance(one, dict) and "name" in one}
    found = [(one, named[one["name"]]) for one in shown if isinstance(one, dict) and one.get("name") in named]
    yield from found or zip(shown[:1], real[:1], strict=False)


def _kind(value: Any) -> Any:
    if isinstance(value, str):
        return VARIES.sub("#", value)
    return "number" if isinstance(value, int | float) and not isinstance(value, bool) else value


def main() -> None:
    """Write the answers into the page."""
    page = PAGE.read_text()
    with tempfile.TemporaryDirectory() as folder, standing(Cloud.running(), Path(folder), hypervisors=False) as campus:
        PAGE.write_text(written(page, run(page, campus.installation.address, Path(folder))))


if __name__ == "__main__":
    sys.exit(main())
