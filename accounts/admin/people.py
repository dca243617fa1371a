"""People in the console: the list, one person, what is done to them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from django.contrib import admin, messages
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.models import Group
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.forms import ModelForm
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.http import require_POST

from accounts import actions, journal, lockout, roles
from accounts.admin.base import Polite, ago, badge
from accounts.admin.importing import ImportPages
from accounts.models import ApiToken, Entry, User
from accounts.roles import Kind
from olimpus import panels
from olimpus.errors import Invalid, OlimpusError

LIST: Final = "admin:accounts_user_changelist"
#: Of an account on its page.
SIGN_INS: Final = 8
LAST_DEEDS: Final = 10
SIGN_IN_VERBS: Final = ["user.sign_in", "user.sign_out"]
#: What the account is → tone, icon.
ROLE_LOOKS: Final = {
    roles.SUPERUSER: ("warn", "shield-lock"),
    Kind.MANAGER: ("ok", "users"),
    Kind.SIMPLE: ("slate", "user"),
}


@admin.register(User)
class UserAdmin(ImportPages, Polite, DjangoUserAdmin):
    """Accounts. Everything goes through `accounts.actions`, hence into the journal."""

    list_display = ("person", "role", "belongs", "places", "state", "seen")
    list_display_links = None
    list_filter = ("kind", "is_superuser", "is_active", "groups")
    list_per_page = 50
    search_fields = ("username", "first_name", "last_name", "email")
    search_help_text = gettext_lazy("Part of a user name, name or e-mail address")
    ordering = ("username",)
    filter_horizontal = ()
    readonly_fields = ("last_login", "date_joined")
    fieldsets = (
        (None, {"fields": ("username", "password")}),
        (gettext_lazy("Person"), {"fields": ("first_name", "last_name", "email", "language")}),
        (gettext_lazy("Rights"), {"fields": ("kind", "is_superuser", "is_active")}),
        (gettext_lazy("Dates"), {"fields": ("last_login", "date_joined")}),
    )
    add_fieldsets = ((None, {"fields": ("username", "email", "kind", "usable_password", "password1", "password2")}),)
    change_list_template = "admin/accounts/user_list.html"
    actions = ("invite", "activate", "deactivate", "unlock")

    # -- the list ---------------------------------------------------------------------------------------------------

    def get_queryset(self, request: HttpRequest) -> QuerySet[User]:
        """With their groups."""
        return super().get_queryset(request).prefetch_related("groups")

    def get_changelist_instance(self, request: HttpRequest) -> Any:
        """The rows also know what higher apps say about them, and who is locked out: a few queries for all."""
        changelist = super().get_changelist_instance(request)
        shown = list(changelist.result_list)
        told = panels.context("user-list", request, shown).get("places", {})
        locked = lockout.locked([user.username for user in shown])
        for user in shown:
            user.places_held, user.is_locked = told.get(user.pk, 0), user.username in locked
        changelist.result_list = shown
        return changelist

    @admin.display(description=gettext_lazy("user"), ordering="username")
    def person(self, user: User) -> str:
        """User name with a link, the name, the address."""
        return format_html(
            '<a href="{}"><b>{}</b></a> <span class="person-name">{}</span><div class="quiet">{}</div>',
            page_of(user.pk),
            user.username,
            user.get_full_name(),
            user.email,
        )

    @admin.display(description=gettext_lazy("kind"), ordering="kind")
    def role(self, user: User) -> str:
        """Superuser, manager or simple user."""
        return badge(*ROLE_LOOKS[user.role], roles.LABELS[user.role])

    @admin.display(description=gettext_lazy("groups"))
    def belongs(self, user: User) -> str:
        """The first three, and how many more."""
        names = sorted(group.name for group in user.groups.all())
        more = f" +{len(names) - 3}" if len(names) > 3 else ""
        return ", ".join(names[:3]) + more if names else "–"

    @admin.display(description=gettext_lazy("roles given"))
    def places(self, user: User) -> str:
        """On how many nodes the user himself holds a role."""
        return format_html('<span class="number">{}</span>', user.places_held)

    @admin.display(description=gettext_lazy("account"), ordering="is_active")
    def state(self, user: User) -> str:
        """Open, closed, locked or waiting for its first password."""
        return state_of(user)

    @admin.display(description=gettext_lazy("last sign-in"), ordering="last_login")
    def seen(self, user: User) -> str:
        """When the user last came in through a page."""
        return ago(user.last_login) if user.last_login else _("never")

    # -- one person -------------------------------------------------------------------------------------------------

    def get_urls(self) -> list[URLPattern]:
        """Before Django's own."""
        view = self.admin_site.admin_view
        return [
            path("<int:pk>/", view(self.person_view), name="accounts_user_page"),
            path("<int:pk>/do/", view(require_POST(self.do_view)), name="accounts_user_do"),
            *super().get_urls(),
        ]

    def person_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Everything about one person."""
        self._require(request)
        user = get_object_or_404(User.objects.prefetch_related("groups"), pk=pk)
        user.is_locked = bool(lockout.locked([user.username]))
        own = Entry.objects.filter(actor=user).order_by("-id")
        entries = own.exclude(verb__in=SIGN_IN_VERBS)[:LAST_DEEDS]
        return self.page(
            request,
            "person",
            user.username,
            user,
            person=user,
            role=badge(*ROLE_LOOKS[user.role], roles.LABELS[user.role]),
            state=state_of(user),
            belongs=sorted(user.groups.all(), key=lambda group: group.name),
            groups=Group.objects.order_by("name").values_list("name", flat=True)[:500],
            tokens=ApiToken.objects.filter(user=user),
            sign_ins=own.filter(verb__in=SIGN_IN_VERBS)[:SIGN_INS],
            entries=entries,
            **panels.context("user", request, user),
        )

    def do_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Do one thing to the account and go back to its page."""
        self._require(request)
        user = get_object_or_404(User, pk=pk)
        deed = DEEDS.get(request.POST.get("deed", ""))
        try:
            if deed is None:
                raise Invalid(_("There is no such action."), where="deed")
            self.message_user(request, deed(request, user), messages.SUCCESS)
        except OlimpusError as error:
            self.message_user(request, str(error), messages.ERROR)
        return HttpResponseRedirect(page_of(pk))

    def _require(self, request: HttpRequest) -> None:
        if not roles.may_manage_people(request.user):
            raise PermissionDenied

    # -- writing, through the actions -------------------------------------------------------------------------------

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

    def response_add(self, request: HttpRequest, obj: User, post_url_continue: str | None = None) -> HttpResponse:
        """Go on with the page of the person: names, groups, invitation."""
        self.message_user(request, _("“%(name)s” is there now.") % {"name": obj.username}, messages.SUCCESS)
        return HttpResponseRedirect(page_of(obj.pk))

    def response_change(self, request: HttpRequest, obj: User) -> HttpResponse:
        """Back to the page of the person."""
        self.message_user(request, _("“%(name)s” is saved.") % {"name": obj.username}, messages.SUCCESS)
        return HttpResponseRedirect(page_of(obj.pk))

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

    @admin.action(description=gettext_lazy("Unlock after failed sign-ins"))
    def unlock(self, request: HttpRequest, queryset: QuerySet[User]) -> None:
        """Let locked accounts try again at once."""
        self._each(request, queryset, actions.unlock)

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


