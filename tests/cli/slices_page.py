"""The commands of `docs/slices.md` on a server, as they stand there; `python -m tests.cli.slices_page` writes the answers."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from tests.lab.openstack.curl import run, written
from tests.processes.installation import ROOT, Installation

PAGE = ROOT / "docs" / "slices.md"


def main() -> None:
    """Write the answers of a new installation into the page."""
    with tempfile.TemporaryDirectory() as name:
        made = Installation(Path(name) / "home", Path(name) / "template")
        try:
            made.embedded()
            page = PAGE.read_text()
            PAGE.write_text(written(page, run(page, made.address, Path(name))))
        finally:
            made.close()


if __name__ == "__main__":
    sys.exit(main())
