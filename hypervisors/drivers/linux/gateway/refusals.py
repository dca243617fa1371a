"""What the program on the gateway refuses, in words, and as the error that it is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from hypervisors.drivers.linux.refusals import TOOL, UNKNOWN, Words
from olimpus.errors import CapacityExceeded, HypervisorError, Misconfigured, Rejected, Transient
from olimpus.words import gettext_noop

REFUSALS: Final[Mapping[str, Words]] = {
    "address-outside": Words(
        Rejected,
        gettext_noop("%(address)s is no address for a machine in %(cidr)s, the range of network “%(network)s”."),
        place="nics",
    ),
    "address-taken": Words(
        Rejected,
        gettext_noop("%(address)s is taken in network “%(network)s”, by “%(machine)s”."),
        gettext_noop("Choose another address, or none."),
        "nics",
    ),
    "mac-taken": Words(
        Rejected,
        gettext_noop("%(mac)s is taken in network “%(network)s”, by “%(machine)s”."),
        gettext_noop("Let Olimpus choose the MAC."),
        "nics",
    ),
    "gateway-taken": Words(
        Rejected,
        gettext_noop("A machine has %(address)s, the gateway's address in network “%(network)s”."),
        gettext_noop("Give the machine or the gateway another address."),
        "nics",
    ),
    "addresses-used-up": Words(
        CapacityExceeded, gettext_noop("Network “%(network)s” has no free address left in %(cidr)s."), place="networks"
    ),
    "cidr": Words(
        Rejected,
        gettext_noop("Network “%(network)s” cannot have the range %(cidr)s here."),
        gettext_noop(
            "IPv4 from /8 to /30, no loopback, multicast or reserved ones, outside of the setting “transfer”; "
            "without a “cidr” it is a wire that the gateway has no part in."
        ),
        "networks",
    ),
    "tags-used-up": Words(
        CapacityExceeded,
        gettext_noop("All VLAN tags are taken (%(range)s)."),
        gettext_noop("Widen the setting “vlans”, or destroy machines whose networks nobody needs."),
        "vlans",
    ),
    "tag-taken": Words(
        Rejected,
        gettext_noop("VLAN %(tag)s belongs to network “%(network)s”."),
        gettext_noop("Leave “vlan” out of the network's definition, or name another."),
        "networks",
    ),
    "tag-denied": Words(
        Rejected,
        gettext_noop("Network “%(network)s” may not be VLAN %(tag)s (0: what has no tag)."),
        gettext_noop("Name one of the setting “vlans”; an administrator grants others in “provider_vlans”."),
        "networks",
    ),
    "tag-used": Words(
        Rejected,
        gettext_noop("Network “%(network)s” may not be VLAN %(tag)s: somebody else uses it on the gateway's bridge."),
        gettext_noop("Name another one, or none; an administrator grants it in “provider_vlans”."),
        "networks",
    ),
    "tag-changed": Words(
        Rejected,
        gettext_noop("Network “%(network)s” is VLAN %(tag)s and has machines: it cannot become %(wanted)s."),
        place="networks",
    ),
    "reach-overlap": Words(
        Rejected,
        gettext_noop("Network “%(network)s” cannot reach “%(other)s”: their ranges overlap (%(cidr)s)."),
        place="networks",
    ),
    "reach-unserved": Words(
        Rejected,
        gettext_noop("Network “%(network)s” has no router here, so that none reaches or is reached."),
        gettext_noop("It needs a “cidr”, and a type other than provider."),
        "networks",
    ),
    "way-without-address": Words(
        Rejected,
        gettext_noop("A card in network “%(network)s” has no address that a way in could lead to."),
        gettext_noop("Give it an “ip”, or let DHCP do so."),
        "nics",
    ),
    "forwards-off": Words(Rejected, gettext_noop("This cluster forwards no ports."), place="forward_ports"),
    "forward-range": Words(
        Rejected, gettext_noop("Port %(port)s is none of those that may be forwarded (%(range)s)."), place="nics"
    ),
    "forward-taken": Words(
        Rejected,
        gettext_noop("Outside port %(port)s leads to “%(machine)s” already."),
        gettext_noop("Choose another “outside”, or none."),
        "nics",
    ),
    "forwards-used-up": Words(
        CapacityExceeded, gettext_noop("All outside ports are taken (%(range)s)."), place="forward_ports"
    ),
    "floating-off": Words(Rejected, gettext_noop("This cluster has no floating addresses."), place="floating_pool"),
    "floats-used-up": Words(
        CapacityExceeded, gettext_noop("All floating addresses are taken (%(range)s)."), place="floating_pool"
    ),
    "jumps-used-up": Words(
        CapacityExceeded, gettext_noop("All addresses to jump to are taken (%(range)s)."), place="transfer"
    ),
    "jump-account": Words(
        Misconfigured,
        gettext_noop("The gateway has an account “%(user)s” that is not ours."),
        gettext_noop("Name another one in the setting “jump_user”, or none."),
        "jump_user",
    ),
    "key": Words(Rejected, gettext_noop("“%(key)s” is no public key."), place="ssh_keys"),
    "no-outside": Words(
        Misconfigured,
        gettext_noop("The gateway has no way out."),
        gettext_noop("Name its interface to the outside in the setting “outside_interface”."),
        "outside_interface",
    ),
    "setting": Words(Misconfigured, gettext_noop("The setting “%(name)s” cannot be “%(value)s”.")),
    "bridge": Words(
        Misconfigured, gettext_noop("The gateway has no Open vSwitch bridge “%(bridge)s”."), place="bridge"
    ),
    "tool": TOOL,
    "state": Words(
        Misconfigured,
        gettext_noop("The gateway's memory cannot be read: %(file)s: %(error)s."),
        gettext_noop("Restore the file from a backup."),
    ),
    "busy": Words(Transient, gettext_noop("The gateway is busy with other machines.")),
    "failed": Words(Transient, gettext_noop("The gateway could not do its part: %(command)s: %(error)s")),
}


def in_words(code: str, told: Mapping[str, Any], where: str) -> HypervisorError:
    """The error that a refusal is; about a setting, it names that one."""
    place = str(told.get("name") or "") if code == "setting" else ""
    return REFUSALS.get(code, UNKNOWN).error_of({"code": code, **told}, place or where)
