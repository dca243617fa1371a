"""Asking for verbs: one machine, folders, selections, cancelling, trying again."""

from __future__ import annotations

import threading

import pytest
from django.db import connection, connections
from django.test.utils import CaptureQueriesContext

from accounts.models import Entry
from descriptors import actions, selectors
from descriptors.models import Descriptor, Nic, Operation
from descriptors.states import State
from hypervisors import actions as hypervisor_actions
from hypervisors.drivers.mock import events
from olimpus.errors import Conflict, Forbidden, Invalid, NotFound
from tests import factories


def test_the_life_of_a_machine(world):
    web = world.sam.web
    life = [
        ("create", State.CREATED),
        ("start", State.RUNNING),
        ("pause", State.PAUSED),
        ("resume", State.RUNNING),
        ("restart", State.RUNNING),
        ("stop", State.STOPPED),
        ("reapply", State.STOPPED),
        ("destroy", State.PROVISIONED),
    ]
    for verb, state in life:
        assert world.do(verb, web).status == "succeeded", verb
        assert web.state == state, verb


def test_a_request_is_told_to_the_journal_and_holds_the_machine(world):
    operation = actions.request("create", world.sam.web, actor=world.sam.user)
    assert (operation.status, operation.verb, operation.from_state) == ("queued", "create", "provisioned")
    machine = Descriptor.objects.get(pk=world.sam.web.pk)
    assert machine.open_operation == operation
    assert machine.hypervisor == world.hypervisor
    entry = Entry.objects.get(verb="vm.create", node_id=machine.pk)
    assert (entry.actor, entry.path, entry.operation_id) == (world.sam.user, machine.path, operation.pk)
    with pytest.raises(Conflict, match="in progress"):
        actions.request("create", world.sam.web, actor=world.root)


def test_the_state_machine_refuses_with_the_reason(world):
    with pytest.raises(Conflict, match="provisioned.*needs"):
        actions.request("start", world.sam.web, actor=world.root)
    assert not Operation.objects.exists()


@pytest.mark.parametrize(
    ("verb", "arguments", "where"),
    [
        ("fly", {}, "verb"),
        ("create", {"name": "x"}, "name"),
        ("snapshot", {}, "name"),
        ("snapshot", {"name": "  "}, "name"),
        ("snapshot", {"name": "x" * 129}, "name"),
        ("snapshot", {"name": "a\0b"}, "name"),
        ("snapshot", {"name": 7}, "name"),
        ("snapshot", {"name": "x", "description": []}, "description"),
        ("snapshot", {"name": "x", "speed": "1"}, "speed"),
    ],
)
def test_bad_requests_name_what_is_wrong(world, verb, arguments, where):
    with pytest.raises(Invalid) as error:
        actions.request(verb, world.sam.web, actor=world.root, arguments=arguments)
    assert error.value.where == where


def test_rights(world):
    with pytest.raises(NotFound):
        actions.request("create", world.ana.web, actor=world.sam.user)
    with pytest.raises(NotFound):
        actions.request("create", world.ana.folder, actor=world.sam.user)
    closed = world.tel141.definition | {"rights": {"user": {"create": False}}}
    actions.edit(world.tel141, closed, actor=world.root)
    with pytest.raises(Forbidden):
        actions.request("create", world.sam.web, actor=world.sam.user)
    with pytest.raises(Conflict) as error:
        actions.request("create", world.sam.folder, actor=world.sam.user)
    assert "may not" in error.value.errors[0]["message"]


def test_a_machine_that_is_gone_meanwhile_is_not_found(world):
    web = world.sam.web
    actions.remove(web, actor=world.root)
    with pytest.raises(NotFound):
        actions.request("create", web, actor=world.root)
    with pytest.raises(NotFound):
        actions.edit(web, {"cpus": 1}, actor=world.root)


