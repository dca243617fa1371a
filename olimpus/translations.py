"""`python -m olimpus.translations`: compiles locale/*/LC_MESSAGES/*.po. Pure Python: gettext's tools may be missing."""

from __future__ import annotations

from pathlib import Path

import polib

LOCALE = Path(__file__).resolve().parent.parent / "locale"


def compile_all() -> int:
    """Write the .mo beside every .po that is newer; returns how many were written. May be repeated."""
    written = 0
    for source in sorted(LOCALE.glob("*/LC_MESSAGES/*.po")):
        target = source.with_suffix(".mo")
        if not target.exists() or target.stat().st_mtime < source.stat().st_mtime:
            polib.pofile(str(source)).save_as_mofile(str(target))
            written += 1
    return written


if __name__ == "__main__":
    print(f"{compile_all()} catalogs compiled")
