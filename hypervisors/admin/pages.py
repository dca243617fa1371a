"""Views of the console for hypervisors."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Final

from django.conf import settings
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.translation import gettext, ngettext

from accounts.models import Entry
from hypervisors import actions, breaker, clouds
from hypervisors.admin import cloud, facts, resources, steps, tunnels
from hypervisors.admin.forms import HypervisorForm, form_for, typed_for_other
from hypervisors.drivers.base import CAPABILITY_WORDS
from hypervisors.drivers.checks import Check
from hypervisors.models import Health, Hypervisor
from hypervisors.registry import DRIVERS, driver_class, installed
from olimpus import panels
from olimpus.db import containing
from olimpus.errors import Invalid, OlimpusError, Stale

LIST: Final = "admin:hypervisors_hypervisor_changelist"
NDJSON: Final = "application/x-ndjson"
PER_PAGE: Final = 50
#: Lines of the journal that tell how the health changed.
HEALTH_VERBS: Final = [f"hypervisor.{health}" for health in Health]
HISTORY: Final = 10


@admin.register(Hypervisor)
class HypervisorAdmin(admin.ModelAdmin):
    """Superusers only. Every change goes through `hypervisors.actions`."""

    # -- who --------------------------------------------------------------------------------------------------------

    def has_module_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.is_active and request.user.is_superuser)

    def has_view_permission(self, request: HttpRequest, obj: Hypervisor | None = None) -> bool:
        return self.has_module_permission(request)

    has_add_permission = has_module_permission
    has_change_permission = has_view_permission
    has_delete_permission = has_view_permission

    def get_urls(self) -> list[URLPattern]:
        def page(address: str, view: Callable[..., HttpResponse], name: str) -> URLPattern:
            return path(address, self.admin_site.admin_view(self._guarded(view)), name=f"hypervisors_hypervisor_{name}")

        return [
            page("<int:pk>/", self.overview, "page"),
            page("<int:pk>/test/", self.test_view, "test"),
            page("<int:pk>/maintenance/", self.maintenance_view, "maintenance"),
            page("try/", self.try_view, "try"),
            *tunnels.addresses(),
            *resources.addresses(),
            *cloud.addresses(),
            *super().get_urls(),
        ]

    def _guarded(self, view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
        def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            if not self.has_view_permission(request):
                raise PermissionDenied
            return view(request, *args, **kwargs)

        return guarded

    # -- looking ----------------------------------------------------------------------------------------------------

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """All hypervisors: health, load, room. POST begins or ends the maintenance of the chosen ones."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        if request.method == "POST":
            return self._maintenance_of_many(request)
        asked = {name: request.GET.get(name, "")[:100] for name in ("q", "driver", "health", "maintenance")}
        found = Paginator(self._matching(asked), PER_PAGE).get_page(request.GET.get("page"))
        shown = list(found)
        told = panels.context("hypervisor-list", request, shown)
        rows = [{"hypervisor": h, "health": facts.health(h), "room": facts.room(h.capacity)} for h in shown]
        choices = {"drivers": sorted(DRIVERS), "healths": Health.choices}
        filtered = any(asked.values())
        return self._page(request, "list", found=found, rows=rows, asked=asked, filtered=filtered, **choices, **told)

    def overview(self, request: HttpRequest, pk: int) -> HttpResponse:
        """One hypervisor: how it is, what is on it, what can be done."""
        hypervisor = get_object_or_404(Hypervisor, pk=pk)
        return self._page(request, "page", hypervisor, **self._told(request, hypervisor))

    # -- the form ---------------------------------------------------------------------------------------------------

    def changeform_view(
        self, request: HttpRequest, object_id: str | None = None, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        """The settings. POST saves, or with `switch` goes on with another driver and what was typed."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        record = self._record(request, object_id) if object_id else None
        if request.method != "POST":
            return self._form_page(request, form_for(_driver(request.GET, record), record))
        if "switch" in request.POST and record is None:
            driver = _driver({"driver": request.POST["switch"]}, None)
            return self._form_page(request, form_for(driver, typed=typed_for_other(driver, request.POST.dict())))
        form = form_for(_driver(request.POST, record), record, request.POST)
        if form.is_valid() and (saved := self._saved(request, form)):
            self.message_user(request, gettext("“%(name)s” is saved.") % {"name": saved.name}, messages.SUCCESS)
            return HttpResponseRedirect(_page_of(saved.pk))
        return self._form_page(request, form, status=200)

    def _saved(self, request: HttpRequest, form: HypervisorForm) -> Hypervisor | None:
        """The saved record, or None and the form says why."""
        try:
            if form.record is None:
                return actions.create(form.changes(), actor=request.user)
            version = form.cleaned_data.get("version")
            return actions.update(form.record, form.changes(), actor=request.user, expected_version=version)
        except Stale:
            self._tell_stale(form)
        except OlimpusError as error:
            form.refuse(error)
        return None

    def _tell_stale(self, form: HypervisorForm) -> None:
        """What somebody else saved is named; what was typed stays, and saving again means it."""
        fresh = Hypervisor.objects.get(pk=form.record.pk)
        theirs = form_for(fresh.driver, fresh)
        differing = [
            str(field.label)
            for name, field in form.fields.items()
            if name in theirs.initial and str(form.cleaned_data.get(name)) != str(theirs.initial[name]) and field.label
        ]
        text = gettext("Somebody else saved this hypervisor while you were typing. Yours differs in: %(fields)s.")
        hint = gettext("What you typed is still here; save again to put it in place of theirs.")
        shown = ", ".join(differing) or gettext("nothing")
        form.add_error(None, f"{text % {'fields': shown}} {hint}")
        form.data = form.data.copy()
        form.data["version"] = str(fresh.version)

    def _form_page(self, request: HttpRequest, form: HypervisorForm, status: int = 200) -> HttpResponse:
        able = driver_class(form.driver).capabilities
        return self._page(
            request,
            "form",
            form.record,
            form=form,
            drivers=[] if form.record else [(name, gettext(driver.label)) for name, driver in installed().items()],
            driver_label=_label(form.driver),
            capabilities=sorted(gettext(CAPABILITY_WORDS[capability]) for capability in able),
            planned=steps.planned(form.driver),
            status=status,
        )

    # -- the connection test ----------------------------------------------------------------------------------------

    def test_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """GET explains, POST tries: each step as it happens for our script, all of them on a page for others."""
        hypervisor = get_object_or_404(Hypervisor, pk=pk)
        if request.method != "POST":
            return self._page(request, "test", hypervisor, planned=steps.planned(hypervisor.driver))
        checks = actions.testing(hypervisor, actor=request.user)
        if _wants_lines(request):
            return steps.answer(request, checks)
        return self._page(request, "test", hypervisor, **steps.outcome(hypervisor.driver, checks))

    def try_view(self, request: HttpRequest) -> HttpResponse:
        """Test what the form says, before it is saved. Nothing is kept."""
        if request.method != "POST":
            return HttpResponseRedirect(reverse(LIST))
        pk = request.POST.get("hypervisor", "")
        record = get_object_or_404(Hypervisor, pk=pk) if pk.isascii() and pk.isdigit() and len(pk) < 18 else None
        form = form_for(_driver(request.POST, record), record, request.POST)
        checks = self._trying(request, form)
        if _wants_lines(request):
            return steps.answer(request, iter(checks))
        return self._page(request, "test", record, **steps.outcome(form.driver, checks))

    def _trying(self, request: HttpRequest, form: HypervisorForm) -> Iterable[Check]:
        form.is_valid()  # a name that is missing yet does not matter
        faults = [f"{form[name].label}: {' '.join(texts)}" for name, texts in form.errors.items() if "setting" in name]
        if faults:
            return [Check("settings", gettext("Settings"), ok=False, detail=" ".join(faults))]
        record = None if form.forgotten() else form.record
        try:
            return actions.try_settings(form.driver, form.settings_data(), actor=request.user, hypervisor=record)
        except Invalid as error:
            return [Check("settings", gettext("Settings"), ok=False, detail=str(error))]

    # -- maintenance and removal ------------------------------------------------------------------------------------

    def maintenance_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """GET asks, saying what it means; POST begins or ends it."""
        hypervisor = get_object_or_404(Hypervisor, pk=pk)
        if request.method == "POST":
            on, reason = request.POST.get("on") == "1", request.POST.get("reason", "")
            if self._set_maintenance(request, [hypervisor], on, reason):
                return HttpResponseRedirect(_page_of(pk))
        return self._page(request, "maintenance", hypervisor, **self._told(request, hypervisor))

    def _maintenance_of_many(self, request: HttpRequest) -> HttpResponse:
        asked = {"begin_maintenance": True, "end_maintenance": False}.get(request.POST.get("action", ""))
        ids = [pk for pk in request.POST.getlist("_selected_action") if pk.isascii() and pk.isdigit() and len(pk) < 18]
        if asked is None or not ids:
            self.message_user(request, gettext("Choose hypervisors and what to do with them."), messages.WARNING)
        else:
            chosen = list(Hypervisor.objects.filter(pk__in=ids))
            self._set_maintenance(request, chosen, asked, request.POST.get("reason", ""))
        return HttpResponseRedirect(request.get_full_path())

    def _set_maintenance(self, request: HttpRequest, chosen: list[Hypervisor], on: bool, reason: str) -> bool:
        try:
            for hypervisor in chosen:
                actions.set_maintenance(hypervisor, on, reason, actor=request.user)
        except OlimpusError as error:
            self.message_user(request, str(error), messages.ERROR)
            return False
        begun = ngettext("%(n)d hypervisor is in maintenance.", "%(n)d hypervisors are in maintenance.", len(chosen))
        over = ngettext("%(n)d hypervisor works again.", "%(n)d hypervisors work again.", len(chosen))
        self.message_user(request, (begun if on else over) % {"n": len(chosen)}, messages.SUCCESS)
        return True

    def _record(self, request: HttpRequest, object_id: str) -> Hypervisor:
        """The hypervisor of an address; anything may stand there."""
        record = self.get_object(request, object_id)
        if record is None:
            raise Http404
        return record

    def delete_view(self, request: HttpRequest, object_id: str, extra_context: Any = None) -> HttpResponse:
        """Forget a hypervisor; while machines refer to it, say which."""
        try:
            return super().delete_view(request, object_id, extra_context)
        except OlimpusError as error:
            self.message_user(request, str(error), messages.ERROR)
            return HttpResponseRedirect(_page_of(int(object_id)))

    def delete_model(self, request: HttpRequest, obj: Hypervisor) -> None:
        actions.delete(obj, actor=request.user)

    # -- inside -----------------------------------------------------------------------------------------------------

    def _matching(self, asked: dict[str, str]) -> QuerySet[Hypervisor]:
        rows = Hypervisor.objects.order_by("name")
        exact = {name: asked[name] for name in ("driver", "health") if asked[name]}
        rows = rows.filter(**exact) if not asked["maintenance"] else rows.filter(maintenance=True, **exact)
        return containing(rows, ["name", "description"], asked["q"]) if asked["q"] else rows

    def _told(self, request: HttpRequest, hypervisor: Hypervisor) -> dict[str, Any]:
        driver = hypervisor.driver
        able = driver_class(driver).capabilities if driver in DRIVERS else frozenset()
        # Not what happened to another one, deleted since, that had the same name.
        changes = Entry.objects.filter(
            verb__in=HEALTH_VERBS, data__hypervisor=hypervisor.name, at__gte=hypervisor.created_at
        ).order_by("-id")
        return {
            "hypervisor": hypervisor,
            "health": facts.health(hypervisor),
            "circuit": breaker.seen(Path(settings.OLIMPUS_HOME), hypervisor.name),
            "room": facts.room(hypervisor.capacity),
            "in_charge": facts.in_charge(hypervisor),
            "driver_label": _label(driver),
            "offers": clouds.offers(hypervisor),
            "capabilities": [(gettext(word), capability in able) for capability, word in CAPABILITY_WORDS.items()],
            "health_history": [_change(entry) for entry in changes[:HISTORY]],
            "planned": steps.planned(driver) if able else [],
            **panels.context("hypervisor", request, hypervisor),
        }

    def _page(
        self, request: HttpRequest, name: str, original: Hypervisor | None = None, status: int = 200, **context: Any
    ) -> TemplateResponse:
        frame = self.admin_site.each_context(request) | {"opts": self.model._meta, "original": original}
        template = f"admin/hypervisors/{name}.html"
        return TemplateResponse(request, template, {**frame, "hypervisor": original, **context}, status=status)


def _driver(asked: Any, record: Hypervisor | None) -> str:
    name = record.driver if record else asked.get("driver", "")
    return name if record or name in installed() else next(iter(DRIVERS))


def _label(driver: str) -> str:
    try:
        return gettext(driver_class(driver).label)
    except Invalid:  # a driver whose library went away
        return driver


def _change(entry: Entry) -> dict[str, Any]:
    health = Health(entry.verb.removeprefix("hypervisor."))
    return {"at": entry.at, "name": health, "word": health.label, "icon": facts.ICONS[health], **entry.data}


def _page_of(pk: int) -> str:
    return reverse("admin:hypervisors_hypervisor_page", args=[pk])


def _wants_lines(request: HttpRequest) -> bool:
    return NDJSON in request.headers.get("Accept", "")