def test_a_hypervisor_is_needed_and_must_be_open(world):
    bare = factories.machine("/bare", world.root)
    with pytest.raises(Invalid, match="names no hypervisor"):
        actions.request("create", bare, actor=world.root)
    lost = factories.machine("/lost", world.root, {"hypervisor": "mock-2"})
    with pytest.raises(Invalid, match="mock-2"):
        actions.request("create", lost, actor=world.root)
    narrow = factories.folder("/narrow", world.root, {"hypervisors": ["other"], "hypervisor": world.hypervisor.name})
    inside = factories.machine("/narrow/vm", world.root)
    with pytest.raises(Invalid, match="not offered"):
        actions.request("create", inside, actor=world.root)
    assert narrow.pk
    hypervisor_actions.set_maintenance(world.hypervisor, True, "new disks", actor=world.root)
    with pytest.raises(Conflict, match="maintenance") as error:
        actions.request("create", world.sam.web, actor=world.root)
    assert error.value.hint == "new disks"


def test_cards_are_given_once_and_clashes_refused(world):
    fixed = {"nics": [{"network": "lan", "mac": "02:aa:00:00:00:01", "ip": "10.0.0.5"}]}
    one = factories.machine(f"{world.tel141.path}/one", world.root, fixed)
    two = factories.machine(f"{world.tel141.path}/two", world.root, fixed)
    world.do("create", one)
    with pytest.raises(Conflict, match="/one"):
        actions.request("create", two, actor=world.root)
    assert Nic.objects.get().descriptor_id == one.pk
    mac = world.do("create", world.sam.web) and world.sam.web.cards.get().mac
    world.do("destroy", world.sam.web)
    world.do("create", world.sam.web)
    assert world.sam.web.cards.get().mac == mac


# -- folders and selections --------------------------------------------------------------------------------------------


def test_a_verb_on_a_folder_fans_out(world):
    world.do("create", world.sam.web)
    world.ana.db  # noqa: B018 - the world is made when asked for
    parent = actions.request("create", world.tel141, actor=world.mia)
    assert (parent.status, parent.total, parent.skipped, parent.path) == ("running", 3, 1, "/courses/TEL141")
    (group,) = parent.result["skipped"]
    assert group["count"] == 1
    assert group["paths"] == ["/courses/TEL141/sam/web"]
    assert world.perform() == 3
    parent.refresh_from_db()
    assert (parent.status, parent.succeeded) == ("succeeded", 3)
    assert {row.path for row in selectors.results(parent, world.root)} == {
        "/courses/TEL141/ana/db",
        "/courses/TEL141/ana/web",
        "/courses/TEL141/sam/db",
    }


def test_a_fan_out_takes_few_queries_whatever_the_number(world):
    for name in ("few", "many"):
        factories.folder(f"{world.courses.path}/{name}", world.root)
    factories.many_machines("/courses/few", 5, world.root)
    factories.many_machines("/courses/many", 200, world.root)

    def queries(path: str) -> int:
        with CaptureQueriesContext(connection) as captured:
            actions.request("create", selectors.get(world.root, path), actor=world.root)
        return len(captured)

    assert queries("/courses/many") <= queries("/courses/few") + 8
    assert world.perform() == 205


def test_a_student_moves_only_what_he_sees(world):
    world.ana.web  # noqa: B018 - the world is made when asked for
    parent = actions.request("create", world.sam.folder, actor=world.sam.user)
    assert parent.total == 2
    with pytest.raises(NotFound):
        actions.request("create", world.tel141, actor=world.sam.user)


def test_nothing_to_do_is_a_conflict_that_says_why(world):
    world.sam.web  # noqa: B018 - the world is made when asked for
    with pytest.raises(Conflict) as error:
        actions.request("start", world.tel141, actor=world.root)
    assert "needs" in error.value.errors[0]["message"]
    empty = factories.folder("/empty", world.root)
    with pytest.raises(Conflict):
        actions.request("start", empty, actor=world.root)
    assert not Operation.objects.exists()


