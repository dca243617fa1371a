"""What people may know and ask of the tunnels to hypervisors behind a bastion: rights, journal, all processes together."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from django.conf import settings
from django.utils.translation import gettext as _

from accounts import journal
from accounts.models import User
from hypervisors.actions import managed, require_manager
from hypervisors.gateway import gateway_for
from hypervisors.models import Hypervisor
from hypervisors.registry import nearest
from hypervisors.tunnels import Service, Status, Tunnels, ask_reconnect, hops_from, statuses
from olimpus.errors import Conflict, Forbidden, Invalid, NotFound

#: The state of a tunnel that no process has needed yet; the others are those of `hypervisors.tunnels`.
IDLE: Final = "idle"
#: Of several processes the worst is told.
WORST_FIRST: Final = ("down", "connecting", "up", IDLE)


@dataclass(frozen=True)
class Flow:
    """How a tunnel, or one service behind it, is. Bytes in are those that came from the cloud."""

    state: str
    since: datetime | None
    reconnects: int
    latency_ms: float | None
    bytes_in: int
    bytes_out: int
    connections: int
    last_error: str
    last_error_at: datetime | None


@dataclass(frozen=True)
class ServiceReport:
    """One service behind the bastion, in all processes together."""

    service: str
    host: str
    port: int
    flow: Flow


@dataclass(frozen=True)
class ProcessReport:
    """The tunnel of one process."""

    process: str
    machine: str
    pid: int
    host_keys: tuple[str, ...]
    flow: Flow


@dataclass(frozen=True)
class Report:
    """The tunnel of one hypervisor, in all processes together."""

    hypervisor: Hypervisor
    hops: tuple[str, ...]  # host:port of the bastion, and of the headnode
    flow: Flow
    services: tuple[ServiceReport, ...]
    processes: tuple[ProcessReport, ...]


def reports(actor: User) -> list[Report]:
    """The tunnels of the hypervisors that the actor is in charge of, by name. `Forbidden` for who manages none."""
    return [_report(hypervisor, told) for hypervisor, told in _with_news(_managed(actor))]


def reconnect(hypervisor: Hypervisor, *, actor: User) -> None:
    """Ask every process to connect this hypervisor's tunnel anew; they do within about two seconds.

    Calls in flight fail and are repeated as after any lost connection. `Forbidden`, `Conflict` without a bastion.
    """
    require_manager(actor, hypervisor)
    _require_bastion(hypervisor)
    journal.record(actor, "tunnel.reconnect", data={"hypervisor": hypervisor.name})
    ask_reconnect(Path(settings.OLIMPUS_HOME), hypervisor.name)


def chosen(name: str, *, actor: User) -> Hypervisor:
    """The hypervisor of this name, or the only one behind a bastion that the actor is in charge of.

    `NotFound`, `Invalid` when there are several, `Forbidden` for who manages none.
    """
    behind = {hypervisor.name: hypervisor for hypervisor in _managed(actor) if hypervisor.settings.get("bastion_host")}
    if name in behind:
        return behind[name]
    if not name and len(behind) == 1:
        return next(iter(behind.values()))
    if not name and behind:
        raise Invalid(
            _("There are several: name one."), where="hypervisor", hint=_("One of: %s.") % ", ".join(sorted(behind))
        )
    hint = _("Did you mean “%(name)s”?") % {"name": nearest(name, behind)} if name and behind else ""
    raise NotFound(_("There is no such hypervisor behind a bastion."), where="hypervisor", hint=hint)


def by_number(pk: int, *, actor: User) -> Hypervisor:
    """The hypervisor with this primary key. `NotFound` unless the actor is in charge of it, `Forbidden` for who has none."""
    for hypervisor in _managed(actor):
        if hypervisor.pk == pk:
            return hypervisor
    raise NotFound(_("There is no such hypervisor any more."))


def tunnels_of(hypervisor: Hypervisor) -> Tunnels:
    """New tunnels as the hypervisor's settings say; the caller closes them. `Conflict` without a bastion, `Rejected`."""
    _require_bastion(hypervisor)
    return Tunnels(hypervisor.name, hops_from(hypervisor.clear_settings()), Path(settings.OLIMPUS_HOME))


def catalog(hypervisor: Hypervisor) -> dict[str, tuple[str, int]]:
    """Host and port of each service behind the bastion, by name; asked of the cloud, through the tunnel."""
    return gateway_for(hypervisor).on_cloud(lambda cloud: cloud.places())


# -- inside ------------------------------------------------------------------------------------------------------------


def _managed(actor: User) -> list[Hypervisor]:
    found = managed(actor)
    if not found and not actor.is_superuser:
        raise Forbidden(_("Only managers of a hypervisor may look at its tunnels."))
    return found


def _require_bastion(hypervisor: Hypervisor) -> None:
    if not hypervisor.settings.get("bastion_host"):
        message = _("“%(hypervisor)s” is not behind a bastion.") % {"hypervisor": hypervisor.name}
        raise Conflict(message, hint=_("Name one in its settings."))


def _with_news(hypervisors: Iterable[Hypervisor]) -> Iterable[tuple[Hypervisor, list[Status]]]:
    news = statuses(Path(settings.OLIMPUS_HOME))
    for hypervisor in hypervisors:
        if hypervisor.settings.get("bastion_host"):
            yield hypervisor, [status for status in news if status.name == hypervisor.name]


def _report(hypervisor: Hypervisor, news: list[Status]) -> Report:
    by_target: dict[tuple[str, str, int], list[Service]] = {}
    for service in (service for status in news for service in status.services):
        by_target.setdefault((service.service, service.host, service.port), []).append(service)
    return Report(
        hypervisor=hypervisor,
        hops=news[0].hops if news else _hops(hypervisor.settings),
        flow=_joined(news),
        services=tuple(ServiceReport(*target, _joined(told)) for target, told in sorted(by_target.items())),
        processes=tuple(
            ProcessReport(told.process, told.machine, told.pid, told.host_keys, _joined([told])) for told in news
        ),
    )


def _joined(parts: list[Any]) -> Flow:
    """One flow of several processes: the worst state and how long it is so, the slowest, the latest error; sums."""
    state = min((part.state for part in parts), key=WORST_FIRST.index, default=IDLE)
    since = min((part.since for part in parts if part.state == state), default=None)
    latest = max((part for part in parts if part.last_error_at), key=lambda part: part.last_error_at, default=None)
    return Flow(
        state=state,
        since=_moment(since),
        reconnects=sum(part.reconnects for part in parts),
        latency_ms=max((part.latency_ms for part in parts if part.latency_ms is not None), default=None),
        bytes_in=sum(part.bytes_in for part in parts),
        bytes_out=sum(part.bytes_out for part in parts),
        connections=sum(part.connections for part in parts),
        last_error=latest.last_error if latest else "",
        last_error_at=_moment(latest.last_error_at) if latest else None,
    )


def _moment(seconds: float | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)


def _hops(known: dict[str, Any]) -> tuple[str, ...]:
    roles = [role for role in ("bastion", "headnode") if known.get(f"{role}_host")]
    return tuple(f"{known[f'{role}_host']}:{known.get(f'{role}_port') or 22}" for role in roles)
