"""Personal tokens in the console: whose, what for, last used; never the digest."""

from __future__ import annotations

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts import actions
from accounts.admin.base import ForSuperusers, ago, badge
from accounts.admin.people import page_of
from accounts.models import ApiToken


@admin.register(ApiToken)
class ApiTokenAdmin(ForSuperusers):
    """Personal tokens: never the digest, which would tell which requests were whose."""

    list_display = ("name", "owner", "begins", "may", "state", "used", "made")
    list_display_links = None
    list_filter = ("read_only", ("revoked_at", admin.EmptyFieldListFilter))
    list_select_related = ("user",)
    list_per_page = 50
    search_fields = ("name", "user__username", "prefix")
    fields = ("user", "name", "prefix", "read_only", "created_at", "expires_at", "last_used_at", "revoked_at")
    actions = ("revoke",)

    @admin.display(description=gettext_lazy("user"), ordering="user__username")
    def owner(self, token: ApiToken) -> str:
        """With a link."""
        return format_html('<a href="{}">{}</a>', page_of(token.user_id), token.user.username)

    @admin.display(description=gettext_lazy("begins with"))
    def begins(self, token: ApiToken) -> str:
        """What of it may be shown."""
        return format_html("<code>{}…</code>", token.prefix)

    @admin.display(description=gettext_lazy("may"), ordering="read_only")
    def may(self, token: ApiToken) -> str:
        """Read, or everything its owner may."""
        return _("only read") if token.read_only else _("all that its owner may")

    @admin.display(description=gettext_lazy("state"))
    def state(self, token: ApiToken) -> str:
        """Good, revoked or expired."""
        if token.revoked_at:
            return badge("quiet", "ban", _("revoked"))
        if token.expires_at and token.expires_at <= timezone.now():
            return badge("quiet", "clock", _("expired"))
        return badge("ok", "circle-check", _("good"))

    @admin.display(description=gettext_lazy("last used"), ordering="last_used_at")
    def used(self, token: ApiToken) -> str:
        """When a request last came with it."""
        return ago(token.last_used_at) if token.last_used_at else _("never")

    @admin.display(description=gettext_lazy("made"), ordering="created_at")
    def made(self, token: ApiToken) -> str:
        """When it was made."""
        return ago(token.created_at)

    @admin.action(description=gettext_lazy("Revoke"), permissions=["view"])
    def revoke(self, request: HttpRequest, queryset: QuerySet[ApiToken]) -> None:
        """Revoke at once."""
        for token in queryset.select_related("user"):
            actions.revoke_token(token, actor=request.user)
        self.message_user(request, _("Revoked."))
