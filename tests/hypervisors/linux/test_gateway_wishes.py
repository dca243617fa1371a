"""What machines are given on the gateway: tags, addresses and ports, each once and for as long as they are there."""

from __future__ import annotations

import ipaddress
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hypervisors.drivers.linux.faults import Refused
from hypervisors.drivers.linux.gateway.program import state as states
from hypervisors.drivers.linux.gateway.program.plan import network_plans, root_plan
from hypervisors.drivers.linux.gateway.program.settings import settings_from
from hypervisors.drivers.linux.gateway.program.state import Card, Forward, Machine, Network, State
from hypervisors.drivers.linux.gateway.program.wishes import entered, held, left
from hypervisors.drivers.linux.gateway.served import serves

SETTINGS = settings_from(
    {
        "vlans": "100-103",
        "provider_vlans": "12, 300",
        "forward_ports": "2000-2003",
        "floating_pool": "203.0.113.1-203.0.113.3",
    }
)


def lan(name: str = "lan", cidr: str = "10.0.0.0/29", **more: Any) -> Network:
    return Network(name, cidr, **more)


def put(state: State, uid: str, *cards: Card, used: frozenset[int] = frozenset(), **networks: Network) -> State:
    """The state with a machine in networks; those that are not given are the usual ones."""
    known = {card.network: networks.get(card.network, lan(card.network)) for card in cards}
    return entered(state, uid, Machine(uid, cards=list(cards)), known, SETTINGS, used)


def card(number: int, network: str = "lan", **more: Any) -> Card:
    return Card(network, f"52:54:00:00:00:{number:02x}", **more)


def refusal(*args: Any, **more: Any) -> Refused:
    with pytest.raises(Refused) as caught:
        put(*args, **more)
    return caught.value


@pytest.mark.parametrize(
    "cidr", ["10.0.0.0/30", "10.0.0.0/31", "10.0.0.0/7", "fd00::/64", "127.1.0.0/16", "100.64.8.0/24", "192.168.0.0/16"]
)
def test_what_it_serves_is_known_before_it_is_asked(cidr: str) -> None:
    refused = ""
    try:
        put(State(), "a", card(1), lan=lan(cidr=cidr))
    except Refused as error:
        refused = error.code
    assert refused in ("", "cidr")
    assert serves({"headnode_host": "gw"}, {"cidr": cidr}) is not bool(refused)
    assert serves({}, {"cidr": cidr})
    assert serves({"headnode_host": "gw"}, {"cidr": cidr, "type": "provider"})


def test_ways_lead_into_a_network_that_has_an_address_for_the_gateway() -> None:
    values, network = {"headnode_host": "gw"}, {"cidr": "10.0.0.0/30"}
    assert serves(values, network, {"10.0.0.1"})
    assert not serves(values, network, {"10.0.0.1", "10.0.0.2"})


