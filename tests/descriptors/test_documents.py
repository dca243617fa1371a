"""Documents: what YAML and JSON say is read and written without loss; what is wrong is told with its line."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from descriptors.composer import Composer
from descriptors.definition import validate
from descriptors.documents import Positions, dump_json, dump_yaml, load, load_with_lines, locate
from olimpus.errors import Invalid, TooLarge

TEXTS = st.text(st.characters(codec="utf-8")) | st.text("ab \n\t:#-'\"|>&*!%@`[]{},?0", max_size=12)
DATA = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=12,
)
ODD = [
    "yes",
    "No",
    "012",
    "1e3",
    "~",
    "",
    "2026-01-01",
    "a\nb",
    "a\nb\n",
    "a\n\n",
    "\n",
    " a\nb",
    "a \nb",
    "a ",
    "#",
    "- a",
]
ODD += [
    "🦉",
    "\x85",
    "\u2028",
    "\ufeff",
    "\0",
    "\x7f",
    ".nan",
    "NaN",
    "0x1F",
    "<<",
    "=",
    "a: b",
    "a #b",
    "%A",
    "---",
    "...",
]


@given(DATA)
@example(ODD)
@example({text: text for text in ODD})
@example({"k" * 2000: {"a": [[], {}, [[1], [{"b": "c\nd"}]]]}})
@example("\x7f")
def test_what_is_written_is_read_back(data: Any):
    assert load(dump_yaml(data)) == data
    assert load(dump_json(data)) == data


def test_yaml_is_written_in_block_style_in_the_order_given():
    data = {"b": [{"name": "x", "cpus": 2}], "a": {"text": "one\ntwo\n", "yes": "no"}}
    expected = 'b:\n  - name: x\n    cpus: 2\na:\n  text: |\n    one\n    two\n  "yes": "no"\n'
    assert dump_yaml(data) == expected


@pytest.mark.parametrize("data", [float("nan"), {1: 2}, {"a": {1, 2}}, b"x"])
def test_what_json_cannot_say_is_not_written(data: Any):
    with pytest.raises(Invalid):
        dump_yaml(data)


@pytest.mark.parametrize("data", [float("nan"), {"a": {1, 2}}, b"x"])
def test_what_json_cannot_say_is_not_written_as_json(data: Any):
    with pytest.raises(Invalid):
        dump_json(data)


@pytest.mark.parametrize(
    ("text", "data"),
    [
        ("", None),
        ("# nothing\n", None),
        ("a: yes", {"a": "yes"}),
        ("a: 2026-01-01", {"a": "2026-01-01"}),
        ("a: [1, 2.5, true, ~, 0x10, 0o17]", {"a": [1, 2.5, True, None, 16, 15]}),
        ("a: !!str 12", {"a": "12"}),
        ('a: "\\ud83e\\udd89"', {"a": "🦉"}),
        ('{"a":\t[1,\n\t2]}', {"a": [1, 2]}),
        ("base: &b {x: 1, y: 2}\nit: {<<: *b, y: 3}", {"base": {"x": 1, "y": 2}, "it": {"x": 1, "y": 3}}),
        (b"\xef\xbb\xbfa: \xc3\xb1", {"a": "ñ"}),
        ("a: ñ".encode("utf-16"), {"a": "ñ"}),
        ("a: ñ".encode("utf-16-be"), {"a": "ñ"}),
        ("a: ñ".encode("utf-16-le"), {"a": "ñ"}),
    ],
)
def test_reads(text: str | bytes, data: Any):
    assert load(text) == data


def test_aliases_give_independent_copies():
    data = load("a: &a [1]\nb: *a")
    data["a"].append(2)
    assert data["b"] == [1]


@pytest.mark.parametrize(
    ("text", "where", "word"),
    [
        ("a: [1\nb: 2", "x.yaml:2:2", "flow sequence"),
        ("\ta: 1", "x.yaml:1:1", "cannot start any token"),
        ("a: 1\nb: 2\na: 3", "x.yaml:3:1", "twice"),
        ('{"a": 1,\n "a": 2}', "x.yaml:2:2", "twice"),
        ("a: 1\n12: 3", "x.yaml:2:1", "keys are texts"),
        ("true: 1", "x.yaml:1:1", "keys are texts"),
        ("? [a]\n: 1", "x.yaml:1:3", "cannot be a key"),
        ("a: 0123", "x.yaml:1:4", "text or a number"),
        ("a:\n- .nan", "x.yaml:2:3", "not a number"),
        ("a: -.inf", "x.yaml:1:4", "not a number"),
        ('{"a": NaN}', "x.yaml:1:7", "not a number"),
        ('{"a": 1e999}', "x.yaml:1:7", "too large"),
        ("a: " + "9" * 6000, "x.yaml:1:4", "too large"),
        ("a: !!python/object:os.system ls", "x.yaml:1:4", "not allowed"),
        ("a: !!binary aGk=", "x.yaml:1:4", "not allowed"),
        ("&a [*a]", "x.yaml:1:5", "contains itself"),
        ("&a {<<: *a}", "x.yaml:1:9", "contains itself"),
        ("[*a]", "x.yaml:1:2", "no anchor"),
        ("a: {<<: 3}", "x.yaml:1:9", "<< takes"),
        ("a\n---\nb", "x.yaml:2:1", "second document"),
        ("a: \x07", "x.yaml:1:4", "U+0007"),
        ('["\\ud800"]', "x.yaml:1:2", "surrogate"),
        (b"a: 1\nb: \xe9", "x.yaml:2", "UTF-8"),
    ],
)
def test_refuses_and_says_where(text: str | bytes, where: str, word: str):
    with pytest.raises(Invalid) as caught:
        load(text, name="x.yaml")
    assert caught.value.where == where
    assert word in caught.value.message


def bomb() -> str:
    lines = ["a: &a [x,x,x,x,x,x,x,x,x,x]"]
    lines += [
        f"{key}: &{key} [{','.join([f'*{last}'] * 10)}]" for last, key in zip("abcdefgh", "bcdefghi", strict=True)
    ]
    return "\n".join(lines)


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("a: 1\n" * 10_000_000, TooLarge),
        ("[" * 100_000, Invalid),
        ("[" * 100_000 + "]" * 100_000, Invalid),
        ('{"a":' * 100_000, Invalid),
        ("- " * 100_000, Invalid),
        (bomb(), Invalid),
        ("!" * 1_000_000, Invalid),
        ("[" + ",".join("1" * 300_000) + "]", Invalid),
        ("%A\n" * 1_000_000, TooLarge),
        ("\n".join(" " * level + "a:" for level in range(1000)), Invalid),
    ],
    ids=[
        "50 MB",
        "deep",
        "deep and closed",
        "deep mappings",
        "deep block",
        "aliases",
        "long tag",
        "long JSON",
        "lines",
        "indented",
    ],
)
def test_hostile_documents_are_refused_at_once(text: str, error: type[Invalid]):
    start = time.process_time()
    with pytest.raises(error):
        load(text)
    assert time.process_time() - start < 2


@given(st.text(max_size=60) | st.binary(max_size=60) | st.text("[]{}&*!|>'\"%@`:-?#, \n\tab01<", max_size=40))
def test_any_input_is_read_or_refused(text: str | bytes):
    try:
        data = load(text)
    except Invalid as error:
        data = error.where
    assert load(json.dumps(data)) == data


# Positions

COURSE = """\
nodes:
  - name: web
    cpus: 2
  - name: db
    nics:
      - mac: nonsense
    memory: 3
