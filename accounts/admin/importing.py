"""Users and groups from a file: choose it, look at what it would do, do it."""

from __future__ import annotations

import base64
from typing import Any, Final

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, path, reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from accounts import actions, roles
from accounts.models import User
from accounts.people_import import FIELDS, MAX_BYTES, MAX_ROWS
from olimpus.errors import Invalid, OlimpusError, Stale, TooLarge

#: Rows of a preview shown; the counts are of all.
SHOWN: Final = 200
#: Room for the text of base64.
MAX_TEXT: Final = MAX_BYTES * 4 // 3 + 4


class ImportPages(admin.ModelAdmin):
    """Adds the pages of the import to the list of users."""

    def get_urls(self) -> list[URLPattern]:
        """Before Django's own."""
        view = self.admin_site.admin_view(self.import_view)
        return [path("import/", view, name="accounts_user_import"), *super().get_urls()]

    def import_view(self, request: HttpRequest) -> HttpResponse:
        """GET asks for a file; POST shows what it would do, and with `apply` does what was shown."""
        if not roles.may_manage_people(request.user):
            raise PermissionDenied
        if request.method != "POST":
            return self._import_page(request)
        try:
            data, name = _sent(request)
        except OlimpusError as error:
            return self._import_page(request, fault=error)
        options = {"name": name, "make_groups": "make_groups" in request.POST}
        try:
            if "apply" in request.POST:
                plan = actions.import_people(
                    data, actor=request.user, expected=request.POST.get("digest", ""), **options
                )
                return self._imported(request, plan.counts())
        except Stale as error:
            self.message_user(request, str(error), messages.WARNING)
        except OlimpusError as error:
            return self._import_page(request, fault=error, options=options)
        return self._preview(request, data, options)

    def _preview(self, request: HttpRequest, data: bytes, options: dict[str, Any]) -> HttpResponse:
        try:
            plan = actions.plan_people(data, actor=request.user, **options)
        except OlimpusError as error:
            return self._import_page(request, fault=error, options=options)
        file = base64.b64encode(data).decode()
        return self._import_page(request, plan=plan, file=file, digest=plan.digest(), options=options)

    def _imported(self, request: HttpRequest, counts: dict[str, int]) -> HttpResponse:
        made = ngettext("%(n)d account made", "%(n)d accounts made", counts["new"]) % {"n": counts["new"]}
        changed = ngettext("%(n)d changed", "%(n)d changed", counts["changed"]) % {"n": counts["changed"]}
        groups = ngettext("%(n)d group made", "%(n)d groups made", counts["groups"]) % {"n": counts["groups"]}
        same = ngettext("%(n)d unchanged", "%(n)d unchanged", counts["unchanged"]) % {"n": counts["unchanged"]}
        self.message_user(request, f"{made}, {changed}, {groups}, {same}.", messages.SUCCESS)
        if counts["new"]:
            text = _("New accounts have no password yet: choose them in the list and mail an invitation.")
            self.message_user(request, text, messages.INFO)
        return HttpResponseRedirect(reverse("admin:accounts_user_changelist"))

    def _import_page(self, request: HttpRequest, **context: Any) -> HttpResponse:
        limits = {"mib": MAX_BYTES >> 20, "rows": MAX_ROWS, "shown_rows": f":{SHOWN}"}
        labels = {name: User._meta.get_field(name).verbose_name for name in FIELDS}
        told = {**limits, "labels": labels, "options": {"make_groups": True}, **context}
        return self.page(request, "import", _("Import users and groups"), **told)


def _sent(request: HttpRequest) -> tuple[bytes, str]:
    """The file, fresh or as it was sent for the preview, and its name."""
    upload = request.FILES.get("file")
    if upload is not None:
        if upload.size > MAX_BYTES:
            raise TooLarge(_("The file is larger than %(limit)d MiB.") % {"limit": MAX_BYTES >> 20}, where=upload.name)
        return upload.read(), upload.name[:100]
    text = request.POST.get("data", "")
    if not text:
        raise Invalid(_("Choose a file."), where="file")
    try:
        return base64.b64decode(text[:MAX_TEXT], validate=True), request.POST.get("name", "")[:100] or "users.csv"
    except ValueError as error:  # letters that are none of base64, or not even of ASCII
        raise Invalid(_("The file was damaged on its way; choose it again."), where="file") from error
