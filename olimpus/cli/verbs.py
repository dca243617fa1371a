"""One command for each verb of the table of verbs.

The table stands here once more, so that help and completion know it without a server; a test compares it with
`/api/verbs`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, Final

import typer

from olimpus.cli import following, plans
from olimpus.cli.asking import Yes, confirm, confirm_number
from olimpus.cli.context import Context
from olimpus.cli.errors import Exit, Failure
from olimpus.cli.options import NodePaths, Output
from olimpus.cli.output import Format
from olimpus.cli.panels import MACHINES
from olimpus.cli.paths import Row, brief, expand
from olimpus.cli.words import gettext as _
from olimpus.cli.words import ngettext

#: Nodes that one request may name.
MOST: Final = 5000

Recursive = Annotated[bool, typer.Option("--recursive", "-r", help=_("Of folders, all machines below."))]
Wait = Annotated[bool, typer.Option("--wait", "-w", help=_("Wait for the end; 1 when a machine failed."))]
Timeout = Annotated[
    float | None, typer.Option("--timeout", metavar="SECONDS", min=0, help=_("Wait no longer than this; it goes on."))
]


@dataclass(frozen=True)
class Verb:
    """A verb: its name on the server, what it does, and what is lost."""

    name: str
    help: str
    warns: str = ""
    #: Needs the name of a snapshot, or of an image.
    named: bool = False
    #: Needs a folder that gets something.
    filed: bool = False

    @property
    def command(self) -> str:
        """Its name here."""
        return self.name.replace("_", "-")


VERBS: Final = (
    Verb("create", _("Create machines on their hypervisor.")),
    Verb("start", _("Start machines.")),
    Verb("stop", _("Shut machines down.")),
    Verb(
        "force_off",
        _("Power machines off at once."),
        _("Unsaved work in the guest is lost, as when the plug is pulled."),
    ),
    Verb("pause", _("Pause machines.")),
    Verb("resume", _("Resume paused machines.")),
    Verb("restart", _("Restart machines."), _("Programs running in the guest are ended.")),
    Verb("snapshot", _("Take a snapshot of machines."), named=True),
    Verb(
        "revert",
        _("Set machines back to a snapshot."),
        _("Everything written to its disks since the snapshot is lost."),
        named=True,
    ),
    Verb(
        "delete_snapshot",
        _("Delete a snapshot of machines."),
        _("One cannot go back to the snapshot any more. The disks stay as they are."),
        named=True,
    ),
    Verb("reapply", _("Write the definition to machines that are off.")),
    Verb(
        "publish", _("Make an image, and a prototype that uses it, of a machine that is off."), named=True, filed=True
    ),
    Verb("recover", _("Ask the hypervisor what became of failed machines, and go on from there.")),
    Verb(
        "destroy",
        _("Delete machines from their hypervisor; their definitions stay."),
        _("The virtual machine and its disks are deleted from the hypervisor. Its definition stays."),
    ),
)


@dataclass(frozen=True)
class Wish:
    """How a verb was asked for."""

    recursive: bool
    wait: bool
    timeout: float | None
    yes: bool


def act(here: Context, verb: Verb, paths: list[str], wish: Wish, **arguments: str) -> Exit:
    """Ask for a verb; wait for its end if that is wanted. Returns the exit code."""
    nodes = _chosen(here, expand(here, paths), wish)
    _agree(here, verb, nodes, wish)
    operation = _begin(here, verb, nodes, {name: text for name, text in arguments.items() if text})
    if wish.wait or wish.timeout is not None:
        return following.sum_up(here, following.follow(here, operation, timeout=wish.timeout))
    if not here.out.for_people:
        here.out.data(operation)
        return Exit.OK
    here.out.done(_("Asked for: %(what)s") % {"what": following.told(operation)})
    here.out.lines(following.left_out(operation))
    here.out.note(_("Follow it: olimpus ops wait %(id)s") % {"id": operation["id"]})
    return Exit.OK


def _chosen(here: Context, rows: list[Row], wish: Wish) -> list[Row]:
    """What to name to the server. Folders only when that was said; a pattern may meet some by chance."""
    folders = [row for row in rows if row["kind"] == "folder"]
    if wish.recursive or not folders:
        return rows
    machines = [row for row in rows if row["kind"] != "folder"]
    if not machines:
        hint = _("All machines below: --recursive")
        raise Failure(_("This is a folder, not a machine."), Exit.USAGE, where=folders[0]["path"], hint=hint)
    number = len(folders)
    here.out.note(ngettext("%d folder is left out.", "%d folders are left out.", number) % number)
    return machines


def _agree(here: Context, verb: Verb, nodes: list[Row], wish: Wish) -> None:
    """Where something is lost, name it and ask."""
    if not verb.warns or wish.yes:
        return
    machines = _machines(here, nodes)
    if len(machines) == 1:
        confirm(f"{verb.command} {machines[0]['path']}: {verb.warns}", yes=False)
        return
    for told in plans.some([row["path"] for row in machines], len(machines)):
        here.out.note(told)
    number = ngettext("%(verb)s %(n)d machine:", "%(verb)s %(n)d machines:", len(machines))
    question = f"{number % {'verb': verb.command, 'n': len(machines)}} {verb.warns}"
    confirm_number(question, len(machines), yes=False)


def _machines(here: Context, nodes: list[Row]) -> list[Row]:
    """Each machine once, those below folders included."""
    found: dict[int, Row] = {}
    for node in nodes:
        rows = brief(here, path=node["path"], kind="descriptor") if node["kind"] == "folder" else [node]
        found |= {row["id"]: row for row in rows}
    return list(found.values())


def _begin(here: Context, verb: Verb, nodes: list[Row], arguments: dict[str, str]) -> dict[str, Any]:
    if len(nodes) == 1:
        return dict(here.client.post(f"/nodes/{nodes[0]['id']}/do/{verb.name}", arguments))
    if len(nodes) > MOST:
        hint = _("Name the folder above, with --recursive.")
        raise Failure(_("More than %(number)d at once.") % {"number": MOST}, Exit.USAGE, hint=hint)
    return dict(here.client.post(f"/do/{verb.name}", {"nodes": [row["id"] for row in nodes], **arguments}))


def _command(verb: Verb) -> Callable[..., int]:
    """The command of a verb. All take the same options; --yes changes nothing where nothing is lost."""

    def plain(
        ctx: typer.Context,
        paths: NodePaths,
        recursive: Recursive = False,
        wait: Wait = False,
        timeout: Timeout = None,
        yes: Yes = False,
        output: Output = Format.TABLE,
    ) -> int:
        return act(Context.of(ctx, output), verb, paths, Wish(recursive, wait, timeout, yes))

    return plain


def _named_command(verb: Verb) -> Callable[..., int]:
    """The command of a verb on a snapshot."""

    def named(
        ctx: typer.Context,
        paths: NodePaths,
        name: Annotated[str, typer.Option("--name", "-n", help=_("The snapshot's name."))],
        description: Annotated[str, typer.Option("--description", help=_("What it is for."))] = "",
        recursive: Recursive = False,
        wait: Wait = False,
        timeout: Timeout = None,
        yes: Yes = False,
        output: Output = Format.TABLE,
    ) -> int:
        wish = Wish(recursive, wait, timeout, yes)
        return act(Context.of(ctx, output), verb, paths, wish, name=name, description=description)

    return named


def _filed_command(verb: Verb) -> Callable[..., int]:
    """The command of a verb whose result goes into a folder."""

    def filed(
        ctx: typer.Context,
        paths: NodePaths,
        name: Annotated[str, typer.Option("--name", "-n", help=_("Name of the image and of its prototype."))],
        folder: Annotated[str, typer.Option("--folder", help=_("Path of the folder that gets the prototype."))],
        wait: Wait = False,
        timeout: Timeout = None,
        yes: Yes = False,
        output: Output = Format.TABLE,
    ) -> int:
        wish = Wish(recursive=False, wait=wait, timeout=timeout, yes=yes)
        return act(Context.of(ctx, output), verb, paths, wish, name=name, folder=folder)

    return filed


def register(app: typer.Typer) -> None:
    """Add the commands."""
    for verb in VERBS:
        made = _filed_command(verb) if verb.filed else _named_command(verb) if verb.named else _command(verb)
        app.command(verb.command, help=verb.help, rich_help_panel=MACHINES)(made)