class TestTags:
    def test_the_lowest_that_nobody_uses(self) -> None:
        state = put(State(), "a", card(1), used=frozenset({100, 102}))
        state = put(state, "a", card(1), card(2, "other"), used=frozenset({100, 102}))
        assert [network.tag for network in state.networks.values()] == [101, 103]

    def test_all_taken(self) -> None:
        state = State()
        for number in range(4):
            state = put(state, f"vm-{number}", card(1, f"net-{number}"))
        assert refusal(state, "vm-5", card(1, "one-more")).code == "tags-used-up"

    def test_the_definitions_own_is_refused_when_another_network_has_it(self) -> None:
        state = put(State(), "a", card(1))
        fault = refusal(state, "b", card(2, "mine"), mine=lan("mine", vlan=100))
        assert (fault.code, fault.told["network"]) == ("tag-taken", "lan")

    @pytest.mark.parametrize("kind", ["private", "provider"])
    def test_the_definitions_own_is_refused_when_others_use_it_unless_it_is_granted(self, kind: str) -> None:
        fault = refusal(State(), "a", card(1), lan=lan(type=kind, vlan=101), used=frozenset({101, 300}))
        assert (fault.code, fault.told) == ("tag-used", {"tag": 101, "network": "lan"})
        assert (
            put(State(), "a", card(1), lan=lan(type=kind, vlan=300), used=frozenset({101, 300})).networks["lan"].tag
            == 300
        )

    def test_a_network_with_machines_keeps_its_tag(self) -> None:
        state = put(State(), "a", card(1))
        assert refusal(state, "b", card(2), lan=lan(vlan=300)).code == "tag-changed"
        assert put(state, "a", card(1), lan=lan(vlan=300)).networks["lan"].tag == 300  # nobody else is there

    @pytest.mark.parametrize(("kind", "tag"), [("private", 13), ("provider", 13), ("provider", 0)])
    def test_networks_of_others_need_a_grant(self, kind: str, tag: int) -> None:
        fault = refusal(State(), "a", card(1), lan=lan(type=kind, vlan=tag))
        assert (fault.code, fault.told["tag"]) == ("tag-denied", tag)

    def test_names_of_a_vlan_that_is_there_anyway_may_share_it(self) -> None:
        provider = Network("campus", type="provider", vlan=12)
        state = put(State(), "a", card(1, "campus"), card(2, "the same"), campus=provider, **{"the same": provider})
        assert {network.tag for network in state.networks.values()} == {12}


