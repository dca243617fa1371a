"""`slice plan`, `deploy`, `resume`, `undo`, `rm` and `edit`: what a slice shall become, and what makes it so."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from olimpus.cli import following
from olimpus.cli.asking import Yes, agree, confirm, confirm_number
from olimpus.cli.context import Context
from olimpus.cli.editing import open_editor
from olimpus.cli.errors import Exit, Failure
from olimpus.cli.options import Output
from olimpus.cli.output import Format
from olimpus.cli.slices import files, planned
from olimpus.cli.slices.options import FILE_HELP, Row, SlicePath, found
from olimpus.cli.verbs import Timeout
from olimpus.cli.words import gettext as _
from olimpus.cli.words import ngettext
from olimpus.cli.yaml import as_yaml


class Strategy(StrEnum):
    """How nodes are placed."""

    SPREAD = "spread"
    PACK = "pack"
    TOGETHER = "together"


How = Annotated[
    Strategy,
    typer.Option("--strategy", help=_("Evenly over all places, into as few as possible, or neighbours together.")),
]
Pins = Annotated[
    list[str] | None,
    typer.Option("--pin", metavar="NODE=PLACE", help=_("A worker or zone chosen by hand; may be repeated.")),
]
Optimise = Annotated[
    bool, typer.Option("--optimise/--no-optimise", help=_("Whether critical nodes get larger flavors."))
]
File = Annotated[
    str,
    typer.Option("--file", "-f", metavar="FILE", help=_("A document of what it shall become, instead of the draft.")),
]
Digest = Annotated[
    str,
    typer.Option("--digest", metavar="DIGEST", help=_("Exactly the plan that had this digest: slice plan -o json")),
]
Wait = Annotated[
    bool, typer.Option("--wait", "-w", "--follow", help=_("Follow it to the end; 1 when a machine failed."))
]
Nodes = Annotated[list[str] | None, typer.Argument(metavar="[NODE…]", help=_("Only these nodes."))]


# -- planning ----------------------------------------------------------------------------------------------------------


def plan(
    ctx: typer.Context,
    path: SlicePath,
    strategy: How = Strategy.SPREAD,
    pins: Pins = None,
    optimise: Optimise = True,
    file: File = "",
    output: Output = Format.TABLE,
) -> int:
    """Show what a slice would become, where each node lands and why; 7 when it does not fit. Nothing is changed."""
    here = Context.of(ctx, output)
    made = _planned(here, found(here, path)["id"], _asked(here, strategy, pins, optimise, file))
    planned.show(here, made)
    return Exit.OK if made["fits"] else Exit.REFUSED


def _asked(here: Context, strategy: Strategy, pins: list[str] | None, optimise: bool, file: str) -> Row:
    body: Row = {"strategy": strategy.value, "optimise": optimise, "pins": dict(map(_pin, pins or []))}
    return body | ({"document": files.imported(here, file)["document"]} if file else {})


def _pin(text: str) -> tuple[str, str]:
    node, _equals, place = text.partition("=")
    if not node or not place:
        hint = _("For example: --pin r1=worker-2")
        raise Failure(_("Two names with “=” between them are needed."), Exit.USAGE, where=text, hint=hint)
    return node, place


def _planned(here: Context, key: int, body: Row) -> Row:
    return dict(here.client.post(f"/slices/{key}/plan", body))


def _shown(here: Context, key: int, digest: str) -> Row:
    return dict(here.client.get(f"/slices/{key}/plan", digest=digest))


def deploy(
    ctx: typer.Context,
    path: SlicePath,
    strategy: How = Strategy.SPREAD,
    pins: Pins = None,
    optimise: Optimise = True,
    file: File = "",
    digest: Digest = "",
    wait: Wait = False,
    timeout: Timeout = None,
    yes: Yes = False,
    output: Output = Format.TABLE,
) -> int:
    """Show the plan of a slice, ask, and deploy exactly that; 7 when it has changed since a plan of this digest.

    Where there is nothing to do that is said, and all is well.
    """
    here = Context.of(ctx, output)
    row = found(here, path)
    if digest and (file or pins):
        raise Failure(_("A plan that was made already has its document and its pins."), Exit.USAGE, where="--digest")
    if digest:
        made = _shown(here, row["id"], digest)
    else:
        made = _planned(here, row["id"], _asked(here, strategy, pins, optimise, file))
    if here.out.for_people:
        planned.show(here, made)
    if not made["fits"]:
        faults = [] if here.out.for_people else list(planned.refusals(made))
        raise Failure(_("It does not fit; nothing was changed."), Exit.REFUSED, where=row["path"], faults=faults)
    _agree(made, row["path"], yes=yes)
    answer = here.client.post(f"/slices/{row['id']}/deploy", {"digest": made["digest"]})
    if answer["deployment"] is None:
        here.out.done(_nothing(here, row["id"], row["path"]), answer)
        return Exit.OK
    return begun(here, row["path"], answer, wait=wait, timeout=timeout)


def _nothing(here: Context, key: int, path: str) -> str:
    """Why nothing had to be asked for: all stands, or somebody has asked already."""
    counts = here.client.get(f"/slices/{key}")["progress"]
    number = counts["busy"] or counts["total"]
    if counts["busy"]:
        said = ngettext(
            "%(path)s: nothing more to do, %(number)d of its machines is being worked on.",
            "%(path)s: nothing more to do, %(number)d of its machines are being worked on.",
            number,
        )
    else:
        said = ngettext(
            "%(path)s: nothing to do, its machine is as planned.",
            "%(path)s: nothing to do, all %(number)d machines are as planned.",
            number,
        )
    return said % {"path": path, "number": number}


def _agree(made: planned.Plan, path: str, *, yes: bool) -> None:
    """Where machines are destroyed a “yes” is needed; where somebody looks, also before anything else."""
    lost, disturbed = planned.lost(made), planned.disturbed(made)
    if lost:
        question = _("Deploy this? These machines and their disks are deleted: %(names)s")
        confirm(question % {"names": ", ".join(lost)}, yes=yes)
    elif disturbed:
        confirm(_("Deploy this? These machines are restarted: %(names)s") % {"names": ", ".join(disturbed)}, yes=yes)
    else:
        agree(_("Deploy %(path)s?") % {"path": path}, yes=yes)


# -- what is asked of machines -----------------------------------------------------------------------------------------


def begun(here: Context, path: str, answer: Mapping[str, Any], *, wait: bool, timeout: float | None) -> Exit:
    """Tell what was asked for, follow it to its end where that is wanted. Returns the exit code."""
    if not wait and timeout is None:
        _tell(here, path, answer)
        return Exit.OK
    end = None if timeout is None else time.monotonic() + timeout
    ended = [_followed(here, operation, end) for operation in answer["operations"]]
    if not here.out.for_people:
        here.out.data({**answer, "operations": ended})
    for operation in ended if here.out.for_people else []:
        here.out.lines(following.summary(here, operation))
    return max((following.code_of(operation) for operation in ended), default=Exit.OK)


def _followed(here: Context, operation: following.Operation, end: float | None) -> following.Operation:
    """They run side by side: what the first took, the others had as well."""
    left = None if end is None else max(end - time.monotonic(), 0)
    return following.follow(here, operation, timeout=left)


def _tell(here: Context, path: str, answer: Mapping[str, Any]) -> None:
    if not here.out.for_people:
        here.out.data(answer)
        return
    for operation in answer["operations"]:
        here.out.lines([_("Asked for: %(what)s") % {"what": following.told(operation)}])
        here.out.lines(following.left_out(operation))
    if answer["operations"]:
        here.out.note(_("See how it goes: olimpus slice status %(path)s") % {"path": path})


def resume(
    ctx: typer.Context,
    path: SlicePath,
    nodes: Nodes = None,
    wait: Wait = False,
    timeout: Timeout = None,
    output: Output = Format.TABLE,
) -> int:
    """Go on with what failed or never began."""
    here = Context.of(ctx, output)
    row = found(here, path)
    answer = here.client.post(f"/slices/{row['id']}/resume", {"nodes": nodes or []})
    return begun(here, row["path"], answer, wait=wait, timeout=timeout)


def undo(
    ctx: typer.Context,
    path: SlicePath,
    wait: Wait = False,
    timeout: Timeout = None,
    yes: Yes = False,
    output: Output = Format.TABLE,
) -> int:
    """Take back the last deployment."""
    here = Context.of(ctx, output)
    row = found(here, path)
    question = _("Take back the last deployment of %(path)s? The machines that it made are deleted with their disks.")
    confirm(question % {"path": row["path"]}, yes=yes)
    return begun(here, row["path"], here.client.post(f"/slices/{row['id']}/undo"), wait=wait, timeout=timeout)


def rm(
    ctx: typer.Context,
    path: SlicePath,
    wait: Wait = False,
    timeout: Timeout = None,
    yes: Yes = False,
    output: Output = Format.TABLE,
) -> int:
    """Destroy all machines of a slice, then delete it."""
    here = Context.of(ctx, output)
    row = found(here, path)
    number = row["nodes"]
    machines = ngettext("%d machine", "%d machines", number) % number
    told = _("Delete %(path)s: %(machines)s with their disks, and what is written about them.")
    confirm_number(told % {"path": row["path"], "machines": machines}, number, yes=yes)
    answer = here.client.delete(f"/slices/{row['id']}")
    code = begun(here, row["path"], answer, wait=wait, timeout=timeout)
    if not answer["operations"] and here.out.for_people:
        here.out.done(_("%(path)s: deleted.") % {"path": row["path"]})
    return code


# -- the draft ---------------------------------------------------------------------------------------------------------


def edit(
    ctx: typer.Context,
    path: SlicePath,
    file: Annotated[str, typer.Option("--file", "-f", metavar="FILE", help=FILE_HELP)] = "",
    output: Output = Format.TABLE,
) -> None:
    """Change the draft of a slice in $VISUAL or $EDITOR, or take it from a file; `deploy` makes it so."""
    here = Context.of(ctx, output)
    row = found(here, path)
    document = files.imported(here, file)["document"] if file else _edited(here, row)
    body = {"document": document, "version": row["version"]}
    saved = here.client.patch(f"/slices/{row['id']}", body)
    here.out.done(_("%(path)s: draft saved. Deploy it: olimpus slice deploy %(path)s") % {"path": row["path"]}, saved)


def _edited(here: Context, row: Row) -> Row:
    """What the editor leaves. Raises Failure where nothing was changed; what is refused stays in a file."""
    text = as_yaml((row["draft"] or row)["document"])
    with tempfile.NamedTemporaryFile("w", prefix="olimpus-", suffix=".yaml", delete=False, encoding="utf-8") as kept:
        kept.write(text)
    file = Path(kept.name)
    open_editor(file)
    if file.read_text(encoding="utf-8") in (text, ""):
        file.unlink()
        raise Failure(_("Nothing was changed."), Exit.OK)
    document = files.imported(here, str(file), format="yaml")["document"]
    file.unlink()
    return dict(document)
