"""The one table of verbs: what each means, its button, its permission, its transitions and what it does to the hypervisor.

API, console, portal, command line and permissions are made from it; a new verb is one row.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from django.utils.translation import gettext_lazy as _

from descriptors import jobs
from descriptors.jobs import LANDING, Job, Outcome
from descriptors.models import Descriptor
from descriptors.states import State
from hypervisors.drivers.base import Capability, Power
from hypervisors.gateway import Gateway


def _created(descriptor: Descriptor, outcome: Outcome) -> None:
    """A hypervisor that boots what it builds answers a machine that is on."""
    on = outcome.info is not None and outcome.info.power == Power.ON
    descriptor.finish_create(State.RUNNING if on else State.CREATED)


def _land(descriptor: Descriptor, outcome: Outcome) -> None:
    """The state after a recovery is what the hypervisor said; what was made by force runs."""
    if descriptor.state == State.STARTING:
        descriptor.finish_start()
        return
    power = outcome.info.power if outcome.info else Power.ABSENT
    descriptor.finish_recover(LANDING[power])


def _plain(finish: Callable[[Descriptor], None]) -> Callable[[Descriptor, Outcome], None]:
    return lambda descriptor, outcome: finish(descriptor)


@dataclass(frozen=True)
class Verb:
    """One row of the table."""

    name: str
    label: Any
    begin: Callable[[Descriptor], None]
    drive: Callable[[Gateway, Job], Outcome]
    finish: Callable[[Descriptor, Outcome], None]
    icon: str
    tone: str = "secondary"  # primary | secondary | danger
    #: What is lost; the doors ask before they do it. Empty: no question.
    warns: Any = ""
    #: States in which this is the likely next step.
    likely: frozenset[State] = frozenset()
    #: A final error leaves the VM failed; False: the VM is as before and only the operation failed.
    breaks: bool = True
    #: Required arguments with their labels.
    asks: Mapping[str, Any] = field(default_factory=dict)
    #: Switches that may be given, with the operations that each needs to be allowed.
    options: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    #: How it begins when the option `force` is given.
    by_force: Callable[[Descriptor], None] | None = None
    #: The operation that it needs to be allowed, when it is not one of its own.
    needs: str = ""
    #: What the technology must be able to do; asked before anything begins.
    capability: Capability | None = None
    #: Never on several machines at once.
    alone: bool = False
    #: Seconds until an attempt-with-retries is given up.
    deadline: int = 900

    @property
    def permission(self) -> str:
        """The operation that `rights` flags and grants speak of."""
        return self.needs or self.name

    def given(self, arguments: Mapping[str, Any]) -> Verb:
        """The verb as these arguments make it."""
        forced = self.by_force if arguments.get("force") else None
        return replace(self, begin=forced) if forced else self

    @property
    def arguments(self) -> tuple[str, ...]:
        """Names of the required arguments."""
        return tuple(self.asks)


_ROWS = (
    Verb(
        "create",
        _("Create"),
        Descriptor.begin_create,
        jobs.create,
        _created,
        icon="plus",
        tone="primary",
        options={"start": ("start",), "rollback": ("destroy",)},
        likely=frozenset({State.PROVISIONED}),
    ),
    Verb(
        "start",
        _("Start"),
        Descriptor.begin_start,
        jobs.start,
        _plain(Descriptor.finish_start),
        icon="player-play",
        tone="primary",
        likely=frozenset({State.CREATED, State.STOPPED}),
    ),
    Verb(
        "stop",
        _("Stop"),
        Descriptor.begin_stop,
        jobs.stop,
        _plain(Descriptor.finish_stop),
        icon="player-stop",
        likely=frozenset({State.RUNNING}),
        deadline=4500,
    ),
    Verb(
        "force_off",
        _("Force off"),
        Descriptor.begin_force_off,
        jobs.force_off,
        _plain(Descriptor.finish_stop),
        icon="bolt",
        tone="danger",
        warns=_("Unsaved work in the guest is lost, as when the plug is pulled."),
    ),
    Verb(
        "pause",
        _("Pause"),
        Descriptor.begin_pause,
        jobs.pause,
        _plain(Descriptor.finish_pause),
        icon="player-pause",
        breaks=False,
    ),
    Verb(
        "resume",
        _("Resume"),
        Descriptor.begin_resume,
        jobs.resume,
        _plain(Descriptor.finish_resume),
        icon="player-track-next",
        tone="primary",
        likely=frozenset({State.PAUSED}),
        breaks=False,
    ),
    Verb(
        "restart",
        _("Restart"),
        Descriptor.begin_restart,
        jobs.restart,
        _plain(Descriptor.finish_start),
        icon="refresh",
        options={"reapply": ("reapply",)},
        warns=_("Programs running in the guest are ended."),
        deadline=4500,
    ),
    Verb(
        "snapshot",
        _("Take snapshot"),
        Descriptor.begin_snapshot,
        jobs.snapshot,
        _plain(Descriptor.finish_unchanged),
        icon="camera",
        breaks=False,
        asks={"name": _("Name of the snapshot")},
    ),
    Verb(
        "revert",
        _("Revert to snapshot"),
        Descriptor.begin_offline,
        jobs.revert,
        _plain(Descriptor.finish_unchanged),
        icon="history",
        tone="danger",
        warns=_("Everything written to its disks since the snapshot is lost."),
        breaks=False,
        asks={"name": _("Name of the snapshot")},
    ),
    Verb(
        "delete_snapshot",
        _("Delete snapshot"),
        Descriptor.begin_snapshot,
        jobs.delete_snapshot,
        _plain(Descriptor.finish_unchanged),
        icon="trash",
        tone="danger",
        warns=_("One cannot go back to the snapshot any more. The disks stay as they are."),
        breaks=False,
        asks={"name": _("Name of the snapshot")},
    ),
    Verb(
        "reapply",
        _("Reapply definition"),
        Descriptor.begin_offline,
        jobs.reapply,
        _plain(Descriptor.finish_unchanged),
        icon="arrow-bar-to-down",
        breaks=False,
    ),
    Verb(
        "publish",
        _("Publish as image"),
        Descriptor.begin_offline,
        jobs.publish,
        _plain(Descriptor.finish_unchanged),
        icon="package-export",
        breaks=False,
        asks={"name": _("Name of the image and of its prototype"), "folder": _("Folder that gets the prototype")},
        needs="edit",
        capability=Capability.PUBLISH,
        alone=True,
        deadline=3600,
    ),
    Verb(
        "recover",
        _("Recover"),
        Descriptor.begin_recover,
        jobs.recover,
        _land,
        icon="lifebuoy",
        tone="primary",
        options={"again": ("create",), "force": ("create", "destroy")},
        by_force=Descriptor.begin_recover_by_force,
        likely=frozenset({State.FAILED}),
    ),
    Verb(
        "destroy",
        _("Destroy"),
        Descriptor.begin_destroy,
        jobs.destroy,
        _plain(Descriptor.finish_destroy),
        icon="trash",
        tone="danger",
        options={"force": ("force_off",), "remove": ("delete",), "whole": ("delete",)},
        by_force=Descriptor.begin_destroy_by_force,
        warns=_("The virtual machine and its disks are deleted from the hypervisor. Its definition stays."),
    ),
)

VERBS: dict[str, Verb] = {verb.name: verb for verb in _ROWS}


def makes(verb: str, arguments: Mapping[str, Any]) -> bool:
    """Whether it may bring a machine into being."""
    return verb == "create" or (verb == "recover" and bool(arguments.get("again") or arguments.get("force")))


def rewrites(verb: str, arguments: Mapping[str, Any]) -> bool:
    """Whether it writes size and cards of the machine, whatever the machine has now."""
    return makes(verb, arguments) or verb == "reapply" or (verb == "restart" and bool(arguments.get("reapply")))
