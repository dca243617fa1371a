"""`slice`: topologies of machines."""

from __future__ import annotations

import typer

from olimpus.cli.aliases import command_group
from olimpus.cli.panels import SLICES
from olimpus.cli.slices import acting, looking, making
from olimpus.cli.words import gettext as _

app = command_group()
app.command("new", help=_("Make a slice of a topology, or of a document."))(making.new)
app.command("import", help=_("Make a slice of a file, and tell what was understood."))(making.import_)
app.command("plan", help=_("Show where each node lands and why; 7 when it does not fit."))(acting.plan)
app.command("deploy", help=_("Show the plan, ask, and deploy exactly that."))(acting.deploy)
app.command("status", help=_("Show each node: state, addresses, ways in, error."))(looking.status)
app.command("edit", help=_("Change the draft: in your editor, or from a file."))(acting.edit)
app.command("resume", help=_("Go on with what failed or never began."))(acting.resume)
app.command("undo", help=_("Take back the last deployment."))(acting.undo)
app.command("export", help=_("Write a slice as a file."))(looking.export)
app.command("rm", help=_("Destroy the machines of a slice, then delete it."))(acting.rm)
app.command("ls", help=_("List slices."))(looking.ls)
app.command("topologies", help=_("List the topologies that can be made, with their parameters."))(looking.topologies)
app.command("formats", help=_("List the formats that are read and written."))(looking.formats)


def register(program: typer.Typer) -> None:
    """Add the commands."""
    program.add_typer(app, name="slice", help=_("Topologies of machines."), rich_help_panel=SLICES)
