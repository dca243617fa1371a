"""Options that the commands of clouds share."""

from __future__ import annotations

from typing import Annotated

import typer

from olimpus.cli.completion import complete_name
from olimpus.cli.words import gettext as _

Hypervisor = Annotated[
    str,
    typer.Option(
        "--hypervisor",
        "-H",
        metavar="NAME",
        autocompletion=complete_name("hypervisors"),
        help=_("Which cloud; needed where there are several."),
    ),
]
Refresh = Annotated[
    bool, typer.Option("--refresh", help=_("Ask the cloud now, whatever is known; for those in charge of it."))
]
Project = Annotated[
    str,
    typer.Option(
        "--project",
        "-p",
        metavar="PROJECT",
        autocompletion=complete_name("openstack/projects"),
        help=_("Only of this project of the cloud."),
    ),
]
Owner = Annotated[
    str,
    typer.Option(
        "--project",
        "-p",
        metavar="PROJECT",
        autocompletion=complete_name("openstack/projects"),
        help=_("The project of the cloud that owns it; left out: that of the account."),
    ),
]