"""


def test_positions_name_the_line_and_column_of_a_key_or_item():
    _, positions = load_with_lines(COURSE)
    assert positions.lookup(("nodes", 0, "cpus")) == (3, 5)
    assert positions.lookup(("nodes", 1)) == (4, 5)
    assert positions.lookup(("nodes", 1, "gone", "deeper")) == (4, 5)
    assert positions.lookup(()) == (1, 1)


def test_json_has_positions_too():
    _, positions = load_with_lines('{"nodes": [\n {"cpus": 1}]}')
    assert positions.lookup(("nodes", 0, "cpus")) == (2, 3)


def test_json_that_is_not_yaml_has_positions_too():
    data, positions = load_with_lines('\ufeff{"b": [],\r "a": "\x7f"}', name="x.json")
    assert data == {"b": [], "a": "\x7f"}
    assert positions.where(("a",)) == "x.json:2:2"


def paths_in(data, path=()):
    yield path
    entries = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    for key, value in entries:
        yield from paths_in(value, (*path, key))
    yield (*path, "missing", 0)


@given(st.lists(DATA, max_size=3), st.sampled_from([None, 0, 1, "\t"]), st.sampled_from(["\n", "\r\n"]))
def test_json_stands_where_yaml_finds_it(data, indent, line_end):
    text = json.dumps(data, indent=indent).replace("\n", line_end)
    positions = load_with_lines(text)[1]
    as_yaml = Positions("d", Composer("d", text).compose())
    for path in paths_in(data):
        assert positions.lookup(path) == as_yaml.lookup(path)


@given(st.lists(st.tuples(st.sampled_from(["a", "b", ":", "\\u003a", "a:"]), st.sampled_from('12":a')), max_size=4))
def test_no_key_is_there_twice(pairs):
    text = "{" + ", ".join(f'"{key}": {json.dumps(value)}' for key, value in pairs) + "}"
    expected = [(key.replace("\\u003a", ":"), value) for key, value in pairs]
    if len(dict(expected)) == len(expected):
        assert load(text) == dict(expected)
    else:
        with pytest.raises(Invalid, match="twice"):
            load(text)


def test_faults_of_a_definition_name_the_line_of_the_document():
    data, positions = load_with_lines(COURSE, name="course.yaml")
    node = {key: value for key, value in data["nodes"][1].items() if key != "name"}
    with pytest.raises(Invalid) as caught:
        validate(node)
    located = locate(caught.value, positions, ("nodes", 1))
    assert [fault["where"] for fault in located.errors] == ["course.yaml:6:9: nics[0].mac", "course.yaml:7:5: memory"]
    assert located.where == "course.yaml:6:9: nics[0].mac"
    assert located.message == caught.value.message


def test_an_error_without_faults_is_located_by_the_prefix():
    _, positions = load_with_lines(COURSE, name="course.yaml")
    assert locate(Invalid("no", where="prototype"), positions, ("nodes", 1)).where == "course.yaml:4:5: prototype"


YAML_PIECES = st.lists(
    st.sampled_from(
        [
            *"ab1:-?#[]{},&*!|>'\"\\ \n\t%@`~.=<é🦉",
            "\n  ",
            "\n- ",
            "a: ",
            "- ",
            "<<: ",
            "*a",
            "&a ",
            "'a'",
            "\r\n",
            "1e3",
        ]
    ),
    max_size=14,
).map("".join)


@given(YAML_PIECES)
@example("a: &x {b: 1}\nc: {<<: *x}\n")
@example("user_data: |\n  #!/bin/sh\n  true\n")
def test_the_swift_reader_takes_nothing_otherwise(text):
    """Whatever libyaml lets pass is what the reader says that tells the line of every fault."""
    swift = Composer("d", text)._swiftly()
    if swift is not None:
        slow = Composer("d", text)._explained()
        assert (swift.plain(), swift.line) == (slow.plain(), slow.line)
