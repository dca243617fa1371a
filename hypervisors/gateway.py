"""The only way to drivers: timeout, retry by error class, verification, concurrency and a circuit breaker per hypervisor.

A gateway holds one driver. Each driver call takes one of the hypervisor's permits; waiting between polls holds none. While
the hypervisor does not answer at all, the circuit is open and calls fail at once (`CircuitOpen`).
Every method may be repeated, and raises `HypervisorError` only, with `where` naming the hypervisor.
"""

from __future__ import annotations

import logging
import threading
import time
import traceback
from collections.abc import Callable, Collection, Iterable
from dataclasses import replace
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, Protocol, TypeVar

from django.conf import settings

from hypervisors import metrics
from hypervisors.breaker import Breaker, Notice, Refusal, Status
from hypervisors.drivers.base import (
    POWER_WORDS,
    Capability,
    Capacity,
    Console,
    Driver,
    Hosts,
    Power,
    Snapshot,
    Snapshots,
    VmInfo,
    VmInfos,
    VmSpec,
)
from hypervisors.drivers.checks import Check, Checks
from hypervisors.drivers.cloud import Cloud, Image, Services
from hypervisors.permits import Permits
from hypervisors.registry import driver_class
from hypervisors.retries import CircuitOpen, Interrupted, is_silence
from olimpus.errors import HypervisorError, TimedOut, Transient, Unsupported, VMNotFound
from olimpus.words import gettext as _

log = logging.getLogger(__name__)
T = TypeVar("T")
ShouldStop = Callable[[], bool]

CREATE_SECONDS = 600.0
POWER_SECONDS = 120.0
STOP_SECONDS = 60.0  # grace before the power is cut
FIRST_PAUSE, PAUSE_GROWTH, LONGEST_PAUSE = 0.1, 1.6, 5.0
LOOK_UP_SECONDS = 0.5  # how soon a wait notices that it should stop

SETTLED = frozenset({Power.ON, Power.OFF, Power.PAUSED})


def _clock(moment: datetime | None) -> str:
    return moment.strftime("%H:%M:%S UTC") if moment else "–"


