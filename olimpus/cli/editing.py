"""`set` and `edit`: definitions changed after a look at what the change does."""

from __future__ import annotations

import difflib
import os
import re
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from olimpus.cli import plans, values
from olimpus.cli.asking import Yes, agree
from olimpus.cli.client import data_of
from olimpus.cli.context import Context
from olimpus.cli.errors import Exit, Failure
from olimpus.cli.options import NodePath, Output
from olimpus.cli.output import Format
from olimpus.cli.panels import SHAPING
from olimpus.cli.paths import Row, one
from olimpus.cli.words import gettext as _

DryRun = Annotated[bool, typer.Option("--dry-run", "-n", help=_("Only tell what would be done."))]
YAML: Final = "application/yaml"
#: Lines that are ours in the text that is edited.
MARK: Final = "#| "
#: Line and column, as the server tells them of a body.
POSITION: Final = re.compile(r"body:(\d+):\d+")
#: How often a refused text comes back into the editor of a script, where nobody sees the fault.
SCRIPTED: Final = 3


def set_(
    ctx: typer.Context,
    path: NodePath,
    changes: Annotated[
        list[str],
        typer.Argument(
            metavar="KEY=VALUE|KEY-…", help=_("cpus=4, labels.role=web, nics='[{network: lan}]'; old- removes.")
        ),
    ],
    dry_run: DryRun = False,
    yes: Yes = False,
    output: Output = Format.TABLE,
) -> None:
    """Change single values of a definition."""
    here = Context.of(ctx, output)
    node = one(here, path)
    definition = here.client.get(f"/nodes/{node['id']}/definition")
    wanted = values.changed(definition["local"], changes)
    if wanted == definition["local"]:
        here.out.done(_("%(path)s: nothing to change.") % {"path": node["path"]}, definition)
        return
    plan = here.client.post(f"/nodes/{node['id']}/plan", wanted)
    _review(here, node["path"], plan, dry_run=dry_run, yes=yes)
    if not dry_run:
        tag = f'"{definition["version"]}"'
        saved = here.client.put(f"/nodes/{node['id']}/definition", wanted, if_match=tag)
        here.out.done(_("%(path)s: saved.") % {"path": node["path"]}, saved)


def _review(here: Context, path: str, plan: plans.Plan, *, dry_run: bool, yes: bool) -> None:
    """Show the plan; ask when it is not done at once. What would break something is refused."""
    lines = [f"{path}:", *plans.told(plan)]
    if dry_run and not here.out.for_people:
        here.out.data(plan)
    elif dry_run:
        here.out.lines(lines)
    else:
        for line in lines:
            here.out.note(line)
    if plan["broken"]:
        raise Failure(_("This would break definitions; nothing was changed."), Exit.REFUSED, where=path)
    if not dry_run and plans.waiting(plan):
        agree(_("Save this?"), yes=yes)


# -- the editor --------------------------------------------------------------------------------------------------------


@dataclass
class Draft:
    """A definition that somebody is editing: the node, what the server had, and the file."""

    node: Row
    text: str
    tag: str
    file: Path

    def write(self, text: str, *notes: str) -> None:
        """Put the text into the file, below lines of ours."""
        told = [
            _("The definition of %(path)s. Save and close to see what it does; an empty file changes nothing.")
            % {"path": self.node["path"]},
            *(line for note in notes for line in note.splitlines()),
        ]
        lines = [POSITION.sub(lambda at: _("line %d") % (int(at[1]) + len(told)), line) for line in told]
        self.file.write_text("".join(f"{MARK}{line}\n" for line in lines) + text, encoding="utf-8")

    def read(self) -> str:
        """What stands in the file now, without the lines of ours."""
        try:
            lines = self.file.read_text(encoding="utf-8").splitlines(keepends=True)
        except (OSError, UnicodeDecodeError) as error:
            raise Failure(_("What was edited cannot be read."), Exit.USAGE, where=str(self.file)) from error
        return "".join(line for line in lines if not line.startswith(MARK.rstrip()))


def edit(ctx: typer.Context, path: NodePath, yes: Yes = False, output: Output = Format.TABLE) -> None:
    """Edit a definition in $VISUAL or $EDITOR; see what the change does; save it."""
    here = Context.of(ctx, output)
    node = one(here, path)
    text, tag = _read(here, node)
    with tempfile.TemporaryDirectory(prefix="olimpus-") as folder:
        draft = Draft(node, text, tag, Path(folder) / "definition.yaml")
        draft.write("" if text.strip() == "{}" else text)
        wanted, plan = _edited(here, draft)
        _agree(here, plan, wanted, yes=yes)
        saved = _save(here, draft, wanted)
    here.out.done(_("%(path)s: saved.") % {"path": node["path"]}, saved)


