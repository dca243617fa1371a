"""What each verb does to the hypervisor: a job of plain data in, an outcome out, no row touched. Each may be repeated."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from django.utils.translation import gettext as _

from descriptors import peers
from descriptors.states import State
from hypervisors.drivers.base import Power, VmInfo, VmSpec
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
    #: What the machine was made as, where another one is made.
    before: VmSpec | None = None


@dataclass(frozen=True)
class Outcome:
    """What the hypervisor did."""

    info: VmInfo | None = None  # None: nothing is left there
    applied: bool = False  # the run parameters were written
    made: bool = False  # and the creation parameters, too
    result: Mapping[str, Any] = field(default_factory=dict)


def create(gateway: Gateway, job: Job) -> Outcome:
    """Create; with the option `start`, also switch on what the hypervisor leaves off."""
    start = bool(job.arguments.get("start"))
    info = gateway.create(replace(_introduced(job), start=start), should_stop=job.should_stop)
    if start and info.power is not Power.ON:
        info = gateway.start(info.ref, should_stop=job.should_stop)
    return Outcome(info, applied=True, made=True)


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


def start(gateway: Gateway, job: Job) -> Outcome:
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


def stop(gateway: Gateway, job: Job) -> Outcome:
    """Ask the guest, and cut its power when it does not listen."""
    return Outcome(gateway.stop(job.ref, timeout=job.stop_timeout, should_stop=job.should_stop))


def force_off(gateway: Gateway, job: Job) -> Outcome:
    """Cut the power."""
    return Outcome(gateway.force_off(job.ref, should_stop=job.should_stop))


def pause(gateway: Gateway, job: Job) -> Outcome:
    """Suspend in memory."""
    return Outcome(gateway.pause(job.ref, should_stop=job.should_stop))


def resume(gateway: Gateway, job: Job) -> Outcome:
    """Go on where it was."""
    return Outcome(gateway.resume(job.ref, should_stop=job.should_stop))


def restart(gateway: Gateway, job: Job) -> Outcome:
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


def destroy(gateway: Gateway, job: Job) -> Outcome:
    """Remove the machine, and what was made beside it."""
    _remove(gateway, job)
    return Outcome(result=_tidied(gateway, job))


def _remove(gateway: Gateway, job: Job, *, spare_held: bool = False) -> None:
    """Also what a failed create may have left without our knowing its reference."""
    if job.ref:
        gateway.destroy(job.ref, spare_held=spare_held)
    if stray := gateway.find(job.uid, job.spec.host):
        gateway.destroy(stray.ref, spare_held=spare_held)


def _tidied(gateway: Gateway, job: Job) -> dict[str, Any]:
    """Peers that were never made go with it: their addresses were only reserved for it to know them.

    A hypervisor of theirs that is silent, maybe for good, keeps nobody waiting.
    """
    left = [_tidy(gateway, job.spec)]
    left += [_tidy(peer.gateway, peer.spec, silent=True) for peer in job.peers if not peer.there]
    return _said_of(left)


def _tidy(gateway: Gateway, spec: VmSpec, *, silent: bool = False, spare_held: bool = False) -> str:
    """A network that does not go is no reason to call a machine that is gone broken: says what is left, and why."""
    try:
        gateway.tidy(spec, spare_held=spare_held)
    except HypervisorError as error:
        if error.retry and not (silent and isinstance(error, Unreachable)):
            raise
        return str(error)
    return ""


def _said_of(left: Iterable[str]) -> dict[str, Any]:
    told = " ".join(filter(None, left))
    return {"left": told} if told else {}


def recover(gateway: Gateway, job: Job) -> Outcome:
    """Ask what is there; of a machine that is gone nothing else stays either.

    An answer in words that the driver does not know is no answer. With the option `again`, what is gone is created
    anew, and what is there is switched on. With the option `force` nothing is asked: another one takes its place.
    """
    if job.arguments.get("force"):
        return _anew(gateway, job)
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
    made = info is None
    applied = made or (job.resumed and _as_wanted(info, job.spec))
    if info is None:
        info = gateway.create(replace(_introduced(job), start=True), should_stop=job.should_stop)
    if info.power is Power.PAUSED:
        info = gateway.resume(info.ref, should_stop=job.should_stop)
    elif info.power is not Power.ON:
        info = gateway.start(info.ref, should_stop=job.should_stop)
    return Outcome(info, applied=applied, made=made)


def _anew(gateway: Gateway, job: Job) -> Outcome:
    """Another machine in the place of what is there, and of what an attempt before this one may have made.

    While somebody does not say what it must be told, all stays as it is. Who knows it by its address outside goes on
    knowing it: the address stays.
    """
    job = replace(job, spec=_introduced(job))
    if job.peers:
        gateway.outside(job.spec)
    _remove(gateway, job, spare_held=True)
    left = _tidy(gateway, _without(job.before, job.spec), spare_held=True) if job.before else ""
    return replace(_gone_on(gateway, job, None), result=_said_of([left]))


def _without(spec: VmSpec, other: VmSpec) -> VmSpec:
    """With the cards in networks that the other machine is not in: these may have nobody left."""
    kept = {nic.network for nic in other.nics}
    return replace(spec, nics=tuple(nic for nic in spec.nics if nic.network not in kept))


def snapshot(gateway: Gateway, job: Job) -> Outcome:
    """Take the snapshot that `name` names."""
    snapshot = gateway.snapshot(job.ref, job.arguments["name"], job.arguments.get("description", ""))
    return Outcome(gateway.observe(job.ref), result={"snapshot": snapshot.name})


def revert(gateway: Gateway, job: Job) -> Outcome:
    """Set the disks back to the snapshot `name`."""
    return Outcome(gateway.revert(job.ref, job.arguments["name"]), result={"snapshot": job.arguments["name"]})


def delete_snapshot(gateway: Gateway, job: Job) -> Outcome:
    """Also right for one that is gone already. The power is asked for, so that a missing machine is told."""
    gateway.delete_snapshot(job.ref, job.arguments["name"])
    return Outcome(gateway.observe(job.ref), result={"snapshot": job.arguments["name"]})


def reapply(gateway: Gateway, job: Job) -> Outcome:
    """Write the run parameters."""
    return Outcome(gateway.reconfigure(job.ref, job.spec), applied=True)


def publish(gateway: Gateway, job: Job) -> Outcome:
    """Make an image `name` of it."""
    image = gateway.publish(job.ref, job.arguments["name"])
    result = {"image": image.name, "image_id": image.id, "folder": job.arguments["folder"]}
    return Outcome(gateway.observe(job.ref), result=result)
