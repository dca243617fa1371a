"""The command palette: places by a part of their path, pages, verbs here or on what is selected, choices of one's own."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from django.conf import settings
from django.http import HttpResponse, JsonResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import get_language, gettext_lazy
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET

from descriptors import selectors
from descriptors.models import Kind, Node
from descriptors.permissions import can, visible
from descriptors.templatetags.portal import icon, state_label, tree_url
from descriptors.web.choosing import Choice, parts
from descriptors.web.doors import SignedIn, door
from descriptors.web.searching import Query, matching
from olimpus.errors import NotFound

PLACES: Final = 8
RECENT: Final = 8
SIBLINGS: Final = 100
Item = dict[str, Any]

#: Name of an address → label, icon. Shown to everybody; the console to those who may open it.
PAGES: Final = {
    "home": (gettext_lazy("My machines"), "home"),
    "operations": (gettext_lazy("Operations"), "activity"),
    "slices": (gettext_lazy("Slices"), "affiliate"),
    "slice-new": (gettext_lazy("New slice"), "plus"),
    "search": (gettext_lazy("Search"), "search"),
    "profile": (gettext_lazy("Profile and tokens"), "settings"),
    "apply": (gettext_lazy("Import a document"), "upload"),
}


@door
@require_GET
def palette(request: SignedIn) -> HttpResponse:
    """What can be done now, for a text: {"groups": [{"label", "items"}]}; an item says where to `go`, or what to `do`.

    `q` is what was typed, `node` the page one is on, `ids` (or `all` and `filter`) what is selected there, `recent` the paths
    that were opened last. Only what this person may see and do is told. At most eleven queries.
    """
    query = Query.read(request.GET)
    groups = [
        (_("Go to"), list(_places(request, query))),
        (_("Do"), [item for item in _deeds(request) if _fits(item, query)]),
        (_("Pages"), [item for item in _pages(request) if _fits(item, query)]),
        (_("Your choices"), [item for item in _choices() if _fits(item, query)]),
    ]
    return JsonResponse({"groups": [{"label": label, "items": items} for label, items in groups if items]})


def _fits(item: Item, query: Query) -> bool:
    """Whether each word begins a word of the label, or the label holds all letters in a row."""
    label = f"{item['label']} {item['detail']}".lower()
    return all(word.lower() in label for word in query.text.split())


def _item(label: str, detail: str = "", image: str = "", **what: Any) -> Item:
    return {"label": str(label), "detail": detail, "icon": icon(image or "arrow-right"), **what}


def _place(node: Node) -> Item:
    state = "" if node.is_folder else state_label(node.descriptor.state)
    image = "folder" if node.is_folder else "device-desktop"
    return _item(node.name or _("Root"), node.path, image, state=state, go=tree_url(node.path))


def _places(request: SignedIn, query: Query) -> Iterator[Item]:
    if query.text:
        return map(_place, matching(request.user, query)[:PLACES])
    recent = request.GET.getlist("recent")[:RECENT]
    found = {node.path: node for node in selectors.nodes(request.user).filter(path__in=recent)}
    return (_place(found[path]) for path in recent if path in found)


def _deeds(request: SignedIn) -> Iterator[Item]:
    """Verbs on the node of the page, or on its selection."""
    given = request.GET.get("node", "")
    if not (given.isascii() and given.isdigit() and len(given) < 19):
        return
    try:
        node = selectors.get(request.user, int(given))
    except NotFound:
        return
    choice = Choice.read(request.GET, node)
    yield from _on_many(request, choice) if choice.many else _on_one(request, node)


def _on_one(request: SignedIn, node: Node) -> Iterator[Item]:
    for offer in selectors.available(node.descriptor, request.user):
        verb = offer["verb"]
        if offer["enabled"]:
            asks = bool(verb.warns or verb.arguments)
            address = reverse("ask" if asks else "do", args=[node.pk, verb.name])
            yield _item(f"{verb.label} {node.name}", node.path, verb.icon, **{"ask" if asks else "do": address})


def _on_many(request: SignedIn, choice: Choice) -> Iterator[Item]:
    total, found = parts(request.user, choice)
    what = _("the selection") if choice.several else _("everything below")
    for part in found:
        label = _("%(verb)s: %(what)s…") % {"verb": part.verb.label, "what": what}
        detail = _("%(able)d of %(total)d") % {"able": part.able, "total": total}
        address = reverse("ask", args=[choice.node.pk, part.verb.name])
        yield _item(label, detail, part.verb.icon, ask=address, fields=choice.fields)


def _pages(request: SignedIn) -> Iterator[Item]:
    for name, (label, image) in PAGES.items():
        yield _item(label, "", image, go=reverse(name))
    if request.user.is_staff:
        yield _item(_("Operator console"), "", "adjustments", go=reverse("admin:index"))


def _choices() -> Iterator[Item]:
    yield _item(_("Light or dark"), "", "moon", act="theme")
    yield _item(_("Keys"), "?", "keyboard", act="keys")
    for code, name in settings.LANGUAGES:
        if code != get_language():
            yield _item(_("Language: %s") % _(name), "", "language", act="language", value=code)


@door
@require_GET
def keys(request: SignedIn) -> HttpResponse:
    """The keys that pages know, for the dialog."""
    return render(request, "components/keys.html")


@door
@require_GET
def siblings(request: SignedIn) -> HttpResponse:
    """What is beside the node at `of`, for its part of the breadcrumbs: folders, and machines beside a machine."""
    node = selectors.get(request.user, request.GET.get("of", ""))
    rows = (
        visible(request.user, Node.objects.filter(parent_id=node.parent_id)) if node.parent_id else Node.objects.none()
    )
    if node.is_folder:
        rows = rows.filter(kind=Kind.FOLDER)
    found = list(rows.order_by("-kind", "name").only("pk", "name", "path", "kind")[: SIBLINGS + 1])
    context = {"nodes": found[:SIBLINGS], "more": len(found) > SIBLINGS, "node": node}
    context["above"] = node.path.rpartition("/")[0] or "/"
    return render(
        request, "components/siblings.html", context | {"may_open": can(request.user, "see", context["above"])}
    )
