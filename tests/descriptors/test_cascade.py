"""The cascade: nearest wins, null removes, prototypes lie beneath, references fill in, and everyone knows who set what."""

from __future__ import annotations

import copy
from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from descriptors.cascade import Cascade, Layer, compute, compute_many, facts_of
from descriptors.faults import at
from olimpus.errors import Invalid


def chain(*definitions: dict[str, Any]) -> list[Layer]:
    """Layers at /, /a, /a/b, … in the order given."""
    paths = ["/", "/a", "/a/b", "/a/b/c"]
    return [Layer(path, definition) for path, definition in zip(paths, definitions, strict=False)]


def test_the_nearest_layer_wins_and_is_named_as_the_origin():
    result = compute(chain({"cpus": 1, "image": "debian"}, {"cpus": 2}))
    assert result.values == {"cpus": 2, "image": "debian"}
    assert result.origins == {"cpus": "/a", "image": "/"}
    assert result.overridden == {"cpus": [("/", 1)]}


def test_mappings_merge_deeply_and_keep_the_origin_of_each_entry():
    result = compute(chain({"labels": {"course": "TEL141", "week": 1}}, {"labels": {"week": 2}}))
    assert result.values["labels"] == {"course": "TEL141", "week": 2}
    assert result.origins == {"labels": "/a", "labels.course": "/", "labels.week": "/a"}


def test_lists_replace():
    result = compute(chain({"boot_order": ["disk", "cdrom"]}, {"boot_order": ["network"]}))
    assert result.values["boot_order"] == ["network"]


def test_null_removes_what_is_inherited_and_does_not_appear():
    result = compute(chain({"cpus": 1, "labels": {"a": 1, "b": 2}}, {"cpus": None, "labels": {"a": None, "c": None}}))
    assert result.values == {"labels": {"b": 2}}
    assert result.origins == {"labels": "/a", "labels.b": "/"}
    assert result.overridden["labels.a"] == [("/", 1)]


def test_null_removes_a_whole_mapping_with_all_its_origins():
    result = compute(chain({"custom": {"x": {"y": 1}}}, {"custom": None}, {"custom": {"z": 3}}))
    assert result.values == {"custom": {"z": 3}}
    assert result.origins == {"custom": "/a/b", "custom.z": "/a/b"}


def test_keys_with_dots_are_not_mistaken_for_paths():
    result = compute(chain({"custom": {"a.b": 1, "a": {"b": 2}}}, {"custom": {"a": None}}))
    assert result.values == {"custom": {"a.b": 1}}
    assert result.origins == {"custom": "/a", 'custom["a.b"]': "/"}


# Prototypes


def test_a_prototype_lies_over_what_is_inherited_and_under_the_own_values():
    prototypes = {"web": {"image": "nginx", "cpus": 4, "memory_mib": 2048}}
    result = compute(chain({"prototypes": prototypes}, {"image": "old", "cpus": 1}, {"prototype": "web", "cpus": 8}))
    assert (result.values["image"], result.values["cpus"], result.values["memory_mib"]) == ("nginx", 8, 2048)
    assert result.origins["image"] == "/#prototypes.web"
    assert result.origins["cpus"] == "/a/b"


def test_layers_nearer_than_the_one_that_names_it_win_over_the_prototype():
    result = compute(chain({"prototypes": {"web": {"cpus": 4}}, "prototype": "web"}, {"cpus": 2}))
    assert result.values["cpus"] == 2


def test_only_the_nearest_name_counts():
    prototypes = {"web": {"image": "nginx"}, "db": {"cpus": 2}}
    result = compute(chain({"prototypes": prototypes}, {"prototype": "web"}, {"prototype": "db"}))
    assert "image" not in result.values
    assert result.values["cpus"] == 2


def test_null_takes_no_prototype():
    result = compute(chain({"prototypes": {"web": {"cpus": 2}}, "prototype": "web"}, {"prototype": None}))
    assert "cpus" not in result.values
    assert "prototype" not in result.values


def test_a_branch_may_refine_a_prototype_and_each_value_keeps_its_layer():
    outer = {"prototypes": {"web": {"image": "nginx", "cpus": 1}}, "prototype": "web"}
    result = compute(chain(outer, {"prototypes": {"web": {"cpus": 3}}}))
    assert (result.values["image"], result.values["cpus"]) == ("nginx", 3)
    assert (result.origins["image"], result.origins["cpus"]) == ("/#prototypes.web", "/a#prototypes.web")


def test_null_in_a_prototype_removes_what_is_inherited_when_it_is_used():
    prototypes = {"base": {"user_data": "x"}, "bare": {"extends": "base", "user_data": None, "keypair": None}}
    result = compute(chain({"prototypes": prototypes, "keypair": "k"}, {"prototype": "bare"}))
    assert "user_data" not in result.values
    assert "keypair" not in result.values


