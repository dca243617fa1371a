"""`image`: what system disks are made from."""

from __future__ import annotations

import contextlib
import sys
import uuid
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, BinaryIO, Final

import typer

from olimpus.cli import lookups
from olimpus.cli.aliases import command_group
from olimpus.cli.asking import Yes
from olimpus.cli.client import data_of
from olimpus.cli.cloud.answers import IMAGE, PATIENCE, asked, command, found, given, label, remove, show
from olimpus.cli.cloud.options import Hypervisor, Refresh
from olimpus.cli.cloud.sizes import of_bytes, of_gib, of_mib
from olimpus.cli.completion import complete_name
from olimpus.cli.context import Context
from olimpus.cli.errors import Exit, Failure
from olimpus.cli.moments import ago, exact
from olimpus.cli.options import Output
from olimpus.cli.output import Cell, Column, Format, Styled, printable
from olimpus.cli.panels import CLOUDS
from olimpus.cli.words import gettext as _

#: Bytes that are read and sent at a time.
PIECE: Final = 1 << 20
COLOURS: Final = {"active": "green", "queued": "blue", "saving": "blue", "importing": "blue", "killed": "red"}

Name = Annotated[
    str,
    typer.Argument(
        metavar="IMAGE", autocompletion=complete_name("openstack/images"), help=_("Name or id of an image.")
    ),
]

app = command_group()


@command(app, "ls", help=_("List images."))
def ls(
    ctx: typer.Context, hypervisor: Hypervisor = "", refresh: Refresh = False, output: Output = Format.TABLE
) -> None:
    """By name."""
    here = Context.of(ctx, output)
    columns = [
        Column(_("Name"), label),
        Column(_("Status"), _status),
        Column(_("Format"), "format"),
        Column(_("Size"), lambda row: of_bytes(row["size_bytes"]), right=True),
        Column(_("Made"), lambda row: ago(row["created_at"])),
        Column(_("Seen by"), "visibility", wide=True),
        Column(_("On"), lambda row: ", ".join(row.get("hosts") or ()), wide=True),
        Column(_("Id"), "id", wide=True),
    ]
    answer = asked(here, "images", hypervisor, refresh=refresh)
    show(here, columns, answer)
    if answer.get("any_name") and here.out.for_people:
        told = _("%(hypervisor)s is a mock whose settings name no images: it takes any name.")
        here.out.note(told % answer)


def _status(row: Mapping[str, Any]) -> Styled:
    return Styled(row["status"], COLOURS.get(row["status"], ""))


@command(app, "show", help=_("Show an image."))
def show_(ctx: typer.Context, name: Name, hypervisor: Hypervisor = "", output: Output = Format.TABLE) -> None:
    """By name or id."""
    here = Context.of(ctx, output)
    row = found(here, IMAGE, name, hypervisor)
    facts: list[tuple[str, Cell]] = [
        (_("Name"), row["name"]),
        (_("Status"), _status(row)),
        (_("Format"), row["format"]),
        (_("Size"), of_bytes(row["size_bytes"])),
        (_("Smallest disk"), of_gib(row["min_disk"] or None)),
        (_("Smallest memory"), of_mib(row["min_ram"] or None)),
        (_("Seen by"), row["visibility"]),
        (_("Made"), exact(row["created_at"])),
        (_("Id"), row["id"]),
    ]
    here.out.facts(facts, row)


@command(app, "upload", help=_("Upload an image; its format is told by its content."))
def upload(
    ctx: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="FILE", help=_("The image on this computer."))],
    name: Annotated[str, typer.Option("--name", "-n", help=_("Its name; left out: that of the file."))] = "",
    format: Annotated[
        str, typer.Option("--format", metavar="qcow2|raw|iso|vmdk|vdi|vhd", help=_("What it must be."))
    ] = "",
    public: Annotated[bool, typer.Option("--public", help=_("All projects of the cloud may use it."))] = False,
    hypervisor: Hypervisor = "",
    output: Output = Format.TABLE,
) -> None:
    """Sent piece by piece; on a terminal with a progress bar."""
    here = Context.of(ctx, output)
    fields = given(name=name or file.stem, format=format) | ({"public": "true"} if public else {})
    with _opened(file) as (stream, size):
        row = _sent(here, stream, size, fields, hypervisor)
    here.out.done(_("%(name)s: uploaded, %(size)s.") % {"name": label(row), "size": of_bytes(row["size_bytes"])}, row)


