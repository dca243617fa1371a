"""Arguments and options that many commands share."""

from __future__ import annotations

from typing import Annotated

import typer

from olimpus.cli.completion import complete_path
from olimpus.cli.output import Format
from olimpus.cli.words import gettext as _

Output = Annotated[
    Format, typer.Option("--output", "-o", help=_("How to print: data as JSON and YAML is that of the API."))
]
NodePath = Annotated[str, typer.Argument(metavar="PATH", autocompletion=complete_path, help=_("An absolute path."))]
NodePaths = Annotated[
    list[str],
    typer.Argument(
        metavar="PATH…",
        autocompletion=complete_path,
        help=_("Absolute paths, or patterns in quotes: '/courses/*/web'."),
    ),
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help=_("Print the paths alone, one on each line."))]
