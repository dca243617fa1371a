"""`python -m tests.bench [names…] [--json]`: run the benchmarks one after another and print the table.

Each runs in a process of its own (`tests.bench.alone`). Where MariaDB's server is installed, the import is measured on it
as well; with a `DATABASE_URL` of MySQL or MariaDB everything is measured there. What needs a lab is measured when it is
named (`make bench-openstack`, `make bench-linux`). The exit status is 1 when a benchmark could not be run; a missed reach
is said in the table.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from tests.bench.figures import Figure, say, table

#: Name → module.
BENCHES = {
    "import": "importing",
    "page": "pages",
    "computed": "computing",
    "start": "starting",
    "reconcile": "reconciling",
    "live": "live",
    "browse": "browsing",
    "cli": "cli",
    "consoles": "consoles",
    "slices-plan": "slices_plan",
    "slices-formats": "slices_formats",
    "slices-editor": "slices_editor",
    "slices-live": "slices_live",
}
#: Seconds that one benchmark may take.
LONGEST = 600
#: What needs the lab of `make lab-openstack` or `make lab-linux`, and takes longer.
ON_LAB = {
    "openstack": "openstack",
    "tunnels": "tunnels",
    "slices-openstack": "slices_openstack",
    "linux": "linux",
    "linux-live": "linux_live",
    "slices-linux": "slices_linux",
    "linux-reconcile": "linux_reconcile",
    "linux-consoles": "linux_consoles",
}
LONGEST_ON_LAB = 3600
#: Name → the same work on a throw-away MariaDB.
ON_MARIADB = {"import-mariadb": "importing"}


def main() -> int:
    """Entry point."""
    options = _options()
    names = options.names or [*BENCHES, *(ON_MARIADB if _has_mariadb() else ())]
    figures: list[Figure] = []
    failed = []
    for name in names:
        say(f"{name} …")
        found = run(name)
        figures += found
        failed += [name] if not found else []
    report = _report(figures)
    if options.json:
        print(json.dumps(report, indent=2))
    else:
        print(f"\n{table([figure.cells() for figure in figures])}\n\n{_circumstances(report)}")
    if failed:
        say(f"could not be run: {', '.join(failed)}")
    return 1 if failed else 0


def run(name: str) -> list[Figure]:
    """The figures of one benchmark; none when it could not be run (its own words are on the standard error)."""
    command = [sys.executable, "-m", "tests.bench.alone", (BENCHES | ON_MARIADB | ON_LAB)[name]]
    longest = LONGEST_ON_LAB if name in ON_LAB else LONGEST
    if name in ON_MARIADB:
        command = ["tests/with-mariadb", *command]
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, timeout=longest)
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
        say(str(error))
        return []
    return [_figure(row, name in ON_MARIADB) for row in json.loads(done.stdout.strip().splitlines()[-1])]


def _figure(row: dict[str, Any], on_mariadb: bool) -> Figure:
    row.pop("ratio")
    suffix = ", MariaDB" if on_mariadb or os.environ.get("DATABASE_URL", "").startswith("mysql") else ""
    return Figure(**row | {"work": row["work"] + suffix})


def _has_mariadb() -> bool:
    given = os.environ.get("DATABASE_URL", "")
    server = shutil.which("mariadbd", path=f"{os.environ['PATH']}:/usr/sbin")
    return not given and server is not None and importlib.util.find_spec("MySQLdb") is not None


def _report(figures: Sequence[Figure]) -> dict[str, Any]:
    return {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "cores": os.cpu_count(),
        "load": round(os.getloadavg()[2], 1),
        "python": platform.python_version(),
        "figures": [figure.as_data() for figure in figures],
    }


def _circumstances(report: dict[str, Any]) -> str:
    return "{at}, {cores} cores, Python {python}, load of the last quarter of an hour {load}".format(**report)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument(
        "names", nargs="*", choices=[*BENCHES, *ON_MARIADB, *ON_LAB, []], help="all but those of the lab"
    )
    parser.add_argument("--json", action="store_true", help="print JSON instead of the table")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
