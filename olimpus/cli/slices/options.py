"""Arguments and options that the commands of slices share, and slices by their paths."""

from __future__ import annotations

from typing import Annotated, Any, Final

import typer

from olimpus.cli.completion import complete_name, complete_path
from olimpus.cli.context import Context
from olimpus.cli.paths import one
from olimpus.cli.words import gettext as _

Row = dict[str, Any]

SlicePath = Annotated[
    str,
    typer.Argument(metavar="PATH", autocompletion=complete_name("slices", "path"), help=_("The path of a slice.")),
]
NewPath = Annotated[
    str,
    typer.Argument(
        metavar="PATH",
        autocompletion=complete_path,
        help=_("Where it goes: a folder that is there, and the slice's name."),
    ),
]
FORMAT_HELP: Final = _("How the file is written; left out: as it looks. See: olimpus slice formats")
FILE_HELP: Final = _("A topology in any format that is read; - reads the standard input.")

Hypervisor = Annotated[
    str,
    typer.Option(
        "--hypervisor",
        "-H",
        metavar="NAME",
        autocompletion=complete_name("hypervisors"),
        help=_("Where its machines go, where the folder or the file does not say."),
    ),
]
Image = Annotated[str, typer.Option("--image", metavar="NAME", help=_("What disks are made from."))]
Flavor = Annotated[str, typer.Option("--flavor", metavar="NAME", help=_("The size of its machines."))]
Description = Annotated[str, typer.Option("--description", help=_("What it is for."))]
FileFormat = Annotated[str, typer.Option("--format", metavar="FORMAT", help=FORMAT_HELP)]


def found(here: Context, path: str) -> Row:
    """The slice at this path, with all details. Raises Failure, also when the folder is none."""
    return dict(here.client.get(address(here, path)))


def address(here: Context, path: str) -> str:
    """Where the API has the slice of this path. Raises Failure."""
    return f"/slices/{one(here, path)['id']}"


def complete_new(ctx: typer.Context, incomplete: str) -> list[str]:
    """Topologies first, then paths."""
    if incomplete.startswith("/") or ctx.params.get("file"):
        return complete_path(ctx, incomplete)
    return complete_name("slices/topologies")(ctx, incomplete)
