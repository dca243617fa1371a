"""Formats: files written by hand mean the same graph both ways, and what is wrong or left out is told with its line."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import networkx as nx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from olimpus.errors import Invalid, TooLarge
from slices.formats import FORMATS, described, read, sniffed, write
from slices.graph import Graph
from slices.ipam import addressed
from slices.topology import KINDS, generate
from tests.slices.graphs import graphs

GOLDEN = Path(__file__).parent / "golden"
CAMPUS = {
    "yaml": "campus.yaml",
    "own": "campus.json",
    "graphml": "campus.graphml",
    "nodelink": "campus.nodelink.json",
    "containerlab": "campus.clab.yml",
}
LOSSLESS = sorted(CAMPUS)


def golden(name: str) -> Graph:
    return read((GOLDEN / name).read_bytes())[0]


def lines(text: str | bytes) -> dict[str, set[int | None]]:
    """The lines of what was told of a file."""
    told = read(text)[1].as_data()
    return {sort: {note["line"] for note in notes} for sort, notes in told.items()}


@pytest.mark.parametrize("name", LOSSLESS)
def test_golden_files_both_ways(name):
    text = (GOLDEN / CAMPUS[name]).read_text()
    assert sniffed(text).name == name
    graph, report = read(text)
    assert graph == golden("campus.yaml")
    assert write(graph, name) == text
    assert not report.ignored
    assert not report.unmapped


@pytest.mark.parametrize("name", LOSSLESS)
@given(graph=graphs())
@settings(max_examples=30)
def test_written_and_read_it_is_the_same_graph(name, graph):
    assert read(write(graph, name), name)[0] == graph


@pytest.mark.parametrize("name", LOSSLESS)
@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "joined"])
def test_what_is_generated_survives_its_export(name, kind):
    graph = addressed(generate(kind))
    text = write(graph, name)
    assert read(text.encode())[0] == graph
    assert read(text, name)[0] == graph


def test_networkx_reads_what_we_write(tmp_path):
    graph = golden("campus.yaml")
    (tmp_path / "a.graphml").write_text(write(graph, "graphml"))
    drawn = nx.read_graphml(tmp_path / "a.graphml")
    assert set(drawn.nodes) == {"r1", "r2", "h1", "lan"}
    assert drawn.nodes["r2"]["cpus"] == 2
    drawn = nx.node_link_graph(json.loads(write(graph, "nodelink")), edges="edges")
    assert drawn.number_of_edges() == 4


@pytest.mark.parametrize("edges", ["edges", "links"])
def test_we_read_what_networkx_writes(tmp_path, edges):
    drawn = nx.convert_node_labels_to_integers(nx.petersen_graph())
    nx.write_graphml(drawn, tmp_path / "a.graphml")
    for text in ((tmp_path / "a.graphml").read_bytes(), json.dumps(nx.node_link_data(drawn, edges=edges))):
        graph, _report = read(text)
        assert nx.is_isomorphic(graph.neighbours(), drawn)


@pytest.mark.parametrize(("name", "means"), [("zoo.graphml", "zoo.yaml"), ("d3.json", "d3.yaml")])
def test_files_of_others(name, means):
    assert golden(name) == golden(means)


def test_a_file_of_the_topology_zoo_tells_by_line_what_became_of_it():
    report = read((GOLDEN / "zoo.graphml").read_bytes())[1].as_data()
    assert [(note["line"], note["what"].split(" ")[0]) for note in report["unmapped"]] == [
        (24, "“Salzburg"),
        (30, "“Wien”"),
    ]
    assert {note["line"] for note in report["ignored"]} == {41, 42, 17, None}
    assert "It falls into 2 parts that no link joins." in [note["what"] for note in report["understood"]]


YED = """<graphml xmlns:y="http://www.yworks.com/xml/graphml">
  <key for="node" id="d0" yfiles.type="nodegraphics"/>
  <key for="edge" id="d1" yfiles.type="edgegraphics"/>
  <key for="node" id="d2" attr.name="x" attr.type="string"/>
  <graph edgedefault="directed">
    <node id="g" yfiles.foldertype="group">
      <data key="d0"><y:Geometry x="0" y="0"/><y:NodeLabel>West</y:NodeLabel></data>
      <graph edgedefault="directed">
        <node id="g::n0"><data key="d0"><y:ShapeNode><y:Geometry height="30.0" width="40" x="10" y="-5"/>
          <y:NodeLabel>
            New York, NY<y:LabelModel/></y:NodeLabel><y:NodeLabel>other</y:NodeLabel></y:ShapeNode></data></node>
      </graph>
    </node>
    <node id="n1"><data key="d2"> 7.5 </data><data key="d0"><y:Geometry x="?"/><y:NodeLabel/></data></node>
    <edge source="g::n0" target="n1"><data key="d1"><y:PolyLineEdge><y:EdgeLabel>10 Gbit/s</y:EdgeLabel></y:PolyLineEdge>
    </data></edge>
  </graph>
