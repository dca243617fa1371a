"""Slices from the command line: made, planned with reasons, deployed, changed, taken back, torn down; files and faults."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest

from tests.cli.acting import answering, editor
from tests.cli.slices_page import PAGE
from tests.cli.terminal import Terminal
from tests.cli.test_completion import offered
from tests.lab.openstack import curl
from tests.processes.installation import Installation

#: A machine of containerlab's in GraphML, with what nobody here knows.
GRAPHML = """<graphml xmlns="http://graphml.graphdrawing.org/xmlns">
  <key id="d0" for="node" attr.name="label" attr.type="string"/>
  <key id="d1" for="node" attr.name="Latitude" attr.type="double"/>
  <key id="d2" for="node" attr.name="colour" attr.type="string"/>
  <graph edgedefault="undirected">
    <node id="0"><data key="d0">Lima</data><data key="d1">-12.0</data><data key="d2">red</data></node>
    <node id="1"><data key="d0">Cusco</data></node>
    <edge source="0" target="1"/>
  </graph>
</graphml>
"""
DOCUMENT = """
olimpus: slice/1
name: pair
nodes:
  - {name: a, image: %s}
  - {name: b, image: debian-12}
links: [[a, b]]
"""
_numbers = count(1)


@pytest.fixture(scope="module")
def lab(admin: Terminal) -> Iterator[str]:
    """A mock with two workers and two images, and a folder for slices."""
    more = ("workers=w1 16 16384 200\nw2 16 16384 200", "images=debian-12, ubuntu-24.04", "latency=0")
    admin("hypervisor", "create", "rack", "-d", "mock", *more)
    admin("mkdir", "/slices")
    yield "rack"
    for row in admin("slice", "ls", "-o", "json").data:
        admin("slice", "rm", row["path"], "--yes", "--wait", code=None)
    admin("rm", "-r", "/slices", "--yes")
    admin("hypervisor", "delete", "rack", "--yes")


@pytest.fixture
def ring(admin: Terminal, lab: str) -> str:
    """The path of a ring of three that is only defined."""
    path = f"/slices/ring-{next(_numbers)}"
    admin("slice", "new", "ring", "3", path, "-H", lab, "--image", "debian-12", "--flavor", "small")
    return path


# -- the story ---------------------------------------------------------------------------------------------------------


def test_what_is_told_on_the_way(admin: Terminal, lab: str, tmp_path: Path):
    path = "/slices/story"
    admin("slice", "new", "ring", "4", path, "-H", lab, "--image", "debian-12", "--flavor", "small")
    head, *rows = admin("slice", "plan", path, "--pin", "r1=w2").out.partition("\n\n")[0].splitlines()
    assert head.split()[:5] == ["NODE", "CHANGE", "HYPERVISOR", "PLACE", "FLAVOR"]
    assert [row.split()[:6] for row in rows][0] == ["r1", "+", "new", lab, "w2", "small"]
    planned = admin("slice", "plan", path, "-o", "json").data
    assert sorted(row["place"] for row in planned["rows"]) == ["w1", "w1", "w2", "w2"]

    deployed = admin("slice", "deploy", path, "--yes", "--follow")
    assert deployed.out.endswith(f"create {path}: 4 succeeded\n")
    assert deployed.err.count("succeeded  create ") == 4
    told = admin("slice", "status", path)
    assert [row[1] for row in told.table[1:]] == ["● running"] * 4
    assert told.err == "● running: 4 of 4 run\n"
    assert admin("slice", "status", path, "-o", "json").data["nodes"][0]["ips"][0] in told.out

    file = tmp_path / "ring.yaml"
    admin("slice", "export", path, "-o", str(file))
    file.write_text(file.read_text().replace("links:\n", "  - name: r5\nlinks:\n  - [r1, r5]\n"))
    admin("slice", "edit", path, "-f", str(file))
    refused = admin("slice", "deploy", path, code=2)
    assert "--yes" in refused.err
    assert "~ changes, restarts" in refused.out
    assert "--digest" in admin("slice", "deploy", path, "--digest", "x", "-f", str(file), code=2).err
    admin("slice", "deploy", path, "--digest", "x", "--yes", code=6)
    assert "4 succeeded" in admin("slice", "rm", path, "--yes", "--wait").out
    admin("ls", path, code=6)


# -- making ------------------------------------------------------------------------------------------------------------


def test_topologies_have_parameters(admin: Terminal, lab: str):
    told = admin("slice", "topologies")
    assert "arity=2, depth=2" in told.out
    answer = admin(
        "slice", "new", "tree", "/slices/tree", "-p", "arity=3", "-p", "depth=1", "-H", lab, "-o", "json"
    ).data
    assert answer["slice"]["nodes"] == 4
    assert [row[:3] for row in admin("slice", "ls").table if row[0] == "/slices/tree"] == [
        ["/slices/tree", "○ provisioned", "4"]
    ]
    assert {row[1] for row in admin("slice", "status", "/slices/tree").table[1:]} == {"○ provisioned"}
    parts = ("-p", "a={kind: ring, size: 4}", "-p", "node_a=r1", "-p", "b={kind: tree, depth: 2}", "-p", "node_b=s1")
    assert "s1" in admin("slice", "new", "joined", "/slices/two", *parts, "-H", lab, code=7).err
    two = admin("slice", "new", "joined", "/slices/two", *parts[:-1], "node_b=r1", "-H", lab)
    assert two.out == "/slices/two: made, 10 nodes, 10 links.\n"
    admin("slice", "rm", "/slices/two", "--yes")
    assert "size" in admin("slice", "new", "ring", "2", "/slices/x", "-H", lab, code=7).err
    assert "ring" in admin("slice", "new", "rng", "4", "/slices/x", "-H", lab, code=7).err
    assert "mars" in admin("slice", "new", "ring", "4", "/slices/x", "-H", "mars", code=7).err
    admin("slice", "new", "ring", "4", "/nowhere/x", "-H", lab, code=6)
    admin("slice", "new", "/slices/x", code=2)
    admin("slice", "new", "ring", "4", "five", "/slices/x", code=2)
    admin("slice", "rm", "/slices/tree", "--yes")


def test_a_document_is_made_and_deployed_in_one_go(admin: Terminal, lab: str):
    told = admin("slice", "new", "-f", "-", "/slices/pair", "-H", lab, "--deploy", typed=DOCUMENT % "ubuntu-24.04")
    assert told.out == "/slices/pair: made, 2 nodes, 1 link.\n"
    assert "create /slices/pair (2 machines)" in told.err
    admin("slice", "rm", "/slices/pair", "--yes", "--wait", code=None)


def test_templates_are_begun_with(admin: Terminal, ring: str):
    admin("set", ring, "slice.template=true")
    assert [row[0] for row in admin("slice", "ls", "--templates").table[1:]] == [ring]
    admin("set", ring, 'slice.parameters={"size": {"type": "integer", "default": 3}}')
    admin("slice", "new", "-t", ring, "/slices/begun", "--image", "ubuntu-24.04", "-p", "size=5")
    document = json.loads(admin("slice", "export", "/slices/begun", "--format", "own").out)
    assert (len(document["nodes"]), document["defaults"]["image"]) == (5, "ubuntu-24.04")
    assert "one" in admin("slice", "new", "ring", "4", "-t", ring, "/slices/x", code=2).err
    for path in (ring, "/slices/begun"):
        admin("slice", "rm", path, "--yes")


def test_a_file_of_another_program_is_understood_line_by_line(admin: Terminal, lab: str, tmp_path: Path):
    file = tmp_path / "zoo.graphml"
    file.write_text(GRAPHML)
    told = admin("slice", "import", str(file), "/slices/zoo", "-H", lab, "--image", "debian-12")
    assert told.out == "/slices/zoo: made, 2 nodes, 1 link.\n"
    assert "Understood:" in told.err
    assert "Ignored:\n  line " in told.err
    back = tmp_path / "back.graphml"
    admin("slice", "export", "/slices/zoo", "-o", str(back))
    document = admin("slice", "import", str(back), "/slices/other", "--dry-run", "-o", "json").data["document"]
    assert [node["name"] for node in document["nodes"]] == ["Lima", "Cusco"]
    assert "graphml" in admin("slice", "export", "/slices/zoo", "--format", "graphml").out
    assert "--format" in admin("slice", "export", "/slices/zoo", "-o", str(tmp_path / "x.doc"), code=2).err
    admin("slice", "rm", "/slices/zoo", "--yes")
    admin("slice", "show", "/slices/other", code=2)


def test_images_that_are_not_there_are_mapped(admin: Terminal, lab: str, tmp_path: Path):
    file = tmp_path / "pair.yaml"
    file.write_text(DOCUMENT % "debian-11")
    arguments = ("slice", "import", str(file), "/slices/mapped", "-H", lab)
    told = admin(*arguments, code=7)
    assert "--map-image debian-11=debian-12" in told.err
    admin(*arguments, "--map-image", "debian-11=debian-12")
    assert admin("slice", "plan", "/slices/mapped", "-o", "json").data["fits"]
    admin("slice", "rm", "/slices/mapped", "--yes")
    assert answering(admin, "ubuntu-24.04", *arguments).code == 0
    (node, _other) = admin("slice", "export", "/slices/mapped", "--format", "own").data["nodes"]
    assert node["image"] == "ubuntu-24.04"
    admin("slice", "rm", "/slices/mapped", "--yes")
    assert "--map-image debian-11=ubuntu-24.04" in admin(*arguments, code=7).err  # as it was said last
    assert "x: Two names" in admin(*arguments, "--map-image", "x", code=2).err


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("olimpus: slice/1\nnodes:\n  - {name: a}\nlinks: [[a, a]]\n", "4"),
        ("<graphml><graph>", "graphml"),
        ("nothing at all", "format"),
    ],
)
def test_what_is_wrong_with_a_file_is_told_with_its_place(admin: Terminal, tmp_path: Path, text: str, said: str):
    file = tmp_path / "broken"
    file.write_text(text)
    told = admin("slice", "import", str(file), "/slices/x", code=7).err
    assert str(file) in told
    assert said in told
    assert "Traceback" not in told
    file.write_bytes(b"\xff\x00\x81")
    assert "no text" in admin("slice", "new", "-f", str(file), "/slices/x", code=2).err
    assert "/nowhere" in admin("slice", "new", "-f", "/nowhere", "/slices/x", code=2).err


# -- planning and deploying --------------------------------------------------------------------------------------------


def test_what_does_not_fit_is_told_and_nothing_is_done(admin: Terminal, lab: str, ring: str):
    told = admin("slice", "plan", ring, "--pin", "r1=w9", code=7)
    assert "Does not fit: r1: " in told.err
    assert admin("slice", "deploy", ring, "--pin", "r1=w9", "--yes", code=7).err.endswith("nothing was changed.\n")
    faults = admin("slice", "deploy", ring, "--pin", "r1=w9", "--yes", "-o", "json", code=7)
    assert (faults.out, "r1: " in faults.err) == ("", True)
    assert "r1:" not in admin("slice", "plan", ring, "--strategy", "pack").err
    assert admin("slice", "plan", ring, "--pin", "r1", code=2).err.startswith("olimpus: r1: Two names")
    assert "7" not in admin("slice", "plan", ring, "--strategy", "sideways", code=2).out


def test_without_waiting_it_is_said_where_to_look(admin: Terminal, ring: str):
    told = admin("slice", "deploy", ring)  # nothing is lost, and nobody is there to be asked
    assert f"Asked for: create {ring} (3 machines)" in told.out
    assert f"olimpus slice status {ring}" in told.err
    admin("ops", "wait", admin("ops", "list", ring, "-o", "json").data[0]["id"])
    undone = admin("slice", "undo", ring, "--yes", "--wait", "-o", "json").data
    assert [row["status"] for row in undone["operations"]] == ["succeeded"]
    assert admin("slice", "status", ring, "-o", "json").data["status"] == "defined"
    admin("slice", "undo", ring, "--yes", code=7)
    admin("slice", "rm", ring, "--yes")


def test_deploying_again_is_harmless(admin: Terminal, ring: str):
    admin("slice", "deploy", ring, "--wait")
    again = admin("slice", "deploy", ring, "--wait")
    assert again.out.endswith(f"{ring}: nothing to do, all 3 machines are as planned.\n")
    answer = admin("slice", "deploy", ring, "-o", "json").data
    assert answer == {"deployment": None, "operations": []}
    admin("slice", "rm", ring, "--yes")


def test_what_failed_is_told_and_gone_on_with(admin: Terminal, lab: str, ring: str):
    admin("hypervisor", "update", lab, "failure_rate=1", "failure_kind=fatal")
    told = admin("slice", "deploy", ring, "--yes", "--wait", code=1)
    assert "Failed: 3." in told.out
    status = admin("slice", "status", ring, code=1)
    assert status.err == "✗ failed: 0 of 3 run\n"
    admin("hypervisor", "update", lab, "failure_rate=0")
    admin("slice", "resume", ring, "r1", "--wait")
    assert [row[1] for row in admin("slice", "status", ring, code=1).table[1:]] == ["● running", "✗ failed", "✗ failed"]
    admin("slice", "resume", ring, "--wait")
    assert admin("slice", "status", ring).err == "● running: 3 of 3 run\n"
    assert answering(admin, "no", "slice", "rm", ring).code == 130
    assert answering(admin, "3", "slice", "rm", ring, "--wait").code == 0


def test_a_draft_is_edited_as_a_document(admin: Terminal, ring: str, tmp_path: Path):
    wider = editor(tmp_path, 'echo "description: wider" >> "$1"', "true", 'echo "nodes: 7" > "$1"')
    assert "draft saved" in admin("slice", "edit", ring, EDITOR=wider).out
    assert admin("slice", "edit", ring, EDITOR=wider).err == "olimpus: Nothing was changed.\n"
    told = admin("slice", "edit", ring, EDITOR=wider, code=7)
    kept = Path(told.err.split()[1])
    assert kept.read_text() == "nodes: 7\n"
    kept.unlink()
    admin("slice", "rm", ring, "--yes")


def test_a_mock_that_takes_any_image_says_so(admin: Terminal, lab: str):
    admin("hypervisor", "create", "any", "-d", "mock")
    told = admin("image", "ls", "-H", "any")
    assert told.out == ""
    assert "any is a mock whose settings name no images: it takes any name.\n" in told.err  # and how old that is
    assert admin("image", "ls", "-H", "any", "-o", "json").data == []
    named = admin("image", "ls", "-H", lab)
    assert [row[0] for row in named.table[1:]] == ["debian-12", "ubuntu-24.04"]
    assert "any name" not in named.err
    admin("hypervisor", "delete", "any", "--yes")


def test_a_folder_that_is_no_slice_is_told_as_such(admin: Terminal, lab: str):
    assert "no slice" in admin("slice", "status", "/slices", code=6).err
    admin("slice", "plan", "/slices/nowhere", code=6)


# -- comfort -----------------------------------------------------------------------------------------------------------


def test_formats_and_languages(admin: Terminal):
    rows = {row["name"]: row for row in admin("slice", "formats", "-o", "json").data}
    assert rows["graphml"]["reads"]
    assert [row for row in admin("slice", "formats").table if row[0] == "graphml"]
    assert "topología" in admin("--lang", "es", "slice", "--help").out.lower()


def test_slices_topologies_and_paths_are_completed(admin: Terminal, ring: str):
    assert offered(admin, "slice", "new", "rin") == ["ring"]
    assert offered(admin, "slice", "new", "ring", "4", "/slic")[0] == "/slices/"
    assert offered(admin, "slice", "plan", ring) == [ring]
    assert offered(admin, "slice", "new", "-H", "rac") == ["rack"]
    admin("slice", "rm", ring, "--yes")


# -- the page ----------------------------------------------------------------------------------------------------------


def test_the_commands_of_the_page_answer_as_it_says(server: Installation, admin: Terminal, tmp_path: Path):
    page = PAGE.read_text()
    printed = curl.run(page, server.address, tmp_path)
    shown = [(block, text) for block, text in zip(curl.blocks(page), printed, strict=True) if block.answer is not None]
    faults = [fault for block, text in shown for fault in curl.differences(json.loads(block.answer), curl.last(text))]
    assert faults == [], "write the answers again with: python -m tests.cli.slices_page"
    admin("rm", "-r", "/curl", "--yes")
