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
    "isp.netlab.yml": (
        "netlab",
        "isp.yaml",
        {4, 5, 6, 8, 16, 29, 32, 44, 45, 64, 71, 74, 83, 95, 97},
        {66, 75, 88, 91},
    ),
    "branch.gns3": (
        "gns3",
        "branch.yaml",
        {2, 5, 6, 10, 11, 13, 18, 177, 364, 474, 506, 840, 870, 900, 935},
        {7, 276, 693, 815, 840, 919},
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


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("nodes: 7\n", "netlab:1:1"),
        ("nodes: [a, a]\n", "netlab:1:12"),
        ("nodes: [a]\nlinks: [a-z]\n", "netlab:2:9"),
        ("nodes:\n- {device: frr}\n", "netlab:2:3"),
        ("nodes:\n  a:\n    device: [x]\n", "netlab:3:5"),
        ("nodes: [a, b]\nlinks:\n- interfaces: {a: 1}\n", "netlab:3:3"),
        ("nodes: [a, b]\nlinks:\n- a:\n  b:\n  mtu: 7\n", "netlab:3: links[0].mtu"),
        ('{"topology": {"nodes": [{"name": "a"}]}}', "gns3:1"),
        ('{"revision": 4, "topology": {}}', "gns3:1"),
        ('{"topology": {"nodes": [],\n"links": [{"nodes": [1]}]}}', "gns3:2"),
        ('{"topology": {"nodes": [{"node_id": 1, "x": "left"}]}}', "gns3:1: nodes[0].x"),
        (
            '{"topology": {"nodes": [{"node_id": 1}],\n"links": [{"nodes": [{"node_id": 1}, {"node_id": 2}]}]}}',
            "gns3:2",
        ),
    ],
)
def test_faults_of_netlab_and_gns3_have_their_line(text, where):
    with pytest.raises(Invalid) as caught:
        read(text, where.partition(":")[0])
    assert caught.value.where.startswith(where)


@pytest.mark.parametrize(
    "text",
    [
        "nodes: [a, b]\nlinks: [a-b]",
        "nodes: a,b\nlinks:\n  core: [a-b]\n",
        "nodes:\n- a\n- name: b\nlinks: [[a, b]]\n",
        "nodes:\n  a:\n  b:\nlinks:\n- {a: , b: }\n",
        "groups:\n  _auto_create: true\n  all: {members: [a, b]}\nvrfs:\n  red: {links: [a-b]}\n",
        "nodes:\n  a.id: 7\n  b:\nlinks: [a-b]\n",
        "defaults.device: frr\nnodes: [{name: a}, {name: b}]\nlinks:\n- interfaces: [a, node: b]\n",
    ],
)
def test_netlab_in_each_of_its_spellings(text):
    assert sniffed(text).name == "netlab"
    assert [link.nodes for link in read(text)[0].links] == [("a", "b")]


@pytest.mark.parametrize(
    ("text", "links"),
    [
        ("bgp: {as_list: {65000: {members: [a]}, 0o7: x}}\nnodes: [a, 7]\nlinks: [a-7]\n", ["7-a"]),
        ("module: [lag]\nnodes: [a, b]\nlinks:\n- lag.members: [a-b, a-b]\n  mtu: 9000\n", ["a-b", "a-b"]),
        ("module: [lag]\nnodes: [a, b]\nlinks:\n- lag: {members: [a-b]}\n", ["a-b"]),
        ("provider: clab\nnodes: [a, b]\nlinks: {one: [a-b], two: b-a}\n", ["a-b", "a-b"]),
    ],
)
def test_netlab_as_its_examples_have_it(text, links):
    assert sniffed(text).name == "netlab"
    assert ["-".join(sorted(link.nodes)) for link in read(text)[0].links] == links


@pytest.mark.parametrize("said", ["[1]", "1.5", "x", "10.9.9.9", "900"])
def test_what_is_no_address_is_told(said):
    graph, report = read(
        f"nodes: [a, b]\nlinks:\n- prefix: 10.0.0.0/29\n  a: {{ipv4: {said}}}\n  b: {{ipv4: 2}}\n", "netlab"
    )
    assert [end.ip for end in graph.links[0].ends] == ["", "10.0.0.2"]
    assert [note.line for note in report.unmapped] == [3]