</graphml>"""


def test_what_yed_draws_has_its_labels_places_and_groups():
    graph, report = read(YED)
    assert [(node.name, node.x, node.y, node.group) for node in graph.nodes] == [
        ("New York NY", 30, 10, "West"),
        ("n1", 7.5, None, ""),
    ]
    assert [link.options for link in graph.links] == [{"description": "10 Gbit/s"}]
    assert "“nodegraphics” of nodes (2)." in [note.what for note in report.ignored]


def test_hyperedges_are_shared_networks():
    graph, _report = read(
        "<graphml><graph><node id='a'/><node id='b'/><node id='c'/><hyperedge id='lan'><endpoint node='a'/>"
        "<endpoint node='b'/><endpoint node='c'/></hyperedge></graph></graphml>"
    )
    (lan,) = graph.links
    assert (lan.name, lan.shared, lan.nodes) == ("lan", True, ("a", "b", "c"))


def graphml(inside: str, keys: str = "") -> str:
    return f"<graphml>\n{keys}<graph>\n<node id='a'/>\n<node id='b'/>\n{inside}</graph>\n</graphml>"


BOMB = '<!DOCTYPE g [<!ENTITY a "aaaaaaaaaa">' + "".join(
    f'<!ENTITY {chr(98 + level)} "{f"&{chr(97 + level)};" * 10}">' for level in range(9)
)


@pytest.mark.parametrize(
    ("text", "where"),
    [
        (BOMB + "]><graphml><graph><node id='&j;'/></graph></graphml>", "graphml:1"),
        ("<!DOCTYPE graphml SYSTEM 'http://example.net/x.dtd'>\n<graphml/>", "graphml:1"),
        ("<?xml version='1.0'?>\n<!DOCTYPE g [<!ENTITY x SYSTEM 'file:///etc/passwd'>]>\n<graphml/>", "graphml:2"),
        ("<graphml>\n<graph>\n<node id='a'>\n</graph></graphml>", "graphml:4"),
        ("<graphml><graph><node id='&x;'/></graph></graphml>", "graphml:1"),
        ("<graphml></graphml>", "graphml"),
        ("<?xml version='1.0' encoding='klingon'?><graphml/>", "graphml"),
        (graphml("<edge source='a'/>"), "graphml:5"),
        (graphml("<edge source='a' target='z'/>"), "graphml:5"),
        (graphml("<node><data key='x'/></node>"), "graphml:5"),
        (graphml("<node id='c'>\n<data key='cpus'>two</data></node>"), "graphml:5: nodes[2].cpus"),
        (graphml("<node id='c'>\n<data key='n'>two</data></node>", "<key id='n' attr.type='int'/>"), "graphml:6"),
        (graphml("<edge source='a' target='b'><data key='cidr'>10.0.0.1/8</data></edge>"), "graphml:5: links[0].cidr"),
        ('{"nodes": [{"id": 1},\n{"source": 2}], "edges": []}', "nodelink:2:1"),
        ('{"directed": false, "nodes": [{"id": "a",\n "cpus": 0}], "edges": []}', "nodelink:1: nodes[0].cpus"),
        ('{"directed": false, "nodes": [{"id": "a"}],\n "links": [{"source": "a", "target": "z"}]}', "nodelink:2"),
        ('{"directed": false, "graph": {"defaults": {"cpus": 0}}, "nodes": []}', "nodelink: defaults.cpus"),
        ('{"directed": false, "nodes": {}}', "nodelink"),
        ("nodes:\n  - name: a\n    rol: router\n", "slice:3:5: nodes[0].rol"),
        ("nodes:\n  - name: a\nlinks:\n  - [a, a]\n", "slice:4:5: links[0]"),
        ("nodes:\n  - {name: a\n", "slice:3:1"),
        ("just a text", "format"),
        ("", "format"),
        (gzip.compress(b"x" * 100, mtime=0), "format"),
    ],
)
def test_faults_have_their_line(text, where):
    with pytest.raises(Invalid) as caught:
        read(text)
    assert caught.value.where == where


@pytest.mark.parametrize("name", [*LOSSLESS, ""])
def test_what_is_too_large_is_refused_at_once(name):
    with pytest.raises(TooLarge):
        read("<graphml>" + " " * 50_000_000, name)


def test_too_many_nodes_and_links():
    with pytest.raises(Invalid, match="at most 1000"):
        read(graphml("".join(f"<node id='n{number}'/>" for number in range(1000))))
    edges = "".join(
        f"<edge source='a' target='b'><data key='cidr'>10.{n // 250}.{n % 250}.0/24</data></edge>" for n in range(5001)
    )
    with pytest.raises(Invalid, match="at most 5000"):
        read(graphml(edges))


@pytest.mark.parametrize(
    "piece",
    ["<node id='a'/>", "<hyperedge/>", "<hyperedge><endpoint node='a'/></hyperedge>", "<edge source='a' target='a'/>"],
)
def test_of_an_endless_file_no_more_is_read_than_could_be_a_slice(piece):
    with pytest.raises(Invalid, match="at most"):
        read("<graphml><graph>" + piece * (9_000_000 // len(piece)), "graphml")


def test_self_loops_and_links_twice_are_left_out_and_told():
    text = graphml("<edge source='a' target='a'/>\n<edge source='a' target='b'/>\n<edge source='b' target='a'/>\n")
    assert [link.nodes for link in read(text)[0].links] == [("a", "b")]
    assert lines(text)["ignored"] == {5, 7}


def test_what_is_no_type_of_a_network_is_left_out_and_told():
    edge = {"source": "a", "target": "b", "type": ["nat"]}
    graph, report = read(json.dumps({"nodes": [{"id": "a"}, {"id": "b"}], "edges": [edge]}))
    assert graph.links[0].options == {}
    assert [note.what for note in report.ignored] == ["“type” of links (1)."]


def test_formats_are_described_and_unknown_ones_refused():
    assert {row["name"] for row in described()} >= set(LOSSLESS)
    for call in (lambda: read("x", "graphlm"), lambda: write(Graph(), "graphlm")):
        with pytest.raises(Invalid) as caught:
            call()
        assert (caught.value.where, caught.value.hint) == ("format", 'Did you mean "graphml"?')


PIECES = st.sampled_from(
    [
        "<graphml>",
        "<graph>",
        "</graph>",
        "</graphml>",
        "<node id='a'/>",
        "<node id='a'>",
        "</node>",
        "<edge source='a' target='a'/>",
        "<data key='k'>",
        "</data>",
        "<key id='k' attr.type='int'/>",
        "7",
        "&amp;",
        "<hyperedge>",
        "<endpoint node='a'/>",
    ]
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["id", "nodes", "edges", "source", "target", "graph", "network", "name"]), inner, max_size=4
        )
    ),
    max_leaves=9,
)


@given(
    st.lists(PIECES, max_size=12).map("".join) | st.text() | st.binary() | JSON.map(json.dumps),
    st.sampled_from([*FORMATS, ""]),
)
def test_nothing_but_invalid_whatever_is_read(text, name):
    try:
        graph = read(text, name)[0]
    except Invalid as error:
        graph = Graph(description=error.message)
    assert graph.description or graph == read(write(graph, "own"), "own")[0]
