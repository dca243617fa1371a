"""The pure parts of the acting commands: values, the board of `watch`, the table of verbs, moments."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from descriptors.verbs import VERBS
from olimpus.cli import verbs
from olimpus.cli.board import Board
from olimpus.cli.errors import Failure
from olimpus.cli.records import details, moment
from olimpus.cli.values import changed


def test_every_verb_of_the_table_is_a_command_that_warns_in_the_same_words():
    known = [(verb.name, verb.warns, verb.named, verb.filed) for verb in verbs.VERBS]
    assert known == [
        (verb.name, str(verb.warns), "name" in verb.arguments, "folder" in verb.arguments) for verb in VERBS.values()
    ]


# -- values ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "after"),
    [
        (["cpus=4"], {"cpus": 4, "labels": {"role": "web"}}),
        (["labels.role=db"], {"cpus": 2, "labels": {"role": "db"}}),
        (["labels.a.b=1"], {"cpus": 2, "labels": {"role": "web", "a": {"b": 1}}}),
        (["cpus-"], {"labels": {"role": "web"}}),
        (["labels.role-"], {"cpus": 2}),
        (["labels=null"], {"cpus": 2, "labels": None}),
        (["labels={}"], {"cpus": 2, "labels": {}}),
        (["a=true", "b=yes", "c=", "d=1.5", "e='4'"], None),
        (["nics=[{network: lan}]", "cpus="], {"cpus": "", "labels": {"role": "web"}, "nics": [{"network": "lan"}]}),
        (["x=2026-11-21"], {"cpus": 2, "labels": {"role": "web"}, "x": "2026-11-21"}),
        (["x=a=b"], {"cpus": 2, "labels": {"role": "web"}, "x": "a=b"}),
    ],
)
def test_changes(changes: list[str], after: Any):
    before = {"cpus": 2, "labels": {"role": "web"}}
    if after is None:
        after = before | {"a": True, "b": "yes", "c": "", "d": 1.5, "e": "4"}
    assert changed(before, changes) == after
    assert before == {"cpus": 2, "labels": {"role": "web"}}


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ("cpus", "cpus"),
        ("=4", "=4"),
        ("-", "-"),
        ("x=[", "x=["),
        ("cpus.x=1", "cpus.x=1"),
        ("y-", "y-"),
        ("a.b-", "a.b-"),
    ],
)
def test_what_is_no_change_is_named(change: str, where: str):
    with pytest.raises(Failure) as refused:
        changed({"cpus": 2}, [change])
    assert refused.value.where == where
    assert refused.value.hint


# -- moments -----------------------------------------------------------------------------------------------------------


def test_moments():
    age = datetime.now(UTC) - datetime.fromisoformat(moment("2h"))
    assert abs(age - timedelta(hours=2)) < timedelta(minutes=1)
    assert datetime.fromisoformat(moment("2026-11-21T08:00:00+02:00")) == datetime(2026, 11, 21, 6, tzinfo=UTC)
    assert moment("") == ""
    for nonsense in ("yesterday", "2h3", "2026-13-01", "-1d"):
        with pytest.raises(Failure):
            moment(nonsense)


def test_details_are_one_line():
    data = {"role": "user", "users": ["a", "b"], "operation": {"status": "failed"}, "error": {"message": "No room."}}
    assert details(data) == "role=user users=a, b operation=failed error=No room."


# -- the board of watch ------------------------------------------------------------------------------------------------


def row(pk: int, state: str = "stopped") -> dict[str, Any]:
    return {
        "id": pk,
        "path": f"/m{pk}",
        "kind": "descriptor",
        "state": state,
        "state_since": "t",
        "verb": None,
        "reason": "",
    }


def event(pk: int, node: int, state: str | None = None, **more: Any) -> dict[str, Any]:
    plain = {"verb": "vm.start", "path": f"/m{node}", "operation": None, "error": None}
    return {"id": pk, "at": f"t{pk}", "node": node, "state": state} | plain | more


def board(*states: str) -> Board:
    made = Board(settled=0)
    made.fill([row(pk, state) for pk, state in enumerate(states, 1)])
    return made


def test_events_change_the_rows_once():
    made = board("stopped", "stopped")
    first = {"events": [event(1, 1, "starting", operation={"verb": "start", "status": "queued"})], "settled": 0}
    assert [(change.before, change.after) for change in made.take(first)] == [("stopped", "starting")]
    assert made.rows[1]["verb"] == "start"
    assert made.take(first) == []
    made.take({"events": [event(2, 1, "running", operation={"verb": "start", "status": "succeeded"})], "settled": 2})
    assert (made.rows[1]["state"], made.rows[1]["verb"], made.rows[1]["state_since"]) == ("running", None, "t2")
    assert made.settled == 2
    assert made.take({"events": [event(2, 1, "running")], "settled": 2}) == []
    assert made.counts == {"running": 1, "stopped": 1}


def test_a_late_event_is_told_but_undoes_nothing_newer():
    made = board("stopped")
    made.take({"events": [event(5, 1, "running")], "settled": 3})
    assert len(made.take({"events": [event(4, 1, "starting")], "settled": 5})) == 1
    assert made.rows[1]["state"] == "running"


def test_a_failure_keeps_its_reason_until_it_is_over():
    made = board("starting", "running")
    made.take({"events": [event(1, 1, "failed", error={"message": "No room."})], "settled": 1})
    assert made.rows[1]["reason"] == "No room."
    assert [each["path"] for each in made.urgent()] == ["/m1", "/m2"]
    made.take({"events": [event(2, 1, "stopped")], "settled": 2})
    assert made.rows[1]["reason"] == ""


def test_attention_first_then_what_changed_last():
    made = board("running", "stopped", "running", "failed")
    made.take({"events": [event(1, 3, "stopped"), event(2, 2, "starting")], "settled": 2})
    assert [each["path"] for each in made.urgent()] == ["/m4", "/m2", "/m3", "/m1"]


def test_folders_and_progress_are_no_machines_and_new_shapes_are_noticed():
    made = board("stopped")
    parent = event(1, 9, operation={"verb": "start", "status": "running", "progress": {"total": 3}})
    assert made.take({"events": [parent, event(2, 1, verb="definition.edit")], "settled": 2}) == []
    assert not made.reshaped
    made.take({"events": [event(3, 8, verb="descriptor.create")], "settled": 3})
    assert made.reshaped
    made.fill([row(1), row(8)])
    assert not made.reshaped
    assert made.take({"settled": 1}) == []
    assert made.settled == 3
