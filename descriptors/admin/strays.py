"""The console's lists of VMs that nobody owns and of network cards."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.html import format_html
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from descriptors import actions, selectors
from descriptors.admin.base import ThroughActions
from descriptors.admin.pages import page_of
from descriptors.models import Nic, Unowned
from descriptors.permissions import visible
from hypervisors.drivers.base import POWER_WORDS


class ForSuperusers(ThroughActions):
    """A list about hypervisors."""

    def has_module_permission(self, request: HttpRequest) -> bool:
        """Superusers only."""
        return bool(request.user.is_active and request.user.is_superuser)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Superusers only."""
        return self.has_module_permission(request)


@admin.register(Unowned)
class UnownedAdmin(ForSuperusers):
    """VMs on hypervisors that no descriptor owns."""

    list_display = ("name", "hypervisor", "ref", "power", "seen_at")
    list_display_links = None
    list_filter = ("hypervisor",)
    list_select_related = ("hypervisor",)
    search_fields = ("name", "ref")
    actions = ("adopt",)

    @admin.display(description=_("power"))
    def power(self, vm: Unowned) -> str:
        """As last seen."""
        return gettext(POWER_WORDS.get(vm.info.get("power"), ""))

    @admin.action(description=_("Adopt into a folder"))
    def adopt(self, request: HttpRequest, queryset: QuerySet[Unowned]) -> HttpResponse | None:
        """Ask for the folder, then make a descriptor for each."""
        place = request.POST.get("folder", "")
        if not place:
            ids = list(queryset.values_list("pk", flat=True))
            title = gettext("Adopt into a folder")
            return self.page(request, "adopt", title, vms=queryset, ids=ids, action="adopt")
        for vm in list(queryset):
            machine = self.attempt(
                request, lambda vm=vm: actions.adopt(vm, selectors.get(request.user, place), actor=request.user)
            )
            if machine:
                text = gettext("%(path)s is ours now.") % {"path": machine.path}
                self.message_user(request, text, messages.SUCCESS)
        return None


@admin.register(Nic)
class NicAdmin(ThroughActions):
    """Network cards: which machine has which MAC and address."""

    list_display = ("mac", "ip", "network", "machine", "position")
    list_display_links = None
    search_fields = ("mac", "ip", "descriptor__path")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Nic]:
        """Cards of machines that the person may see."""
        return visible(request.user, Nic.objects.select_related("descriptor").order_by("mac"), path="descriptor__path")

    @admin.display(description=_("machine"), ordering="descriptor__path")
    def machine(self, nic: Nic) -> str:
        """With a link."""
        return format_html('<a href="{}">{}</a>', page_of("definition", nic.descriptor_id), nic.descriptor.path)