def test_members_of_netlab_s_groups_by_a_pattern():
    graph = read("provider: clab\nnodes: [r1, r2, h1]\ngroups: {g: {members: r*, device: eos}, h: {members: h1}}\n")[0]
    assert [(node.group, node.definition.get("image")) for node in graph.nodes] == [
        ("g", "eos"),
        ("g", "eos"),
        ("h", None),
    ]


@pytest.mark.parametrize("makes", ["plugin: [fabric]", "components: {pod: {nodes: [S1]}}"])
def test_nodes_that_netlab_makes_itself_are_hinted_at(makes):
    with pytest.raises(Invalid) as caught:
        read(f"{makes}\nprovider: clab\nnodes: [a]\nlinks: [a-S1]\n")
    assert caught.value.where == "netlab:4:9"
    assert makes.split(":")[0] in caught.value.hint


def test_a_project_with_large_drawings_is_one_of_gns3():
    drawing = {"svg": "x" * 100_000}
    topology = {"computes": [], "drawings": [drawing], "links": [], "nodes": [{"node_id": "1", "name": "a"}]}
    text = json.dumps({"name": "a", "project_id": "1", "revision": 9, "topology": topology})
    assert sniffed(text).name == "gns3"
    assert [node.name for node in read(text)[0].nodes] == ["a"]


@pytest.mark.parametrize("text", ["nodes:\n  - name: a\n", "nodes: [{name: a}]\n", "name: x\nnodes:\n- {name: a}\n"])
def test_own_documents_are_not_taken_for_netlab(text):
    assert sniffed(text).name == "yaml"


WORDS = {
    "netlab": (
        "name nodes links groups defaults device devices clab image box role cpu memory members node_data prefix lan stub "
        "_auto_create vlans vrfs type mtu bridge interfaces node ipv4 ipv6 ifname group a b br a.b defaults.device loopback"
    ),
    "gns3": (
        "name topology revision nodes links node_id node_type properties x y label text adapter_number port_number symbol "
        "ram cpus image ports_mapping vlan ethernet_switch nat qemu a b br"
    ),
    "containerlab": (
        "name topology nodes kinds groups defaults links endpoints endpoint type node interface mac ipv4 mtu labels image "
        "kind group ports cpu memory a b br bridge linux olimpus olimpus-cards.json olimpus-name graph-posX"
    ),
}
TEXTS = "a:eth1 b:eth1 br:p1 a b 80:80 10.0.0.1/24 ::1/64 ${X} ${X:=y} {} bridge 1e9 512m veth host:x a-b a--b frr"


def values(name: str) -> st.SearchStrategy:
    keys = st.sampled_from(WORDS[name].split())
    texts = st.sampled_from([*TEXTS.split(), *WORDS[name].split(), ""]) | st.text(max_size=3)
    leaves = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | texts
    return st.recursive(leaves, lambda inner: _holders(inner, keys), max_leaves=12)


def _holders(inner: st.SearchStrategy, keys: st.SearchStrategy) -> st.SearchStrategy:
    return st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=4)


def shaped(name: str) -> st.SearchStrategy:
    """Files that are right down to some depth, and anything below."""
    value, words = values(name), st.sampled_from(WORDS[name].split())
    thing = value | st.dictionaries(words, value, max_size=5)
    named = st.dictionaries(st.sampled_from(["a", "b", "br"]), thing, max_size=3)
    nodes = (
        named
        if name != "gns3"
        else st.lists(
            st.fixed_dictionaries(
                {"node_id": words}, optional={"name": value, "node_type": words, "properties": thing}
            ),
            max_size=3,
        )
    )
    ends = {"containerlab": "endpoints", "netlab": "interfaces", "gns3": "nodes"}[name]
    end = value | st.fixed_dictionaries(
        {("node_id" if name == "gns3" else "node"): words}, optional={"ipv4": value, "label": value}
    )
    links = st.lists(
        thing
        | st.fixed_dictionaries(
            {ends: st.lists(end, min_size=1, max_size=3)}, optional={"type": words, "prefix": value}
        ),
        max_size=3,
    )
    topology = st.fixed_dictionaries(
        {"nodes": nodes, "links": links}, optional={"defaults": thing, "kinds": named, "groups": named}
    )
    return value | topology | topology.map(lambda said: {"topology": said})


@pytest.mark.parametrize("name", WORDS)
@given(data=st.data())
def test_nothing_but_invalid_whatever_is_read(name, data):
    document = data.draw(shaped(name))
    try:
        graph = read(json.dumps(document), name)[0]
    except Invalid:
        return
    assert read(write(graph, "own"), "own")[0] == graph
