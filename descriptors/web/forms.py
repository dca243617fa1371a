"""Forms of the portal. Rules are not here: what the core refuses is shown next to the field it is about."""

from __future__ import annotations

from typing import Any

from django import forms
from django.conf import settings
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from descriptors.models import NAME_LENGTH, PATH_LENGTH
from descriptors.panes.texts import sentence
from olimpus.errors import Invalid, OlimpusError

CODE = {"spellcheck": "false", "autocomplete": "off", "autocapitalize": "off"}
FIRST = {**CODE, "autofocus": True}
#: Files that hold documents.
DOCUMENTS = ".yaml,.yml,.json,.txt,application/yaml,application/json,text/plain"


class CoreForm(forms.Form):
    """A form that shows the core's errors: `fields_of_errors` maps the beginning of `where` to a field."""

    fields_of_errors: dict[str, str] = {}

    def __init__(self, *args: Any, **kwargs: Any):
        super().__init__(*args, **kwargs)
        for name, field in self.fields.items():
            css = "form-select" if isinstance(field, forms.ChoiceField) else "form-control"
            css = "form-check-input" if isinstance(field, forms.BooleanField) else css
            field.widget.attrs["class"] = f"{field.widget.attrs.get('class', '')} {css}".strip()
            field.widget.attrs.setdefault("aria-describedby", f"hint-{name}")

    def refuse(self, error: OlimpusError, otherwise: str | None = None) -> None:
        """Put the error, and each of its faults, next to its field."""
        faults = error.errors or [{"message": error.message, "where": error.where, "hint": error.hint}]
        for fault in faults:
            self.add_error(self._field_of(str(fault.get("where", "")), otherwise), sentence(fault))

    def _field_of(self, where: str, otherwise: str | None) -> str | None:
        found = next((field for start, field in self.fields_of_errors.items() if where.startswith(start)), otherwise)
        return found if found in self.fields else None


class YamlField(forms.CharField):
    """YAML or JSON text of a definition; its cleaned value is the text, `CoreForm`s parse it with `parsed`."""

    def __init__(self, **kwargs: Any):
        widget = forms.Textarea(attrs={**CODE, "class": "code", "rows": 14, "data-editor": ""})
        super().__init__(widget=widget, required=False, strip=False, max_length=2 * 1024 * 1024, **kwargs)


class NewNodeForm(CoreForm):
    """A folder or a machine below a folder."""

    fields_of_errors = {"name": "name"}

    name = forms.CharField(
        label=_("Name"),
        max_length=NAME_LENGTH,
        help_text=_("Letters of any language, digits, “.”, “-”, “_”, “@”, “+”, and spaces inside."),
        widget=forms.TextInput(attrs=FIRST),
    )
    definition = YamlField(label=_("Definition (YAML, may stay empty)"))


class PlaceForm(CoreForm):
    """Another folder, and perhaps another name: for moving and copying."""

    fields_of_errors = {"name": "name", "parent": "to", "to": "to"}

    to = forms.CharField(
        label=_("Folder"),
        max_length=PATH_LENGTH,
        widget=forms.TextInput(attrs={**CODE, "list": "folder-options", "class": "code-line"}),
    )
    name = forms.CharField(label=_("Name there"), max_length=NAME_LENGTH, widget=forms.TextInput(attrs=CODE))


class CopyForm(PlaceForm):
    """As for moving, and what happens to addresses."""

    new_addresses = forms.BooleanField(
        label=_("Give new MACs and addresses"),
        required=False,
        initial=True,
        help_text=_("Without this the copy keeps them, which is possible only while the original has none."),
    )


class RenameForm(CoreForm):
    """A new name in the same folder."""

    fields_of_errors = {"name": "name"}

    name = forms.CharField(label=_("New name"), max_length=NAME_LENGTH, widget=forms.TextInput(attrs=FIRST))


class RemoveForm(CoreForm):
    """Deleting asks for the name."""

    name = forms.CharField(label=_("Type the name to confirm"), widget=forms.TextInput(attrs=FIRST))


class DocumentForm(CoreForm):
    """One document that lays out folders, definitions and machines. `base`: where one without a path goes."""

    document = forms.CharField(
        label=_("Document (YAML or JSON)"),
        required=False,
        strip=False,
        widget=forms.Textarea(attrs={**CODE, "class": "code", "rows": 16}),
    )
    file = forms.FileField(label=_("or a file"), required=False, widget=forms.FileInput(attrs={"accept": DOCUMENTS}))
    planned = forms.CharField(widget=forms.HiddenInput, required=False)
    base = forms.CharField(widget=forms.HiddenInput, required=False, max_length=PATH_LENGTH)

    def text(self) -> str:
        """What was uploaded, else what was typed. Invalid for a file that is too big or not text."""
        upload = self.cleaned_data.get("file")
        size = upload.size if upload else len(self.cleaned_data["document"].encode("utf-8", "surrogatepass"))
        if size > settings.OLIMPUS_UPLOAD_LIMIT:
            told = {"size": f"{size / 2**20:.1f}", "limit": settings.OLIMPUS_UPLOAD_LIMIT >> 20}
            message = gettext("The document has %(size)s MiB; at most %(limit)s MiB are read at once.") % told
            raise Invalid(message, where="", hint=gettext("Split it by folders."))
        if not upload:
            return self.cleaned_data["document"]
        try:
            return upload.read().decode("utf-8-sig")
        except UnicodeDecodeError:
            raise Invalid(gettext("The file is not UTF-8 text."), where="file") from None
