"""Groups in the console: members, where they hold roles."""

from __future__ import annotations

from typing import Any, Final

from django.contrib import admin, messages
from django.contrib.auth.admin import GroupAdmin as DjangoGroupAdmin
from django.contrib.auth.models import Group
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.db.models import Count, QuerySet
from django.forms import ModelForm
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts import actions, roles
from accounts.admin.base import Polite
from accounts.models import User
from olimpus import panels
from olimpus.db import containing
from olimpus.errors import Invalid, OlimpusError

MEMBERS: Final = 50

admin.site.unregister(Group)


@admin.register(Group)
class GroupAdmin(Polite, DjangoGroupAdmin):
    """Groups of users."""

    list_display = ("shown_name", "members")
    list_display_links = None
    list_per_page = 50
    search_fields = ("name",)
    fields = ("name",)
    filter_horizontal = ()
    change_list_template = "admin/accounts/group_list.html"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Group]:
        """With the number of members."""
        return super().get_queryset(request).annotate(member_count=Count("user"))

    @admin.display(description=gettext_lazy("name"), ordering="name")
    def shown_name(self, group: Group) -> str:
        """With a link."""
        return format_html('<a href="{}"><b>{}</b></a>', page_of(group.pk), group.name)

    @admin.display(description=gettext_lazy("members"), ordering="member_count")
    def members(self, group: Group) -> int:
        """How many belong to it."""
        return group.member_count

    def get_urls(self) -> list[URLPattern]:
        """Before Django's own."""
        view = self.admin_site.admin_view(self.group_view)
        return [path("<int:pk>/", view, name="auth_group_page"), *super().get_urls()]

    def group_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """One group: its members and its roles. POST adds (`user`, names) or takes out (`out`, an id)."""
        if not roles.may_manage_people(request.user):
            raise PermissionDenied
        group = get_object_or_404(Group, pk=pk)
        if request.method == "POST":
            self._changed(request, group)
            return HttpResponseRedirect(page_of(pk))
        text = request.GET.get("q", "").strip()[:100]
        users = User.objects.filter(groups=group).order_by("username")
        users = containing(users, ["username", "first_name", "last_name"], text) if text else users
        found = Paginator(users, MEMBERS).get_page(request.GET.get("page"))
        told = panels.context("group", request, group)
        return self.page(request, "group", group.name, group, group=group, found=found, q=text, **told)

    def _changed(self, request: HttpRequest, group: Group) -> None:
        try:
            if out := request.POST.get("out", ""):
                known = out.isascii() and out.isdigit() and len(out) < 18
                user = get_object_or_404(User, pk=out if known else 0)
                actions.remove_member(group, user, actor=request.user)
                self.message_user(request, _("%(user)s is out of the group.") % {"user": user}, messages.SUCCESS)
                return
            users = _named(request.POST.get("users", ""))
            actions.add_members(group, users, actor=request.user)
            shown = ", ".join(user.username for user in users[:10])
            self.message_user(request, _("In the group now: %(users)s.") % {"users": shown}, messages.SUCCESS)
        except OlimpusError as error:
            self.message_user(request, str(error), messages.ERROR)

    def response_add(self, request: HttpRequest, obj: Group, post_url_continue: str | None = None) -> HttpResponse:
        """Go on with its members."""
        return HttpResponseRedirect(page_of(obj.pk))

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


def page_of(pk: int) -> str:
    """The page of a group."""
    return reverse("admin:auth_group_page", args=[pk])


def _named(text: str) -> list[Any]:
    """The users of a list of names, separated by spaces or commas. Raises Invalid naming the first unknown one."""
    names = list(dict.fromkeys(text.replace(",", " ").split()))[:500]
    found = {user.username: user for user in User.objects.filter(username__in=names)}
    if not names:
        raise Invalid(_("Write at least one user name."), where="users")
    for name in names:
        if name not in found:
            raise Invalid(_("There is no user “%(name)s”.") % {"name": name[:80]}, where="users")
    return [found[name] for name in names]
