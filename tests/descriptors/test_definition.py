"""Definitions: what is valid and in which words it is refused, what may change when, what a change does, which size."""

from __future__ import annotations

import copy
import datetime
import decimal
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from descriptors.definition import (
    PARAMETERS,
    Effect,
    Size,
    changed,
    check_edit,
    effect,
    kind_of,
    schema_document,
    sizing,
    validate,
)
from descriptors.parameters import DRIVERS
from descriptors.states import CHOICES, EXISTS, EXPECTED_POWER, OFF, ON_THE_WAY, STABLE, State
from hypervisors.flavors import PREDEFINED, Flavor
from olimpus.errors import Conflict, Invalid


def faults(definition: object, **kwargs: Any) -> dict[str, tuple[str, str]]:
    """where → (message, hint) of every fault of `definition`."""
    with pytest.raises(Invalid) as caught:
        validate(definition, **kwargs)
    return {fault["where"]: (fault["message"], fault["hint"]) for fault in caught.value.errors}


# The table


@pytest.mark.parametrize("parameter", PARAMETERS.values(), ids=PARAMETERS)
def test_each_example_is_valid_as_documented(parameter: Any):
    assert validate({parameter.name: parameter.example}) == {parameter.name: parameter.example}
    assert validate({parameter.name: None}) == {parameter.name: None}
    assert parameter.description
    assert parameter.drivers is None or parameter.drivers <= DRIVERS


def test_the_schema_document_is_json_and_covers_the_table():
    document = json.loads(json.dumps(schema_document()))
    assert document["properties"].keys() == PARAMETERS.keys()
    assert document["properties"]["memory_mib"]["x-unit"] == "MiB"


def test_only_branch_parameters_are_guarded():
    assert {name for name, parameter in PARAMETERS.items() if parameter.guarded} == {"hypervisors", "rights"}


# Validation


def test_the_normal_form():
    given_ = {
        "memory_mib": 2048.0,
        "nics": [{"mac": "52-54-00-AB-CD-EF", "ip": "2001:DB8:0::1"}],
        "labels": {"a": None},
    }
    before = copy.deepcopy(given_)
    result = validate(given_)
    assert result == {
        "memory_mib": 2048,
        "nics": [{"mac": "52:54:00:ab:cd:ef", "ip": "2001:db8::1"}],
        "labels": {"a": None},
    }
    assert isinstance(result["memory_mib"], int)
    assert given_ == before


@pytest.mark.parametrize("mac", ["5254.00ab.cdef", "525400abcdef", "52:54:00:AB:cd:EF"])
def test_macs_of_any_notation(mac: str):
    assert validate({"nics": [{"mac": mac}]})["nics"][0]["mac"] == "52:54:00:ab:cd:ef"


def test_a_public_key_is_one_line():
    key = f"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI{'A' * 43}"
    assert validate({"ssh_keys": [f"  {key}   ana@home \n"]})["ssh_keys"] == [f"{key} ana@home"]


def test_prototypes_hold_parameters_in_normal_form_and_nulls():
    content = {"extends": "base", "image": None, "nics": [{"mac": "525400ABCDEF"}]}
    result = validate({"prototypes": {"web": content, "old": None}})
    assert result["prototypes"]["web"]["nics"] == [{"mac": "52:54:00:ab:cd:ef"}]
    assert result["prototypes"]["old"] is None


def test_references_are_judged_only_when_they_are_computed():
    assert validate({"nics": [{"ip": "10.0.0.${student}"}]}) == {"nics": [{"ip": "10.0.0.${student}"}]}


def test_an_unknown_parameter_gets_the_nearest_name():
    assert faults({"memory": 1}) == {"memory": ('unknown parameter "memory"', 'Did you mean "memory_mib"?')}


def test_a_value_with_a_unit_is_told_what_to_write():
    assert faults({"memory_mib": "4 GiB"}) == {
        "memory_mib": ('give a whole number of MiB, not "4 GiB"', "Without a unit: 4096.")
    }


