"""Files of other programs: what they mean here, what is told of the rest, and nothing but Invalid whatever is in them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from olimpus.errors import Invalid
from slices.formats import read, sniffed, write

GOLDEN = Path(__file__).parent / "golden"
#: File → its format, the document that it means, and the lines of what was left out and of what could not be kept.
FILES = {
    "fabric.clab.yml": (
        "containerlab",
        "fabric.yaml",
        {4, 11, 16, 19, 29, 42, 62, 73, 81, 97},
        {48, 51, 52, 54, 60, 70, 85, 87, 88, 89, 92},
    ),
}


def told(name: str, sort: str) -> dict[int | None, str]:
    report = read((GOLDEN / name).read_bytes())[1].as_data()
    return {note["line"]: note["what"] for note in report[sort]}


@pytest.mark.parametrize("name", FILES)
def test_a_file_of_another_program_means_this_document(name):
    format_, document, ignored, unmapped = FILES[name]
    text = (GOLDEN / name).read_bytes()
    assert sniffed(text).name == format_
    assert read(text)[0] == read((GOLDEN / document).read_bytes())[0]
    assert told(name, "ignored").keys() == ignored
    assert told(name, "unmapped").keys() == unmapped


@pytest.mark.parametrize("name", FILES)
def test_what_was_imported_survives_containerlab(name):
    graph = read((GOLDEN / name).read_bytes())[0]
    assert read(write(graph, "containerlab"))[0] == graph


def clab(nodes: str, links: str = "") -> str:
    return f"topology:\n  nodes:\n{nodes}  links:\n{links}"


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("topology: [1]\n", "containerlab:1:1"),
        (clab("    a: 7\n"), "containerlab:3:5"),
        (clab("    a: {image: [x]}\n"), "containerlab:3:9"),
        (clab("    a: {}\n", "    - endpoints: [a]\n"), "containerlab:5:7"),
        (clab("    a: {}\n", "    - endpoints: ['a:eth1', 'z:eth1']\n"), "containerlab:5"),
        (clab("    a: {}\n", "    - type: veth\n      endpoints: [{node: a, ipv4: x}, {node: a}]\n"), "containerlab:6"),
        (clab("    a: {labels: {olimpus-critical.json: '{'}}\n"), "containerlab:3"),
        (clab("    a: {labels: {olimpus-cpus.json: '0'}}\n"), "containerlab:3: nodes[0].cpus"),
        ("a: &a [1, 1, 1, 1, 1, 1, 1, 1]\n" + "".join(
            f"{chr(98 + level)}: &{chr(98 + level)} [{', '.join([f'*{chr(97 + level)}'] * 9)}]\n" for level in range(9)
        ) + "topology: {}\n", "containerlab"),
    ],
)  # fmt: skip
def test_faults_have_their_line(text, where):
    with pytest.raises(Invalid) as caught:
        read(text, "containerlab")
    assert caught.value.where.startswith(where)


WORDS = {
    "containerlab": (
        "name topology nodes kinds groups defaults links endpoints endpoint type node interface mac ipv4 mtu labels image "
        "kind group ports cpu memory a b br bridge linux olimpus olimpus-cards.json olimpus-name graph-posX"
    ),
}
TEXTS = "a:eth1 b:eth1 br:p1 a b 80:80 10.0.0.1/24 ::1/64 ${X} ${X:=y} {} bridge 1e9 512m veth host:x"


def values(name: str) -> st.SearchStrategy:
    keys = st.sampled_from(WORDS[name].split())
    texts = st.sampled_from([*TEXTS.split(), *WORDS[name].split(), ""]) | st.text(max_size=3)
    leaves = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | texts
    return st.recursive(leaves, lambda inner: _holders(inner, keys), max_leaves=12)


def _holders(inner: st.SearchStrategy, keys: st.SearchStrategy) -> st.SearchStrategy:
    return st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=4)


def shaped(name: str) -> st.SearchStrategy:
    """Files that are right down to some depth, and anything below."""
    value = values(name)
    named = st.dictionaries(
        st.sampled_from(["a", "b", "br"]),
        value | st.dictionaries(st.sampled_from(WORDS[name].split()), value),
        max_size=3,
    )
    parts = {
        "nodes": named,
        "links": st.lists(
            value | st.fixed_dictionaries({"endpoints": st.lists(value, min_size=2, max_size=2)}), max_size=3
        ),
    }
    topology = st.fixed_dictionaries(parts, optional={"defaults": value, "kinds": named, "groups": named})
    return value | topology.map(lambda said: {"topology": said})


@pytest.mark.parametrize("name", WORDS)
@given(data=st.data())
def test_nothing_but_invalid_whatever_is_read(name, data):
    document = data.draw(shaped(name))
    try:
        graph = read(json.dumps(document), name)[0]
    except Invalid:
        return
    assert read(write(graph, "own"), "own")[0] == graph
