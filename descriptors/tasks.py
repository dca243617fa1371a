"""What workers are asked through the queue. Each task may be lost, repeated, or run by several workers at once."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from celery import shared_task
from celery.signals import worker_ready, worker_shutting_down

from descriptors import reconcile as reconciling
from descriptors import watching
from descriptors.worker import claims, engine, outcomes
from hypervisors.gateway import forget_gateways
from hypervisors.models import Hypervisor
from olimpus import queue


@shared_task(name="descriptors.tasks.perform")
def perform(hypervisors: list[str]) -> None:
    """There are operations to perform on these hypervisors (ids)."""
    engine.running().wake(int(pk) for pk in hypervisors)


@shared_task(name="descriptors.tasks.sweep")
def sweep() -> None:
    """Queue again what dead workers held, give up what hangs, and wake the workers of hypervisors with due operations."""
    claims.release_lost()
    outcomes.expire()
    by_queue: dict[str, list[str]] = defaultdict(list)
    for pk, name in claims.due():
        by_queue[name].append(str(pk))
    for name, ids in by_queue.items():
        queue.send("descriptors.tasks.perform", ids, queue=name)
    queue.tidy()


@shared_task(name="descriptors.tasks.reconcile")
def reconcile(hypervisors: list[str]) -> None:
    """Compare these hypervisors with the tree now."""
    for pk in hypervisors:
        reconciling.reconcile(int(pk))


@shared_task(name="descriptors.tasks.reconcile_due")
def reconcile_due() -> None:
    """Ask for a comparison with every hypervisor whose time has come; each is claimed once, however many workers ask.

    Connections to hypervisors that are no more are let go.
    """
    forget_gateways(but=Hypervisor.objects.values_list("pk", flat=True))
    for pk, name in reconciling.claim_due():
        queue.send("descriptors.tasks.reconcile", [str(pk)], queue=name)


@worker_ready.connect
def _on_ready(sender: Any = None, **_signal: Any) -> None:
    """A worker that comes up takes over at once what its predecessor left, and watches what tells its changes."""
    sweep()
    watching.begin(sender.app.amqp.queues.consume_from if sender is not None else ())


worker_shutting_down.connect(engine.shut_down)
worker_shutting_down.connect(watching.shut_down)
