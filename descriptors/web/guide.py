"""The guided path of the demo: five steps that check themselves off by what the journal says was really done."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from django.db.models import Max, Subquery, Value
from django.http import HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from accounts import personal
from accounts.models import Entry, User
from accounts.roles import is_manager
from descriptors import actions, selectors
from descriptors.models import Descriptor, Node
from descriptors.permissions import visible
from descriptors.states import State
from descriptors.templatetags.portal import tree_url
from descriptors.web.doors import SignedIn, done, door
from hypervisors.drivers.mock import MockDriver
from hypervisors.models import Hypervisor
from olimpus.errors import NotFound

MADE = ("descriptor.create", "folder.create")
REPAIRED = ("vm.force_off", "vm.stop", "vm.start", "vm.recover", "vm.reapply")
SHARED = "grant.add"
#: Among the facts, beside the verbs: there is a hypervisor that pretends.
DEMO = "mock"


@dataclass(frozen=True)
class Step:
    """One step: what it is called, what to do, where, and whether it was done."""

    title: str
    text: str
    done: bool
    button: str = ""
    href: str = ""
    #: The button does it (POST) instead of leading somewhere.
    does: bool = False


def guide(user: User) -> list[Step]:
    """The steps as they stand for this person; none where the path is not shown. Two queries at most."""
    if personal.guide_closed(user) or not is_manager(user):
        return []
    facts = _facts(user)
    if DEMO not in facts:
        return []
    broken, repaired = _broken(user, facts)
    return [_import(facts), _start(facts), _break(user, facts), _repair(broken, repaired), _share(facts)]


def _facts(user: User) -> dict[str, int]:
    """Journal verb → the last entry in which this person did it, not by a command; and `DEMO` where there is a mock."""
    verbs = (*MADE, *REPAIRED, SHARED, actions.BREAK)
    rows = Entry.objects.filter(actor=user, verb__in=verbs).exclude(via="command").order_by()
    mocks = Hypervisor.objects.filter(driver=MockDriver.name).order_by().values_list(Value(DEMO), "pk")
    return dict(rows.values_list("verb").annotate(last=Max("id")).union(mocks))


def _broken(user: User, facts: Mapping[str, int]) -> tuple[Entry | None, bool]:
    """What was broken last, and whether something that repairs was asked of it since; one query."""
    if actions.BREAK not in facts:
        return None, False
    entry = Entry.objects.filter(pk=facts[actions.BREAK]).order_by()
    since = Entry.objects.filter(node_id=Subquery(entry.values("node_id")[:1]), pk__gte=facts[actions.BREAK])
    found = list(since.filter(actor=user, verb__in=(actions.BREAK, *REPAIRED)).order_by("pk")[:10])
    return (found[0], len(found) > 1) if found else (None, False)


def _import(facts: Mapping[str, int]) -> Step:
    return Step(
        _("Import"),
        _("One document lays out folders and machines. Look at its plan, then apply it."),
        any(verb in facts for verb in MADE),
        _("Import an example"),
        f"{reverse('apply')}?example=1",
    )


def _start(facts: Mapping[str, int]) -> Step:
    return Step(
        _("Start"),
        _("Create the machines of a folder, then start them: one click for all. Watch them come up."),
        "vm.start" in facts,
        _("Open the folders"),
        reverse("root-or-home"),
    )


def _break(user: User, facts: Mapping[str, int]) -> Step:
    text = _(
        "A colleague switches a machine off on the hypervisor itself. Olimpus notices within seconds: that is drift."
    )
    machine = None if actions.BREAK in facts else _breakable(user)
    if machine is None:
        return Step(
            _("Break"),
            text if actions.BREAK in facts else f"{text} {_('First start a machine.')}",
            actions.BREAK in facts,
        )
    button = _("Switch off “%(name)s” behind Olimpus") % {"name": machine.name}
    return Step(_("Break"), text, False, button, reverse("guide-break", args=[machine.pk]), does=True)


def _breakable(user: User) -> Descriptor | None:
    rows = visible(user, Descriptor.objects.filter(state=State.RUNNING, open_operation=None), "force_off")
    return rows.filter(hypervisor__driver=MockDriver.name).order_by("-state_since").first()


def _repair(broken: Entry | None, repaired: bool) -> Step:
    text = _("The page of the machine says what was found and which button puts it right.")
    if broken is None or repaired:
        return Step(_("Repair"), text, repaired)
    return Step(_("Repair"), text, False, _("Open the broken machine"), tree_url(broken.path))


def _share(facts: Mapping[str, int]) -> Step:
    return Step(
        _("Share"),
        _(
            "Give somebody a role on a folder: it holds for everything below. The tab “Access” says who may what, and why."
        ),
        SHARED in facts,
        _("Open the folders"),
        reverse("root-or-home"),
    )


# -- doors -------------------------------------------------------------------------------------------------------------


@door
@require_POST
def break_it(request: SignedIn, node_id: int) -> HttpResponse:
    """Break a machine of a mock hypervisor on purpose."""
    node = selectors.get(request.user, node_id)
    if node.is_folder:
        raise NotFound(_("This is a folder."), where=node.path)
    actions.break_machine(node.descriptor, actor=request.user)
    told = _("“%(path)s” was switched off behind Olimpus. Watch for the orange dot, then repair it.")
    return done(request, told % {"path": node.path}, tree_url(node.path))


@door
@require_POST
def close(request: SignedIn) -> HttpResponse:
    """Not again, on any device; the profile opens it again."""
    personal.close_guide(request.user, closed=request.POST.get("open") != "1")
    return redirect("home")


@door
def somewhere(request: SignedIn) -> HttpResponse:
    """Where this person's folders begin: the folder made last by this person, else the first place."""
    made = Entry.objects.filter(actor=request.user, verb="folder.create").exclude(via="command").order_by("-id").first()
    folder = Node.objects.filter(pk=made.node_id).first() if made else None
    if folder is None or not selectors.nodes(request.user).filter(pk=folder.pk).exists():
        folder = next(iter(selectors.places(request.user)), None)
    return redirect(tree_url(folder.path) if folder else "home")