class TestAddresses:
    def test_a_card_that_asks_for_none_gets_one_from_above_and_keeps_it(self) -> None:
        state = put(State(), "a", card(1, ip="10.0.0.1"))
        state = put(put(state, "b", card(2)), "c", card(3))
        assert state.machines["b"].cards[0].ip == "10.0.0.5"  # the gateway has .6
        assert put(state, "b", card(2)) == state

    def test_those_of_the_pool_are_given_last(self) -> None:
        state = put(State(), "a", card(1), lan=lan(pool=["10.0.0.3", "10.0.0.5"]))
        assert state.machines["a"].cards[0].ip == "10.0.0.2"  # the gateway has .6

    @pytest.mark.parametrize(
        ("pool", "order"),
        [
            ([], [5, 4, 3, 2, 1]),
            (["10.0.0.3", "10.0.0.5"], [2, 1, 5, 4, 3]),
            (["10.0.0.1", "10.0.0.6"], [5, 4, 3, 2, 1]),
            (["10.0.0.2", "10.0.0.2"], [5, 4, 3, 1, 2]),
        ],
    )
    def test_every_address_is_given_in_the_end(self, pool: list[str], order: list[int]) -> None:
        state = State()
        for number in range(5):
            state = put(state, f"vm-{number}", card(number), lan=lan(pool=pool))
        assert [one.ip for _uid, one in state.cards()] == [f"10.0.0.{last}" for last in order]  # the gateway has .6

    def test_a_huge_range_takes_no_longer(self) -> None:
        begun = time.monotonic()
        state = put(State(), "a", card(1), lan=lan(cidr="10.0.0.0/8", pool=["10.0.0.1", "10.255.255.0"]))
        assert state.machines["a"].cards[0].ip == "10.255.255.253"
        assert time.monotonic() - begun < 1

    def test_no_room(self) -> None:
        state = State()
        for number in range(5):
            state = put(state, f"vm-{number}", card(number))
        assert refusal(state, "vm-6", card(6)).code == "addresses-used-up"

    @pytest.mark.parametrize(("first", "beside"), [("10.0.0.0", "10.0.0.6/29"), ("10.0.0.4", "10.0.0.1/29")])
    def test_two_of_a_30_have_it_all_and_the_gateway_stands_beside(self, first: str, beside: str) -> None:
        wire = lan(cidr=f"{first}/30")
        ips = [str(ipaddress.ip_address(first) + number) for number in (1, 2)]
        state = put(State(), "a", card(1, ip=ips[0]), lan=wire)
        state = put(state, "b", card(2, ip=ips[1]), lan=wire)
        assert [one.ip for _uid, one in state.cards()] == ips
        (plan,) = network_plans(state, SETTINGS)
        assert plan.links.addresses == {"olg100": [beside]}
        state = put(left(state, "b"), "a", card(1, ip=ips[0]), lan=wire)
        assert state.networks["lan"].service == ips[1]

    def test_a_router_is_in_the_range_or_there_is_none(self) -> None:
        wire = lan(cidr="10.0.0.0/30", type="nat")
        state = put(State(), "a", card(1, ip="10.0.0.1"), lan=wire)
        assert refusal(state, "b", card(2, ip="10.0.0.2"), lan=wire).code == "addresses-used-up"

    @pytest.mark.parametrize("address", ["10.0.1.1", "10.0.0.0", "10.0.0.7"])
    def test_none_of_a_host(self, address: str) -> None:
        assert refusal(State(), "a", card(1, ip=address)).code == "address-outside"

    @pytest.mark.parametrize(
        "cidr",
        [
            *("2001:db8::/64", "10.0.0.0/31", "0.0.0.0/0", "100.64.8.0/24"),
            *("127.1.2.0/24", "224.0.0.0/8", "240.0.0.0/8", "0.1.0.0/16"),  # nobody's, or everybody's
        ],
    )
    def test_ranges_that_cannot_be(self, cidr: str) -> None:
        assert refusal(State(), "a", card(1), lan=lan(cidr=cidr)).code == "cidr"

    def test_what_another_machine_has(self) -> None:
        state = put(State(), "a", card(1, ip="10.0.0.1"))
        assert refusal(state, "b", card(2, ip="10.0.0.1")).told["machine"] == "a"
        assert refusal(state, "b", card(1)).code == "mac-taken"

    def test_the_router_has_its_own_and_elsewhere_the_gateway_steps_aside(self) -> None:
        routed = lan(type="nat", gateway="10.0.0.1")
        assert refusal(State(), "a", card(1, ip="10.0.0.1"), lan=routed).code == "gateway-taken"
        state = put(State(), "a", card(1), lan=lan(gateway="10.0.0.1"))
        assert state.networks["lan"].service == "10.0.0.1"
        state = put(state, "router", card(2, ip="10.0.0.1"), lan=lan(gateway="10.0.0.1"))
        assert (state.networks["lan"].service, state.networks["lan"].router) == ("10.0.0.5", "10.0.0.1")

    def test_a_wire_has_none(self) -> None:
        state = put(State(), "a", card(1, "wire"), wire=Network("wire"))
        assert (state.machines["a"].cards[0].ip, network_plans(state, SETTINGS)) == ("", [])


