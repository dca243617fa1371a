#!/usr/bin/env python
"""Copies the database into a folder while Olimpus runs: `deploy/backup.py FOLDER [--keep N]`.

The database is the one of `DATABASE_URL`, else SQLite in `OLIMPUS_HOME`. SQLite is copied by its own backup interface,
MariaDB and MySQL by mariadb-dump in one transaction. A copy appears under its name only when it is complete, readable by
the owner only. Keys are not in it: keep the environment file (embedded: `fernet.key`) somewhere else.
"""

from __future__ import annotations

import argparse
import gzip
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import unquote, urlsplit

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from olimpus.env import database_url

SUFFIX = {"sqlite": ".sqlite3.gz", "mysql": ".sql.gz"}


def backup(url: str, folder: Path, *, keep: int = 0) -> Path:
    """Copy the database at `url`; returns the file. With `keep`, older copies beyond that number are deleted.

    Raises `OSError`, `sqlite3.Error` or `subprocess.CalledProcessError`; nothing half-written is left then.
    """
    kind = urlsplit(url).scheme
    if kind not in SUFFIX:
        raise SystemExit(f"DATABASE_URL: cannot back up {kind!r}; known: {', '.join(SUFFIX)}")
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / f"olimpus-{datetime.now(UTC):%Y%m%dT%H%M%SZ}{SUFFIX[kind]}"
    with tempfile.TemporaryDirectory(dir=folder, prefix=".draft-") as place:
        draft = Path(place) / "draft"
        {"sqlite": _sqlite, "mysql": _mysql}[kind](url, draft)
        draft.chmod(0o600)
        draft.rename(target)
    for old in sorted(folder.glob(f"olimpus-*{SUFFIX[kind]}"))[:-keep] if keep else []:
        old.unlink()
    return target


def _sqlite(url: str, draft: Path) -> None:
    """A consistent copy, taken while others write; checked before it counts."""
    source = unquote(url.removeprefix("sqlite:///"))
    copy = draft.with_name("copy")
    with closing(sqlite3.connect(f"file:{source}?mode=rw", uri=True)) as old, closing(sqlite3.connect(copy)) as new:
        old.backup(new)
        if new.execute("PRAGMA quick_check").fetchone() != ("ok",):
            raise sqlite3.DatabaseError(f"{source}: the copy is damaged")
    _pack(copy, draft)


def _mysql(url: str, draft: Path) -> None:
    """mariadb-dump in one transaction: readers and writers are not held up. The password goes by the environment."""
    parts = urlsplit(url)
    command = ["mariadb-dump", "--single-transaction", "--quick", "--no-tablespaces", f"--host={parts.hostname}"]
    command += [f"--port={parts.port or 3306}", f"--user={unquote(parts.username or '')}", parts.path.strip("/")]
    secret = os.environ | {"MYSQL_PWD": unquote(parts.password or "")}
    copy = draft.with_name("copy")
    with copy.open("wb") as plain:
        subprocess.run(command, env=secret, stdout=plain, check=True)  # noqa: S603 - a list of our own, no shell
    _pack(copy, draft)


def _pack(copy: Path, draft: Path) -> None:
    with copy.open("rb") as plain, gzip.open(draft, "wb", compresslevel=6) as packed:
        shutil.copyfileobj(plain, packed)


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description="Copies Olimpus' database into a folder while it runs.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--keep", type=int, default=0, metavar="N", help="delete all but the newest N copies")
    options = parser.parse_args()
    print(backup(database_url(), options.folder, keep=options.keep))


if __name__ == "__main__":
    main()
