"""Hosts for machines, where Olimpus chooses them: room is claimed before a job begins, given back when it was for nothing.

Claims are written in the engine's thread; the hosts are looked at in a thread of the lane, once for all who wait.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any, Final

from django.utils import timezone

from descriptors.jobs import Outcome
from descriptors.models import Descriptor, Operation, Status
from descriptors.states import State
from descriptors.verbs import makes, rewrites
from descriptors.worker.claims import Task, unexpected
from hypervisors import claims, inventory, standing
from hypervisors.claims import Wish
from hypervisors.inventory import Answer
from hypervisors.models import Claim, Hypervisor
from hypervisors.placement import fits
from olimpus.errors import CapacityExceeded, HypervisorError, OlimpusError, Rejected

#: Errors of a create that promise that nothing was left behind.
NOTHING_LEFT: Final = (Rejected, CapacityExceeded)


@dataclass(frozen=True)
class Sight:
    """What a look at the hosts of a hypervisor brought: `look`, or the error that it ended with."""

    hypervisor: int
    began: datetime
    look: standing.Look | None = None
    error: OlimpusError | None = None


def look(task: Task) -> Sight:
    """Look at the hosts where the task is to be done. Never raises, and touches no row."""
    assert task.gateway is not None  # noqa: S101 - only such tasks wait
    began, pk = timezone.now(), task.operation.hypervisor_id or 0
    try:
        return Sight(pk, began, standing.look(task.gateway))
    except OlimpusError as error:
        return Sight(pk, began, error=error)
    except Exception as error:  # noqa: BLE001 - those who wait must hear of it, whatever it was
        return Sight(pk, began, error=unexpected(error, task.operation))


class Desk:
    """Where tasks wait until the hosts have been looked at."""

    def __init__(self) -> None:
        self._waiting: dict[int, list[Task]] = defaultdict(list)

    def admit(self, tasks: Sequence[Task]) -> tuple[list[Task], Task | None]:
        """(what may go on, one of those who wait if somebody has to `look` for them). Tasks of one hypervisor.

        What is known of the hosts serves as long as it is fresh, and never for a refusal.
        """
        placing = [task for task in tasks if task.job and task.gateway and task.gateway.places]
        if not placing:
            return list(tasks), None
        hypervisor = _hypervisor(placing)
        known = inventory.known(hypervisor, "hosts").get("hosts")
        served = _served(hypervisor, placing, known if known and known.source == "cached" else None)
        late = [task for task, answer in zip(placing, served, strict=True) if answer is None or answer.error]
        others = [task for task in tasks if task not in placing]
        ready = others + [answer for answer in served if answer is not None and not answer.error]
        return ready, self._wait(hypervisor, late)

    def _wait(self, hypervisor: Hypervisor, tasks: Sequence[Task]) -> Task | None:
        waiting = self._waiting[hypervisor.pk]
        first = not waiting and bool(tasks)
        waiting += tasks
        return tasks[0] if first else None

    def waiting(self, hypervisor: int) -> list[Task]:
        """Those who wait for a look at the hosts of this hypervisor."""
        return list(self._waiting.get(hypervisor, ()))

    def see(self, sight: Sight) -> list[Task]:
        """All who waited for this, each with its host or with an error."""
        tasks = self._waiting.pop(sight.hypervisor, [])
        if sight.look is None or not tasks:
            return [replace(task, job=None, error=sight.error) for task in tasks]
        hypervisor = _hypervisor(tasks)
        rows = inventory.host_rows(sight.look, hypervisor.name)
        inventory.keep(hypervisor, "hosts", rows, sight.began)
        return [task for task in _served(hypervisor, tasks, Answer(rows, "live", 0.0)) if task is not None]


def _hypervisor(tasks: Sequence[Task]) -> Hypervisor:
    hypervisor = tasks[0].operation.hypervisor
    assert hypervisor is not None  # noqa: S101 - it has a gateway
    return hypervisor


def _served(hypervisor: Hypervisor, tasks: Sequence[Task], figures: Answer | None) -> list[Task | None]:
    """Each task with its host, or with the error that refuses it; None where that needs figures and there are none."""
    wishes = {task.operation.pk: _wish(task) for task in tasks}
    held = claims.of(hypervisor, [task.job.uid for task in tasks if task.job])
    wanting = [wish for wish in wishes.values() if wish and not _has(held.get(wish.uid), wish)]
    answers: claims.Claimed = dict(held)
    if wanting and figures:
        answers |= claims.reserve_many(hypervisor, wanting, figures)
    unknown = {wish.uid for wish in wanting} if not figures else set()
    return [None if task.job and task.job.uid in unknown else _told(task, answers) for task in tasks]


def _wish(task: Task) -> Wish | None:
    """The room that the task needs before it begins; None for one that changes no sizes."""
    job, asked = task.job, (task.operation.verb, task.operation.arguments)
    if job is None or not (rewrites(*asked) or (task.operation.verb == "start" and job.reapply)):
        return None
    pinned = str((task.values or {}).get("host") or "")
    return Wish(job.uid, standing.room_of(job.spec), pinned, new=makes(*asked))


def _has(claim: Claim | None, wish: Wish) -> bool:
    return fits(wish.needs, claim) if claim else not wish.new


def _told(task: Task, answers: Mapping[str, Claim | HypervisorError]) -> Task:
    answer = answers.get(task.job.uid) if task.job else None
    if task.job is None or answer is None:
        return task
    if isinstance(answer, HypervisorError):
        return replace(task, job=None, error=answer)
    return replace(task, claim=answer, job=replace(task.job, spec=replace(task.job.spec, host=answer.host)))


# -- when it is done ---------------------------------------------------------------------------------------------------


def told(task: Task, outcome: Outcome) -> dict[str, Any]:
    """What the operation keeps of where its machine was put, and why."""
    if task.claim is None or not makes(task.operation.verb, task.operation.arguments) or outcome.info is None:
        return {}
    return {"host": task.claim.host, "why": asdict(claims.reason_of(task.claim))}


def settle(
    task: Task, operation: Operation, machine: Descriptor | None, outcome: Outcome | None, error: OlimpusError | None
) -> None:
    """Release the claim of a machine that is gone or was never made; any other becomes as small as its machine."""
    if task.claim is None or machine is None or operation.is_open:
        return
    gone = operation.status == Status.SUCCEEDED and machine.state == State.PROVISIONED
    never = makes(operation.verb, operation.arguments) and isinstance(error, NOTHING_LEFT)
    if gone or never:
        claims.release(task.claim.hypervisor_id, task.claim.uid)
    elif outcome is not None and outcome.applied and task.job is not None:
        claims.shrink(task.claim, standing.room_of(task.job.spec))