def test_all_faults_are_told_at_once_and_the_message_names_the_first():
    with pytest.raises(Invalid) as caught:
        validate({"cpus": 0, "nics": [{"mac": "x", "speed": 1}]}, where="web")
    assert [fault["where"] for fault in caught.value.errors] == ["web: cpus", "web: nics[0].mac", "web: nics[0].speed"]
    assert caught.value.where == "web: cpus"
    assert caught.value.message == "0 is too small: at least 1 CPUs (and 2 more)"


@pytest.mark.parametrize(
    ("definition", "where"),
    [
        ({"cpus": True}, "cpus"),
        ({"cpus": 1.5}, "cpus"),
        ({"cpus": 513}, "cpus"),
        ({"memory_mib": 15}, "memory_mib"),
        ({"disk_gib": 0}, "disk_gib"),
        ({"disk_gib": "20"}, "disk_gib"),
        ({"firmware": "efi"}, "firmware"),
        ({"hypervisor": " x"}, "hypervisor"),
        ({"vm_name": ""}, "vm_name"),
        ({"user_data": "x" * 65537}, "user_data"),
        ({"nics": {}}, "nics"),
        ({"nics": [None]}, "nics[0]"),
        ({"nics": [{"ip": "10.0.0.256"}]}, "nics[0].ip"),
        ({"nics": [{"mac": "01:00:5e:00:00:01"}]}, "nics[0].mac"),
        ({"nics": [{"mac": "00:00:00:00:00:00"}]}, "nics[0].mac"),
        ({"nics": [{"ip_mode": "static"}]}, "nics[0].ip_mode"),
        ({"nics": [{}] * 33}, "nics"),
        ({"nics": [{"forwards": [{"protocol": "tcp"}]}]}, "nics[0].forwards[0]"),
        ({"nics": [{"forwards": [{"port": 22, "protocol": "icmp"}]}]}, "nics[0].forwards[0].protocol"),
        ({"nics": [{"forwards": [{"port": 22, "outside": 65536}]}]}, "nics[0].forwards[0].outside"),
        ({"nics": [{"floating": "yes"}]}, "nics[0].floating"),
        ({"networks": {"lan": {"reaches": ["dmz", "dmz"]}}}, "networks.lan.reaches"),
        ({"ssh_keys": ["ssh-ed25519"]}, "ssh_keys[0]"),
        ({"ssh_keys": ["ssh-rsa AAAAC3NzaC1lZDI1NTE5AAAAI"]}, "ssh_keys[0]"),  # another kind than it says
        ({"ssh_keys": ["-----BEGIN OPENSSH PRIVATE KEY-----"]}, "ssh_keys[0]"),
        ({"ssh_keys": [f"ssh-rsa AAAAB3NzaC1yc2E= {'x' * 4096}"]}, "ssh_keys[0]"),
        ({"disks": [{"size_gib": 1}]}, "disks[0]"),
        ({"boot_order": ["disk", "disk"]}, "boot_order"),
        ({"networks": {"lan": {"cidr": "10.0.0.1/24"}}}, "networks.lan.cidr"),
        ({"networks": {"lan": {"cidr": "fd00::%eth0/64"}}}, "networks.lan.cidr"),
        ({"networks": {"lan": {"gateway": "auto"}}}, "networks.lan.gateway"),
        ({"networks": {"lan": {"cidr": "10.0.0.0/24", "gateway": "10.0.1.1"}}}, "networks.lan.gateway"),
        ({"networks": {"lan": {"cidr": "10.0.0.0/24", "gateway": "fd00::1"}}}, "networks.lan.gateway"),
        ({"networks": {"lan": {"pool": {"start": "10.0.0.9", "end": "10.0.0.8"}}}}, "networks.lan.pool"),
        ({"networks": {"lan": {"cidr": "10.0.0.0/24", "pool": {"end": "10.0.1.8"}}}}, "networks.lan.pool"),
        (
            {"prototypes": {"web": {"networks": {"l": {"cidr": "::/64", "gateway": "1::"}}}}},
            "prototypes.web.networks.l.gateway",
        ),
        ({"networks": {"lan": {"vlna": 1}}}, "networks.lan.vlna"),
        ({"labels": {"a.b": []}}, 'labels["a.b"]'),
        ({"prototypes": {"web": {"rights": {}}}}, "prototypes.web.rights"),
        ({"prototypes": {"web": {"cpus": "two"}}}, "prototypes.web.cpus"),
        ({"prototypes": {"web": {"extends": 3}}}, "prototypes.web.extends"),
        ({"rights": {"student": {}}}, "rights.student"),
        ({"rights": {"user": {"see": "yes"}}}, "rights.user.see"),
        ({"stop_timeout": 3601}, "stop_timeout"),
        ({"extends": "web"}, "extends"),
        ({"custom": {"a": float("inf")}}, "custom.a"),
        ({"custom": {"a": 2**63}}, "custom.a"),
        ({"custom": {"a": 10**5000}}, "custom.a"),
        ({"custom": {"a": "\0"}}, "custom.a"),
        ({"custom": {"a": "\ud800"}}, "custom.a"),
        ({"custom": {"a": "x" * 65537}}, "custom.a"),
        ({"custom": {"k" * 129: 1}}, "custom"),
        ({"custom": {1: 1}}, "custom"),
        ({"custom": {"a": datetime.date(2026, 1, 1)}}, "custom.a"),
        ({"custom": {"a": ["x" * 60000] * 18}}, "custom"),
        ({"custom": {"a": [0] * 50000}}, "custom"),
    ],
)
def test_refuses(definition: dict[str, Any], where: str):
    assert where in faults(definition)


