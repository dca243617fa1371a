"""Every reason has its sentence, and every change of a cloud its words in the journal."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from descriptors.deeds import DEEDS, deed
from hypervisors import clouds, placement
from hypervisors.flavors import PREDEFINED
from hypervisors.phrases import SENTENCES, SHORT, lacking, phrase
from hypervisors.placement import RESOURCES, Node, Place, Reason, Room, Size, Strategy, recommend, suggest


def test_every_code_has_a_sentence_and_no_other_has():
    code = "".join(path.read_text() for path in sorted(Path(placement.__file__).parent.glob("*.py")))
    told = set(re.findall(r'"(\w+)"', "".join(re.findall(r"Reason\((.+)", code))))
    codes = {name for name in SENTENCES if f'"{name}"' in code}
    assert codes == set(SENTENCES)
    assert told & set(SENTENCES)
    assert set(SHORT) == set(RESOURCES)


@pytest.mark.parametrize("needs", [Size(2, 2048, 20), Size(1, 512, 1), Size(4, 6144, 1), Size(99, 10**6, 10**4)])
def test_recommendations_read_well(needs):
    told = recommend(needs, PREDEFINED.values())
    sentences = [phrase(told.reason), *(lacking(short, told.nearest.name) for short in told.missing)]
    sentences += [phrase(told.runner_up_reason)] if told.runner_up_reason else []
    assert all(sentence.endswith((".", "%.")) and "%(" not in sentence for sentence in sentences)


@pytest.mark.parametrize("strategy", Strategy)
def test_placements_read_well(strategy):
    places = [
        Place("a", rooms=(Room("a1", Size(2, 4096, 40)),)),
        Place("b", rooms=(Room("b1", Size(4, 512, 40)),)),
        Place("c", up=False),
    ]
    nodes = [
        Node("lone", Size(1, 256, 1)),
        Node("left", Size(1, 2048, 1)),
        Node("right", Size(3, 256, 1)),
        Node("huge", Size(64, 1, 1)),
        *(Node(f"pin-{place}", Size(1, 1, 1), place) for place in "abcd"),
        Node("fat", Size(99), "a"),
    ]
    told = suggest(nodes, [("left", "right")], places, strategy=strategy)
    sentences = {placement.reason.code: phrase(placement.reason) for placement in told}
    assert all(sentence.endswith(".") and "%(" not in sentence for sentence in sentences.values())
    assert sentences["no_room"].startswith(
        "No host has room for 64 CPUs, 1 MiB memory, 1 GiB disk; the most that is free"
    )
    assert "a, b, c" in sentences["pinned_unknown"]


def test_sentences_without_figures():
    for reason in (Reason("no_places"), Reason("none_up", {"places": ["a", "b"]}), Reason("no_flavors")):
        assert phrase(reason)
    unknown = {
        "cpus": 1,
        "memory_mib": 512,
        "disk_gib": 1,
        "free_cpus": 0,
        "free_memory_mib": None,
        "free_disk_gib": None,
    }
    assert phrase(Reason("no_room", unknown)).endswith("on any: 0 CPUs.")


def test_long_lists_are_cut():
    neighbours = [f"vm{number}" for number in range(9)]
    assert phrase(Reason("together", {"place": "a", "neighbours": neighbours})).endswith(": vm0, vm1, vm2, vm3, vm4, …")


def test_every_change_of_a_cloud_has_words_in_the_journal():
    assert {f"cloud.{verb}" for verb in clouds.DEEDS} == {verb for verb in DEEDS if verb.startswith("cloud.")}
    assert deed("cloud.network.create") == "network made"
    assert deed("cloud.network.create.failed") == "network made: failed"
