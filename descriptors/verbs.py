"""The one table of verbs: what each means, its button, its permission, its transitions and what it does to the hypervisor.

API, console, portal, command line and permissions are made from it; a new verb is one row.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from django.utils.translation import gettext_lazy as _

from descriptors import peers
from descriptors.models import Descriptor
from descriptors.states import State
from hypervisors.drivers.base import Capability, Power, VmInfo, VmSpec
from hypervisors.gateway import Gateway
from olimpus.errors import HypervisorError, Rejected, Unreachable, VMNotFound

#: Where a VM lands after the hypervisor was asked what is really there.
LANDING = {
    Power.ABSENT: State.PROVISIONED,
    Power.OFF: State.STOPPED,
    Power.ON: State.RUNNING,
    Power.PAUSED: State.PAUSED,
}


@dataclass(frozen=True)
class Peer:
    """A machine whose address outside another one is told when that is made; the machine itself may be one."""

    name: str
    spec: VmSpec
    gateway: Gateway
    #: It is on its hypervisor, or on its way to it or from it.
    there: bool = True


@dataclass(frozen=True)
class Job:
    """Everything a drive function needs, as plain data: no row is touched while the hypervisor works."""

    uid: str
    ref: str
    spec: VmSpec
    started_at: datetime
    arguments: Mapping[str, Any]
    stop_timeout: float
    #: Rewrite the run parameters before a start.
    reapply: bool
    #: Somebody began this before and did not end it: the VM may be further than its state says.
    resumed: bool
    should_stop: Callable[[], bool]
    peers: tuple[Peer, ...] = ()


@dataclass(frozen=True)
class Outcome:
    """What the hypervisor did."""

    info: VmInfo | None = None  # None: nothing is left there
    applied: bool = False  # the run parameters were written
    result: Mapping[str, Any] = field(default_factory=dict)


def _create(gateway: Gateway, job: Job) -> Outcome:
    """Create; with the option `start`, also switch on what the hypervisor leaves off."""
    start = bool(job.arguments.get("start"))
    info = gateway.create(replace(_introduced(job), start=start), should_stop=job.should_stop)
    if start and info.power is not Power.ON:
        info = gateway.start(info.ref, should_stop=job.should_stop)
    return Outcome(info, applied=True)


def _introduced(job: Job) -> VmSpec:
    """What is to be made, its user data with the addresses outside that it waits for: each is reserved by asking."""
    text = str(job.spec.parameters.get("user_data") or "")
    known = {peer.name: peer for peer in job.peers}
    names = peers.names_in(text) if job.peers else []
    for name in names:
        if name not in known:
            message = _("“%s”, whose address outside it has to know, is none of its peers.") % name[:128]
            raise Rejected(message, where="user_data", hint=_("Plan the slice again."))
    if not names:
        return job.spec
    text = peers.filled(text, {name: _outside(known[name]) for name in names})
    return replace(job.spec, parameters={**job.spec.parameters, "user_data": text})


def _outside(peer: Peer) -> str:
    """The address of a peer. Raises as its hypervisor does, telling that it was asked for another machine."""
    try:
        return peer.gateway.outside(peer.spec)
    except HypervisorError as error:
        told = {"name": peer.name, "hypervisor": peer.gateway.name, "message": error.message}
        error.message = _("The address outside of “%(name)s” in %(hypervisor)s cannot be had: %(message)s") % told
        raise


def _start(gateway: Gateway, job: Job) -> Outcome:
    """Start; before it, rewrite the run parameters when that is wanted and the VM is off."""
    writable = job.reapply and gateway.observe(job.ref).power == Power.OFF
    if writable:
        gateway.reconfigure(job.ref, job.spec)
    info = gateway.start(job.ref, should_stop=job.should_stop)
    # Whoever began this before us may have written them and died before saying so.
    return Outcome(info, applied=writable or (job.reapply and job.resumed and _as_wanted(info, job.spec)))


def _as_wanted(info: VmInfo, spec: VmSpec) -> bool:
    macs = [[nic.mac for nic in nics] for nics in (info.nics, spec.nics)]
    return (info.cpus, info.memory_mib) == (spec.cpus, spec.memory_mib) and macs[0] == macs[1]


def _stop(gateway: Gateway, job: Job) -> Outcome:
    return Outcome(gateway.stop(job.ref, timeout=job.stop_timeout, should_stop=job.should_stop))


def _force_off(gateway: Gateway, job: Job) -> Outcome:
    return Outcome(gateway.force_off(job.ref, should_stop=job.should_stop))


def _pause(gateway: Gateway, job: Job) -> Outcome:
    return Outcome(gateway.pause(job.ref, should_stop=job.should_stop))


def _resume(gateway: Gateway, job: Job) -> Outcome:
    return Outcome(gateway.resume(job.ref, should_stop=job.should_stop))


def _restart(gateway: Gateway, job: Job) -> Outcome:
    """Restart; with the option `reapply`, rewrite the run parameters in between."""
    if job.arguments.get("reapply"):
        return _rewritten(gateway, job)
    return Outcome(
        gateway.restart(job.ref, since=job.started_at, timeout=job.stop_timeout, should_stop=job.should_stop)
    )


def _rewritten(gateway: Gateway, job: Job) -> Outcome:
    """Off, rewritten, on again. Whoever began this before us may have come to its end and died before saying so."""
    info = gateway.observe(job.ref)
    if job.resumed and info.power == Power.ON and info.since is not None and info.since > job.started_at:
        return Outcome(info, applied=True)
    if info.power != Power.OFF:
        gateway.stop(job.ref, timeout=job.stop_timeout, should_stop=job.should_stop)
    gateway.reconfigure(job.ref, job.spec)
    return Outcome(gateway.start(job.ref, should_stop=job.should_stop), applied=True)


def _destroy(gateway: Gateway, job: Job) -> Outcome:
    """Also removes what a failed create may have left without our knowing its reference."""
    if job.ref:
        gateway.destroy(job.ref)
    if stray := gateway.find(job.uid, job.spec.host):
        gateway.destroy(stray.ref)
    return Outcome(result=_tidied(gateway, job))


def _tidied(gateway: Gateway, job: Job) -> dict[str, Any]:
    """A network that does not go is no reason to call a machine that is gone broken: the operation tells what is left.

    Peers that were never made go with it: their addresses were only reserved for it to know them. A hypervisor of theirs
    that is silent, maybe for good, keeps nobody waiting.
    """
    asked = [(gateway, job.spec), *((peer.gateway, peer.spec) for peer in job.peers if not peer.there)]
    left = []
    for there, spec in asked:
        try:
            there.tidy(spec)
        except HypervisorError as error:
            silent_peer = there is not gateway and isinstance(error, Unreachable)
            if error.retry and not silent_peer:
                raise
            left.append(str(error))
    return {"left": " ".join(left)} if left else {}


def _recover(gateway: Gateway, job: Job) -> Outcome:
    """Ask what is there; of a machine that is gone nothing else stays either.

    An answer in words that the driver does not know is no answer. With the option `again`, what is gone is created
    anew, and what is there is switched on.
    """
    try:
        info = gateway.observe(job.ref) if job.ref else gateway.find(job.uid, job.spec.host)
    except VMNotFound:
        info = gateway.find(job.uid, job.spec.host)
    if info is not None and info.power not in LANDING:
        raise Unreachable(_("The hypervisor does not say what state the machine is in."), where=gateway.name)
    if job.arguments.get("again"):
        return _gone_on(gateway, job, info)
    return Outcome(info, result={} if info else _tidied(gateway, job))


def _gone_on(gateway: Gateway, job: Job, info: VmInfo | None) -> Outcome:
    """Running, whatever was found. What was made by who began this before us counts as made."""
    applied = info is None or (job.resumed and _as_wanted(info, job.spec))
    if info is None:
        info = gateway.create(replace(_introduced(job), start=True), should_stop=job.should_stop)
    if info.power is Power.PAUSED:
        info = gateway.resume(info.ref, should_stop=job.should_stop)
    elif info.power is not Power.ON:
        info = gateway.start(info.ref, should_stop=job.should_stop)
    return Outcome(info, applied=applied)


def _snapshot(gateway: Gateway, job: Job) -> Outcome:
    snapshot = gateway.snapshot(job.ref, job.arguments["name"], job.arguments.get("description", ""))
    return Outcome(gateway.observe(job.ref), result={"snapshot": snapshot.name})


def _revert(gateway: Gateway, job: Job) -> Outcome:
    return Outcome(gateway.revert(job.ref, job.arguments["name"]), result={"snapshot": job.arguments["name"]})


def _delete_snapshot(gateway: Gateway, job: Job) -> Outcome:
    """Also right for one that is gone already. The power is asked for, so that a missing machine is told."""
    gateway.delete_snapshot(job.ref, job.arguments["name"])
    return Outcome(gateway.observe(job.ref), result={"snapshot": job.arguments["name"]})


def _reapply(gateway: Gateway, job: Job) -> Outcome:
    return Outcome(gateway.reconfigure(job.ref, job.spec), applied=True)


def _publish(gateway: Gateway, job: Job) -> Outcome:
    image = gateway.publish(job.ref, job.arguments["name"])
    result = {"image": image.name, "image_id": image.id, "folder": job.arguments["folder"]}
    return Outcome(gateway.observe(job.ref), result=result)


def _created(descriptor: Descriptor, outcome: Outcome) -> None:
    """A hypervisor that boots what it builds answers a machine that is on."""
    on = outcome.info is not None and outcome.info.power == Power.ON
    descriptor.finish_create(State.RUNNING if on else State.CREATED)


def _land(descriptor: Descriptor, outcome: Outcome) -> None:
    """The state after a recovery is what the hypervisor said."""
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
    #: Switches that may be given, with the operation that each needs to be allowed.
    options: Mapping[str, str] = field(default_factory=dict)
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
        _create,
        _created,
        icon="plus",
        tone="primary",
        options={"start": "start", "rollback": "destroy"},
        likely=frozenset({State.PROVISIONED}),
    ),
    Verb(
        "start",
        _("Start"),
        Descriptor.begin_start,
        _start,
        _plain(Descriptor.finish_start),
        icon="player-play",
        tone="primary",
        likely=frozenset({State.CREATED, State.STOPPED}),
    ),
    Verb(
        "stop",
        _("Stop"),
        Descriptor.begin_stop,
        _stop,
        _plain(Descriptor.finish_stop),
        icon="player-stop",
        likely=frozenset({State.RUNNING}),
        deadline=4500,
    ),
    Verb(
        "force_off",
        _("Force off"),
        Descriptor.begin_force_off,
        _force_off,
        _plain(Descriptor.finish_stop),
        icon="bolt",
        tone="danger",
        warns=_("Unsaved work in the guest is lost, as when the plug is pulled."),
    ),
    Verb(
        "pause",
        _("Pause"),
        Descriptor.begin_pause,
        _pause,
        _plain(Descriptor.finish_pause),
        icon="player-pause",
        breaks=False,
    ),
    Verb(
        "resume",
        _("Resume"),
        Descriptor.begin_resume,
        _resume,
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
        _restart,
        _plain(Descriptor.finish_start),
        icon="refresh",
        options={"reapply": "reapply"},
        warns=_("Programs running in the guest are ended."),
        deadline=4500,
    ),
    Verb(
        "snapshot",
        _("Take snapshot"),
        Descriptor.begin_snapshot,
        _snapshot,
        _plain(Descriptor.finish_unchanged),
        icon="camera",
        breaks=False,
        asks={"name": _("Name of the snapshot")},
    ),
    Verb(
        "revert",
        _("Revert to snapshot"),
        Descriptor.begin_offline,
        _revert,
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
        _delete_snapshot,
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
        _reapply,
        _plain(Descriptor.finish_unchanged),
        icon="arrow-bar-to-down",
        breaks=False,
    ),
    Verb(
        "publish",
        _("Publish as image"),
        Descriptor.begin_offline,
        _publish,
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
        _recover,
        _land,
        icon="lifebuoy",
        tone="primary",
        options={"again": "create"},
        likely=frozenset({State.FAILED}),
    ),
    Verb(
        "destroy",
        _("Destroy"),
        Descriptor.begin_destroy,
        _destroy,
        _plain(Descriptor.finish_destroy),
        icon="trash",
        tone="danger",
        options={"force": "force_off", "remove": "delete", "whole": "delete"},
        by_force=Descriptor.begin_destroy_by_force,
        warns=_("The virtual machine and its disks are deleted from the hypervisor. Its definition stays."),
    ),
)

VERBS: dict[str, Verb] = {verb.name: verb for verb in _ROWS}


def makes(verb: str, arguments: Mapping[str, Any]) -> bool:
    """Whether it may bring a machine into being."""
    return verb == "create" or (verb == "recover" and bool(arguments.get("again")))


def rewrites(verb: str, arguments: Mapping[str, Any]) -> bool:
    """Whether it writes size and cards of the machine, whatever the machine has now."""
    return makes(verb, arguments) or verb == "reapply" or (verb == "restart" and bool(arguments.get("reapply")))
