"""The console's lists of VMs that nobody owns and of network cards."""

from __future__ import annotations

from typing import Any, Final

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.template.loader import render_to_string
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST

from descriptors import actions, selectors
from descriptors.admin.base import ThroughActions
from descriptors.admin.pages import page_of
from descriptors.documents import dump_yaml
from descriptors.models import Nic, Node, Unowned
from descriptors.permissions import visible
from hypervisors.drivers.base import POWER_WORDS, Power
from hypervisors.models import Hypervisor
from olimpus import queue
from olimpus.errors import OlimpusError

#: Machines adopted by one request: each is two calls to its hypervisor.
ADOPT_AT_ONCE: Final = 50
#: Power as seen → tone and icon.
POWER_LOOKS: Final = {
    Power.ON: ("ok", "player-play-filled"),
    Power.OFF: ("slate", "power"),
    Power.PAUSED: ("warn", "player-pause-filled"),
}


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

    list_display = ("shown_name", "where", "power", "size", "addresses", "seen")
    list_display_links = None
    list_filter = ("hypervisor",)
    list_select_related = ("hypervisor",)
    search_fields = ("name", "ref")
    search_help_text = _("Part of a name or of the hypervisor's own reference")
    actions = ("adopt",)
    actions_on_bottom = False
    change_list_template = "admin/descriptors/unowned_list.html"

    def get_urls(self) -> list[URLPattern]:
        """Before Django's own."""
        compare = self.admin_site.admin_view(require_POST(self.compare))
        return [path("compare/<int:pk>/", compare, name="descriptors_unowned_compare"), *super().get_urls()]

    def compare(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Ask a worker to compare a hypervisor with the tree now, as the API does."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        hypervisor = get_object_or_404(Hypervisor, pk=pk)
        queue.send("descriptors.tasks.reconcile", [str(pk)], queue=hypervisor.queue)
        text = gettext("A worker compares %(name)s with the tree; its states and its machines of nobody follow.")
        self.message_user(request, text % {"name": hypervisor.name}, messages.SUCCESS)
        return HttpResponseRedirect(reverse("admin:hypervisors_hypervisor_page", args=[pk]))

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        """Adopting only: what a hypervisor has cannot be deleted from here."""
        return {name: act for name, act in super().get_actions(request).items() if name == "adopt"}

    @admin.display(description=_("name"), ordering="name")
    def shown_name(self, vm: Unowned) -> str:
        """With the hypervisor's own reference."""
        return format_html('<b>{}</b><div class="quiet path">{}</div>', vm.name or gettext("without a name"), vm.ref)

    @admin.display(description=_("hypervisor"), ordering="hypervisor__name")
    def where(self, vm: Unowned) -> str:
        """With a link."""
        page = reverse("admin:hypervisors_hypervisor_page", args=[vm.hypervisor_id])
        return format_html('<a href="{}">{}</a>', page, vm.hypervisor.name)

    @admin.display(description=_("power"))
    def power(self, vm: Unowned) -> str:
        """As last seen: colour, icon and word."""
        seen = str(vm.info.get("power"))
        tone, name = POWER_LOOKS.get(seen, ("quiet", "help-circle"))
        word = gettext(POWER_WORDS.get(seen, "unknown"))
        return render_to_string("admin/cells/badge.html", {"tone": tone, "icon_name": name, "word": word})

    @admin.display(description=_("size"))
    def size(self, vm: Unowned) -> str:
        """CPUs, memory, disk."""
        return size_of(vm)

    @admin.display(description=_("addresses"))
    def addresses(self, vm: Unowned) -> str:
        """Of its cards, as last seen."""
        return format_html('<span class="path">{}</span>', ", ".join(vm.info.get("addresses") or []) or "–")

    @admin.display(description=_("last seen"), ordering="seen_at")
    def seen(self, vm: Unowned) -> str:
        """When it was last listed."""
        return render_to_string("admin/cells/ago.html", {"moment": vm.seen_at})

    @admin.action(description=_("Adopt into a folder"))
    def adopt(self, request: HttpRequest, queryset: QuerySet[Unowned]) -> HttpResponse | None:
        """Ask for the folder and the names, then make a descriptor for each; those that fail are asked for again."""
        vms = list(queryset.select_related("hypervisor").order_by("name", "ref")[:ADOPT_AT_ONCE])
        place = request.POST.get("folder", "").strip()
        if not place:
            return self._ask(request, vms, {}, "")
        try:
            folder = selectors.get(request.user, place)
        except OlimpusError as error:
            return self._ask(request, vms, {}, place, error)
        refused = {vm.pk: error for vm in vms if (error := self._adopted(request, vm, folder))}
        return self._ask(request, [vm for vm in vms if vm.pk in refused], refused, place) if refused else None

    def _adopted(self, request: HttpRequest, vm: Unowned, folder: Node) -> OlimpusError | None:
        """Why it could not be adopted, or None and a message with a link."""
        name = request.POST.get(f"name_{vm.pk}", "").strip() or None
        try:
            machine = actions.adopt(vm, folder, actor=request.user, name=name)
        except OlimpusError as error:
            return error
        link = format_html('<a href="{}">{}</a>', page_of("definition", machine.pk), machine.path)
        text = gettext("%(path)s is ours now.")
        self.message_user(request, format_html(text.replace("%(path)s", "{}"), link), messages.SUCCESS)
        return None

    def _ask(
        self,
        request: HttpRequest,
        vms: list[Unowned],
        refused: dict[int, OlimpusError],
        place: str,
        fault: OlimpusError | None = None,
    ) -> HttpResponse:
        previews = actions.preview_adoption(vms, actor=request.user)
        rows = [
            {
                "vm": vm,
                "name": request.POST.get(f"name_{vm.pk}", vm.name),
                "size": size_of(vm),
                "power": self.power(vm),
                "definition": dump_yaml(told) if isinstance(told := previews[vm.pk], dict) else "",
                "fault": told if isinstance(told, OlimpusError) else None,
                "refused": refused.get(vm.pk),
            }
            for vm in vms
        ]
        return self.page(request, "adopt", gettext("Adopt into a folder"), rows=rows, folder=place, fault=fault)


def size_of(vm: Unowned) -> str:
    """CPUs, memory and disk as last seen."""
    info = vm.info
    told = {
        "cpus": info.get("cpus") or "?",
        "memory": info.get("memory_mib") or "?",
        "disk": info.get("disk_gib") or "?",
    }
    return gettext("%(cpus)s CPU · %(memory)s MiB · %(disk)s GiB") % told


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