def test_a_prototype_extends_another_base_first():
    prototypes = {"base": {"cpus": 1, "labels": {"os": "linux"}}, "web": {"extends": "base", "cpus": 2}}
    result = compute(chain({"prototypes": prototypes}, {"prototype": "web"}))
    assert result.values["cpus"] == 2
    assert result.origins["labels.os"] == "/#prototypes.base"
    assert "extends" not in result.values


def test_a_cycle_is_refused_and_named_whole():
    prototypes = {"web": {"extends": "base"}, "base": {"extends": "web"}}
    with pytest.raises(Invalid, match="web → base → web"):
        compute(chain({"prototypes": prototypes, "prototype": "web"}))


def test_an_unknown_prototype_is_refused_with_the_nearest_name():
    with pytest.raises(Invalid) as caught:
        compute(chain({"prototypes": {"web": {}}, "prototype": "wev"}))
    assert caught.value.where == "prototype"
    assert '"web"' in caught.value.hint


@pytest.mark.parametrize("name", ["prototypes", "prototype", "hypervisors", "rights"])
def test_a_prototype_cannot_describe_a_branch(name: str):
    with pytest.raises(Invalid, match=name):
        compute(chain({"prototypes": {"web": {name: {}}}, "prototype": "web"}))


# References


def test_references_are_filled_in_everywhere_but_in_prototypes():
    local = {
        "vm_name": "${student}-${name}",
        "student": "${folder}",
        "nics": [{"network": "${folder.1}-lan"}],
        "prototypes": {"web": {"vm_name": "${name}"}},
    }
    result = compute([Layer("/tel141/ana/web", local)], facts=facts_of("/tel141/ana/web"))
    assert result.values["vm_name"] == "ana-web"
    assert result.values["nics"] == [{"network": "tel141-lan"}]
    assert result.values["prototypes"] == {"web": {"vm_name": "${name}"}}


def test_a_prototype_in_use_has_its_references_filled_in():
    layers = chain({"prototypes": {"web": {"vm_name": "${name}"}}}, {"prototype": "web"})
    assert compute(layers, facts=facts_of("/a")).values["vm_name"] == "a"


def test_two_dollars_escape_and_no_facts_leave_all_untouched():
    layers = chain({"user_data": "echo $${HOME} ${name}"})
    assert compute(layers, facts=facts_of("/x/vm")).values["user_data"] == "echo ${HOME} vm"
    assert compute(layers).values["user_data"] == "echo $${HOME} ${name}"


@pytest.mark.parametrize("text", ["${nobody}", "${folder.9}", "${}", "${name"])
def test_an_unknown_reference_names_the_parameter_and_what_is_known(text: str):
    with pytest.raises(Invalid) as caught:
        compute(chain({"nics": [{"network": text}]}), facts=facts_of("/a/vm"))
    assert caught.value.where == "nics[0].network"
    assert "$${" in caught.value.hint


def test_a_student_who_is_nobody_is_told_with_the_folder_that_asks_for_one():
    own, above = {"vm_name": "${student}"}, {"prototypes": {"web": {"nics": [{"network": "${student}"}]}}}
    with pytest.raises(Invalid) as caught:
        compute(chain(above, {"prototype": "web"}), facts=facts_of("/vm"))
    assert caught.value.hint == (
        "Give the parameter “student”, or another “nics[0].network”. "
        "It comes from /#prototypes.web; what is said nearer to the machine wins."
    )
    with pytest.raises(Invalid) as caught:
        compute([Layer("/", {}), Layer("/vm", own)], facts=facts_of("/vm"))
    assert caught.value.hint == "Give the parameter “student”, or another “vm_name”."


def test_facts_of_a_path():
    assert facts_of("/a/b/vm") == {"path": "/a/b/vm", "name": "vm", "folder": "b", "folder.1": "a", "folder.2": "b"}
    assert facts_of("/vm") == {"path": "/vm", "name": "vm"}


# Many at once

KEYS = st.sampled_from(["cpus", "labels", "custom", "image"])
LEAVES = st.none() | st.integers(0, 3) | st.lists(st.integers(0, 3), max_size=2) | st.just("${name}")
TREES = st.recursive(LEAVES, lambda inner: st.dictionaries(st.sampled_from("ab"), inner, max_size=2), max_leaves=4)
NAMES = st.sampled_from(["lan", "wan", "x.y", "dmz"])
NETWORKS = st.dictionaries(
    NAMES,
    st.none()
    | st.fixed_dictionaries(
        {}, optional={"own": st.booleans(), "mtu": st.integers(100, 102), "reaches": st.lists(NAMES, max_size=2)}
    ),
    max_size=3,
)
CARDS = st.none() | st.lists(st.fixed_dictionaries({}, optional={"network": NAMES}), max_size=2)
CONTENTS = st.fixed_dictionaries(
    {}, optional={"nics": CARDS, "cpus": LEAVES, "labels": TREES, "extends": st.sampled_from(["p", "q"])}
)
DEFINITIONS = st.builds(
    lambda plain, extra: plain | extra,
    st.dictionaries(KEYS, TREES, max_size=3),
    st.fixed_dictionaries(
        {},
        optional={
            "prototype": st.sampled_from(["p", "q", None]),
            "networks": st.none() | NETWORKS,
            "nics": CARDS,
            "prototypes": st.dictionaries(st.sampled_from(["p", "q"]), st.none() | CONTENTS, max_size=2),
        },
    ),
)


