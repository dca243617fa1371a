"""What the record of a cluster says about its gateway."""

from __future__ import annotations

from typing import Final

from hypervisors.drivers.base import Setting
from olimpus.words import gettext_noop

NETWORKS: Final = gettext_noop("Networks")

SETTINGS: Final[tuple[Setting, ...]] = (
    Setting(
        "bridge",
        gettext_noop("Bridge"),
        default="br-int",
        help=gettext_noop("The Open vSwitch bridge of the gateway and of all workers, joined by a VLAN trunk."),
        group=NETWORKS,
    ),
    Setting(
        "vlans",
        gettext_noop("VLAN tags"),
        default="100-999",
        help=gettext_noop("Each network gets one of these, unless its definition names one."),
        group=NETWORKS,
        example="100-499, 600-999",
    ),
    Setting(
        "provider_vlans",
        gettext_noop("VLAN tags of others"),
        help=gettext_noop("Those that definitions may name beside ours; 0: what has no tag. Empty: none."),
        group=NETWORKS,
        example="0, 12, 40-49",
    ),
    Setting(
        "outside_interface",
        gettext_noop("Interface to the outside"),
        help=gettext_noop("Of the gateway. Empty: the one of its default route."),
        group=NETWORKS,
        example="eth0",
    ),
    Setting(
        "outside_address",
        gettext_noop("How people reach the gateway"),
        help=gettext_noop("A name or an address. Empty: the address of its interface to the outside."),
        group=NETWORKS,
        example="lab.example.org",
    ),
    Setting(
        "floating_pool",
        gettext_noop("Floating addresses"),
        help=gettext_noop("Outside addresses that lead to single machines. Empty: none are given."),
        group=NETWORKS,
        example="203.0.113.64/28, 203.0.113.100-203.0.113.110",
    ),
    Setting(
        "forward_ports",
        gettext_noop("Forwarded ports"),
        default="20000-29999",
        help=gettext_noop("Ports of the gateway that may lead to ports of machines. Empty: none do."),
        group=NETWORKS,
    ),
    Setting(
        "jump_user",
        gettext_noop("Account to jump through"),
        default="olimpus-jump",
        help=gettext_noop(
            "Made on the gateway for SSH to machines by their owners' keys; it can do nothing else. Empty: nobody jumps."
        ),
        group=NETWORKS,
    ),
    Setting(
        "jump_port",
        gettext_noop("SSH port to jump through"),
        "int",
        22,
        minimum=1,
        maximum=65535,
        help=gettext_noop("As people reach it from the outside."),
        group=NETWORKS,
    ),
    Setting(
        "dns",
        gettext_noop("Name servers"),
        help=gettext_noop("For machines of networks with a way out whose definition names none."),
        group=NETWORKS,
        example="9.9.9.9, 1.1.1.1",
    ),
    Setting(
        "transfer",
        gettext_noop("Addresses inside the gateway"),
        default="100.64.0.0/10",
        help=gettext_noop("A range of at least /15 that nobody else uses; it is never seen outside."),
        group=NETWORKS,
    ),
    Setting(
        "gateway_home",
        gettext_noop("Folder on the gateway"),
        default="/var/lib/olimpus/gateway",
        help=gettext_noop("Where the networks are remembered. All who use this gateway must name the same."),
        group=NETWORKS,
    ),
)