@pytest.mark.parametrize(
    "network",
    [
        None,
        {"cidr": None, "gateway": "10.0.1.1"},
        {"cidr": "10.0.0.0/24", "gateway": None, "pool": None, "dns": ["9.9.9.9"]},
        {"cidr": "10.0.0.0/24", "pool": {"start": None, "end": "10.0.0.9"}},
        {"cidr": "10.0.${student}.0/24", "gateway": "10.0.1.1"},
        {"cidr": "10.0.0.0/24", "gateway": "10.0.${student}.1", "pool": {"start": "${first}", "end": "10.0.0.255"}},
        {"gateway": "10.0.1.1", "pool": {"start": "10.0.0.9", "end": "10.0.0.9"}},
    ],
)
def test_of_a_range_that_is_inherited_or_filled_in_later_nothing_is_known(network: dict[str, Any] | None):
    assert validate({"networks": {"lan": network}}) == {"networks": {"lan": network}}


@pytest.mark.parametrize("definition", [None, [], "x", 1, float("nan")])
def test_a_definition_is_a_mapping(definition: object):
    assert list(faults(definition, where="web")) == ["web"]


def test_nesting_is_bounded_also_for_what_contains_itself():
    endless: dict[str, Any] = {}
    endless["a"] = endless
    assert any("deeper than 16" in message for message, _ in faults({"custom": endless}).values())


def test_rights_name_known_operations_only():
    rights = {"rights": {"user": {"se": True}}}
    assert faults(rights, rights_operations={"see", "start"})["rights.user.se"][1] == 'Did you mean "see"?'
    assert validate(rights) == rights


ANYTHING = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.binary(max_size=3)
    | st.dates()
    | st.complex_numbers()
    | st.sampled_from([decimal.Decimal("NaN"), object(), 2**70, "\ud800", {1}, State.RUNNING]),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.tuples(inner)
        | st.dictionaries(
            st.sampled_from([*PARAMETERS, "extends", "mac", "user", "lan"]) | st.text() | st.integers(), inner
        )
    ),
    max_leaves=20,
)


@given(ANYTHING, st.none() | st.just({"see"}))
def test_whatever_is_thrown_at_it_is_refused_or_normal(definition: object, operations: set[str] | None):
    try:
        result = validate(definition, rights_operations=operations)
    except Invalid as error:
        told = [fault["message"] for fault in error.errors]
    else:
        told = ["valid"] if validate(json.loads(json.dumps(result)), rights_operations=operations) == result else []
    assert told


