"""Documents in and out: drop, paste or choose one, read its plan like a code review, apply it; export a branch."""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Mapping
from typing import Any, Final

from django.conf import settings
from django.http import HttpResponse
from django.utils.text import slugify
from django.utils.translation import gettext as _

from accounts.models import User
from descriptors import actions, selectors
from descriptors.documents import dump_yaml, load_with_lines, locate
from descriptors.models import Node
from descriptors.names import join
from descriptors.panes.texts import fingerprint
from descriptors.templatetags.portal import tree_url
from descriptors.web.doors import SignedIn, done, door, page
from descriptors.web.forms import DocumentForm
from olimpus.errors import Invalid, NotFound, OlimpusError

#: Lines of a plan, and changed definitions shown with their difference.
MOST_LINES: Final = 200
MOST_DIFFS: Final = 20
#: What the first steps of the demo import.
EXAMPLE: Final = """\
path: %(path)s
common:
  image: debian-12
descriptors:
  hello: {flavor: nano}
  world: {flavor: nano}
"""


@door
def apply(request: SignedIn) -> HttpResponse:
    """Plan first; the same document is applied when its plan was seen. `base`: where a document without `path` goes."""
    form = DocumentForm(request.POST or None, request.FILES or None, initial=_start(request))
    if request.method != "POST" or not form.is_valid():
        return _show(request, form)
    positions = None
    try:
        text = form.text()
        document, positions = load_with_lines(text, name="line")
        document = _placed(document, form.cleaned_data["base"])
        if request.POST.get("step") == "apply" and form.cleaned_data["planned"] == fingerprint(text):
            actions.apply(document, actor=request.user)
            return done(request, _("The document was applied."), _where(request, document))
        plan = actions.plan_apply(document, actor=request.user)
    except OlimpusError as error:
        form.refuse(locate(error, positions) if isinstance(error, Invalid) and positions else error, "document")
        return _show(request, form)
    kept = request.POST.copy()
    kept["document"] = text
    form.data = kept
    return _show(request, form, plan=plan, planned=fingerprint(text), **review(plan))


def _start(request: SignedIn) -> dict[str, str]:
    """What the form begins with: the folder one comes from, or the example of the first steps."""
    base = request.GET.get("base", "")[:768]
    if not request.GET.get("example"):
        return {"base": base}
    folder = _own_folder(request.user)
    return {"base": base, "document": EXAMPLE % {"path": join(folder, "first-steps")}}


def _own_folder(user: User) -> str:
    """The uppermost folder where this person may create something; the root where there is none."""
    found = selectors.nodes(user, "create_nodes").filter(kind="folder").order_by("level", "path").first()
    return found.path if found else "/"


def _placed(document: Any, base: str) -> Any:
    """The document below `base`, when it does not say itself where it goes."""
    if base and isinstance(document, Mapping) and "path" not in document:
        return {"path": base, **document}
    return document


def _where(request: SignedIn, document: Any) -> str:
    """The page of what was laid out; home when one may not see it."""
    try:
        return tree_url(selectors.get(request.user, str(document.get("path", "/"))).path)
    except NotFound:
        return "/"


def _show(request: SignedIn, form: DocumentForm, **more: Any) -> HttpResponse:
    context = {"form": form, "limit": settings.OLIMPUS_UPLOAD_LIMIT, "limit_mib": settings.OLIMPUS_UPLOAD_LIMIT >> 20}
    return page(request, "portal/apply.html", context | more, status=400 if form.errors else 200)


def review(plan: actions.ApplyPlan) -> dict[str, Any]:
    """The plan as one reads a change of code: how many of what is new, and each changed definition line by line."""
    kinds = Counter(kind for _path, kind in plan.create)
    changed = [(node.path, definition) for node, definition in plan.changes][:MOST_DIFFS]
    before = dict(Node.objects.filter(path__in=[path for path, _new in changed]).values_list("path", "definition"))
    return {
        "new_folders": kinds["folder"],
        "new_machines": kinds["descriptor"],
        "created": plan.create[:MOST_LINES],
        "uncreated": max(0, len(plan.create) - MOST_LINES),
        "diffs": [{"path": path, "lines": diff(before.get(path, {}), new)} for path, new in changed],
        "undiffed": max(0, len(plan.changes) - MOST_DIFFS),
    }


def diff(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The difference of two definitions as YAML: [("+" | "-" | " ", line)], with a little of what stays around."""
    texts = [dump_yaml(dict(one)).splitlines() if one else [] for one in (old, new)]
    lines = list(difflib.unified_diff(*texts, lineterm="", n=2))[2:]
    return [(line[:1], line[1:]) for line in lines if not line.startswith("@@")]


@door
def export(request: SignedIn, node_id: int) -> HttpResponse:
    """The branch as a YAML file that `apply` reads."""
    node = selectors.get(request.user, node_id)
    answer = HttpResponse(
        dump_yaml(actions.export(node, actor=request.user)), content_type="application/yaml; charset=utf-8"
    )
    answer["Content-Disposition"] = f'attachment; filename="{slugify(node.name) or "olimpus"}.yaml"'
    return answer
