"""Cards that ask for a floating address: one outside that leads to this card alone."""

from __future__ import annotations

from hypervisors.drivers.base import NicSpec, VmSpec
from olimpus.errors import Rejected
from olimpus.words import gettext as _


def floating_cards(spec: VmSpec) -> tuple[NicSpec, ...]:
    """The cards of a machine whose definition says `floating`, in their order."""
    wanted = spec.parameters.get("nics") or []
    return tuple(nic for nic, one in zip(spec.nics, wanted, strict=False) if one.get("floating"))


def first_floating(spec: VmSpec) -> NicSpec:
    """The card whose address `Driver.outside` says; `Rejected` when none asks for one."""
    cards = floating_cards(spec)
    if not cards:
        message = _("No network card of “%(name)s” asks for a floating address.") % {"name": spec.name}
        raise Rejected(message, where="nics", hint=_("Write “floating: true” on the card that shall have one."))
    return cards[0]
