"""What a gateway between hypervisors is told at its first start: to join its networks with those of other gateways.

The script names no link. Each network that the machine has a card in, beside the one that leads out, becomes a bridge of
this card and a VXLAN (UDP 4789) to all other gateways, whose number is the low 24 bits of the network's address: so one
more network is one more card, and nobody is told anything new. It needs iproute2 (`ip`, `bridge`, `tc`), the kernel's
modules vxlan, bridge, sch_ingress, cls_flower and act_gact, an address on every card, and sh: BusyBox' and Debian's do.

What is flooded is sent to each peer, and never from one peer on to another: any number of gateways makes no loop. Peers
are learned by their outside addresses, which must be the same in both directions. Where a network has a router, each
hypervisor has one with the same address: machines find their own hypervisor's. Packets of 1500 bytes pass, since the
outer ones may be fragmented; those that may not be are answered with “fragmentation needed”. What comes from other
addresses than those of the peers is dropped; nothing is encrypted, and that an address is not forged is not proven.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Final

from descriptors.peers import placeholder

#: Run at each start by cloud-init.
SCRIPT: Final = "/var/lib/cloud/scripts/per-boot/60-olimpus-joins"
#: It goes on looking: addresses come late, and what manages the network may take a card back.
BODY: Final = """
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
mkdir /run/olimpus-joins 2>/dev/null || exit 0  # it runs
# BusyBox' shell would take its own, which know no VXLAN and no fence.
ip=$(which ip) tc=$(which tc)
ip() { "$ip" "$@"; }
tc() { "$tc" "$@"; }

number() ( # ADDRESS/PREFIX: the low 24 bits of its network's address
    IFS=./
    set -- $1
    echo $(((($1 << 24 | $2 << 16 | $3 << 8 | $4) >> (32 - $5) << (32 - $5)) & 0xffffff))
)
guard() { # CARD: from outside, tunnels are for peers
    tc qdisc add dev "$1" clsact 2>/dev/null || return  # it is guarded
    for peer in $PEERS; do
        tc filter add dev "$1" ingress pref 1 protocol ip flower ip_proto udp dst_port 4789 src_ip "$peer" action pass
    done
    tc filter add dev "$1" ingress pref 2 protocol ip flower ip_proto udp dst_port 4789 action drop
}
fence() { # TUNNEL ROUTER: the others have one of their own with this address, and their machines shall not hear ours
    tc qdisc add dev "$1" clsact
    tc filter add dev "$1" egress pref 1 handle 1 protocol arp flower arp_sip "$2" action drop
}
join() { # CARD ADDRESS/PREFIX [default via ROUTER…]
    tunnel=vx$(number "$2") between=br$(number "$2")
    if ! ip link show "$between" >/dev/null 2>&1; then
        ip link add "$tunnel" mtu 1500 type vxlan id "${tunnel#vx}" dstport 4789
        [ "$4" = via ] && fence "$tunnel" "$5"
        for peer in $PEERS; do
            bridge fdb append 00:00:00:00:00:00 dev "$tunnel" dst "$peer"
        done
        ip link add "$between" type bridge mcast_snooping 0
        ip link set "$tunnel" master "$between" up
        ip link set "$between" up
    fi
    ip link set "$1" master "$between" up
    ip addr flush dev "$1"
}
watch() {
    while :; do
        ip -4 -o addr show scope global | {
            sleep 2  # the router is known after the address
            while read -r _ card _ address _; do
                case $address in "$OUTSIDE"/*) guard "$card"; continue ;; esac
                [ -e "/sys/class/net/$card/device" ] &&
                    join "$card" "$address" $(ip -4 route show default dev "$card")
            done
        }
    done
}
watch >/run/olimpus-joins/log 2>&1 </dev/null &
"""


def script(outside: str, peers: Sequence[str]) -> str:
    """What the gateway with the card `outside` (its own address there) runs at each start; peers by their names."""
    head = "#!/bin/sh\n# Joins networks of the slice with those of other hypervisors, written by Olimpus.\n"
    return f'{head}OUTSIDE={outside}\nPEERS="{" ".join(map(placeholder, peers))}"\n{BODY}'


def user_data(outside: str, peers: Sequence[str]) -> str:
    """cloud-init user data of such a gateway, with placeholders for the addresses of its peers."""
    wanted: dict[str, Any] = {
        "write_files": [{"path": SCRIPT, "permissions": "0755", "content": script(outside, peers)}],
        "runcmd": [["sh", SCRIPT]],
    }
    return "#cloud-config\n" + json.dumps(wanted) + "\n"
