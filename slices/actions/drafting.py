"""Drafts: what an editor saves by itself while somebody draws."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.models import User
from descriptors.models import Node
from descriptors.permissions import require
from olimpus.db import retry_on_deadlock
from olimpus.errors import Conflict, Invalid, TooLarge
from slices import documents, selectors
from slices.models import Draft

#: Bytes of a document as JSON.
LARGEST: Final = 4 * 1024 * 1024


@retry_on_deadlock
def save_draft(folder: Node, document: object, *, version: int, actor: User) -> tuple[Draft, list[dict[str, Any]]]:
    """Keep what somebody draws, and what is wrong with it: half of a drawing is kept, too.

    `version` is the one that was read (0: there was none). Conflict, telling who saved when, if it is no longer so.
    Saving what is there already changes nothing.
    """
    require(actor, "edit", folder)
    if not isinstance(document, Mapping):
        raise Invalid(_("A mapping is needed."), where="document")
    if len(json.dumps(document)) > LARGEST:
        raise TooLarge(_("The document is larger than %d MiB.") % (LARGEST // 1024**2), where="document")
    selectors.hold(folder)
    draft = Draft.objects.select_for_update().filter(folder=folder.pk).first()
    if version != (draft.version if draft else 0):
        raise stale(draft, actor)
    if draft is None or draft.document != document:
        draft = _write(folder, dict(document), version + 1, actor)
    return draft, faults_of(document)


def outdate(folder: Node, *, actor: User, **changes: Any) -> None:
    """The tree's slice has changed: who read it before is told so when he saves. `changes`: of the draft itself.

    Within a transaction.
    """
    draft = Draft.objects.select_for_update().filter(folder=folder.pk).first()
    values = {"author": actor, "saved_at": timezone.now(), "version": (draft.version if draft else 0) + 1, **changes}
    Draft.objects.update_or_create(folder_id=folder.pk, defaults=values)


def faults_of(document: object) -> list[dict[str, Any]]:
    """What is wrong with a document; nothing when it can be planned."""
    try:
        documents.read(document)
    except Invalid as error:
        return error.errors or [{"where": error.where, "message": error.message, "hint": error.hint}]
    return []


def stale(draft: Draft | None, actor: User) -> Conflict:
    """Somebody was quicker, or this person himself elsewhere: who, when, and the version to read."""
    if draft is None:
        return Conflict(_("There is no draft of this version."), where="version", hint=_("Read it again."))
    by = draft.author.get_username() if draft.author else ""
    told = {"version": draft.version, "by": by, "at": draft.saved_at.isoformat()}
    if draft.author == actor:
        message = _("You yourself have saved it meanwhile, elsewhere.")
    else:
        message = _("%(by)s has saved it meanwhile.") % {"by": by or _("Somebody else")}
    hint = _("Read it again and repeat your change.")
    return Conflict(message, where="version", hint=hint, errors=[{"where": "version", "message": message, **told}])


def _write(folder: Node, document: dict[str, Any], version: int, actor: User) -> Draft:
    values = {"document": document, "version": version, "author": actor, "saved_at": timezone.now()}
    return Draft.objects.update_or_create(folder_id=folder.pk, defaults=values)[0]
