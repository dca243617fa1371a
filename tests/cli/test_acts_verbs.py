"""Verbs and operations: selections, waiting, failures, questions, Ctrl-C."""

from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest

from tests.cli.acting import Branch, answering, states
from tests.cli.acting import branch as branch
from tests.cli.terminal import Terminal
from tests.processes.installation import until


@pytest.fixture
def broken(admin: Terminal) -> Iterator[str]:
    """A hypervisor on which everything fails."""
    admin("hypervisor", "create", "broken", "-d", "mock", "failure_rate=1", "failure_kind=fatal", "latency=0")
    yield "broken"
    admin("hypervisor", "delete", "broken", "--yes", code=None)


@pytest.fixture
def slow(admin: Terminal) -> Iterator[str]:
    """The mock of the demo, taking its time."""
    admin("hypervisor", "update", "mock", "latency=3")
    yield "mock"
    admin("hypervisor", "update", "mock", "latency=0.1")


def test_a_branch_is_created_and_started_with_a_line_for_each_machine(admin: Terminal, branch: Branch):
    assert "--recursive" in admin("create", branch.path, code=2).err
    told = admin("create", branch.path, "-r", "--wait")
    assert sorted(told.err.splitlines()) == [
        f"succeeded  create {path}" for path in (branch.db, branch.web, branch.other)
    ]
    assert told.out == f"create {branch.path}: 3 succeeded\n"
    operation = admin("start", f"{branch.path}/*/web", "--wait", "-o", "json").data
    assert (operation["status"], operation["counts"]["succeeded"]) == ("succeeded", 2)
    assert states(admin, branch.path) == {"one/db": "created", "one/web": "running", "two/web": "running"}
    told = admin("start", branch.path, "-r", "--wait")
    assert "Left out: 2." in told.out
    assert f"  {branch.web}" in told.out
    assert admin("start", branch.path, "-r", code=7).err.startswith("olimpus: ")


def test_patterns_that_meet_folders_take_the_machines(admin: Terminal, branch: Branch):
    told = admin("create", f"{branch.path}/**", "--wait")
    assert "2 folders are left out." in told.err
    assert "3 succeeded" in told.out
    admin("start", f"{branch.path}/nothing*", code=6)
    admin("start", f"{branch.path}/nowhere", code=6)


def test_without_waiting_it_is_said_how_to_follow(admin: Terminal, branch: Branch):
    told = admin("create", branch.web)
    assert told.out == f"Asked for: create {branch.web}\n"
    pk = told.err.split("ops wait ")[1].split()[0]
    assert admin("ops", "wait", pk[:13]).out == f"succeeded  create {branch.web}\n"
    assert admin("ops", "show", pk, "-o", "json").data["status"] == "succeeded"
    assert pk in admin("ops", "list", branch.path, "-o", "wide").out
    assert admin("ops", "list", branch.path, "--verb", "start", "-o", "json").data == []
    admin("ops", "show", "zzzz", code=6)


def test_failures_are_grouped_by_reason_and_can_be_asked_for_again(admin: Terminal, branch: Branch, broken: str):
    admin("set", branch.path, f"hypervisor={broken}")
    told = admin("create", branch.path, "-r", "--wait", code=1)
    assert "3 failed" in told.out
    assert "Failed: 3. " in told.out
    assert f"  {branch.web}" in told.out
    pk = told.out.split("ops retry ")[1].split()[0]
    shown = admin("ops", "show", pk)
    assert branch.other in shown.out
    assert admin("find", branch.path, "--state", "failed", "--quiet").out.split() == [
        branch.db,
        branch.web,
        branch.other,
    ]
    assert "failed" in admin("show", branch.web).out
    admin("ops", "retry", pk, code=7)  # they are failed: recover comes first
    admin("hypervisor", "update", broken, "failure_rate=0")
    assert "3 succeeded" in admin("recover", branch.path, "-r", "--wait").out
    assert set(states(admin, branch.path).values()) == {"provisioned"}


def test_one_machine_that_fails_is_told_in_one_line(admin: Terminal, branch: Branch, broken: str):
    admin("set", branch.web, f"hypervisor={broken}")
    told = admin("create", branch.web, "--wait", code=1)
    assert told.out.startswith(f"failed  create {branch.web}: ")
    admin("hypervisor", "update", broken, "failure_rate=0")
    admin("recover", branch.web, "--wait")


def test_what_destroys_names_the_number_and_asks(admin: Terminal, branch: Branch):
    admin("create", branch.path, "-r", "--wait")
    assert "agree with: --yes" in admin("destroy", branch.web, code=2).err
    refused = answering(admin, "y", "destroy", branch.path, "-r")
    assert (refused.code, "(3)" in refused.err, branch.db in refused.err) == (130, True, True)
    assert answering(admin, "3", "destroy", branch.path, "-r", "--wait").code == 0
    assert set(states(admin, branch.path).values()) == {"provisioned"}


def test_snapshots_have_names(admin: Terminal, branch: Branch):
    admin("create", branch.web, "--wait")
    admin("snapshot", branch.web, code=2)
    admin("snapshot", branch.web, "--name", "first", "--description", "before", "--wait")
    admin("revert", branch.web, "--name", "first", "--yes", "--wait")
    admin("delete-snapshot", branch.web, "--name", "first", "--yes", "--wait")
    assert admin("revert", branch.web, "--name", "first", "--yes", "--wait", code=1).out.startswith("failed")


def test_ctrl_c_ends_the_waiting_and_not_the_operation(admin: Terminal, branch: Branch, slow: str):
    process = admin.begin("create", branch.path, "-r", "--wait")
    assert until(lambda: admin("ops", "list", branch.path, "--status", "running", "-o", "json").data, 20)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=20)
    assert process.returncode == 130, out + err
    pk = err.split("ops wait ")[1].split(";")[0]
    assert "Traceback" not in err
    assert "it goes on" in admin("ops", "wait", pk, "--timeout", "0.1", code=1).err
    assert admin("ops", "wait", pk).out.endswith(": 3 succeeded\n")


def test_an_operation_is_cancelled(admin: Terminal, branch: Branch, slow: str):
    pk = admin("create", branch.path, "-r", "-o", "json").data["id"]
    assert "to be cancelled" in admin("ops", "cancel", pk).out
    ended = admin("ops", "wait", pk, "-o", "json", code=None)
    assert ended.code == (0 if ended.data["status"] == "succeeded" else 1)
    assert ended.data["cancel_requested"]


def test_a_student_does_no_more_than_he_may(student: Terminal, branch: Branch):
    assert student("start", branch.web, code=6).err.startswith(f"olimpus: {branch.web}: ")
    student("destroy", branch.path, "-r", "--yes", code=6)
