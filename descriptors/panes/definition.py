"""The definition of a node as both doors show and edit it: written text beside the computed result and the plan."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from django.utils.translation import gettext as _

from accounts.models import User
from descriptors import actions, selectors
from descriptors.actions import EditPlan
from descriptors.documents import Positions, dump_yaml
from descriptors.models import Node
from descriptors.panes.lines import Line, Link, compared, definition_rows, observed_beside
from descriptors.panes.texts import Fault, faults_of, fingerprint, parsed
from descriptors.parameters import PARAMETERS
from descriptors.permissions import can
from olimpus.errors import Invalid, OlimpusError, Stale, TooLarge

#: Characters of a definition that the editor takes.
MOST_TEXT: Final = 512 * 1024
#: Nodes below a folder up to which the plan is made while one types (about 0.14 ms a machine); above, when one asks.
EASY: Final = 1000


def written(node: Node) -> str:
    """The local definition as YAML; "" when nothing is written."""
    return dump_yaml(node.definition) if node.definition else ""


def below(node: Node) -> int:
    """How many nodes there are below; no query."""
    return (node.rght - node.lft - 1) // 2


@dataclass
class Result:
    """What a definition comes to: lines, or why it cannot be computed."""

    lines: list[Line] = field(default_factory=list)
    fault: str = ""

    @property
    def changes(self) -> int:
        """How many values a draft adds, changes or removes."""
        return sum(bool(line.change) for line in self.lines)

    @property
    def has_pending(self) -> bool:
        """Whether the hypervisor was given something else."""
        return any(line.applied is not None for line in self.lines)

    @property
    def has_drift(self) -> bool:
        """Whether something else was seen on the hypervisor."""
        return any(line.observed is not None for line in self.lines)


def result(node: Node, link: Link) -> Result:
    """The computed definition of a node; beside a machine's values what the hypervisor was given and shows. One query."""
    try:
        computed = selectors.computed(node)
    except Invalid as error:
        return Result(fault=str(error))
    lines = definition_rows(computed, node.path, link)
    if not node.is_folder:
        machine = node.descriptor
        observed_beside(lines, selectors.pending(machine, computed.values), selectors.drift(machine))
    return Result(lines)


# -- while one types ---------------------------------------------------------------------------------------------------


@dataclass
class Draft:
    """What a text would come to if it were saved: its faults, or the result, and the plan when that was asked for."""

    faults: list[Fault] = field(default_factory=list)
    result: Result = field(default_factory=Result)
    plan: EditPlan | None = None
    planned: str = ""
    stale: str = ""


def draft(user: User, node: Node, text: str, link: Link, *, version: int, planning: bool) -> Draft:
    """Read a text as the definition of a node. Saves nothing, raises nothing that is the text's fault.

    `version` is what the text was begun from. The plan looks at every machine below: ask for it only with reason.
    """
    found, positions = Draft(stale=_stale_words(node, version)), None
    try:
        wanted, positions = read(text)
        if planning:
            found.plan, found.planned = actions.plan_edit(node, wanted, actor=user), fingerprint(text)
        else:
            preview = actions.preview_edit(node, wanted, actor=user)
            found.result = Result(_draft_lines(preview, node, link))
    except OlimpusError as error:
        found.faults = faults_of(error, positions)
    return found


def _draft_lines(preview: actions.Preview, node: Node, link: Link) -> list[Line]:
    before = definition_rows(preview.before, node.path, link) if preview.before else []
    return compared(definition_rows(preview.after, node.path, link), before)


def read(text: str) -> tuple[dict[str, Any], Positions]:
    """The definition that a text says, with its lines. TooLarge, or Invalid with line and column."""
    if len(text) > MOST_TEXT:
        raise TooLarge(_("A definition has at most %(limit)d KiB.") % {"limit": MOST_TEXT // 1024})
    return parsed(text)


def _stale_words(node: Node, version: int) -> str:
    if version == node.version:
        return ""
    who = selectors.last_editor(node)
    if who:
        return _("%(name)s saved another definition meanwhile.") % {"name": who}
    return _("Somebody saved another definition meanwhile.")


# -- the form ----------------------------------------------------------------------------------------------------------


@dataclass
class Editing:
    """The form of a definition: what was typed, from what it was begun, and what the server says to it."""

    node: Node
    text: str
    #: What was written when the typing began, and the version of that.
    started: str
    version: int
    faults: list[Fault] = field(default_factory=list)
    plan: EditPlan | None = None
    planned: str = ""
    #: Who saved meanwhile and what changed, line by line: (sign, text).
    stale: str = ""
    theirs: list[tuple[str, str]] = field(default_factory=list)
    saved: bool = False

    @property
    def easy(self) -> bool:
        """Whether the plan is quick enough to be made while one types."""
        return below(self.node) <= EASY

    @property
    def below(self) -> int:
        """How many nodes there are below."""
        return below(self.node)

    @property
    def wrong(self) -> bool:
        """Whether the answer to the form is a refusal."""
        return bool(self.faults or self.stale)


def opened(node: Node) -> Editing:
    """The form as it is opened."""
    text = written(node)
    return Editing(node, text, text, node.version)


def posted(user: User, node: Node, given: Mapping[str, str]) -> Editing:
    """Plan or save what was typed: it is saved only when its own plan was seen (`step` is "save", `planned` its token).

    Whatever is wrong stands in the answer, beside all that was typed. Raises Forbidden and NotFound for the node itself.
    """
    version = given.get("version", "")
    editing = Editing(node, given.get("definition", ""), given.get("started", ""), _number(version))
    positions = None
    try:
        wanted, positions = read(editing.text)
        if given.get("step") == "save" and given.get("planned") == fingerprint(editing.text):
            actions.edit(node, wanted, actor=user, version=editing.version)
            editing.saved = True
            return editing
        editing.plan = actions.plan_edit(node, wanted, actor=user)
        editing.planned = fingerprint(editing.text)
    except Stale:
        return _outrun(editing)
    except OlimpusError as error:
        editing.faults = faults_of(error, positions)
    return editing


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else 0


def _outrun(editing: Editing) -> Editing:
    """Somebody else saved first: show their change, keep mine, and let me save on top of what I have now seen."""
    node = editing.node
    node.refresh_from_db()
    editing.stale = _stale_words(node, editing.version)
    theirs = written(node)
    editing.theirs = difference(editing.started, theirs)
    editing.started, editing.version = theirs, node.version
    return editing


def difference(before: str, after: str) -> list[tuple[str, str]]:
    """Two texts compared line by line: ("+" | "-" | " ", line) with three lines around each change."""
    lines = difflib.unified_diff(before.splitlines(), after.splitlines(), lineterm="", n=3)
    return [(line[:1], line[1:]) for line in lines if not line.startswith(("+++", "---", "@@"))]


# -- what both doors give to their pages -------------------------------------------------------------------------------


def context(user: User, node: Node, link: Link, editing: Editing | None = None) -> dict[str, Any]:
    """Everything that `components/definition.html` and `components/definition_form.html` show."""
    return {
        "node": node,
        "editing": editing,
        "written": written(node),
        "result": result(node, link),
        "may_edit": can(user, "edit", node),
        "parameters": PARAMETERS.values(),
    }