def _agree(here: Context, plan: plans.Plan, wanted: str, *, yes: bool) -> None:
    """Ask when it is not done at once; after a “no” what was written is not lost."""
    if not plans.waiting(plan):
        return
    try:
        agree(_("Save this?"), yes=yes)
    except (Failure, typer.Abort):
        here.out.note(_keep(wanted))
        raise


def _edited(here: Context, draft: Draft) -> tuple[str, plans.Plan]:
    """What the editor leaves, once the server takes it, and its plan. Raises Failure when it is left as it was."""
    refused, faults = "", [""]
    for attempt in count(1):
        open_editor(draft.file)
        wanted = draft.read()
        if not wanted.strip() or wanted == draft.text:
            raise Failure(_("Nothing was changed."), Exit.OK)
        if wanted == refused:
            raise _given_up(wanted, faults)
        try:
            plan = data_of(_send(here, "POST", f"/nodes/{draft.node['id']}/plan", wanted))
            for line in plans.told(plan):
                here.out.note(line)
            faults = [f"{fault['where']}: {fault['message']}" for fault in plan["broken"][: plans.NAMED]]
        except Failure as failure:
            if failure.code not in (Exit.REFUSED, Exit.FORBIDDEN):
                here.out.note(_keep(wanted))
                raise
            faults = [str(failure), *failure.faults]
        if not faults:
            return wanted, plan
        if attempt >= SCRIPTED and not sys.stdin.isatty():
            raise _given_up(wanted, faults)
        refused = wanted
        draft.write(wanted, *faults)
    raise AssertionError  # the counting never ends


def _given_up(wanted: str, faults: Sequence[str]) -> Failure:
    return Failure(faults[0], Exit.REFUSED, hint=_keep(wanted), faults=list(faults[1:]))


def _save(here: Context, draft: Draft, wanted: str) -> Any:
    try:
        address = f"/nodes/{draft.node['id']}/definition"
        return data_of(_send(here, "PUT", address, wanted, {"If-Match": draft.tag}))
    except Failure as failure:
        if failure.code == Exit.REFUSED:
            _show_theirs(here, draft)
        here.out.note(_keep(wanted))
        raise


def _show_theirs(here: Context, draft: Draft) -> None:
    """What somebody else has changed meanwhile, if that is what happened."""
    theirs, tag = _read(here, draft.node)
    if tag != draft.tag:
        here.out.note(_("Somebody else has saved meanwhile:"))
        before, after = draft.text.splitlines(), theirs.splitlines()
        for line in list(difflib.unified_diff(before, after, lineterm="", n=2))[2:]:
            here.out.note(f"  {line}")


def _keep(wanted: str) -> str:
    """Keep what was typed in a file that stays; returns a sentence that says where."""
    handle, name = tempfile.mkstemp(prefix="olimpus-", suffix=".yaml")
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(wanted)
    return _("What you wrote is kept in %(file)s") % {"file": name}


def _read(here: Context, node: Row) -> tuple[str, str]:
    """The local definition as YAML, as the server writes it, and its version."""
    answer = here.client.request("GET", f"/nodes/{node['id']}/definition", headers={"Accept": YAML})
    return answer.text, answer.headers["ETag"]


def _send(here: Context, method: str, address: str, text: str, headers: dict[str, str] | None = None) -> Any:
    return here.client.request(
        method, address, content=text.encode(), headers={"Content-Type": YAML, **(headers or {})}
    )


def open_editor(file: Path) -> None:
    """Let $VISUAL or $EDITOR work on the file until it ends. Raises Failure when it cannot be run or fails."""
    chosen = next((os.environ[name] for name in ("VISUAL", "EDITOR") if os.environ.get(name)), "")
    command = chosen or ("notepad" if os.name == "nt" else "vi")
    try:
        done = subprocess.run([*shlex.split(command), str(file)], stdout=sys.stderr, check=False)  # noqa: S603 - one's own editor
    except (OSError, ValueError) as error:
        hint = _("Set EDITOR to one that is installed.")
        raise Failure(_("The editor cannot be started."), Exit.USAGE, where=command, hint=hint) from error
    if done.returncode:
        raise Failure(_("The editor has failed; nothing was changed."), Exit.USAGE, where=command)


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("set", help=_("Change single values of a definition."), rich_help_panel=SHAPING)(set_)
    app.command("edit", help=_("Edit a definition, see what that does, save it."), rich_help_panel=SHAPING)(edit)
