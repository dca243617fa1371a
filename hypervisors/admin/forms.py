"""The form of a hypervisor: fields of the record, and those that its driver declares."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from django import forms
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from hypervisors import aliases
from hypervisors.drivers.base import Setting
from hypervisors.models import NAME_LENGTH, Hypervisor, name_validator
from hypervisors.registry import clean_settings, driver_class
from olimpus.errors import Invalid, OlimpusError

PREFIX: Final = "setting_"
FORGET: Final = "forget_"
#: Fields of the record, below their headings.
IDENTITY: Final = ("name", "description")
WORK: Final = ("aliases", "concurrency", "queue", "reconcile_interval")
PEOPLE: Final = ("managers", "manager_groups")
CHECKBOX: Final = {"class": "form-check-input"}
CONTROL: Final = {"class": "form-control", "autocomplete": "off"}


@dataclass(frozen=True)
class Group:
    """Fields below one heading, as the template draws them."""

    title: str
    fields: tuple[Any, ...]
    folded: bool = False


class NamesField(forms.CharField):
    """Names, one a line; the value is the same text, tidied."""

    def __init__(self, **kwargs: Any) -> None:
        widget = forms.Textarea({**CONTROL, "rows": 2, "spellcheck": "false"})
        super().__init__(required=False, max_length=20_000, widget=widget, **kwargs)

    def to_python(self, value: Any) -> str:
        """Sorted, each once, without blank lines."""
        return "\n".join(sorted({line.strip() for line in super().to_python(value).splitlines()} - {""}))


class AliasesField(forms.CharField):
    """Names in definitions and names there, one pair a line."""

    def __init__(self, **kwargs: Any) -> None:
        widget = forms.Textarea({**CONTROL, "rows": 3, "spellcheck": "false", "placeholder": "images debian-12 = tiny"})
        super().__init__(required=False, max_length=300_000, widget=widget, **kwargs)

    def prepare_value(self, value: Any) -> Any:
        """The mapping of the record as lines."""
        return aliases.lines(value) if isinstance(value, dict) else value

    def clean(self, value: Any) -> dict[str, dict[str, str]]:
        """The mapping as the actions take it."""
        try:
            return aliases.of_lines(super().clean(value))
        except Invalid as error:
            raise forms.ValidationError(str(error.message)) from error


class HypervisorForm(forms.Form):
    """What a person types about a hypervisor of one driver. Saves nothing: `changes()` goes to the actions."""

    name = forms.CharField(
        label=_("Name"),
        max_length=NAME_LENGTH,
        validators=[name_validator],
        help_text=_("Given once: definitions name the hypervisor by it."),
        widget=forms.TextInput({**CONTROL, "spellcheck": "false", "placeholder": "rack-1"}),
    )
    description = forms.CharField(
        label=_("Description"), max_length=2000, required=False, widget=forms.Textarea({**CONTROL, "rows": 2})
    )
    concurrency = forms.IntegerField(
        label=_("Calls at once"),
        min_value=1,
        max_value=1000,
        initial=Hypervisor._meta.get_field("concurrency").default,
        help_text=_("To this hypervisor, from one worker. Example: 64."),
        widget=forms.NumberInput(CONTROL),
    )
    queue = forms.CharField(
        label=_("Queue"),
        max_length=NAME_LENGTH,
        validators=[name_validator],
        initial=Hypervisor._meta.get_field("queue").default,
        help_text=_("Of the workers that reach this hypervisor. Example: olimpus."),
        widget=forms.TextInput({**CONTROL, "spellcheck": "false"}),
    )
    reconcile_interval = forms.IntegerField(
        label=_("Compare every (seconds)"),
        min_value=5,
        max_value=86_400,
        initial=Hypervisor._meta.get_field("reconcile_interval").default,
        help_text=_("How often the tree is compared with the hypervisor. Example: 60."),
        widget=forms.NumberInput(CONTROL),
    )
    aliases = AliasesField(
        label=_("Names here"),
        help_text=_(
            "What it calls the images, flavors and networks of definitions, one a line. Example: images debian-12 = tiny"
        ),
    )
    managers = NamesField(
        label=_("Managers"),
        help_text=_("User names, one a line. They see and change its networks, images, volumes and projects."),
    )
    manager_groups = NamesField(label=_("Groups of managers"), help_text=_("Names of groups, one a line."))
    version = forms.IntegerField(required=False, widget=forms.HiddenInput)

    def __init__(self, *args: Any, driver: str, record: Hypervisor | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.driver, self.record = driver, record
        self.declared = driver_class(driver).settings
        self.kept = tuple(record.secrets_set()) if record else ()
        for setting in self.declared:
            self._add(setting)
        if record:
            del self.fields["name"]  # given once
        for name, field in self.fields.items():
            field.widget.attrs["aria-describedby"] = f"hint-{name}"

    def groups(self) -> Iterator[Group]:
        """Everything to fill in, below headings: what it is, the driver's, how it is worked on."""
        yield Group(gettext("What it is"), tuple(self[name] for name in IDENTITY if name in self.fields))
        driver = driver_class(self.driver)
        for heading in dict.fromkeys(setting.group for setting in self.declared):
            title = gettext(heading or driver.label)
            fields = tuple(self._bound(s) for s in self.declared if s.group == heading)
            folded = heading in driver.folded and not any(map(_touched, fields))
            yield Group(title, fields, folded)
        yield Group(gettext("How it is worked on"), tuple(self[name] for name in WORK))
        yield Group(gettext("Who is in charge"), tuple(self[name] for name in PEOPLE))

    def settings_data(self) -> dict[str, Any]:
        """The settings as the actions take them; a bad value of another field does not matter here."""
        return {s.name: self.cleaned_data.get(PREFIX + s.name) for s in self.declared}

    def forgotten(self) -> list[str]:
        """Secrets to remove."""
        return [name for name in self.kept if self.cleaned_data.get(FORGET + name)]

    def changes(self) -> dict[str, Any]:
        """What `actions.create` and `actions.update` take."""
        named = {name: self.cleaned_data[name] for name in (*IDENTITY, *WORK) if name in self.cleaned_data}
        people = {name: self.cleaned_data[name].splitlines() for name in PEOPLE if name in self.cleaned_data}
        told: dict[str, Any] = {**named, **people, "settings": self.settings_data()}
        if self.record is None:
            return {**told, "driver": self.driver}
        return {**told, "forget_secrets": self.forgotten()} if self.forgotten() else told

    def refuse(self, error: OlimpusError) -> None:
        """Put what the actions refuse next to the field it is about."""
        for fault in error.errors or [{"where": error.where, "message": error.message, "hint": error.hint}]:
            where = str(fault.get("where", ""))
            name = PREFIX + where.removeprefix("settings.") if where.startswith("settings.") else where
            text = f"{fault['message']} {fault.get('hint') or ''}".strip()
            self.add_error(name if name in self.fields else None, text)

    def clean(self) -> dict[str, Any]:
        """By the driver's declaration, as the actions do; bad values are told before anything is saved."""
        cleaned = super().clean() or self.cleaned_data
        kept = [name for name in self.kept if name not in self.forgotten()]
        try:
            clean_settings(self.driver, self.settings_data(), kept=kept)
        except Invalid as error:
            told = {PREFIX + str(fault["where"]).removeprefix("settings.") for fault in error.errors}
            if not told & set(self.errors):
                self.refuse(error)
        return cleaned

    def _add(self, setting: Setting) -> None:
        has_value = setting.name in self.kept
        self.fields[PREFIX + setting.name] = setting_field(setting, has_value=has_value)
        if has_value:
            label = _("Remove the value that is set")
            self.fields[FORGET + setting.name] = forms.BooleanField(
                label=label, required=False, widget=forms.CheckboxInput(CHECKBOX)
            )

    def _bound(self, setting: Setting) -> Any:
        """The field, with what the template shows beside it."""
        bound = self[PREFIX + setting.name]
        bound.setting = setting
        bound.forget = self[FORGET + setting.name] if setting.name in self.kept else None
        bound.default_text = default_text(setting)
        return bound