# Changes


def test_kinds():
    assert (kind_of("image"), kind_of("cpus"), kind_of("labels")) == ("creation", "run", "free")
    with pytest.raises(Invalid, match="imgae"):
        kind_of("imgae")


def test_changed_tells_one_from_true_but_not_from_a_float():
    before = {"image": "a", "cpus": 1, "labels": {"x": 1}, "custom": {"y": [1]}}
    after = {"cpus": 1.0, "labels": {"x": True}, "custom": {"y": [1]}, "old_name": 3}
    assert changed(before, after) == {"creation": {"image"}, "run": set(), "free": {"labels", "old_name"}}


@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize(
    ("kind", "allowed"),
    [
        ("creation", {State.PROVISIONED}),
        ("run", {State.PROVISIONED, State.CREATED, State.STOPPED}),
        ("free", set(State)),
    ],
)
def test_which_kind_may_change_in_which_state(state: State, kind: str, allowed: set[State]):
    if state in allowed:
        assert check_edit(state, {kind: {"x"}}) is None
    else:
        with pytest.raises(Conflict, match=f"x can change only .* it is {state}") as caught:
            check_edit(state, {kind: {"x"}}, where="/a/vm")
        assert caught.value.where == "/a/vm"
        assert caught.value.hint


@pytest.mark.parametrize(
    ("state", "after", "expected"),
    [
        ("running", {}, (Effect.NONE, [])),
        ("provisioned", {"image": "x", "cpus": 2}, (Effect.NOW, ["cpus", "image"])),
        ("running", {"labels": {}}, (Effect.NOW, ["labels"])),
        ("running", {"cpus": 2, "labels": {}}, (Effect.NEXT_START, ["cpus"])),
        ("stopped", {"cpus": 2, "reapply_on_start": False}, (Effect.REAPPLY, ["cpus"])),
        ("stopped", {"cpus": 2, "image": "x"}, (Effect.RECREATE, ["image"])),
        ("failed", {"image": "x"}, (Effect.RECREATE, ["image"])),
    ],
)
def test_what_a_change_does(state: str, after: dict[str, Any], expected: tuple[Effect, list[str]]):
    assert effect(state, {}, after) == expected


# Size


def test_explicit_sizes_win_over_the_flavor():
    assert sizing({"flavor": "medium", "cpus": 8}) == Size(cpus=8, memory_mib=2560, disk_gib=20)


def test_nothing_said_is_nano_even_where_the_hypervisor_has_other_flavors():
    assert sizing({}) == Size(1, 512, 1)
    assert sizing({}, {"m1": Flavor("m1", 2, 4096, 40)}) == Size(1, 512, 1)
    assert sizing({"flavor": "m1"}, {"m1": Flavor("m1", 2, 4096, 40)}) == Size(2, 4096, 40)


def test_an_unknown_flavor_gets_the_nearest_name():
    with pytest.raises(Invalid) as caught:
        sizing({"flavor": "smal"})
    assert caught.value.where == "flavor"
    assert '"small"' in caught.value.hint


def test_the_predefined_flavors():
    sizes = {name: (flavor.cpus, flavor.memory_mib, flavor.disk_gib) for name, flavor in PREDEFINED.items()}
    assert sizes == {
        "nano": (1, 512, 1),
        "micro": (1, 1024, 5),
        "small": (1, 1536, 10),
        "medium": (2, 2560, 20),
        "large": (4, 6144, 40),
    }


# States


def test_states_fall_into_their_groups():
    assert [value for value, _ in CHOICES] == list(State)
    assert set(State) == STABLE | ON_THE_WAY
    assert {"starting", "stopping"} == ON_THE_WAY
    assert set(State) - EXISTS == {"provisioned", "failed"}
    assert {state for state, power in EXPECTED_POWER.items() if power == "off"} == OFF
    assert not EXPECTED_POWER.keys() & (ON_THE_WAY | {State.FAILED})
