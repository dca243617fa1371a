"""What the portal's templates share: icons, state badges, times as people say them, verbs as buttons."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import cache, lru_cache
from typing import Any, Final
from urllib.parse import quote

from django import template
from django.contrib.humanize.templatetags.humanize import naturaltime
from django.template.loader import render_to_string
from django.templatetags.static import static
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.html import escape, format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import get_language, gettext_lazy, ngettext
from django.utils.translation import gettext as _

from accounts import personal, roles
from accounts.models import User
from descriptors import deeds, selectors
from descriptors.models import Operation, Status
from descriptors.panes.lines import words_of
from descriptors.states import CHOICES, ON_THE_WAY, State
from descriptors.verbs import VERBS, Verb
from descriptors.web import sidebar

register = template.Library()

SPRITE: Final = "vendor/tabler-icons-3.51.0/sprite.svg"
#: Shown in place of the state while the hypervisor does not answer.
UNKNOWN: Final = "unknown"
#: State → icon. The colour is in `static/css/nodes.css`, the word in `descriptors.states`.
ICONS: Final = {
    State.PROVISIONED: "circle-dashed",
    State.CREATED: "box",
    State.STARTING: "loader-2",
    State.RUNNING: "player-play-filled",
    State.PAUSED: "player-pause-filled",
    State.STOPPING: "loader-2",
    State.STOPPED: "power",
    State.FAILED: "alert-triangle",
    UNKNOWN: "cloud-off",
}
LABELS: Final = {value: gettext_lazy(label) for value, label in CHOICES} | {UNKNOWN: gettext_lazy("Unknown")}
#: Stands for a node's id in a button that is made once.
ANY_NODE: Final = 918_273_645
STATES: Final = tuple(str(state) for state in ICONS)


@register.simple_tag
@cache
def icon(name: str, extra: str = "") -> SafeString:
    """An icon of the sprite; decorative, so a word always stands beside it (or `aria-label` on its button)."""
    return format_html('<svg class="icon {}" aria-hidden="true"><use href="{}#{}"/></svg>', extra, static(SPRITE), name)


@register.simple_tag
def state_badge(state: str, extra: str = "") -> SafeString:
    """The state as colour, icon and word; the same few again and again, so each is made once for a language."""
    return _state_badge(state, extra, get_language())


@lru_cache(maxsize=256)
def _state_badge(state: str, extra: str, _language: str | None) -> SafeString:
    motion = "turning" if state in ON_THE_WAY else ""
    return format_html(
        '<span class="state state-{} {}" data-state="{}">{}<span>{}</span></span>',
        state,
        extra,
        state,
        icon(ICONS[state], motion),
        LABELS[state],
    )


@register.simple_tag
def state_icon(state: str) -> SafeString:
    """The picture of a state, for a count that stands beside its word."""
    return icon(ICONS[state])


@register.simple_tag
def verb_button(offer: dict[str, Any], node_id: int, small: bool = False, slot: bool = False) -> SafeString:
    """One verb on one machine (`components/verb.html`): the same button for all machines but for the id in its address."""
    told = (offer["enabled"], str(offer["why"]), bool(offer.get("primary")), bool(offer.get("likely")))
    html = _verb_button(offer["verb"].name, *told, small, slot, get_language())
    return SafeString(html.replace(str(ANY_NODE), str(node_id)))


@lru_cache(maxsize=4096)
def _verb_button(
    name: str, enabled: bool, why: str, primary: bool, likely: bool, small: bool, slot: bool, _language: str | None
) -> str:
    offer = {"verb": VERBS[name], "enabled": enabled, "why": why, "primary": primary, "likely": likely}
    known = {"offer": offer, "node_id": ANY_NODE, "small": small, "slot": slot}
    return render_to_string("components/verb.html", known)


@register.simple_tag
def marks(busy: str = "", drifted: bool = False, pending: bool = False) -> SafeString:
    """The signs beside a state (`components/marks.html`): made once for each of the few that there are."""
    return _marks(str(busy or ""), bool(drifted), bool(pending), get_language())


@lru_cache(maxsize=1024)
def _marks(busy: str, drifted: bool, pending: bool, _language: str | None) -> SafeString:
    return render_to_string("components/marks.html", {"busy": busy, "drifted": drifted, "pending": pending})


@register.simple_tag
def states() -> tuple[str, ...]:
    """All states that a badge can show."""
    return STATES


@register.filter
def state_label(state: str) -> str:
    """The word for a state."""
    return str(LABELS.get(state, state))


@register.filter
def role_label(user: User) -> str:
    """What the account is: superuser, manager or simple user."""
    return str(roles.LABELS[roles.kind_of(user)])


@register.filter
def theme(user: User) -> str:
    """The theme kept with the account; "" for nobody and for who chose none."""
    return personal.theme_of(user) if getattr(user, "is_authenticated", False) else ""


@register.filter
def verb_label(name: str) -> str:
    """The label of a verb; the name itself for one that no longer exists."""
    return str(VERBS[name].label) if name in VERBS else name


@register.simple_tag
def ago(moment: datetime | None) -> SafeString | str:
    """ "3 minutes ago", the exact time on hover; `app.js` keeps it true while the page is open."""
    if moment is None:
        return "–"
    begin = _exactly(moment, get_language(), timezone.get_current_timezone_name())
    return format_html("{}{}</time>", begin, naturaltime(moment))


@lru_cache(maxsize=4096)
def _exactly(moment: datetime, _language: str | None, _zone: str) -> SafeString:
    """The part that does not change as time passes; the same rows are shown many times."""
    return format_html(
        '<time datetime="{}" title="{} · {} UTC">',
        moment.isoformat(),
        date_format(timezone.localtime(moment), "DATETIME_FORMAT"),
        moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S"),
    )


@register.filter
def tree_url(path: str) -> str:
    """The page of the node at `path`."""
    return "/tree" + quote(path, safe="/@+-._~") if path != "/" else "/tree/"


@register.filter
def under(path: str, folder: str) -> str:
    """The path as seen from a folder above it; the whole path without one."""
    above = f"{folder.rstrip('/')}/" if folder else ""
    return path.removeprefix(above) if above else path


@register.filter
def get(mapping: Any, key: Any) -> Any:
    """`mapping[key]`, or None."""
    return mapping.get(key) if mapping else None


@register.filter
def marked(text: str, words: Sequence[str]) -> SafeString:
    """The text with every place marked where one of the words is, whatever its case."""
    pattern = "|".join(re.escape(word) for word in sorted(words, key=len, reverse=True))
    if not pattern:
        return SafeString(escape(text))
    # The odd parts of a split by a group are what the group found.
    parts = enumerate(re.split(f"({pattern})", text, flags=re.IGNORECASE))
    return format_html_join(
        "", "{}", ((format_html("<mark>{}</mark>", part) if at % 2 else part,) for at, part in parts)
    )


@register.filter
def toggled(filters: Any, state: str) -> str:
    """The query string of a folder's filters with this state shown too, or no more."""
    return str(filters.toggled(state).query)


