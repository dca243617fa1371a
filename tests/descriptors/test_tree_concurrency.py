"""Many writers at once, real threads on a real database: the tree stays sound and no success is lost."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from django.db import OperationalError, connection, connections, transaction

from descriptors import tree, tree_check
from descriptors.models import Descriptor, Kind, Node
from descriptors.tree import Draft
from olimpus.db import ATTEMPTS, retry_on_deadlock
from olimpus.errors import Conflict, NotFound

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def root(transactional_db) -> Node:
    # Transactional tests begin with empty tables.
    return tree.plant()


def at_once(jobs: list[Callable[[], object]]) -> list[object]:
    """Runs every job in a thread of its own, all released together; results, or the `Conflict`/`NotFound` raised."""
    start = Barrier(len(jobs))

    def run(job: Callable[[], object]) -> object:
        try:
            start.wait()
            return job()
        except (Conflict, NotFound) as refusal:
            return refusal
        finally:
            connections.close_all()

    with ThreadPoolExecutor(len(jobs)) as pool:
        return list(pool.map(run, jobs))


def names_below(path: str) -> list[str]:
    return [node.name for node in tree.by_path(path).get_children()]


@pytest.mark.parametrize("writers", [16, 64])
def test_parallel_creations_are_all_there(root, writers):
    def create(number: int) -> list[Node]:
        return tree.insert([(root, [Draft(f"f{number}", children=[Draft("vm", Kind.DESCRIPTOR)])])])

    results = at_once([lambda number=number: create(number) for number in range(writers)])
    assert sorted(names_below("/")) == sorted(f"f{number}" for number in range(writers))
    assert all(Node.objects.get(pk=node.pk).path == node.path for nodes in results for node in nodes)
    assert Descriptor.objects.count() == writers
    assert tree_check.faults() == []


def test_one_name_is_given_once(root):
    results = at_once([lambda: tree.insert([(root, [Draft("same")])])] * 16)
    assert sum(isinstance(result, Conflict) for result in results) == 15
    assert names_below("/") == ["same"]
    assert tree_check.faults() == []


@pytest.mark.parametrize("writers", [16, 64])
def test_parallel_creations_moves_and_removals(root, writers):
    folders = [Draft(f"f{number}", children=[Draft("vm", Kind.DESCRIPTOR)]) for number in range(writers)]
    tree.insert([(root, [Draft("here", children=folders), Draft("there")])])
    here, there = tree.by_path("/here"), tree.by_path("/there")
    children = {node.name: node for node in here.get_children()}

    def work(number: int) -> None:
        own = children[f"f{number}"]
        tree.insert([(own, [Draft("new", Kind.DESCRIPTOR)])])
        tree.move(own, there, name=f"g{number}")
        tree.remove([tree.by_path(f"/there/g{number}/vm")])
        if number % 2:
            tree.remove([own])

    assert at_once([lambda number=number: work(number) for number in range(writers)]) == [None] * writers
    assert names_below("/here") == []
    assert sorted(names_below("/there")) == sorted(f"g{number}" for number in range(0, writers, 2))
    assert names_below("/there/g0") == ["new"]
    assert tree_check.faults() == []


def test_people_who_do_not_know_of_each_other(root):
    """Everybody moves, renames and removes the same few nodes: refusals are fine, a broken tree is not."""
    tree.insert([(root, [Draft(f"f{number}", children=[Draft("a"), Draft("b")]) for number in range(8)])])
    ids = list(Node.objects.exclude(pk=root.pk).values_list("pk", flat=True))

    def work(seed: int) -> Counter[str]:
        chance = random.Random(seed)
        done: Counter[str] = Counter()
        for turn in range(6):
            verb = chance.choice(["move", "move", "rename", "insert", "remove"])
            first, second = chance.sample(ids, 2)
            try:
                if verb == "move":
                    tree.move(first, second)
                elif verb == "rename":
                    tree.rename(first, f"r{seed}-{turn}")
                elif verb == "insert":
                    tree.insert([(second, [Draft(f"i{seed}-{turn}", Kind.DESCRIPTOR)])])
                elif chance.random() < 0.2:
                    tree.remove([first])
                done[verb] += 1
            except (Conflict, NotFound):
                done["refused"] += 1
        return done

    results = at_once([lambda seed=seed: work(seed) for seed in range(16)])
    assert sum(sum(done.values()) for done in results) == 16 * 6
    assert tree_check.faults() == []


def test_a_machine_taken_meanwhile_is_not_removed_under_its_operation(root):
    """Whoever locks the machine first wins; the other one sees what happened."""
    tree.insert([(root, [Draft(f"vm{number}", Kind.DESCRIPTOR) for number in range(8)])])
    ids = list(Descriptor.objects.values_list("pk", flat=True))

    @retry_on_deadlock
    def start(key: int) -> None:
        machine = Descriptor._base_manager.select_for_update().filter(pk=key).first()
        if machine is None:
            raise NotFound("gone")
        Descriptor.objects.filter(pk=key).update(state="running")

    jobs = [job for key in ids for job in (lambda key=key: start(key), lambda key=key: tree.remove([key]))]
    results = at_once(jobs)
    for key, started, removed in zip(ids, results[::2], results[1::2], strict=True):
        assert (started is None) != (removed is None)
        assert Descriptor.objects.filter(pk=key).exists() == (started is None)
    assert tree_check.faults() == []


# -- running again after a deadlock ----------------------------------------------------------------------------------
def failing(times: int, code: int = 1213) -> tuple[Callable[[], str], list[int]]:
    calls: list[int] = []

    @retry_on_deadlock
    def work() -> str:
        calls.append(len(calls))
        Node.objects.update(version=len(calls) + 10)
        if len(calls) <= times:
            raise OperationalError(code, "Deadlock found when trying to get lock")
        return "done"

    return work, calls


def test_the_victim_of_a_deadlock_starts_again(root):
    work, calls = failing(3)
    assert work() == "done"
    assert len(calls) == 4
    assert Node.objects.get().version == 14


def test_it_gives_up_and_changes_nothing(root):
    work, calls = failing(100)
    with pytest.raises(OperationalError):
        work()
    assert len(calls) == ATTEMPTS
    assert Node.objects.get().version == 1


def test_other_errors_and_inner_units_are_not_repeated(root):
    work, calls = failing(1, code=2006)
    with pytest.raises(OperationalError):
        work()
    assert len(calls) == 1
    work, calls = failing(1)
    with pytest.raises(OperationalError), transaction.atomic():
        work()
    assert len(calls) == 1
    assert not connection.in_atomic_block
