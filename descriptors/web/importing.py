"""Documents in and out: paste or upload one, see the plan, apply it; export a branch."""

from __future__ import annotations

from django.http import HttpResponse
from django.utils.text import slugify
from django.utils.translation import gettext as _

from descriptors import actions, selectors
from descriptors.documents import dump_yaml, load_with_lines, locate
from descriptors.panes.texts import fingerprint
from descriptors.web.doors import SignedIn, done, door, page
from descriptors.web.forms import DocumentForm
from olimpus.errors import Invalid, OlimpusError


@door
def apply(request: SignedIn) -> HttpResponse:
    """Plan first; the same document is applied when its plan was seen."""
    form = DocumentForm(request.POST or None, request.FILES or None)
    if request.method != "POST" or not form.is_valid():
        return _show(request, form)
    positions = None
    try:
        text = form.text()
        document, positions = load_with_lines(text, name="line")
        if request.POST.get("step") == "apply" and form.cleaned_data["planned"] == fingerprint(text):
            actions.apply(document, actor=request.user)
            return done(request, _("The document was applied."), "/")
        plan = actions.plan_apply(document, actor=request.user)
    except OlimpusError as error:
        form.refuse(locate(error, positions) if isinstance(error, Invalid) and positions else error, "document")
        return _show(request, form)
    kept = request.POST.copy()
    kept["document"] = text
    form.data = kept
    return _show(request, form, plan=plan, planned=fingerprint(text))


def _show(request: SignedIn, form: DocumentForm, **more: object) -> HttpResponse:
    return page(request, "portal/apply.html", {"form": form} | more, status=400 if form.errors else 200)


@door
def export(request: SignedIn, node_id: int) -> HttpResponse:
    """The branch as a YAML file that `apply` reads."""
    node = selectors.get(request.user, node_id)
    answer = HttpResponse(
        dump_yaml(actions.export(node, actor=request.user)), content_type="application/yaml; charset=utf-8"
    )
    answer["Content-Disposition"] = f'attachment; filename="{slugify(node.name) or "olimpus"}.yaml"'
    return answer
