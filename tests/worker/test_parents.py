"""Whatever becomes of the machines of a folder, the parent's counts add up and its verdict is right."""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from descriptors import actions
from descriptors.jobs import Outcome
from descriptors.models import OPEN, Descriptor, Node, Operation, Status
from descriptors.worker import outcomes
from descriptors.worker.claims import claim, prepare
from hypervisors.retries import Interrupted
from olimpus.errors import Rejected, Transient
from tests.worker.conftest import begin, make_due

MACHINES = 6
STEPS = st.lists(
    st.tuples(
        st.sampled_from(["finish", "refuse", "pass by", "interrupt", "cancel one", "cancel all", "lose"]),
        st.integers(1, 3),
    ),
    max_size=12,
)


def consistent(parent: Operation) -> None:
    """The invariants of a parent, at any time."""
    parent.refresh_from_db()
    statuses = [str(status) for status in parent.children.values_list("status", flat=True)]
    assert parent.total == len(statuses) == MACHINES
    assert parent.succeeded == statuses.count("succeeded")
    assert parent.failed == statuses.count("failed")
    assert parent.cancelled == statuses.count("cancelled")
    assert parent.is_open == any(status in OPEN for status in statuses) == (parent.finished_at is None)
    if not parent.is_open:
        assert parent.status == verdict(set(statuses))
    assert not parent.children.exclude(status__in=OPEN).exclude(open_for=None).exists()
    assert not parent.children.filter(status__in=OPEN, open_for=None).exists()


def verdict(statuses: set[str]) -> Status:
    if statuses == {"succeeded"}:
        return Status.SUCCEEDED
    if "succeeded" in statuses:
        return Status.PARTIAL
    return Status.FAILED if "failed" in statuses else Status.CANCELLED


def step(world, parent: Operation, what: str, number: int) -> None:
    if what.startswith("cancel"):
        if what == "cancel all" and parent.is_open:
            actions.cancel(parent, actor=world.root)
        for child in parent.children.filter(status__in=OPEN)[:number] if what == "cancel one" else []:
            actions.cancel(child, actor=world.root)
        return
    make_due()
    tasks = prepare(claim(world.hypervisor.pk, number, "w"), lambda _operation: lambda: False)
    errors = {"refuse": Rejected("no"), "pass by": Transient("busy"), "interrupt": Interrupted("stop")}
    if what == "lose":
        Operation.objects.filter(worker="w").update(worker="dead")
        Operation.objects.filter(worker="dead").update(status=Status.QUEUED, worker="")
        return
    results = [
        outcomes.Result(task, None if what in errors else Outcome(), task.error or errors.get(what)) for task in tasks
    ]
    assert outcomes.commit(results, "w") == len(tasks)


@given(steps=STEPS)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_counts_and_verdicts(world, class_of, steps):
    if not Node.objects.filter(path="/courses/class").exists():
        class_of(MACHINES)
    folder = Node.objects.get(path="/courses/class")
    reset(folder)
    parent = begin(world, "create", folder)
    for what, number in steps:
        step(world, parent, what, number)
        consistent(parent)
    while parent.is_open:
        step(world, parent, "finish", MACHINES)
        consistent(parent)


def reset(folder: Node) -> None:
    Operation.objects.all().delete()
    Descriptor.objects.filter(parent=folder).update(state="provisioned", hypervisor=None, vm_ref="", applied=None)
