"""What a page remembers of how one likes it: the view of folders, hidden columns, what is folded, the filters kept."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST

from accounts.models import User
from accounts.preferences import preference, remember
from descriptors.web import filters
from descriptors.web.doors import SignedIn, back, door, is_fragment
from olimpus.errors import Invalid

VIEWS: Final = ("table", "cards", "grid")
#: Columns that one can hide.
COLUMNS: Final = {
    "verb": gettext_lazy("Next step"),
    "hypervisor": gettext_lazy("Hypervisor"),
    "address": gettext_lazy("Address"),
    "age": gettext_lazy("Since"),
}
#: Folders whose folding is remembered; the oldest are forgotten.
MOST_FOLDED: Final = 200


def view_of(request: SignedIn) -> str:
    """The view that the address bar names, else the one chosen last."""
    wanted = request.GET.get("view") or preference(request.user, "view", "")
    return wanted if wanted in VIEWS else VIEWS[0]


def hidden_columns(user: User) -> list[str]:
    """The columns that this person has hidden."""
    return [name for name in preference(user, "columns", []) if name in COLUMNS]


def folded(user: User) -> tuple[set[int], set[int]]:
    """The groups of folder pages that this person has opened, and those folded, by the id of their folder."""
    return set(preference(user, "groups_open", [])), set(preference(user, "groups_shut", []))


@door
@require_POST
def keep(request: SignedIn) -> HttpResponse:
    """Remember one choice: `name` and `value` (lists: several, or separated by commas). 204; Invalid for an unknown one."""
    name = request.POST.get("name", "")
    if name not in _WRITERS:
        raise Invalid(_("There is nothing of this name to remember."), where="name")
    _WRITERS[name](request.user, [word for word in request.POST.get("value", "").split(",") if word])
    return HttpResponse(status=204)


def _view(user: User, words: list[str]) -> None:
    if len(words) != 1 or words[0] not in VIEWS:
        raise Invalid(_("There is no such view."), where="value", hint=", ".join(VIEWS))
    remember(user, "view", lambda _old: words[0])


def _columns(user: User, words: list[str]) -> None:
    if not set(words) <= set(COLUMNS):
        raise Invalid(_("There is no such column."), where="value", hint=", ".join(COLUMNS))
    remember(user, "columns", lambda _old: sorted(set(words)))


def _moved(here: str, there: str = "") -> Callable[[User, list[str]], None]:
    """The ids are put into one list and out of the other."""

    def write(user: User, words: list[str]) -> None:
        ids = _ids(words)
        if there:
            remember(user, there, lambda old: [pk for pk in old or [] if pk not in ids])
        remember(user, here, lambda old: [*(pk for pk in old or [] if pk not in ids), *ids][-MOST_FOLDED:])

    return write


def _out_of(name: str) -> Callable[[User, list[str]], None]:
    return lambda user, words: remember(user, name, lambda old: [pk for pk in old or [] if pk not in _ids(words)])


def _ids(words: list[str]) -> list[int]:
    if not all(word.isascii() and word.isdigit() and len(word) < 19 for word in words):
        raise Invalid(_("Numbers of folders are expected."), where="value")
    return [int(word) for word in words][:MOST_FOLDED]


_WRITERS: Final[dict[str, Callable[[User, list[str]], Any]]] = {
    "view": _view,
    "columns": _columns,
    "groups-open": _moved("groups_open", "groups_shut"),
    "groups-shut": _moved("groups_shut", "groups_open"),
    "tree-open": _moved("tree"),
    "tree-shut": _out_of("tree"),
}


# -- kept filters ------------------------------------------------------------------------------------------------------


@door
@require_POST
def keep_filter(request: SignedIn) -> HttpResponse:
    """Keep the filter of a folder's page under a name."""
    filters.keep(request.user, request.POST.get("name", ""), request.POST.get("query", ""))
    return _chips(request)


@door
@require_POST
def forget_filter(request: SignedIn) -> HttpResponse:
    """Keep a filter no longer."""
    filters.forget(request.user, request.POST.get("name", ""))
    return _chips(request)


def _chips(request: HttpRequest) -> HttpResponse:
    if not is_fragment(request):
        return redirect(back(request))
    now = filters.Filters.read(filters.QueryDict(request.POST.get("query", "")))
    context = {"kept": filters.shown(request.user, now), "filters": now, "next": back(request)}
    return render(request, "components/kept_filters.html", context)