def _touched(bound: Any) -> bool:
    """Whether something is filled in, kept or wrong: then it must be seen."""
    return bool(bound.errors or bound.forget) or str(bound.value() or "") not in {"", str(bound.setting.default)}


def setting_field(setting: Setting, *, has_value: bool) -> forms.Field:
    """The form field of a declared setting. A secret is never rendered; left empty it keeps its value."""
    help_text = gettext(setting.help) if setting.help else ""
    common: dict[str, Any] = {
        "label": gettext(setting.label),
        "help_text": help_text,
        "required": setting.required and not has_value,
        "initial": setting.default,
    }
    if setting.secret:
        hidden = {"class": "form-control", "autocomplete": "new-password"}
        if has_value:
            hidden["placeholder"] = gettext("set; leave empty to keep")
        return forms.CharField(widget=forms.PasswordInput(hidden), **common | {"initial": None})
    control = {**CONTROL, **({"placeholder": setting.example} if setting.example else {})}
    bounds = {"min_value": setting.minimum, "max_value": setting.maximum}
    if setting.type == "bool":
        return forms.BooleanField(widget=forms.CheckboxInput(CHECKBOX), **common | {"required": False})
    if setting.type == "choice":
        choices = [(value, value) for value in setting.choices]
        return forms.ChoiceField(choices=choices, widget=forms.Select({"class": "form-select"}), **common)
    if setting.type == "int":
        return forms.IntegerField(widget=forms.NumberInput(control), **common, **bounds)
    if setting.type == "float":
        return forms.FloatField(widget=forms.NumberInput({**control, "step": "any"}), **common, **bounds)
    widget = forms.Textarea({**control, "rows": 4}) if setting.type == "lines" else forms.TextInput(control)
    widget.attrs["spellcheck"] = "false"
    return forms.CharField(widget=widget, **common)


def default_text(setting: Setting) -> str:
    """The default as a person writes it; "" when there is none worth telling."""
    if setting.secret or setting.default is None or setting.default == "" or setting.type == "bool":
        return ""
    return f"{setting.default:g}" if isinstance(setting.default, float) else str(setting.default)


def form_for(
    driver: str, record: Hypervisor | None = None, data: Any = None, typed: Mapping[str, Any] | None = None
) -> HypervisorForm:
    """The form of this driver: of the record, of what was posted, or with what was typed for another driver."""
    if data is not None:
        return HypervisorForm(data, driver=driver, record=record)
    initial: dict[str, Any] = {}
    if record:
        initial = {name: getattr(record, name) for name in (*IDENTITY, *WORK, "version")}
        initial |= {PREFIX + name: value for name, value in record.settings.items()}
        initial |= {name: "\n".join(sorted(map(str, getattr(record, name).all()))) for name in PEOPLE}
    return HypervisorForm(driver=driver, record=record, initial=initial | dict(typed or {}))


def typed_for_other(driver: str, data: Mapping[str, Any]) -> dict[str, Any]:
    """What was typed and has a field of the same name under this driver; secrets are never sent back."""
    secret: Collection[str] = {PREFIX + s.name for s in driver_class(driver).settings if s.secret}
    booleans = {PREFIX + s.name for s in driver_class(driver).settings if s.type == "bool"}
    kept = {name: data[name] for name in data if name not in secret}
    return {name: value not in {"", "false", "off"} if name in booleans else value for name, value in kept.items()}