register.filter("shown", words_of)


@register.filter
def from_states(verb: Verb) -> str:
    """The states from which a verb may begin, separated by spaces: for `data-states`."""
    return " ".join(selectors.sources(verb))


@register.filter
def likely_states(verb: Verb) -> str:
    """The states in which a verb is the likely next step, separated by spaces."""
    return " ".join(sorted(verb.likely))


@register.filter
def not_from_here(verb: Verb) -> str:
    """What `app.js` says on a button that the present state does not allow."""
    return _not_from_here(verb.name, get_language())


@cache
def _not_from_here(verb: str, _language: str | None) -> str:
    """A page says it fifty times; the language is part of the question."""
    wanted = ", ".join(str(LABELS[state]).lower() for state in selectors.sources(VERBS[verb]))
    return _("Not possible now: “%(verb)s” needs %(states)s.") % {"verb": VERBS[verb].label, "states": wanted}


@register.simple_tag(takes_context=True)
def notices(context: template.Context) -> selectors.Told:
    """What the bell says to this person; one query."""
    user = getattr(context.get("request"), "user", None)
    return selectors.told(user) if user and user.is_authenticated else selectors.Told(0, 0, 0)


@register.simple_tag(takes_context=True)
def folder_tree(context: template.Context, node: Any = None) -> list[sidebar.Item]:
    """The folders on the left, open along the way to `node`."""
    user = getattr(context.get("request"), "user", None)
    return sidebar.folder_tree(user, node or None) if user and user.is_authenticated else []


#: Status of an operation → icon.
STATUS_ICONS: Final = {
    Status.QUEUED: "clock",
    Status.RUNNING: "loader-2",
    Status.SUCCEEDED: "circle-check",
    Status.PARTIAL: "alert-triangle",
    Status.FAILED: "circle-x",
    Status.CANCELLED: "ban",
}


@register.simple_tag
def operation_statuses() -> list[tuple[str, Any, str]]:
    """(status, label, icon) of everything an operation can be."""
    return [(str(status), status.label, name) for status, name in STATUS_ICONS.items()]


@register.filter
def ended(operation: Operation) -> int:
    """How many machines of a folder operation have their result."""
    return operation.succeeded + operation.failed + operation.cancelled


@register.filter
def left(operation: Operation) -> int:
    """How many machines of a folder operation have no result yet."""
    return max(0, operation.total - ended(operation))


@register.filter
def waiting(operation: Operation) -> int:
    """How many machines of a folder operation no hypervisor works on yet (`with_running`)."""
    return max(0, left(operation) - getattr(operation, "running_now", 0))


@register.filter
def remaining(operation: Operation) -> str:
    """How long a folder operation will still take at its pace so far; "" while that cannot be said."""
    began, so_far = operation.started_at, ended(operation)
    if not began or not operation.is_open or so_far < 5:
        return ""
    seconds = (timezone.now() - began).total_seconds() / so_far * left(operation)
    if seconds < 60:
        return ngettext("%d second", "%d seconds", round(seconds)) % round(seconds)
    return ngettext("%d minute", "%d minutes", round(seconds / 60)) % round(seconds / 60)


register.filter("deed", deeds.deed)

#: What a change of a definition does to a machine.
EFFECTS: Final = {
    "now": gettext_lazy("now"),
    "next_start": gettext_lazy("at the next start"),
    "reapply": gettext_lazy("when reapplied"),
    "recreate": gettext_lazy("only by recreation"),
}
ROLES: Final = {
    "manager": gettext_lazy("Manager"),
    "user": gettext_lazy("Simple user"),
    "superuser": gettext_lazy("superuser"),
}


@register.filter
def effect_label(effect: str) -> str:
    """When a change of a definition takes effect."""
    return str(EFFECTS.get(effect, effect))


@register.filter
def grant_label(role: str) -> str:
    """The word for a role."""
    return str(ROLES.get(role, role))


#: Door through which somebody came → what people say; the others are called so in every language.
DOORS: Final = {"admin": gettext_lazy("operator console"), "command": gettext_lazy("command line")}


@register.filter
def door(via: str) -> str:
    """The door that a line of the journal names."""
    return str(DOORS.get(via, via))


@register.filter
def words(text: str) -> list[str]:
    """The words of a text, to walk through a fixed list."""
    return text.split()


@register.filter
def as_json(value: Any) -> str:
    """A value as JSON, which is YAML too."""
    return json.dumps(value, ensure_ascii=False)
