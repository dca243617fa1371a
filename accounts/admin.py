"""The console's pages for people, groups, tokens and the journal."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.contrib.auth.admin import GroupAdmin as DjangoGroupAdmin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.models import Group
from django.db.models import Count, QuerySet
from django.forms import ModelForm
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, StreamingHttpResponse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from accounts import actions, export, journal
from accounts.models import ApiToken, Entry, User
from olimpus.errors import OlimpusError

admin.site.unregister(Group)


class Polite(admin.ModelAdmin):
    """Shows a refusal of our actions as a message; nothing is changed."""

    def changeform_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """Add or change."""
        return self._ask(request, super().changeform_view, *args, **kwargs)

    def delete_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """Delete one."""
        return self._ask(request, super().delete_view, *args, **kwargs)

    def changelist_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """The list and its actions."""
        return self._ask(request, super().changelist_view, *args, **kwargs)

    def _ask(self, request: HttpRequest, view: Any, *args: Any, **kwargs: Any) -> HttpResponse:
        try:
            return view(request, *args, **kwargs)
        except OlimpusError as error:
            self.message_user(request, str(error), messages.ERROR)
            return HttpResponseRedirect(request.get_full_path())


@admin.register(User)
class UserAdmin(Polite, DjangoUserAdmin):
    """Accounts. Everything goes through `accounts.actions`, hence into the journal."""

    list_display = ("username", "email", "first_name", "last_name", "role", "is_active", "last_login")
    list_filter = ("kind", "is_superuser", "is_active", "groups")
    search_fields = ("username", "first_name", "last_name", "email")
    ordering = ("username",)
    filter_horizontal = ("groups",)
    readonly_fields = ("last_login", "date_joined")
    fieldsets = (
        (None, {"fields": ("username", "password")}),
        (gettext_lazy("Person"), {"fields": ("first_name", "last_name", "email", "language")}),
        (gettext_lazy("Rights"), {"fields": ("kind", "is_superuser", "is_active", "groups")}),
        (gettext_lazy("Dates"), {"fields": ("last_login", "date_joined")}),
    )
    add_fieldsets = ((None, {"fields": ("username", "email", "kind", "usable_password", "password1", "password2")}),)
    actions = ("invite", "activate", "deactivate")

    @admin.display(description=gettext_lazy("kind"), ordering="kind")
    def role(self, user: User) -> str:
        """Superuser, manager or simple user."""
        return str(_("superuser")) if user.is_superuser else user.get_kind_display()

    def save_model(self, request: HttpRequest, obj: User, form: ModelForm, change: bool) -> None:
        """Create or change by the action."""
        data = form.cleaned_data
        if change:
            changed = {name: data[name] for name in form.changed_data if name in actions.FIELDS}
            actions.update_user(obj, actor=request.user, **changed)
            return
        made = actions.create_user(
            obj.username, actor=request.user, email=obj.email, kind=obj.kind, password=data.get("password1") or None
        )
        obj.pk, obj._state.adding = made.pk, False
        obj.refresh_from_db()

    def delete_model(self, request: HttpRequest, obj: User) -> None:
        """Delete by the action."""
        actions.delete_user(obj, actor=request.user)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[User]) -> None:
        """Delete many by the action."""
        for user in queryset:
            actions.delete_user(user, actor=request.user)

    def user_change_password(self, request: HttpRequest, id: str, form_url: str = "") -> HttpResponse:
        """Set somebody's password; noted in the journal."""
        response = super().user_change_password(request, id, form_url)
        if request.method == "POST" and response.status_code == 302:
            user = self.get_object(request, id)
            journal.record(request.user, "user.password", data={"user": user.get_username() if user else id})
        return response

    @admin.action(description=gettext_lazy("Mail an invitation"))
    def invite(self, request: HttpRequest, queryset: QuerySet[User]) -> None:
        """Mail the link for the first password."""
        self._each(request, queryset, actions.invite, base_url=request.build_absolute_uri("/"))

    @admin.action(description=gettext_lazy("Open the accounts"))
    def activate(self, request: HttpRequest, queryset: QuerySet[User]) -> None:
        """Open closed accounts."""
        self._each(request, queryset, actions.activate)

    @admin.action(description=gettext_lazy("Close the accounts"))
    def deactivate(self, request: HttpRequest, queryset: QuerySet[User]) -> None:
        """Close accounts; their sessions and tokens stop working."""
        self._each(request, queryset, actions.deactivate)

    def _each(self, request: HttpRequest, queryset: QuerySet[User], act: Any, **options: Any) -> None:
        """Do it for each, count the done ones, and say why for the others."""
        done = 0
        for user in queryset:
            try:
                act(user, actor=request.user, **options)
                done += 1
            except OlimpusError as error:
                self.message_user(request, f"{user}: {error}", messages.ERROR)
        text = ngettext("Done for %(count)d account.", "Done for %(count)d accounts.", done)
        self.message_user(request, text % {"count": done})


