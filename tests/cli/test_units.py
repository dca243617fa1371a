"""What needs no server: tables, YAML, addresses, the file of tokens."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ruamel.yaml import YAML

from olimpus.cli.errors import Failure
from olimpus.cli.main import MODULES, build, run
from olimpus.cli.paths import tops
from olimpus.cli.settings import address_of, is_loopback
from olimpus.cli.showing import way_in
from olimpus.cli.store import SignIn, Store
from olimpus.cli.table import drawn
from olimpus.cli.yaml import as_yaml

LETTERS = st.characters(exclude_categories=["Cs"])
TEXTS = st.text(LETTERS) | st.sampled_from(
    [
        "yes",
        "No",
        "null",
        "~",
        "1e3",
        "0x1",
        "2026-01-01",
        "1:20",
        ".5",
        "- a",
        "a: b",
        "#",
        "=",
        "<<",
        "on",
        " x",
        "x ",
    ]
)
DATA = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=12,
)


def plain(text, _colour):
    return text


@given(DATA)
def test_yaml_is_read_back_as_it_was(data):
    loader = YAML(typ="safe", pure=True)
    assert loader.load(as_yaml(data)) == data


def test_columns_stand_under_each_other_in_every_script():
    columns = [[(text, "") for text in column] for column in (["Ñandú", "日本", "e\u0301"], ["1", "20", "300"])]
    assert (
        drawn(columns, [False, True], [False, False], width=None, paint=plain)
        == "Ñandú    1\n日本    20\ne\u0301      300\n"
    )


def test_only_what_may_be_cut_is_cut_to_fit():
    columns = [[("/a/long/path/that/stays", "")], [("a reason that goes on and on", "")]]
    line = drawn(columns, [False, False], [False, True], width=40, paint=plain)
    assert line == "/a/long/path/that/stays  a reason that …\n"
    assert drawn(columns, [False, False], [False, False], width=40, paint=plain).startswith(
        "/a/long/path/that/stays  a reason that goes on"
    )


@pytest.mark.parametrize(
    ("typed", "address"),
    [
        ("olimpus.example.edu", "https://olimpus.example.edu"),
        ("HTTPS://Olimpus.example.edu/api/", "https://olimpus.example.edu"),
        ("localhost:8000", "http://localhost:8000"),
        ("127.0.0.1:8000/", "http://127.0.0.1:8000"),
        ("http://[::1]:8000", "http://[::1]:8000"),
        ("https://example.edu/olimpus/api", "https://example.edu/olimpus"),
    ],
)
def test_an_address_has_one_form(typed, address):
    assert address_of(typed) == address
    assert address_of(address) == address


@pytest.mark.parametrize("host", ["http://127.0.0.2", "http://[::1]:1", "http://localhost", "http://a.localhost:8"])
def test_loopback_is_this_computer(host):
    assert is_loopback(host)


@pytest.mark.parametrize(
    "host", ["http://128.0.0.1", "http://localhost.example.edu", "http://127.0.0.1.nip.io", "http://"]
)
def test_anything_else_is_not(host):
    assert not is_loopback(host)


def test_tokens_are_kept_by_server_and_an_interrupted_write_changes_nothing(tmp_path, monkeypatch):
    store = Store(tmp_path)
    one, two = SignIn("a", 1, "ann"), SignIn("b", 2, "bob")
    store.keep("https://one", one)
    store.keep("https://two", two)
    assert (store.of("https://one"), store.of("https://two"), store.current) == (one, two, "https://two")
    monkeypatch.setattr(json, "dump", lambda *_given, **_more: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        store.forget("https://one")
    monkeypatch.undo()
    assert store.of("https://one") == one
    assert [path.name for path in tmp_path.iterdir()] == ["credentials.json"]
    store.forget("https://two")
    assert store.current == "https://one"


def test_a_folder_that_cannot_be_written_is_told(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(Failure, match="file"):
        Store(tmp_path / "file").keep("https://one", SignIn("a", 1, "ann"))


def test_the_topmost_of_what_is_seen():
    rows = [{"path": path} for path in ("/a/b", "/a/b/c", "/a/b-c", "/d")]
    assert [row["path"] for row in tops(rows)] == ["/a/b", "/a/b-c", "/d"]


def test_every_command_is_registered_by_the_module_that_the_table_names():
    for module, commands in MODULES.items():
        app = build(commands[0])
        found = {command.name for command in app.registered_commands} | {group.name for group in app.registered_groups}
        assert found == set(commands), module


@pytest.mark.parametrize(
    ("typed", "help_text"),
    [
        ("hypervisor ls", "List hypervisors."),
        ("hypervisor rm", "Forget a hypervisor"),
        ("flavor list", "List flavors"),
        ("flavor delete", "Forget a flavor"),
    ],
)
def test_a_command_of_a_group_is_found_by_its_other_usual_name(typed, help_text, capsys):
    assert run([*typed.split(), "--help"]) == 0
    assert help_text in capsys.readouterr().out


def test_help_names_each_command_once(capsys):
    assert run(["hypervisor", "--help"]) == 0
    said = capsys.readouterr().out
    assert " list " in said
    assert " ls " not in said


def test_away_in_is_what_one_types_or_where_it_leads():
    way = {"kind": "forward", "address": "gw.example", "port": 20080, "target": "10.0.0.5:80/tcp", "command": ""}
    assert way_in(way) == "gw.example:20080 → 10.0.0.5:80/tcp"
    assert way_in(way | {"command": "ssh -J jump@gw.example ana@100.64.128.1"}).startswith("ssh -J")
