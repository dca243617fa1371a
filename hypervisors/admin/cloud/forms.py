"""What people type about a cloud. Nothing is saved here: the answers go to `hypervisors.clouds`."""

from __future__ import annotations

import ipaddress
from typing import Any, Final

from django import forms
from django.conf import settings
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from olimpus.errors import OlimpusError

NAME: Final = 255
GIB: Final = 2**30
LARGEST: Final = 2**31 - 1
CONTROL: Final = {"class": "form-control", "autocomplete": "off"}
PLAIN: Final = {**CONTROL, "spellcheck": "false"}
CHECKBOX: Final = {"class": "form-check-input"}
MOST_SERVERS: Final = 10


class CloudForm(forms.Form):
    """A form whose fields name what explains them."""

    #: Field of an action → ours, where they differ.
    places: dict[str, str] = {}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name, field in self.fields.items():
            field.widget.attrs["aria-describedby"] = f"hint-{name}"

    def refuse(self, error: OlimpusError) -> None:
        """Put what was refused next to the field that it is about, else on top."""
        for fault in error.errors or [{"where": error.where, "message": error.message, "hint": error.hint}]:
            where = str(fault.get("where", "")).rpartition(".")[2]
            name = self.places.get(where, where)
            text = f"{fault['message']} {fault.get('hint') or ''}".strip()
            self.add_error(name if name in self.fields else None, text)


class ImageForm(CloudForm):
    """A file that becomes an image."""

    file = forms.FileField(label=_("File"), widget=forms.FileInput({"class": "form-control"}))
    name = forms.CharField(
        label=_("Name"),
        max_length=NAME,
        widget=forms.TextInput({**PLAIN, "placeholder": "debian-12"}),
        help_text=_("Definitions name the image by it."),
    )
    public = forms.BooleanField(
        label=_("For all projects"),
        required=False,
        initial=True,
        widget=forms.CheckboxInput(CHECKBOX),
        help_text=_("Otherwise only the account's own project sees it."),
    )

    def __init__(self, *args: Any, projects: bool = True, converts: bool = True, **kwargs: Any) -> None:
        """`projects`: it may be for one only; `converts`: the cloud takes formats that hosts do not."""
        super().__init__(*args, **kwargs)
        if not projects:
            del self.fields["public"]
        limit = f"{settings.OLIMPUS_IMAGE_LIMIT / GIB:.3g} GiB"
        told = gettext("qcow2, raw or iso, told by its content; at most %(limit)s.")
        if converts:
            told = gettext("qcow2, raw, iso, vmdk, vdi or vhd, told by its content; at most %(limit)s.")
        self.fields["file"].help_text = told % {"limit": limit}


class FlavorForm(CloudForm):
    """A size of machine."""

    name = forms.CharField(label=_("Name"), max_length=NAME, widget=forms.TextInput({**PLAIN, "placeholder": "4c-8g"}))
    cpus = forms.IntegerField(label=_("CPUs"), min_value=1, max_value=4096, widget=forms.NumberInput(CONTROL))
    memory_mib = forms.IntegerField(
        label=_("Memory (MiB)"), min_value=1, max_value=LARGEST, widget=forms.NumberInput(CONTROL)
    )
    disk_gib = forms.IntegerField(
        label=_("Disk (GiB)"),
        min_value=0,
        max_value=10**6,
        widget=forms.NumberInput(CONTROL),
        help_text=_("0: as large as the image."),
    )
    places = {"vcpus": "cpus", "ram": "memory_mib", "disk": "disk_gib"}


class NetworkForm(CloudForm):
    """A network with its first subnet and, when wanted, a router that leads out."""

    name = forms.CharField(
        label=_("Name"), max_length=NAME, widget=forms.TextInput({**PLAIN, "placeholder": "lab-net"})
    )
    cidr = forms.CharField(
        label=_("Addresses (CIDR)"),
        max_length=64,
        widget=forms.TextInput({**PLAIN, "placeholder": "192.168.100.0/24"}),
        help_text=_("Example: 192.168.100.0/24 has room for 253 machines."),
    )
    gateway = forms.GenericIPAddressField(
        label=_("Gateway"),
        required=False,
        widget=forms.TextInput({**PLAIN, "placeholder": "192.168.100.1"}),
        help_text=_("Empty: the first address."),
    )
    dns = forms.CharField(
        label=_("DNS servers"),
        required=False,
        max_length=1000,
        widget=forms.TextInput({**PLAIN, "placeholder": "1.1.1.1, 9.9.9.9"}),
        help_text=_("Addresses, separated by commas."),
    )
    dhcp = forms.BooleanField(
        label=_("Give addresses by DHCP"), required=False, initial=True, widget=forms.CheckboxInput(CHECKBOX)
    )
    way_out = forms.ChoiceField(
        label=_("Way out"),
        required=False,
        widget=forms.Select({"class": "form-select"}),
        help_text=_("A router joins it to this external network."),
    )
    places = {"pool": "cidr", "network": "name", "external": "way_out"}

    def __init__(self, *args: Any, external: list[str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["way_out"].choices = [("", gettext("none (isolated)")), *((n, n) for n in external)]

    def clean_cidr(self) -> str:
        """As the cloud writes it. ValidationError, with the range that was probably meant."""
        try:
            meant = ipaddress.ip_network(self.cleaned_data["cidr"].strip(), strict=False)
        except ValueError:
            text = _("This is no range of addresses. Its first address and its length are needed: 192.168.100.0/24.")
            raise forms.ValidationError(text) from None
        if str(meant.network_address) != self.cleaned_data["cidr"].strip().partition("/")[0]:
            raise forms.ValidationError(_("A range begins with its first address. Did you mean %s?") % meant)
        return str(meant)

    def clean_dns(self) -> list[str]:
        """Each address. ValidationError naming the first that is none."""
        given = self.cleaned_data["dns"].replace(",", " ").split()
        if len(given) > MOST_SERVERS:
            raise forms.ValidationError(_("These are too many."))
        for server in given:
            try:
                ipaddress.ip_address(server)
            except ValueError:
                raise forms.ValidationError(_("“%s” is no address.") % server[:64]) from None
        return given

    def clean(self) -> dict[str, Any]:
        """The gateway lies in the network."""
        cleaned = super().clean() or self.cleaned_data
        cidr, gateway = cleaned.get("cidr"), cleaned.get("gateway")
        if cidr and gateway and ipaddress.ip_address(gateway) not in ipaddress.ip_network(cidr):
            self.add_error("gateway", _("This is outside of %s.") % cidr)
        return cleaned

    def subnet(self) -> dict[str, Any]:
        """The first subnet as the actions take it."""
        given = self.cleaned_data
        told = {"name": given["name"], "cidr": given["cidr"], "dhcp": given["dhcp"], "dns": given["dns"]}
        return told | ({"gateway": given["gateway"]} if given["gateway"] else {})
