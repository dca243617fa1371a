"""Verbs: the question before those that lose something or touch many machines, and the deed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from django.contrib import messages
from django.db.models import Count, Q, QuerySet
from django.http import Http404, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.template.loader import render_to_string
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from descriptors import actions, selectors
from descriptors.models import Descriptor, Node, Operation
from descriptors.permissions import visible
from descriptors.templatetags.portal import state_label, tree_url
from descriptors.verbs import VERBS, Verb
from descriptors.web import rows
from descriptors.web.doors import SignedIn, back, door, is_fragment, page, wants_json
from olimpus.errors import Invalid

#: Machines listed by name in a question.
NAMED: Final = 12
MOST_SELECTED: Final = 1000


@dataclass(frozen=True)
class Reach:
    """Which machines a verb on a folder or a selection would touch, and why the others not."""

    count: int
    left_out: list[dict[str, Any]]
    names: list[str]

    @property
    def unnamed(self) -> int:
        """How many are not listed by name."""
        return self.count - len(self.names)


@door
@require_GET
def ask(request: SignedIn, node_id: int, verb: str) -> HttpResponse:
    """The question, as a page or for the dialog: what happens, to how many, what is lost."""
    node, rule, chosen = selectors.get(request.user, node_id), rule_of(verb), chosen_ids(request)
    many = node.is_folder or bool(chosen)
    context = {
        "node": node,
        "verb": rule,
        "chosen": chosen,
        "many": many,
        "reach": reach(request, node, rule, chosen) if many else None,
        "name_given": request.GET.get("name", "")[:128],
        "next": back(request, tree_url(node.path)),
    }
    if is_fragment(request):
        return render(request, "portal/ask_body.html", context)
    return page(request, "portal/ask.html", context)


@door
@require_POST
def do(request: SignedIn, node_id: int, verb: str) -> HttpResponse:
    """Ask the core for the verb. Answers at once: the operation goes on without this page."""
    node, rule, chosen = selectors.get(request.user, node_id), rule_of(verb), chosen_ids(request)
    if chosen or node.is_folder:
        _check_number(request, node, rule, chosen)
    arguments = {name: request.POST.get(name, "").strip() for name in rule.arguments}
    if chosen:
        nodes = list(selectors.nodes(request.user).filter(pk__in=chosen))
        operation = actions.request_many(verb, nodes, actor=request.user)
    else:
        operation = actions.request(verb, node, actor=request.user, arguments=arguments)
    return _accepted(request, node, operation)


@door
@require_GET
def bulk(request: SignedIn, node_id: int) -> HttpResponse:
    """The question for the verb chosen in the selection bar."""
    return ask(request, node_id, request.GET.get("verb", ""))


def rule_of(name: str) -> Verb:
    """The verb's row; 404 for one that there is not."""
    if name not in VERBS:
        raise Http404(_("There is no such verb."))
    return VERBS[name]


def chosen_ids(request: SignedIn) -> list[int]:
    """The ids of the selected rows."""
    given = (request.POST if request.method == "POST" else request.GET).getlist("ids")
    ids = [int(text) for text in given if text.isascii() and text.isdigit() and len(text) < 19]
    if len(ids) > MOST_SELECTED:
        raise Invalid(_("That is a larger selection than one page holds."), where="ids")
    return ids


def reach(request: SignedIn, node: Node, rule: Verb, chosen: Sequence[int]) -> Reach:
    """How many machines would take part; two queries."""
    machines = _machines(request, node, chosen)
    able = Q(state__in=selectors.sources(rule), open_operation=None)
    left_out = machines.exclude(able).order_by().values_list("state").annotate(n=Count("pk"))
    taking_part = visible(request.user, machines.filter(able), rule.permission)
    names = list(taking_part.order_by("path").values_list("path", flat=True)[:NAMED])
    count = taking_part.count() if len(names) == NAMED else len(names)
    return Reach(count, [{"state": state_label(state), "n": n} for state, n in left_out], names)


def _machines(request: SignedIn, node: Node, chosen: Sequence[int]) -> QuerySet[Descriptor]:
    seen = visible(request.user, Descriptor.objects.all())
    if not chosen:
        return seen.filter(selectors.inside(node.path))
    inside = Q(pk__in=chosen)
    for folder in Node.objects.filter(pk__in=chosen, kind="folder"):
        inside |= selectors.inside(folder.path)
    return seen.filter(inside)


def _check_number(request: SignedIn, node: Node, rule: Verb, chosen: Sequence[int]) -> None:
    """What loses something on many machines is done only when their number was typed."""
    if not rule.warns:
        return
    count = reach(request, node, rule, chosen).count
    if request.POST.get("number", "").strip() != str(count):
        message = _("Type the number of machines, %(n)s, to go on.") % {"n": count}
        raise Invalid(message, where="number", hint=_("Nothing was done."))


def _accepted(request: SignedIn, node: Node, operation: Operation) -> HttpResponse:
    if not wants_json(request):
        messages.success(request, _("“%(verb)s” was accepted.") % {"verb": VERBS[operation.verb].label})
        return redirect(back(request, tree_url(node.path)))
    if operation.total:
        line = render_to_string("components/operation.html", {"operation": operation}, request)
        return JsonResponse({"line": line}, status=202)
    machine = Descriptor.objects.get(pk=operation.node_id)
    return JsonResponse({"nodes": [rows.told(machine, operation)]}, status=202)
