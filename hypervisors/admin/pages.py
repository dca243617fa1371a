"""The console's pages for hypervisors: a form made from the driver's declaration, a connection test, maintenance."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from hypervisors import actions
from hypervisors.drivers.base import CAPABILITY_WORDS, Setting
from hypervisors.models import Hypervisor
from hypervisors.registry import DRIVERS, clean_settings, driver_class
from olimpus.errors import Invalid, OlimpusError

PREFIX = "setting_"
BASE_FIELDS = ["name", "driver", "description", "concurrency", "queue", "reconcile_interval"]
RECORD_FIELDS = [*BASE_FIELDS, "maintenance", "maintenance_reason"]
SEEN_FIELDS = ["health", "health_detail", "health_at", "last_ok_at", "capacity", "version", "created_at", "updated_at"]


def setting_field(setting: Setting, *, has_value: bool) -> forms.Field:
    """The form field of a declared setting. A secret is never rendered; left empty it keeps its value."""
    label, help_text = gettext(setting.label), gettext(setting.help) if setting.help else ""
    common: dict[str, Any] = {"label": label, "help_text": help_text, "required": setting.required and not has_value}
    if setting.secret:
        common["help_text"] = gettext("A value is set; leave empty to keep it.") if has_value else help_text
        return forms.CharField(widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}), **common)
    common["initial"] = setting.default
    bounds = {"min_value": setting.minimum, "max_value": setting.maximum}
    if setting.type == "bool":
        return forms.BooleanField(**common | {"required": False})
    if setting.type == "choice":
        return forms.ChoiceField(choices=[(value, value) for value in setting.choices], **common)
    if setting.type == "int":
        return forms.IntegerField(**common, **bounds)
    if setting.type == "float":
        return forms.FloatField(**common, **bounds)
    return forms.CharField(**common)


class HypervisorForm(forms.ModelForm):
    """Fields of the record; those of the driver are added by `form_for`."""

    driver_name = ""

    class Meta:
        model = Hypervisor
        fields = RECORD_FIELDS

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["driver"].widget = forms.HiddenInput()
        self.fields["driver"].initial = self.driver_name
        if self.instance.pk:
            del self.fields["name"]  # given once
        for name, value in (self.instance.settings or {}).items():
            if PREFIX + name in self.fields:
                self.fields[PREFIX + name].initial = value

    def clean_driver(self) -> str:
        """Whatever is posted, the page was made for one driver."""
        return self.driver_name

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        if not self.errors:
            self._clean_settings()
        return cleaned

    def settings_data(self) -> dict[str, Any]:
        """The settings as the actions take them."""
        names = [name for name in self.cleaned_data if name.startswith(PREFIX)]
        return {name.removeprefix(PREFIX): self.cleaned_data[name] for name in names}

    def _clean_settings(self) -> None:
        try:
            clean_settings(self.driver_name, self.settings_data(), kept=self.instance.secrets_set())
        except Invalid as error:
            for fault in error.errors:
                name = PREFIX + fault["where"].removeprefix("settings.")
                self.add_error(name if name in self.fields else None, fault["message"])


def form_for(driver_name: str, secrets_set: list[str]) -> type[HypervisorForm]:
    """A form class with a field for each setting that the driver declares."""
    declared = driver_class(driver_name).settings
    fields = {PREFIX + s.name: setting_field(s, has_value=s.name in secrets_set) for s in declared}
    return type("HypervisorForm", (HypervisorForm,), {**fields, "driver_name": driver_name})


@admin.register(Hypervisor)
class HypervisorAdmin(admin.ModelAdmin):
    """Superusers only. Every change goes through `hypervisors.actions`."""

    list_display = ["name", "driver", "health", "health_detail", "last_ok_at", "maintenance", "queue", "test_link"]
    list_filter = ["driver", "health", "maintenance", "queue"]
    search_fields = ["name", "description"]
    actions = ["begin_maintenance", "end_maintenance"]
    change_form_template = "admin/hypervisors/hypervisor/change_form.html"

    # -- who --------------------------------------------------------------------------------------------------------

    def has_module_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.is_active and request.user.is_superuser)

    def has_view_permission(self, request: HttpRequest, obj: Hypervisor | None = None) -> bool:
        return self.has_module_permission(request)

    has_add_permission = has_module_permission
    has_change_permission = has_view_permission
    has_delete_permission = has_view_permission

    # -- the form ---------------------------------------------------------------------------------------------------

    def get_form(
        self, request: HttpRequest, obj: Hypervisor | None = None, change: bool = False, **kwargs: Any
    ) -> type:
        return form_for(self._driver_name(request, obj), obj.secrets_set() if obj else [])

    def get_fieldsets(self, request: HttpRequest, obj: Hypervisor | None = None) -> list[tuple[Any, dict[str, Any]]]:
        driver = driver_class(self._driver_name(request, obj))
        own = [PREFIX + setting.name for setting in driver.settings]
        fieldsets: list[tuple[Any, dict[str, Any]]] = [
            (None, {"fields": RECORD_FIELDS if obj else BASE_FIELDS}),
            (gettext(driver.label), {"fields": own}),
        ]
        return [*fieldsets, (_("Last seen"), {"fields": SEEN_FIELDS})] if obj else fieldsets

    def get_readonly_fields(self, request: HttpRequest, obj: Hypervisor | None = None) -> list[str]:
        return [*SEEN_FIELDS, "name"] if obj else SEEN_FIELDS

    def _driver_name(self, request: HttpRequest, obj: Hypervisor | None) -> str:
        asked = obj.driver if obj else request.GET.get("driver", "")
        return asked if asked in DRIVERS else next(iter(DRIVERS))

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        obj = kwargs.get("obj")
        context["drivers"] = [] if obj else sorted(DRIVERS)
        context["driver_name"] = self._driver_name(request, obj)
        able = driver_class(context["driver_name"]).capabilities
        context["capabilities"] = sorted(gettext(CAPABILITY_WORDS[capability]) for capability in able)
        return super().render_change_form(request, context, *args, **kwargs)

    # -- writing, through the actions -------------------------------------------------------------------------------

    def save_model(self, request: HttpRequest, obj: Hypervisor, form: HypervisorForm, change: bool) -> None:
        wanted = form.cleaned_data
        fields = {name: wanted[name] for name in BASE_FIELDS if name in wanted} | {"settings": form.settings_data()}
        if not change:
            saved = actions.create(fields, actor=request.user)
        else:
            saved = actions.update(obj, fields, actor=request.user)
            reason = wanted["maintenance_reason"]
            saved = actions.set_maintenance(saved, wanted["maintenance"], reason, actor=request.user)
        obj.pk = saved.pk
        obj.refresh_from_db()

    def delete_model(self, request: HttpRequest, obj: Hypervisor) -> None:
        actions.delete(obj, actor=request.user)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Hypervisor]) -> None:
        for hypervisor in queryset:
            actions.delete(hypervisor, actor=request.user)

    @admin.action(description=_("Begin maintenance: refuse new work"))
    def begin_maintenance(self, request: HttpRequest, queryset: QuerySet[Hypervisor]) -> None:
        self._maintenance(request, queryset, on=True)

    @admin.action(description=_("End maintenance"))
    def end_maintenance(self, request: HttpRequest, queryset: QuerySet[Hypervisor]) -> None:
        self._maintenance(request, queryset, on=False)

    def _maintenance(self, request: HttpRequest, queryset: QuerySet[Hypervisor], *, on: bool) -> None:
        for hypervisor in queryset:
            try:
                actions.set_maintenance(hypervisor, on, hypervisor.maintenance_reason, actor=request.user)
            except OlimpusError as error:
                self.message_user(request, str(error), messages.ERROR)
                return
        self.message_user(request, _("Done."), messages.SUCCESS)

    # -- the connection test ----------------------------------------------------------------------------------------

    def get_urls(self) -> list[URLPattern]:
        test = path("<int:pk>/test/", self.admin_site.admin_view(self.test_view), name="hypervisors_hypervisor_test")
        return [test, *super().get_urls()]

    @admin.display(description=_("connection"))
    def test_link(self, obj: Hypervisor) -> str:
        url = reverse("admin:hypervisors_hypervisor_test", args=[obj.pk])
        return format_html('<a href="{}">{}</a>', url, gettext("Test connection"))

    def test_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """GET explains, POST tries and shows each step."""
        if not self.has_change_permission(request):
            return HttpResponseRedirect(reverse("admin:index"))
        hypervisor = get_object_or_404(Hypervisor, pk=pk)
        checks = actions.test(hypervisor, actor=request.user) if request.method == "POST" else []
        shown = [{"check": check, "label": gettext(check.label)} for check in checks]
        context = {
            **self.admin_site.each_context(request),
            "opts": self.model._meta,
            "title": gettext("Test connection"),
            "original": hypervisor,
            "checks": shown,
            "passed": bool(checks) and all(check.ok for check in checks),
        }
        return TemplateResponse(request, "admin/hypervisors/hypervisor/test.html", context)
