"""Verbs: the question before those that lose something or touch many machines, and the deed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from django.contrib import messages
from django.db.models import Count, Q
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
from descriptors.web.choosing import Choice
from descriptors.web.doors import SignedIn, back, door, is_fragment, page, wants_json
from olimpus.errors import Invalid

#: Machines listed by name in a question.
NAMED: Final = 12


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
    node, rule = selectors.get(request.user, node_id), rule_of(verb)
    choice = Choice.read(request.GET, node)
    context = {
        "node": node,
        "verb": rule,
        "choice": choice,
        "many": choice.many,
        "reach": reach(request, rule, choice) if choice.many else None,
        "name_given": request.GET.get("name", "")[:128],
        "folder_given": node.path.rpartition("/")[0] or "/",
        "next": back(request, tree_url(node.path)),
    }
    if is_fragment(request):
        return render(request, "portal/ask_body.html", context)
    return page(request, "portal/ask.html", context)


@door
@require_POST
def do(request: SignedIn, node_id: int, verb: str) -> HttpResponse:
    """Ask the core for the verb. Answers at once: the operation goes on without this page."""
    node, rule = selectors.get(request.user, node_id), rule_of(verb)
    choice = Choice.read(request.POST, node)
    if choice.many:
        _check_number(request, rule, choice)
    arguments = {name: request.POST.get(name, "").strip() for name in rule.arguments}
    if choice.several:
        operation = actions.request_many(verb, choice.nodes(request.user), actor=request.user)
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


def reach(request: SignedIn, rule: Verb, choice: Choice) -> Reach:
    """How many machines would take part; two queries."""
    machines = choice.machines(request.user)
    able = Q(state__in=selectors.sources(rule), open_operation=None)
    left_out = machines.exclude(able).order_by().values_list("state").annotate(n=Count("pk"))
    taking_part = visible(request.user, machines.filter(able), rule.permission)
    names = list(taking_part.order_by("path").values_list("path", flat=True)[:NAMED])
    count = taking_part.count() if len(names) == NAMED else len(names)
    return Reach(count, [{"state": state_label(state), "n": n} for state, n in left_out], names)


def _check_number(request: SignedIn, rule: Verb, choice: Choice) -> None:
    """What loses something on many machines is done only when their number was typed."""
    if not rule.warns:
        return
    count = reach(request, rule, choice).count
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