def test_a_selection_is_one_operation_at_the_common_folder(world):
    operation = actions.request_many("create", [world.sam.web, world.ana.folder], actor=world.mia)
    assert (operation.path, operation.total) == ("/courses/TEL141", 3)
    single = actions.request_many("create", [world.sam.db], actor=world.mia)
    assert (single.path, single.total) == ("/courses/TEL141/sam", 1)
    with pytest.raises(Conflict):
        actions.request_many("create", [world.ana.web], actor=world.sam.user)


# -- cancel and retry --------------------------------------------------------------------------------------------------


def test_what_nobody_has_begun_is_undone(world):
    web = world.sam.web
    world.do("create", web)
    operation = actions.request("start", web, actor=world.sam.user)
    web.refresh_from_db()
    assert web.state == State.STARTING
    assert actions.cancel(operation, actor=world.sam.user).status == "cancelled"
    web = Descriptor.objects.get(pk=web.pk)
    assert web.state == State.CREATED
    assert selectors.open_operation(web) is None
    with pytest.raises(Conflict, match="ended"):
        actions.cancel(operation, actor=world.sam.user)
    assert world.do("start", world.sam.web).status == "succeeded"


def test_cancelling_a_folder_operation_cancels_its_machines(world):
    parent = actions.request("create", world.sam.folder, actor=world.mia)
    cancelled = actions.cancel(parent, actor=world.root)
    assert (cancelled.status, cancelled.cancelled) == ("cancelled", 2)
    assert not Operation.objects.exclude(status="cancelled").exists()
    assert world.perform() == 0
    assert not [event for event in events(world.home, "mock-1") if event.verb == "create"]


def test_who_may_cancel(world):
    operation = actions.request("create", world.sam.web, actor=world.mia)
    with pytest.raises(NotFound):
        actions.cancel(operation, actor=world.ana.user)
    assert actions.cancel(operation, actor=world.sam.user).status == "cancelled"


def test_what_failed_is_asked_for_again(world):
    parent = actions.request("create", world.sam.folder, actor=world.mia)
    first, second = selectors.results(parent, world.root)
    with pytest.raises(Conflict, match="Nothing failed"):
        actions.retry_failed(parent, actor=world.mia)
    factories.failed(first)
    actions.cancel(second, actor=world.mia)
    with pytest.raises(Conflict):  # failed machines are recovered first
        actions.retry_failed(parent, actor=world.mia)
    world.do("recover", Descriptor.objects.get(path=first.path))
    again = actions.retry_failed(parent, actor=world.mia)
    assert (again.total, again.verb) == (1, "create")
    single = world.do("create", world.ana.web)
    with pytest.raises(Conflict, match="Nothing failed"):
        actions.retry_failed(single, actor=world.mia)


def test_a_single_operation_that_failed_is_asked_for_again(world):
    operation = actions.request("create", world.sam.web, actor=world.mia)
    factories.failed(operation)
    world.do("recover", world.sam.web)
    again = actions.retry_failed(operation, actor=world.mia)
    assert again.verb == "create"
    world.perform()
    world.sam.web.refresh_from_db()
    assert world.sam.web.state == State.CREATED


@pytest.mark.django_db(transaction=True)
def test_two_people_press_start_at_once(world):
    web, people = world.sam.web, [world.sam.user, world.mia]
    world.do("create", web)
    begun, refused, barrier = [], [], threading.Barrier(2)

    def press(person):
        try:
            barrier.wait(10)
            begun.append(actions.request("start", web, actor=person))
        except Conflict as error:
            refused.append(str(error))
        finally:
            connections.close_all()

    threads = [threading.Thread(target=press, args=[person]) for person in people]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(begun) == len(refused) == 1
    assert "in progress" in refused[0] or "just started" in refused[0]
    world.perform()
    assert [event.verb for event in events(world.home, "mock-1")].count("power_on") == 1