class Gateway:
    """All verbs of one hypervisor. Thread-safe."""

    def __init__(self, driver: Driver, permits: Permits | int, breaker: Breaker | None = None):
        self.driver = driver
        self.name = driver.hypervisor
        self.breaker = breaker or Breaker()
        self._closed = False
        self.permits = Permits(permits) if isinstance(permits, int) else permits
        secret = [setting.name for setting in driver.settings if setting.secret]
        self._secrets = [str(driver.values[name]) for name in secret if driver.values.get(name)]

    @property
    def capabilities(self) -> frozenset[Capability]:
        return self.driver.capabilities

    @property
    def places(self) -> bool:
        """Whether Olimpus chooses the host of each machine (`VmSpec.host`)."""
        return self.driver.places

    @property
    def floats(self) -> bool:
        """Whether floating addresses can be had there."""
        return self.driver.floats

    @property
    def circuit(self) -> Status:
        """How this process' circuit to the hypervisor is."""
        return self.breaker.status

    # -- looking ----------------------------------------------------------------------------------------------------

    def check(self) -> Checks:
        """Test the connection step by step; never raises: a fault is a failed step.

        Whoever tests wants to know: an open circuit does not refuse it, and closes when all is well.
        """
        try:
            checks = self._measured(self.driver.check)
        except HypervisorError as error:
            return [Check("driver", self.driver.label, ok=False, detail=str(error))]
        if checks and all(check.ok for check in checks):
            self.breaker.succeeded()
        return checks

    def list(self) -> VmInfos:
        """All VMs of the hypervisor, in one call."""
        return self._call(self.driver.list)

    def observe(self, ref: str) -> VmInfo:
        """The VM now; `VMNotFound`."""
        return self._call(self.driver.get, ref)

    def find(self, uid: str, host: str = "") -> VmInfo | None:
        """The VM that carries our uid, or None; where its host is known, only that one is asked."""
        return self._call(self.driver.find, uid, host)

    def capacity(self) -> Capacity:
        return self._call(self.driver.capacity)

    def hosts(self) -> Hosts:
        """The hosts that machines are put on, with their room now."""
        return self._call(self.driver.hosts)

    def watch(self, changed: Callable[[str], None]) -> Callable[[], None]:
        """Have `changed` called with the `ref` of each VM that changes, until the returned function is called."""
        return self._call_if(Capability.EVENTS, self.driver.watch, changed)

    def console_text(self, ref: str) -> str:
        return self._call_if(Capability.CONSOLE_TEXT, self.driver.console_text, ref)

    def console(self, ref: str, kind: str) -> Console:
        """A new connection to a running VM's screen (`vnc`) or serial line (`serial`); the caller closes it.

        A permit is held while connecting, none while it is open. `Unsupported` when the technology has no such console.
        """
        if kind not in self.driver.consoles:
            return self.driver.console(ref, kind)  # which says so
        return self._call(self.driver.console, ref, kind)

    def screenshot(self, ref: str) -> bytes:
        """What the screen of a running VM shows now, as PNG."""
        return self._call_if(Capability.SCREENSHOT, self.driver.screenshot, ref)

    def metrics(self, ref: str) -> dict[str, float]:
        return self._call_if(Capability.METRICS, self.driver.metrics, ref)

    # -- life cycle -------------------------------------------------------------------------------------------------

    def create(self, spec: VmSpec, timeout: float = CREATE_SECONDS, should_stop: ShouldStop | None = None) -> VmInfo:
        """Build the VM, or return the one with this uid; waits until its power is known."""
        return self._until(SETTLED, self._call(self.driver.create, spec), timeout, should_stop)

    def start(self, ref: str, timeout: float = POWER_SECONDS, should_stop: ShouldStop | None = None) -> VmInfo:
        """Power on (or resume) and verify; `TimedOut` when it is not on in time."""
        return self._until({Power.ON}, self._call(self.driver.start, ref), timeout, should_stop)

    def stop(self, ref: str, timeout: float = STOP_SECONDS, should_stop: ShouldStop | None = None) -> VmInfo:
        """Ask the guest; after `timeout` seconds cut the power: `extra["forced"]` is then true in the answer."""
        if Capability.GRACEFUL_STOP not in self.capabilities:
            return self.force_off(ref, should_stop=should_stop)
        info = self._call(self.driver.stop, ref)
        if info.power is not Power.PAUSED:  # a paused guest would never hear the button
            try:
                return self._until({Power.OFF}, info, timeout, should_stop)
            except TimedOut:
                log.info("%s: the guest of %s did not stop within %s s; cutting its power", self.name, ref, timeout)
        info = self.force_off(ref, should_stop=should_stop)
        return replace(info, extra={**info.extra, "forced": True})

    def force_off(self, ref: str, timeout: float = POWER_SECONDS, should_stop: ShouldStop | None = None) -> VmInfo:
        """Cut the power and verify."""
        return self._until({Power.OFF}, self._call(self.driver.force_off, ref), timeout, should_stop)

    def restart(
        self,
        ref: str,
        since: datetime | None,
        timeout: float = STOP_SECONDS,
        should_stop: ShouldStop | None = None,
    ) -> VmInfo:
        """Stop (forced after `timeout`) and start, once: a VM powered on after `since` was restarted already.

        `since` is best the `VmInfo.since` seen when the restart was asked for, as the clock is then the hypervisor's
        own; the time of the request serves when the clocks agree. With None a repetition restarts again.
        """
        info = self.observe(ref)
        if info.power is Power.ON and since and info.since and info.since > since:
            return info
        if info.power is not Power.OFF:
            self.stop(ref, timeout, should_stop)
        return self.start(ref, should_stop=should_stop)

    def pause(self, ref: str, timeout: float = POWER_SECONDS, should_stop: ShouldStop | None = None) -> VmInfo:
        info = self._call_if(Capability.PAUSE, self.driver.pause, ref)
        return self._until({Power.PAUSED}, info, timeout, should_stop)

    def resume(self, ref: str, timeout: float = POWER_SECONDS, should_stop: ShouldStop | None = None) -> VmInfo:
        info = self._call_if(Capability.PAUSE, self.driver.resume, ref)
        return self._until({Power.ON}, info, timeout, should_stop)

    def destroy(
        self,
        ref: str,
        timeout: float = POWER_SECONDS,
        should_stop: ShouldStop | None = None,
        *,
        spare_held: bool = False,
    ) -> None:
        """Remove the VM and verify that it is gone; a missing one succeeds quietly.

        With `spare_held` the address outside that was reserved for it stays: it is about to be made anew.
        """
        self._call(partial(self.driver.destroy, spare_held=spare_held), ref, name="destroy")
        try:
            self._until({Power.ABSENT}, self.observe(ref), timeout, should_stop)
        except VMNotFound:
            return

    def outside(self, spec: VmSpec) -> str:
        """The floating address that a machine has or will have, reserved from now on until it is destroyed or tidied."""
        return self._call(self.driver.outside, spec)

    def tidy(self, spec: VmSpec, *, spare_held: bool = False) -> None:
        """Remove what was made for a machine that is gone, by itself or with others, unless something uses it.

        `spare_held` as with `destroy`.
        """
        self._call(partial(self.driver.tidy, spare_held=spare_held), spec, name="tidy")

    def reconfigure(self, ref: str, spec: VmSpec) -> VmInfo:
        """Write the run parameters of a VM that is off."""
        return self._call_if(Capability.RECONFIGURE, self.driver.reconfigure, ref, spec)

    def adopt(self, ref: str, uid: str) -> VmInfo:
        """Mark a VM that nobody owns with our uid."""
        return self._call_if(Capability.ADOPT, self.driver.adopt, ref, uid)

    def snapshot(self, ref: str, name: str, description: str = "") -> Snapshot:
        return self._call_if(Capability.SNAPSHOT, self.driver.snapshot, ref, name, description)

    def snapshots(self, ref: str) -> Snapshots:
        return self._call_if(Capability.SNAPSHOT, self.driver.snapshots, ref)

    def delete_snapshot(self, ref: str, name: str) -> None:
        self._call_if(Capability.SNAPSHOT, self.driver.delete_snapshot, ref, name)

    def revert(
        self, ref: str, name: str, timeout: float = POWER_SECONDS, should_stop: ShouldStop | None = None
    ) -> VmInfo:
        """Back to a snapshot; the answer says in which power it landed."""
        info = self._call_if(Capability.REVERT, self.driver.revert, ref, name)
        return self._until(SETTLED, info, timeout, should_stop)

    def publish(self, ref: str, name: str) -> Image:
        """The image made of a machine that is off."""
        return self._call_if(Capability.PUBLISH, self.driver.publish, ref, name)

    # -- what is not a machine --------------------------------------------------------------------------------------

    def on_cloud(self, ask: Callable[[Cloud], T]) -> T:
        """What `ask` gets from the cloud's flavors, images, networks…; `Unsupported` when this is no cloud."""
        return self._call(ask, self._cloud(), name="cloud")

    def services(self) -> Services:
        """The cloud's services, asked now: an open circuit does not refuse it, and closes when all are up."""
        cloud = self._cloud()
        services = self._measured(lambda: cloud.services(), name="services")
        if services and all(service.ok for service in services):
            self.breaker.succeeded()
        return services

    def _cloud(self) -> Cloud:
        if self.driver.cloud is None:
            told = {"driver": _(self.driver.label)}
            raise Unsupported(_("%(driver)s has no flavors, images or networks of its own.") % told, where=self.name)
        return self.driver.cloud

    def close(self) -> None:
        """For good: who still holds it is told to come again. Calls under way end as they do."""
        self._closed = True
        self.breaker.succeeded()  # whoever comes next begins anew
        self.driver.close()

    # -- inside -----------------------------------------------------------------------------------------------------

    def _call_if(self, capability: Capability, method: Callable[..., T], *args: Any) -> T:
        self.driver.require(capability)
        return self._call(method, *args)

    def _call(self, method: Callable[..., T], *args: Any, name: str = "") -> T:
        """One driver call, unless the circuit is open; how it went decides about the circuit.

        `Transient` once this gateway is closed: there is another one with the settings that are true now.
        """
        if self._closed:
            raise Transient(_("The settings of the hypervisor have changed meanwhile."), where=self.name)
        try:
            return self._judged(method, *args, name=name)
        finally:
            if self._closed:  # a call that was under way may have connected again
                self.driver.close()

    def _judged(self, method: Callable[..., T], *args: Any, name: str = "") -> T:
        if self.breaker.is_open:  # nobody waits for a permit in order to be refused
            with metrics.driver_call(self.name, name or method.__name__):
                self._require_closed()
        try:
            answer = self._measured(self._admitted, method, *args, name=name or method.__name__)
        except CircuitOpen:
            raise
        except HypervisorError as error:
            if is_silence(error) and not self.driver.answers():
                self.breaker.failed(str(error.message))
            elif type(error) is not HypervisorError:  # an unexpected exception says nothing about the connection
                self.breaker.succeeded()
            raise
        self.breaker.succeeded()
        return answer

    def _admitted(self, method: Callable[..., T], *args: Any) -> T:
        self._require_closed()
        return method(*args)

    def _require_closed(self) -> None:
        """Raise `CircuitOpen` unless the call may be made."""
        if refusal := self.breaker.admit():
            raise self._refused(refusal)

    def _refused(self, refusal: Refusal) -> CircuitOpen:
        status = refusal.status
        message = _(
            "It has not answered since %(since)s; the circuit is open. Next try: %(next)s. It said last: %(error)s"
        )
        told = {"since": _clock(status.since), "next": _clock(status.next_try_at), "error": status.error}
        error = CircuitOpen(message % told, where=self.name)
        error.retry_in = refusal.retry_in
        return error

    def _measured(self, method: Callable[..., T], *args: Any, name: str = "") -> T:
        """One driver call under one permit, counted; whatever goes wrong leaves as a `HypervisorError` without secrets."""
        name = name or method.__name__
        try:
            with self.permits.one(), metrics.driver_call(self.name, name):
                return method(*args)
        except HypervisorError as error:
            error.where = error.where or self.name
            error.message = self._redact(str(error.message))
            raise
        except Exception as error:  # noqa: BLE001 - a driver's bug or a vendor's exception must not look like ours
            log.error("%s: %s failed\n%s", self.name, name, self._redact(traceback.format_exc()))
            message = _("The driver failed unexpectedly in %(call)s (%(error)s).")
            message %= {"call": name, "error": type(error).__name__}
            # No `from error`: its text may carry secrets, and the log has it redacted.
            raise HypervisorError(message, where=self.name, hint=_("The details are in the log.")) from None

    def _redact(self, text: str) -> str:
        for secret in self._secrets:
            text = text.replace(secret, "•••")
        return text

    def _until(
        self, expected: set[Power] | frozenset[Power], info: VmInfo, timeout: float, should_stop: ShouldStop | None
    ) -> VmInfo:
        """Poll with growing pauses until the power is as expected; no call when `info` shows it already."""
        deadline = time.monotonic() + timeout
        pause = FIRST_PAUSE
        while info.power not in expected:
            left = deadline - time.monotonic()
            if left <= 0:
                raise TimedOut(_late(info, expected, timeout), where=self.name)
            self._pause(min(pause, left), should_stop)
            pause = min(pause * PAUSE_GROWTH, LONGEST_PAUSE)
            info = self.observe(info.ref)
        return info

    def _pause(self, seconds: float, should_stop: ShouldStop | None) -> None:
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            if should_stop and should_stop():
                raise Interrupted(_("The wait was interrupted."), where=self.name)
            time.sleep(min(left, LOOK_UP_SECONDS))