def outcome(run: Any, refused: Any = None) -> Any:
    """(values, origins) of what `run` computes; when it refuses, `refused` or else the words of the error."""
    try:
        result = run()
    except Invalid as error:
        return refused or str(error)
    return result.values, result.origins


@given(st.lists(DEFINITIONS, min_size=4, max_size=4), st.lists(DEFINITIONS, min_size=2, max_size=3))
def test_the_shared_way_and_the_single_way_agree(folders: list[dict[str, Any]], machines: list[dict[str, Any]]):
    layers = chain(*folders)
    cascade = Cascade({layer.path: layer.definition for layer in layers})
    for number, local in enumerate(machines):
        path = f"/a/b/c/vm{number}"
        single = outcome(lambda p=path, d=local: compute([*layers, Layer(p, d)], facts=facts_of(p)))
        assert outcome(lambda n=number, d=local: cascade.of("/a/b/c", f"vm{n}", d)) == single
    for index, layer in enumerate(layers):
        single = outcome(lambda i=index: compute(layers[: i + 1]))
        assert outcome(lambda p=layer.path: cascade.of_folder(p)) == single


@given(st.lists(DEFINITIONS, max_size=4))
def test_layers_are_never_changed_and_nulls_never_appear_outside_prototypes(definitions: list[dict[str, Any]]):
    before = copy.deepcopy(definitions)
    try:
        values = compute(chain(*definitions), facts={"name": "x"}).values
    except Invalid:
        values = {}
    assert definitions == before
    assert not has_null({name: value for name, value in values.items() if name != "prototypes"})


def has_null(value: Any) -> bool:
    return value is None or (isinstance(value, dict) and any(has_null(item) for item in value.values()))


@given(st.lists(DEFINITIONS, max_size=4))
def test_every_value_has_an_origin_and_every_origin_a_value(definitions: list[dict[str, Any]]):
    values, origins = outcome(lambda: compute(chain(*definitions)), refused=({}, {}))
    assert set(origins) == set(dotted(values))


def dotted(values: dict[str, Any], prefix: str = "") -> list[str]:
    paths = []
    for key, value in values.items():
        paths.append(at(prefix, key))
        if isinstance(value, dict):
            paths += dotted(value, paths[-1])
    return paths


def test_of_networks_that_are_a_folders_own_a_machine_knows_those_that_it_needs():
    own = {"own": True, "cidr": "10.0.0.0/29"}
    networks = {"a-b": own, "b-c": own | {"reaches": ["far"]}, "c-d": own, "far": own, "campus": {"mtu": 1400}}
    folder = {"networks": networks, "nics": [{"network": "a-b"}]}
    cascade = Cascade({"/lab": folder})

    def known(local: dict[str, Any]) -> set[str]:
        computed = cascade.of("/lab", "vm", local)
        assert {path.split(".")[1] for path in computed.origins if path.startswith("networks.")} == set(
            computed.values["networks"]
        )
        return set(computed.values["networks"])

    assert known({}) == {"a-b", "campus"}
    assert known({"nics": [{"network": "b-c"}, {"network": "c-d"}]}) == {"b-c", "c-d", "far", "campus"}
    assert known({"nics": None}) == {"campus"}
    assert known({"networks": {"c-d": {"mtu": 1300}}}) == {"a-b", "campus"}
    assert set(cascade.of_folder("/lab").values["networks"]) == set(networks)


def test_results_share_nothing_that_can_change():
    folders = {"/": MappingProxyType({"labels": {"a": 1}, "boot_order": ["disk"], "prototypes": {"p": {"cdroms": []}}})}
    local = {"custom": {"x": [1]}, "prototype": "p"}
    first, second = compute_many([("/", "one", local), ("/", "two", local)], folders)
    first.values["labels"]["a"] = 99
    first.values["boot_order"].append("network")
    first.values["custom"]["x"].append(2)
    first.values["cdroms"].append({})
    first.origins["labels"] = "nobody"
    assert second.values["labels"] == {"a": 1}
    assert second.values["boot_order"] == ["disk"]
    assert second.values["custom"] == {"x": [1]} == local["custom"]
    assert second.values["cdroms"] == []
    assert second.origins["labels"] == "/"


def test_a_broken_folder_does_not_harm_who_does_not_use_it():
    cascade = Cascade({"/a": {"prototype": "gone", "cpus": 1}})
    with pytest.raises(Invalid, match="gone"):
        cascade.of("/a", "vm", {})
    assert cascade.of("/a", "vm", {"prototype": None}).values == {"cpus": 1}


def test_a_very_deep_tree_is_no_trouble():
    path = "/x" * 384
    assert Cascade({"/x": {"cpus": 3}}).of(path, "vm", {}).values == {"cpus": 3}