@admin.register(Group)
class GroupAdmin(Polite, DjangoGroupAdmin):
    """Groups of users."""

    list_display = ("name", "members")
    fields = ("name",)
    filter_horizontal = ()

    def get_queryset(self, request: HttpRequest) -> QuerySet[Group]:
        """With the number of members."""
        return super().get_queryset(request).annotate(member_count=Count("user"))

    @admin.display(description=gettext_lazy("members"), ordering="member_count")
    def members(self, group: Group) -> int:
        """How many belong to it."""
        return group.member_count

    def save_model(self, request: HttpRequest, obj: Group, form: ModelForm, change: bool) -> None:
        """Create or rename by the action."""
        if change:
            actions.rename_group(obj, obj.name, actor=request.user)
        else:
            obj.pk = actions.create_group(obj.name, actor=request.user).pk
            obj._state.adding = False

    def delete_model(self, request: HttpRequest, obj: Group) -> None:
        """Delete by the action."""
        actions.delete_group(obj, actor=request.user)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Group]) -> None:
        """Delete many by the action."""
        for group in queryset:
            actions.delete_group(group, actor=request.user)


class ReadOnly(admin.ModelAdmin):
    """To look at, not to touch."""

    def has_add_permission(self, request: HttpRequest, *args: Any) -> bool:
        """Nobody."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Nobody."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Nobody."""
        return False


@admin.register(ApiToken)
class ApiTokenAdmin(ReadOnly):
    """Personal tokens: never the digest, which would tell which requests were whose."""

    list_display = ("name", "user", "prefix", "read_only", "expires_at", "last_used_at", "revoked_at")
    list_filter = ("read_only", "revoked_at")
    list_select_related = ("user",)
    search_fields = ("name", "user__username", "prefix")
    fields = ("user", "name", "prefix", "read_only", "created_at", "expires_at", "last_used_at", "revoked_at")
    actions = ("revoke",)

    @admin.action(description=gettext_lazy("Revoke"), permissions=["view"])
    def revoke(self, request: HttpRequest, queryset: QuerySet[ApiToken]) -> None:
        """Revoke at once."""
        for token in queryset.select_related("user"):
            actions.revoke_token(token, actor=request.user)
        self.message_user(request, _("Revoked."))


@admin.register(Entry)
class EntryAdmin(ReadOnly):
    """The journal: superusers all of it, managers what they may see."""

    list_display = ("at", "actor_name", "verb", "path", "via", "source")
    list_filter = ("via", "at", "verb")
    search_fields = ("path", "actor_name")
    search_help_text = gettext_lazy("Part of a path or of a user name")
    fields = ("at", "actor_name", "verb", "path", "node_id", "operation_id", "via", "source", "data")
    ordering = ("-id",)
    show_full_result_count = False
    list_per_page = 100
    actions = ("export_csv",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Entry]:
        """What this user may read."""
        return journal.visible_to(request.user).order_by("-id")

    def has_module_permission(self, request: HttpRequest) -> bool:
        """Whoever may open the console."""
        return bool(request.user.is_staff)

    def has_view_permission(self, request: HttpRequest, obj: Entry | None = None) -> bool:
        """Whoever may open the console; the queryset says which entries."""
        return bool(request.user.is_staff)

    @admin.action(description=gettext_lazy("Export as CSV"), permissions=["view"])
    def export_csv(self, request: HttpRequest, queryset: QuerySet[Entry]) -> StreamingHttpResponse:
        """The chosen entries (or all that match the filter) as a file."""
        return export.response(request, queryset)
