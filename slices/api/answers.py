"""Slices, plans and deployments as JSON."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from accounts.models import User
from descriptors.api.rows import operation_row
from descriptors.models import Node, Operation
from descriptors.states import State
from slices import selectors
from slices.actions.drafting import faults_of
from slices.models import Deployment, Draft, Plan
from slices.phrases import phrase_of

Json = dict[str, Any]


def slice_row(folder: Node, user: User) -> Json:
    """One slice in full."""
    (row,) = selectors.rows([folder])
    draft = selectors.draft(folder)
    told = selectors.status(user, folder)
    return row | {
        "document": selectors.document(folder),
        "draft": draft_row(draft),
        "version": selectors.version(folder),
        "faults": faults_of(draft.document) if draft else [],
        "can": selectors.allowed(user, folder),
        "progress": told["progress"],
    }


def draft_row(draft: Draft | None) -> Json | None:
    """A draft; None when there is none."""
    if draft is None:
        return None
    by = draft.author.get_username() if draft.author else ""
    return {"document": draft.document, "version": draft.version, "by": by, "at": draft.saved_at}


def plan_row(plan: Plan, folder: Node) -> Json:
    """A plan in the words of whoever asks."""
    said = plan.shown
    running = set(selectors.machines(folder).filter(state=State.RUNNING).values_list("name", flat=True))
    return {
        "digest": plan.digest,
        "fits": said["fits"],
        "rows": [_planned(row, running) for row in said["rows"]],
        "networks": said["networks"],
        "refusals": [_refused(refusal) for refusal in said["refusals"]],
        "totals": said["totals"],
        "tunnels": said["tunnels"],
        "document": plan.document,
        "at": plan.shown_at,
    }


def _planned(row: Mapping[str, Any], running: set[str]) -> Json:
    return {
        **row,
        **_in_words(row["reason"], "reason", "code"),
        **_in_words(row["flavor_reason"], "flavor_reason", "flavor_code"),
        "note": phrase_of(row["note"]) if row.get("note") else "",
        "restart": row["change"] == "change" and row["node"] in running,
    }


def _refused(refusal: Mapping[str, Any]) -> Json:
    told = _in_words(refusal["reason"], "message", "code")
    return {"node": refusal["node"], "hypervisor": refusal["hypervisor"], **told}


def _in_words(reason: Mapping[str, Any], text: str, code: str) -> dict[str, str]:
    return {text: phrase_of(reason), code: str(reason["code"])}


def deployment_row(deployment: Deployment | None) -> Json | None:
    """A change that was asked for; None when there was none."""
    if deployment is None:
        return None
    return {
        "id": deployment.pk,
        "kind": deployment.kind,
        "by": deployment.actor.get_username() if deployment.actor else "",
        "at": deployment.created_at,
        "undone": deployment.undone,
    }


def operation_rows(deployment: Deployment | None, user: User) -> list[Json]:
    """The operations of a change, in the order in which they were asked for."""
    ids: Iterable[str] = deployment.operations if deployment else ()
    found = {str(row.pk): row for row in Operation.objects.select_related("actor", "hypervisor").filter(pk__in=ids)}
    return [operation_row(found[pk], user) for pk in ids if pk in found]
