"""The page of one machine: its state in words, what to do next, addresses, what its definition comes to, what waits."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC
from typing import Any, Final

from django.http import HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from descriptors import selectors
from descriptors.cascade import Computed
from descriptors.models import Node, Operation, Status
from descriptors.panes.lines import Link, definition_rows
from descriptors.permissions import can
from descriptors.selectors.repairing import repair
from descriptors.states import State
from descriptors.templatetags.portal import tree_url
from descriptors.verbs import VERBS
from descriptors.web.doors import SignedIn, door
from descriptors.web.home import may
from descriptors.web.rows import Row, rows_of, ways_in
from olimpus.errors import Invalid, NotFound

Offer = dict[str, Any]
LAST_OPERATIONS: Final = 6
LAST_ENTRIES: Final = 8
#: Verbs that stand beside the likely one; the rest is in the menu.
OFTEN: Final = ("restart", "pause")
#: These have a place of their own, beside the list of snapshots.
SNAPSHOTS: Final = ("snapshot", "revert", "delete_snapshot")
#: Parameters of the summary, in this order.
SUMMARY: Final = ("image", "flavor", "cpus", "memory_mib", "disk_gib", "hypervisor", "prototype", "student")
#: What a state means to whoever looks at the machine; the page holds all of them and shows the one that is true.
STATE_WORDS: Final = {
    State.PROVISIONED: gettext_lazy("Only a definition so far: nothing of it exists yet. “Create” builds it."),
    State.CREATED: gettext_lazy("Built and never switched on yet."),
    State.STARTING: gettext_lazy("Being switched on. You need not wait here: it goes on without this page."),
    State.RUNNING: gettext_lazy("Switched on. Right after a start the guest may need a minute to answer."),
    State.PAUSED: gettext_lazy("Frozen in memory. “Resume” lets it go on exactly where it was."),
    State.STOPPING: gettext_lazy("Shutting down. You need not wait here: it goes on without this page."),
    State.STOPPED: gettext_lazy("Switched off. Its disks are kept."),
    State.FAILED: gettext_lazy("The last thing asked of it did not work. What happened and what to do is below."),
}


def machine(request: SignedIn, node: Node) -> dict[str, Any]:
    """Everything that the tab "machine" shows; the number of queries is fixed."""
    (row,) = rows_of([node], request.user)
    operations = list(selectors.operations(request.user).filter(node=node)[:LAST_OPERATIONS])
    descriptor = node.descriptor
    offers = {offer["verb"].name: offer for offer in row.offers}
    drift = selectors.drift(descriptor)
    mend = repair(descriptor, drift, request.user) if drift else None
    return {
        "row": row,
        "verbs": grouped(row.offers),
        "offers": offers,
        "seat": selectors.seat(descriptor),
        "state_words": STATE_WORDS,
        "drift": drift,
        "repair": mend,
        "repair_offer": offers.get(mend.verb) if mend else None,
        "pending": selectors.pending(descriptor, row.values) if row.values else {},
        "summary": summary_of(node, lambda path: _definition_url(path, request)),
        "ways": ways_in(row),
        "trouble": trouble_of(row, operations),
        "operations": operations,
        "entries": selectors.history(request.user, node)[:LAST_ENTRIES],
    }


@door
def panel(request: SignedIn, node_id: int) -> HttpResponse:
    """The parts of a machine's page that change with it."""
    found = selectors.get(request.user, node_id)
    if found.is_folder:
        raise NotFound(_("This is a folder."), where=found.path)
    context = {"node": found, "may": may(request, found)} | machine(request, found)
    return render(request, "portal/machine_details.html", context)


@door
def ways(request: SignedIn, node_id: int) -> HttpResponse:
    """How one gets into a machine, for its card at home."""
    found = selectors.get(request.user, node_id)
    if found.is_folder:
        raise NotFound(_("This is a folder."), where=found.path)
    (row,) = rows_of([found], request.user)
    return render(request, "portal/home_ways.html", {"ways": ways_in(row)})


def grouped(offers: Iterable[Offer]) -> dict[str, list[Offer]]:
    """The verbs as the page lays them out: `likely` share one place, `often` stand beside it, `more` are in a menu."""
    groups: dict[str, list[Offer]] = {"likely": [], "often": [], "more": []}
    for offer in offers:
        verb = offer["verb"]
        if verb.name not in SNAPSHOTS:
            groups["likely" if verb.likely else "often" if verb.name in OFTEN else "more"].append(offer)
    return groups


def summary_of(node: Node, link: Link) -> list[Any]:
    """The values that matter with the folder that set each: lines of `definition_rows`; one query.

    A size that only the flavor sets says so. Empty when the definition cannot be computed: the page says why elsewhere.
    """
    try:
        computed = selectors.computed(node)
    except Invalid:
        return []
    known: dict[str, Any] = {line.key: line for line in definition_rows(computed, node.path, link)}
    for name, there in selectors.names_there(computed.values).items():
        known[name].there = there
    implied = _implied(computed)
    lines = [known.get(name) or implied.get(name) for name in SUMMARY]
    return [line for line in lines if line]


def _definition_url(path: str, request: SignedIn) -> str:
    return f"{tree_url(path)}?tab=definition" if can(request.user, "see", path) else ""


def _implied(computed: Computed) -> dict[str, dict[str, Any]]:
    """Sizes that come with the flavor."""
    flavor = computed.values.get("flavor")
    try:
        size = selectors.size_of(computed.values)
    except Invalid:
        return {}
    sizes = {"cpus": (size.cpus, _("CPUs")), "memory_mib": (size.memory_mib, "MiB"), "disk_gib": (size.disk_gib, "GiB")}
    return {
        name: {"key": name, "value": value, "unit": unit, "flavor": flavor}
        for name, (value, unit) in sizes.items()
        if flavor and value
    }


def trouble_of(row: Row, operations: Sequence[Operation]) -> dict[str, Any] | None:
    """What went wrong last and still stands: the operation, its reason, and a text for whoever can help.

    None when the last thing asked worked, or when nothing is known to be wrong.
    """
    ended = next((operation for operation in operations if not operation.is_open), None)
    failed = ended if ended and ended.status == Status.FAILED else None
    if row.busy or (row.state != State.FAILED and failed is None):
        return None
    error = (failed.error or {}) if failed else {}
    verb = VERBS.get(failed.verb) if failed else None
    reason = str(error.get("message") or row.node.descriptor.reason or _("No reason was given."))
    trouble = {
        "broken": row.state == State.FAILED,
        "operation": failed,
        "verb": verb,
        "reason": reason,
        "hint": str(error.get("hint") or ""),
        "at": (failed.finished_at or failed.created_at) if failed else row.since,
    }
    return trouble | {"text": _text_for_help(row, trouble)}


def _text_for_help(row: Row, trouble: Mapping[str, Any]) -> str:
    """All that a manager asks first, to be pasted into a message."""
    at = trouble["at"].astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")
    what = trouble["verb"].label if trouble["verb"] else _("Failed")
    lines = [row.node.path, f"{what}, {at}: {trouble['reason']} {trouble['hint']}".strip()]
    lines.append(_("Hypervisor: %(name)s") % {"name": row.hypervisor or "–"})
    if operation := trouble["operation"]:
        lines.append(_("Operation: %(id)s") % {"id": operation.pk})
    lines.append(_("Copied at %(now)s UTC") % {"now": timezone.now().strftime("%Y-%m-%d %H:%M")})
    return "\n".join(lines)
