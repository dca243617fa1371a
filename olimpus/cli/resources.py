"""`resources`: what the hypervisors have, and what of it is in use."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import typer

from olimpus.cli.context import Context
from olimpus.cli.options import Output
from olimpus.cli.output import Cell, Column, Format, Styled
from olimpus.cli.panels import ADMINISTRATION
from olimpus.cli.words import gettext as _

Row = Mapping[str, Any]
MIB_IN_GIB = 1024


def resources(ctx: typer.Context, output: Output = Format.TABLE) -> None:
    """Of all hypervisors that one is in charge of, and of their workers."""
    here = Context.of(ctx, output)
    found = here.client.get("/resources/status")
    if not here.out.for_people:
        here.out.data(found)
        return
    columns = [
        Column(_("Hypervisor"), "name"),
        Column(_("Host"), "host"),
        Column(_("State"), _state),
        Column(_("CPU now"), lambda row: "" if row["cpu_percent"] is None else f"{row['cpu_percent']:.0f} %"),
        Column(_("CPUs"), lambda row: _share(row, "cpus")),
        Column(_("Memory (GiB)"), lambda row: _share(row, "memory_mib", MIB_IN_GIB)),
        Column(_("Disk (GiB)"), lambda row: _share(row, "disk_gib")),
        Column(_("Machines"), lambda row: str(row["vms"])),
    ]
    here.out.rows(columns, list(_rows(found)))


def _rows(found: Row) -> Iterator[dict[str, Any]]:
    for hypervisor in found["hypervisors"]:
        yield {**hypervisor, "host": ""}
        for host in hypervisor["hosts"]:
            yield {**host, "name": hypervisor["name"], "host": host["name"]}
    if len(found["hypervisors"]) > 1:
        yield {**found["totals"], "name": _("all together"), "host": "", "cpu_percent": None}


def _state(row: Row) -> Cell:
    if row.get("error") or row.get("up") is False:
        return Styled(_("does not answer"), "red")
    return _("maintenance") if row.get("maintenance") or row.get("enabled") is False else ""


def _share(row: Row, name: str, divisor: int = 1) -> str:
    used, total = row[f"{name}_used"] / divisor, row[f"{name}_total"]
    return f"{used:.4g}" if total is None else f"{used:.4g} / {total / divisor:.4g}"


def register(program: typer.Typer) -> None:
    """Into the program."""
    program.command(
        "resources", help=_("Show what the hypervisors have and what is in use."), rich_help_panel=ADMINISTRATION
    )(resources)