@contextlib.contextmanager
def _opened(file: Path) -> Iterator[tuple[BinaryIO, int]]:
    """The file and its length. Raises Failure."""
    try:
        with file.open("rb") as stream:
            yield stream, file.stat().st_size
    except OSError as error:
        why = _("The file cannot be read: %(why)s.") % {"why": error.strerror}
        raise Failure(why, Exit.USAGE, where=str(file)) from error


def _sent(here: Context, stream: BinaryIO, size: int, fields: Mapping[str, str], hypervisor: str) -> dict[str, Any]:
    """The image as the server tells it once the cloud has all of it."""
    boundary = uuid.uuid4().hex
    head, tail = _form(boundary, fields, Path(stream.name).name)

    def pieces(moved: Callable[[int], None]) -> Iterator[bytes]:
        yield head
        while piece := stream.read(PIECE):
            yield piece
            moved(len(piece))
        yield tail

    with _bar(fields["name"], size) as moved:
        made = here.client.upload(
            "/openstack/images",
            pieces(moved),
            length=len(head) + size + len(tail),
            media_type=f"multipart/form-data; boundary={boundary}",
            hypervisor=hypervisor or None,
        )
    return dict(made)


def _form(boundary: str, fields: Mapping[str, str], file: str) -> tuple[bytes, bytes]:
    """What stands before and after the file in a form."""
    parts = [f'name="{field}"\r\n\r\n{value}\r\n' for field, value in fields.items()]
    told = "".join(letter for letter in file if letter.isprintable() and letter != '"')
    parts.append(f'name="file"; filename="{told}"\r\nContent-Type: application/octet-stream\r\n\r\n')
    head = "".join(f"--{boundary}\r\nContent-Disposition: form-data; {part}" for part in parts)
    return head.encode("utf-8", "replace"), f"\r\n--{boundary}--\r\n".encode()


@contextlib.contextmanager
def _bar(name: str, size: int) -> Iterator[Callable[[int], None]]:
    """A progress bar where somebody looks; what it gives is told the bytes that have gone."""
    if not sys.stderr.isatty():
        yield lambda _bytes: None
        return
    from rich import progress  # slow to load, and only for people
    from rich.console import Console

    columns = (
        progress.TextColumn("{task.description}"),
        progress.BarColumn(),
        progress.DownloadColumn(binary_units=True),
        progress.TransferSpeedColumn(),
        progress.TimeRemainingColumn(compact=True),
    )
    with progress.Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task(printable(name), total=size)

        def moved(count: int) -> None:
            bar.advance(task, count)
            if bar.tasks[0].finished:
                bar.update(task, description=printable(_("%(name)s: the cloud takes it in") % {"name": name}))

        yield moved


@command(app, "rm", help=_("Delete an image."))
def rm(ctx: typer.Context, name: Name, hypervisor: Hypervisor = "", yes: Yes = False) -> None:
    """By name or id."""
    here = Context.of(ctx)
    remove(here, IMAGE, name, hypervisor, _("Delete the image %(name)s from the cloud?"), yes=yes)


@command(app, "tidy", help=_("Remove copies of images that no machine needs where they are."))
def tidy(
    ctx: typer.Context,
    hypervisor: Annotated[
        str,
        typer.Option(
            "--hypervisor", "-H", metavar="NAME", autocompletion=complete_name("hypervisors"), help=_("Which cluster.")
        ),
    ],
    days: Annotated[float, typer.Option("--days", min=0, help=_("Only copies older than this."))] = 0,
    output: Output = Format.TABLE,
) -> None:
    """Every image stays on two hosts."""
    here = Context.of(ctx, output)
    address = f"/hypervisors/{lookups.hypervisor(here, hypervisor)['id']}/images/tidy"
    columns = [
        Column(_("Name"), "name"),
        Column(_("Host"), "host"),
        Column(_("Size"), lambda row: of_bytes(row["size_bytes"]), right=True),
    ]
    here.out.rows(columns, data_of(here.client.request("POST", address, body={"days": days}, seconds=PATIENCE)))


def register(program: typer.Typer) -> None:
    """Add the commands."""
    program.add_typer(app, name="image", help=_("Images: what system disks are made from."), rich_help_panel=CLOUDS)