def _late(info: VmInfo, expected: Collection[Power], timeout: float) -> str:
    wanted = [_(POWER_WORDS[power]) for power in sorted(expected)]
    told = {"name": info.name, "power": _(POWER_WORDS[info.power]), "seconds": f"{timeout:g}"}
    if len(wanted) == 1:
        message = _("“%(name)s” is %(power)s, not %(wanted)s, after %(seconds)s s.")
    else:
        message = _("“%(name)s” is %(power)s after %(seconds)s s; it should be one of: %(wanted)s.")
    return message % (told | {"wanted": ", ".join(wanted)})


class HypervisorRecord(Protocol):
    """What `gateway_for` reads of a hypervisor's record."""

    pk: Any
    name: str
    driver: str
    concurrency: int
    version: int
    created_at: datetime

    def clear_settings(self) -> dict[str, Any]: ...


_gateways: dict[Any, tuple[tuple[Any, ...], int, Gateway]] = {}
_gateways_lock = threading.Lock()


def gateway_for(hypervisor: HypervisorRecord) -> Gateway:
    """This process' gateway of the hypervisor, rebuilt when the record's `version` has grown.

    A record read before the last change gets the newer gateway. The bound on concurrency holds across rebuilds; it is a
    bound per process.
    """
    identity = (hypervisor.name, hypervisor.created_at, str(settings.OLIMPUS_HOME))
    with _gateways_lock:
        known, version, gateway = _gateways.get(hypervisor.pk, (None, 0, None))
        if gateway and known == identity and version >= hypervisor.version:
            return gateway
        permits = gateway.permits if gateway and known == identity else Permits(hypervisor.concurrency)
        permits.resize(hypervisor.concurrency)
        # A changed record begins with a closed circuit: what was wrong may be what was changed.
        breaker = Breaker(Notice(Path(settings.OLIMPUS_HOME), hypervisor.name).write)
        fresh = Gateway(_driver_of(hypervisor), permits, breaker)
        _gateways[hypervisor.pk] = (identity, hypervisor.version, fresh)
    if gateway:
        gateway.close()
    return fresh


def _driver_of(hypervisor: HypervisorRecord) -> Driver:
    make = driver_class(hypervisor.driver)
    return make(hypervisor.name, hypervisor.clear_settings(), Path(settings.OLIMPUS_HOME))


def forget_gateways(but: Iterable[Any] = ()) -> None:
    """Close and drop this process' gateways but those of these hypervisors (ids); the next use makes new ones."""
    kept = set(but)
    with _gateways_lock:
        gateways = [_gateways.pop(pk)[2] for pk in list(_gateways) if pk not in kept]
    for gateway in gateways:
        gateway.close()
