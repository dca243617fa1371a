"""The lines that name the workers, and the ways to them."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hypervisors.drivers.linux.workers import WorkerLine, hops_to, hops_to_gateway, parse
from olimpus.errors import Rejected


def test_lines_are_read():
    second = "worker-2 rack.example user=root port=2222 cpus=8 memory=16384 disk=500 maintenance  # new fan"
    first, second = parse(f"# rack 1\nworker-1 10.0.0.1\n\n{second}")
    assert first == WorkerLine("worker-1", "10.0.0.1")
    assert second == WorkerLine("worker-2", "rack.example", "root", 2222, 8, 16384, 500, True)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("worker-1", 1),
        ("worker-1 user=x", 1),
        ("a 10.0.0.1\n/bad 10.0.0.2", 2),
        ("a 10.0.0.1\na 10.0.0.2", 2),
        ("a 10.0.0.1\nb 10.0.0.1", 2),
        ("a 10.0.0.1 port=x", 1),
        ("a 10.0.0.1 port=٣", 1),
        ("a 10.0.0.1 colour=red", 1),
        ("a 10.0.0.1 user=", 1),
    ],
)
def test_a_line_that_cannot_be_read_is_named(text, line):
    with pytest.raises(Rejected, match=f"Line {line}:") as caught:
        parse(text)
    assert caught.value.where == "workers"


def test_there_must_be_a_worker():
    with pytest.raises(Rejected, match="missing"):
        parse("# none\n")


@given(st.text(max_size=200))
def test_any_text_is_read_or_refused(text):
    with contextlib.suppress(Rejected):
        assert parse(text)


VALUES = {
    "bastion_host": "b.example",
    "bastion_user": "u",
    "bastion_port": 5821,
    "headnode_host": "10.0.0.254",
    "headnode_user": "g",
    "worker_key_file": "/key",
    "worker_host_keys": "SHA256:x",
}


def test_the_way_leads_through_the_bastion_when_there_is_one():
    line = WorkerLine("w", "10.0.0.1", port=2222)
    bastion, worker = hops_to(VALUES, line)
    assert (bastion.address, bastion.role) == ("b.example:5821", "bastion")
    assert (worker.address, worker.role, worker.user, worker.key_file) == ("10.0.0.1:2222", "worker", "u", "/key")
    assert worker.host_key == "SHA256:x"
    (alone,) = hops_to({"worker_user": "root"}, line)
    assert (alone.role, alone.user) == ("worker", "root")


def test_the_gateway_is_the_head_node():
    assert [hop.role for hop in hops_to_gateway(VALUES)] == ["bastion", "headnode"]
    assert hops_to_gateway({"bastion_host": "b", "bastion_user": "u"}) == ()


def test_somebody_must_sign_in():
    with pytest.raises(Rejected, match="worker_user"):
        hops_to({}, WorkerLine("w", "10.0.0.1"))