def page_of(pk: int) -> str:
    """The page of a person."""
    return reverse("admin:accounts_user_page", args=[pk])


def state_of(user: User) -> str:
    """Open, closed, locked or waiting for its first password, as a badge."""
    if not user.is_active:
        return badge("quiet", "ban", _("closed"))
    if getattr(user, "is_locked", False):
        return badge("danger", "lock", _("locked out"))
    if not user.has_usable_password():
        return badge("warn", "clock", _("no password yet"))
    return badge("ok", "circle-check", _("open"))


# -- what is done on the page of a person ------------------------------------------------------------------------------


def _invite(request: HttpRequest, user: User) -> str:
    actions.invite(user, actor=request.user, base_url=request.build_absolute_uri("/"))
    return _("An invitation is on its way to %(email)s.") % {"email": user.email}


def _activate(request: HttpRequest, user: User) -> str:
    actions.activate(user, actor=request.user)
    return _("The account is open again.")


def _deactivate(request: HttpRequest, user: User) -> str:
    actions.deactivate(user, actor=request.user)
    return _("The account is closed; its sessions and tokens no longer work.")


def _unlock(request: HttpRequest, user: User) -> str:
    forgotten = actions.unlock(user, actor=request.user)
    return _("The account may sign in again.") if forgotten else _("It was not locked.")


def _join(request: HttpRequest, user: User) -> str:
    group = _group(request)
    actions.add_members(group, [user], actor=request.user)
    return _("%(user)s belongs to “%(group)s” now.") % {"user": user, "group": group}


def _leave(request: HttpRequest, user: User) -> str:
    group = _group(request)
    actions.remove_member(group, user, actor=request.user)
    return _("%(user)s no longer belongs to “%(group)s”.") % {"user": user, "group": group}


def _revoke(request: HttpRequest, user: User) -> str:
    pk = request.POST.get("token", "")
    known = pk.isascii() and pk.isdigit() and len(pk) < 18
    token = ApiToken.objects.select_related("user").filter(user=user, pk=pk).first() if known else None
    if token is None:
        raise Invalid(_("There is no such token."), where="token")
    actions.revoke_token(token, actor=request.user)
    return _("The token “%(name)s” no longer works.") % {"name": token.name}


def _group(request: HttpRequest) -> Group:
    name = request.POST.get("group", "").strip()
    group = Group.objects.filter(name=name).first()
    if group is None:
        raise Invalid(_("There is no group “%(name)s”.") % {"name": name[:80]}, where="group")
    return group


#: Word in the form → what is done; each returns what to say.
DEEDS: Final[dict[str, Callable[[HttpRequest, User], str]]] = {
    "invite": _invite,
    "activate": _activate,
    "deactivate": _deactivate,
    "unlock": _unlock,
    "join": _join,
    "leave": _leave,
    "revoke": _revoke,
}