class TestWaysIn:
    def test_a_port_stays_and_a_clash_is_refused_by_name(self) -> None:
        state = put(State(), "a", card(1, forwards=[Forward(22)]))
        assert state.machines["a"].cards[0].forwards == [Forward(22, "tcp", 2000)]
        state = put(state, "a", card(1, forwards=[Forward(80), Forward(22)]))
        assert state.machines["a"].cards[0].forwards == [Forward(80, "tcp", 2001), Forward(22, "tcp", 2000)]
        fault = refusal(state, "b", card(2, forwards=[Forward(22, outside=2000)]))
        assert (fault.code, fault.told["machine"]) == ("forward-taken", "a")
        assert (
            put(state, "b", card(2, forwards=[Forward(53, "udp", 2000)])).machines["b"].cards[0].forwards[0].outside
            == 2000
        )

    def test_ports_of_the_gateway_itself_are_not_given(self) -> None:
        assert refusal(State(), "a", card(1, forwards=[Forward(22, outside=22)])).code == "forward-range"

    def test_a_floating_address_stays_until_the_machine_goes(self) -> None:
        state = put(put(State(), "a", card(1, floating="wanted")), "b", card(2, floating="wanted"))
        assert state.machines["b"].cards[0].floating == "203.0.113.2"
        assert put(left(state, "a"), "b", card(2, floating="wanted")).machines["b"] == state.machines["b"]
        assert put(left(state, "a"), "c", card(3, floating="wanted")).machines["c"].cards[0].floating == "203.0.113.1"

    def test_a_machine_that_is_held_stays_so_and_has_the_address_of_its_first_card_that_floats(self) -> None:
        cards = card(1), card(2, "wan", floating="wanted"), card(3, "dmz", floating="wanted")
        state = held(put(State(), "a", *cards), "a")
        assert put(state, "a", *cards).machines["a"].held
        assert state.machines["a"].floating == "203.0.113.1"
        assert not put(left(state, "a"), "a", card(1)).machines["a"].held

    def test_what_is_no_key_is_refused(self) -> None:
        machine = Machine("a", keys=['ssh-ed25519 AAAA\ncommand="sh" ssh-rsa BBBB'], cards=[card(1)])
        with pytest.raises(Refused, match="key"):
            entered(State(), "a", machine, {"lan": lan()}, SETTINGS, set())

    def test_none_without_an_address(self) -> None:
        assert refusal(State(), "a", card(1, dhcp=False, forwards=[Forward(22)])).code == "way-without-address"


WISHES = st.lists(
    st.tuples(
        st.sampled_from("abcd"),
        st.one_of(
            st.none(),
            st.lists(
                st.tuples(st.sampled_from(["lan", "wan", "dmz"]), st.booleans(), st.booleans(), st.integers(0, 2)),
                max_size=3,
                unique_by=lambda one: one[0],
            ),
        ),
    ),
    max_size=14,
)


@given(WISHES)
def test_nothing_is_given_twice_and_what_is_repeated_changes_nothing(wishes: list[Any]) -> None:
    state = State()
    for uid, cards in wishes:
        if cards is None:
            state = left(state, uid)
            assert left(state, uid) == state
            continue
        wanted = [
            card(
                10 * "abcd".index(uid) + at,
                net,
                floating="wanted" if floats else "",
                forwards=[Forward(n) for n in range(ports)],
            )
            for at, (net, floats, _x, ports) in enumerate(cards)
        ]
        try:
            after = put(state, uid, *wanted, wan=lan("wan", type="nat"))
        except Refused:
            continue
        assert put(after, uid, *wanted, wan=lan("wan", type="nat")) == after
        assert state_survives(after)
        state = after
        given_once(state)


def state_survives(state: State) -> bool:
    """Written and read it is the same."""
    return states.state_from(asdict(state)) == state


def given_once(state: State) -> None:
    cards = [one for _uid, one in state.cards()]
    for once in (
        [network.tag for network in state.networks.values()],
        [(one.network, one.ip) for one in cards if one.ip],
        [one.floating for one in cards if one.floating],
        [(way.protocol, way.outside) for one in cards for way in one.forwards],
    ):
        assert len(once) == len(set(once))
    assert {one.network for one in cards} == set(state.networks)
    assert all(
        (key, network.service) not in {(one.network, one.ip) for one in cards}
        for key, network in state.networks.items()
    )
    root_plan(state, SETTINGS, "eth0")


class TestTheFile:
    def test_it_is_written_whole(self, tmp_path: Path) -> None:
        state = put(State(), "a", card(1))
        states.save(tmp_path, state)
        (tmp_path / ".state.json.new").write_text('{"half": ')  # somebody was killed
        assert states.load(tmp_path) == state
        states.save(tmp_path, left(state, "a"))
        assert states.load(tmp_path) == State()

    def test_what_is_none_of_ours(self, tmp_path: Path) -> None:
        (tmp_path / "state.json").write_text("[1")
        with pytest.raises(Refused, match="state"):
            states.load(tmp_path)
