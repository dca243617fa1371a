"""Failed sign-ins in the console, in words; what django-axes keeps for itself is not listed."""

from __future__ import annotations

from typing import Any

from axes.models import AccessAttempt, AccessFailureLog, AccessLog
from django.conf import settings
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from accounts import actions
from accounts.admin.base import ForSuperusers, ago, badge
from accounts.models import User

for model in (AccessAttempt, AccessLog, AccessFailureLog):
    if admin.site.is_registered(model):
        admin.site.unregister(model)


@admin.register(AccessAttempt)
class FailedSignInAdmin(ForSuperusers):
    """Who failed to sign in, from where, how often; unlocking forgets it. Never what was typed."""

    list_display = ("username", "ip_address", "failures", "state", "tried", "client")
    list_display_links = None
    list_per_page = 50
    search_fields = ("username", "ip_address")
    search_help_text = gettext_lazy("Part of a user name or of an address")
    fields = ("username", "ip_address", "user_agent", "failures_since_start", "attempt_time")
    ordering = ("-attempt_time",)
    actions = ("unlock",)

    @admin.display(description=gettext_lazy("failures"), ordering="failures_since_start")
    def failures(self, attempt: AccessAttempt) -> str:
        """How many since the last good sign-in."""
        return str(attempt.failures_since_start)

    @admin.display(description=gettext_lazy("state"))
    def state(self, attempt: AccessAttempt) -> str:
        """Locked out, or below the limit."""
        fresh = attempt.attempt_time > timezone.now() - settings.AXES_COOLOFF_TIME
        if fresh and attempt.failures_since_start >= settings.AXES_FAILURE_LIMIT:
            return badge("danger", "lock", _("locked out"))
        return badge("slate", "circle-minus", _("may try again"))

    @admin.display(description=gettext_lazy("last tried"), ordering="attempt_time")
    def tried(self, attempt: AccessAttempt) -> str:
        """The last attempt."""
        return ago(attempt.attempt_time)

    @admin.display(description=gettext_lazy("client"))
    def client(self, attempt: AccessAttempt) -> str:
        """What the client called itself, cut."""
        return attempt.user_agent[:60]

    @admin.action(description=gettext_lazy("Unlock after failed sign-ins"), permissions=["view"])
    def unlock(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        """Let the accounts try again at once, from everywhere."""
        names = set(queryset.values_list("username", flat=True))
        users = list(User.objects.filter(username__in=names))
        for user in users:
            actions.unlock(user, actor=request.user)
        text = ngettext("%(n)d account may sign in again.", "%(n)d accounts may sign in again.", len(users))
        self.message_user(request, text % {"n": len(users)}, messages.SUCCESS)
        for name in sorted(names - {user.username for user in users})[:5]:
            self.message_user(request, _("There is no account “%(name)s”.") % {"name": name[:80]}, messages.WARNING)
