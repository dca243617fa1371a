"""From what is wished for to what is there: plans, and the steps that are missing."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from hypervisors.drivers.linux.gateway.program.build import steps
from hypervisors.drivers.linux.gateway.program.plan import Links, network_plans, root_plan
from hypervisors.drivers.linux.gateway.program.settings import settings_from
from hypervisors.drivers.linux.gateway.program.state import Card, Forward, Machine, Network, State
from hypervisors.drivers.linux.gateway.program.texts import dnsmasq_hosts, label
from hypervisors.drivers.linux.gateway.program.wishes import entered

SETTINGS = settings_from(
    {"forward_ports": "2000-2009", "floating_pool": "203.0.113.1", "jump_user": "jump", "dns": ["9.9.9.9"]}
)
KEY = "ssh-ed25519 AAAA"


def made(network: Network, card: Card, *keys: str) -> State:
    return entered(State(), "a", Machine("a", keys=list(keys), cards=[card]), {"lan": network}, SETTINGS, set())


def card(**more: Any) -> Card:
    return Card("lan", "52:54:00:00:00:01", "10.0.0.5", **more)


class TestPlans:
    def test_an_isolated_network_has_no_link_to_the_gateway(self) -> None:
        state = made(Network("lan", "10.0.0.0/24"), card())
        (plan,) = network_plans(state, SETTINGS)
        assert (plan.out, list(plan.links.addresses), plan.links.routes) == (False, ["olg100"], {})
        assert "dhcp-option=option:router\n" in plan.conf
        assert root_plan(state, SETTINGS, "eth0").rules == ""

    def test_a_way_in_makes_one_and_nothing_passes_but_it(self) -> None:
        state = made(Network("lan", "10.0.0.0/24"), card(forwards=[Forward(80)]))
        (plan,) = network_plans(state, SETTINGS)
        assert plan.out
        assert "tcp dport 2000 dnat ip to 10.0.0.5:80" in plan.rules
        assert "ip saddr 10.0.0.0/24 accept" not in plan.rules
        root = root_plan(state, SETTINGS, "eth0")
        assert 'iifname "eth0" fib daddr type local tcp dport 2000' in root.rules

    def test_keys_open_their_machines_only(self) -> None:
        state = made(Network("lan", "10.0.0.0/24"), card(), KEY)
        (line,) = root_plan(state, SETTINGS, "eth0").keys
        assert line.startswith("restrict,port-forwarding,permitlisten=")
        assert line.endswith(f'permitopen="{state.machines["a"].jump}:22" {KEY}')

    def test_machines_that_come_do_not_change_what_is_built(self) -> None:
        state = made(Network("lan", "10.0.0.0/24", type="nat"), card())
        more = entered(
            state, "b", Machine("b", cards=[Card("lan", "52:54:00:00:00:02")]), state.networks, SETTINGS, set()
        )
        (before,), (after,) = network_plans(state, SETTINGS), network_plans(more, SETTINGS)
        assert (before.base, before.digest) == (after.base, after.digest)
        assert before.hosts != after.hosts

    def test_settings_say_who_answers_names_for_who_gets_out(self) -> None:
        mixed = Network("lan", "10.0.0.0/24", dns=["2001:db8::1", "10.0.0.2"])
        (plan,) = network_plans(made(mixed, card()), SETTINGS)
        assert "option:dns-server,10.0.0.2\n" in plan.conf  # another kind of address would keep dnsmasq from starting
        for kind, told in (("nat", "option:dns-server,9.9.9.9\n"), ("isolated", "option:dns-server\n")):
            (plan,) = network_plans(made(Network("lan", "10.0.0.0/24", type=kind), card()), SETTINGS)
            assert told in plan.conf

    def test_a_name_is_given_to_the_first(self) -> None:
        machines = [
            (Machine(name), Card("lan", mac, ip)) for name, mac, ip in (("Web 1", "m1", "i1"), ("web-1", "m2", "i2"))
        ]
        assert dnsmasq_hosts(machines) == "m1,i1,web-1\nm2,i2\n"

    @given(st.text())
    def test_no_name_breaks_the_file(self, name: str) -> None:
        assert set(label(name)) <= set("abcdefghijklmnopqrstuvwxyz0123456789-")


ADDRESSES = st.sampled_from(["10.0.0.1/24", "10.0.0.2/24", "100.64.0.2/30"])
WANTED = st.dictionaries(st.sampled_from(["olg1", "out", "to2"]), st.lists(ADDRESSES, unique=True, max_size=2))


@given(WANTED, WANTED, st.sampled_from([0, 1400, 1500]))
def test_after_the_steps_nothing_is_to_be_done(
    before: dict[str, list[str]], wanted: dict[str, list[str]], size: int
) -> None:
    there = {name: {"has": before.get(name, []), "up": name in before, "mtu": 1500} for name in {*before, *wanted}}
    links = Links(wanted, {name: size for name in wanted if size}, {"default": ("100.64.0.1", "out")})
    routes: dict[str, tuple[str, str]] = {"10.9.0.0/24": ("100.64.0.9", "to9")}
    for command in steps(links, shown(there), shown_routes(routes)):
        act(command.split(), there, routes)
    assert steps(links, shown(there), shown_routes(routes)) == []
    assert all(sorted(there[name]["has"]) == sorted(wanted[name]) for name in wanted)
    assert routes == {"default": ("100.64.0.1", "out")}


def shown(there: dict[str, Any]) -> list[dict[str, Any]]:
    """As `ip -j addr` tells."""
    return [
        {
            "ifname": name,
            "flags": ["UP"] if one["up"] else [],
            "mtu": one["mtu"],
            "addr_info": [
                {"family": "inet", "local": at.split("/")[0], "prefixlen": int(at.split("/")[1])} for at in one["has"]
            ],
        }
        for name, one in there.items()
    ]


def shown_routes(routes: dict[str, tuple[str, str]]) -> list[dict[str, Any]]:
    return [{"dst": to, "gateway": via, "dev": device} for to, (via, device) in routes.items()]


def act(words: list[str], there: dict[str, Any], routes: dict[str, tuple[str, str]]) -> None:
    """What `ip` does."""
    match words:
        case ["addr", "add", address, "dev", name]:
            there[name]["has"] = [*there[name]["has"], address]
        case ["addr", "del", address, "dev", name]:
            there[name]["has"] = [one for one in there[name]["has"] if one != address]
        case ["link", "set", name, "mtu", size]:
            there[name]["mtu"] = int(size)
        case ["link", "set", name, "up"]:
            there[name]["up"] = True
        case ["route", "del", to, *_rest]:
            del routes[to]
        case ["route", "replace", to, "via", via, "dev", name, *_rest]:
            routes[to] = (via, name)
        case _:
            raise AssertionError(words)
