"""What a cloud has: flavors, images, zones, networks… as it last said, fresh enough, or the best that is known.

One question to the cloud serves all who ask meanwhile in this process, and later ones until the answer expires. When the
cloud cannot be reached, its last answer is given with its age; flavors and zones have predefined ones beneath.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field, fields, is_dataclass
from datetime import datetime, timedelta
from functools import cached_property, partial
from typing import Any, Final, Literal

from django.utils import timezone
from django.utils.translation import get_language, override

from hypervisors import health, standing
from hypervisors.drivers.cloud import Cloud, Host, Zone
from hypervisors.flavors import PREDEFINED, Flavor
from hypervisors.gateway import Gateway, gateway_for
from hypervisors.models import KIND_LENGTH, Claim, Hypervisor, Inventory
from hypervisors.placement import cost
from olimpus.errors import HypervisorError, Invalid, Missing, NotFound, OlimpusError, Unreachable, Unsupported
from olimpus.words import gettext as _

#: After a failure nobody tries again for so long, unless asked to refresh.
REST_SECONDS: Final = 10.0
#: Hypervisors that are asked side by side.
AT_ONCE: Final = 8
#: What failed flights remember is dropped when there are so many.
MOST_FLIGHTS: Final = 2000
#: About one thing, not about the cloud: no older answer helps.
DEFINITE: Final = (Unsupported, Missing)

Source = Literal["live", "cached", "last_known", "predefined"]
Rows = list[dict[str, Any]]


@dataclass(frozen=True)
class Answer:
    """What is known. `age_seconds` is None for what is predefined; `error` says why the cloud was not heard."""

    data: Any
    source: Source
    age_seconds: float | None = None
    error: str = ""

    @property
    def is_heard(self) -> bool:
        """Whether the cloud itself has said it, now or once."""
        return self.source != "predefined"


@dataclass(frozen=True)
class Kind:
    """How one kind is asked for, how long an answer is fresh, and what serves when nothing was ever heard.

    `ask` touches no row: many hypervisors are asked side by side. `made` makes of its answer what is kept.
    """

    ask: Callable[[Gateway, str], Any]
    seconds: float
    predefined: Callable[[], Any] | None = None
    finish: Callable[[Any], Any] = lambda data: data
    made: Callable[[Hypervisor, Any], Any] = lambda _hypervisor, told: told


def read(hypervisor: Hypervisor | None, kind: str, *, refresh: bool = False, of: str = "") -> Answer:
    """The inventory of this kind; `of` names a project where the kind has them. Plain JSON; see `flavors`, `zones`.

    Without a hypervisor, what is predefined, or `NotFound`. `refresh` asks the cloud, whatever is known. When there is
    nothing else to give, raises what the cloud said (`HypervisorError`); `Missing` and `Unsupported` always.
    """
    asked = KINDS[kind]
    if hypervisor is None:
        return _predefined(asked, None)
    key = key_of(kind, of)
    if len(key) > KIND_LENGTH:
        raise Invalid(_("This name is too long."), where=kind)
    row = _row(hypervisor, key)
    if row is not None and not refresh and _fresh(row, asked):
        return _told(asked, row, "cached")
    return _Question(hypervisor, asked, key, of, refresh).answer()


def read_each(wanted: Mapping[Hypervisor, str]) -> dict[Hypervisor, Answer | OlimpusError]:
    """`read` of one kind of each of these hypervisors, all asked side by side: what is known, or why nothing is."""
    questions = [_Question(hypervisor, KINDS[kind], kind) for hypervisor, kind in wanted.items()]
    questions.sort(key=lambda each: each.hypervisor.pk)  # two who ask many never wait for each other
    with ExitStack() as flights, ThreadPoolExecutor(AT_ONCE) as threads:
        for question in questions:
            flights.enter_context(question.flight.lock)
        under_way = {question.hypervisor: question.begun(threads) for question in questions}
        return {hypervisor: _or_error(answer) for hypervisor, answer in under_way.items()}


def key_of(kind: str, of: str = "") -> str:
    """What the inventory of this kind, of this project, is kept under."""
    return f"{kind}:{of}" if of else kind


def known(hypervisor: Hypervisor, *keys: str) -> dict[str, Answer]:
    """What was last heard under these keys (see `key_of`), however long ago; nobody is asked. One query.

    Of what was never heard there is no entry. `cached` is fresh still, `last_known` is not.
    """
    rows = Inventory.objects.filter(hypervisor=hypervisor, kind__in=keys)
    return {row.kind: _recalled(row) for row in rows}


def known_of(hypervisors: Sequence[Hypervisor], *keys: str) -> dict[tuple[int, str], Answer]:
    """The same for many: (id, key) → answer. One query."""
    rows = Inventory.objects.filter(hypervisor__in=[each.pk for each in hypervisors], kind__in=keys)
    return {(row.hypervisor_id, row.kind): _recalled(row) for row in rows}


def forget(hypervisor: Hypervisor, *kinds: str) -> None:
    """Somebody wrote: what was known of these kinds is out of date, and serves only while the cloud is silent."""
    for kind in kinds:
        known = Inventory.objects.filter(hypervisor=hypervisor, kind=kind)
        (known | Inventory.objects.filter(hypervisor=hypervisor, kind__startswith=f"{kind}:")).update(
            stale_at=timezone.now()
        )


def no_cloud() -> NotFound:
    """What is answered where nothing can be known without a cloud."""
    hint = _("A superuser adds one in the console, or sets OPENSTACK_AUTH_URL and its companions.")
    return NotFound(_("No OpenStack is connected."), where="hypervisor", hint=hint)


# -- as what it is -----------------------------------------------------------------------------------------------------


def flavors(answer: Answer) -> list[Flavor]:
    """The rows of a read of flavors as flavors."""
    return [_made(Flavor, row) for row in answer.data]


def zones(answer: Answer) -> list[Zone]:
    """The rows of a read of zones as zones with their hosts."""
    return [
        Zone(row["name"], row["available"], tuple(_made(Host, host) for host in row["hosts"])) for row in answer.data
    ]


def hosts(answer: Answer) -> list[Host]:
    """The rows of a read of hosts as hosts."""
    return [_made(Host, row) for row in answer.data]


def statistics(known: list[Zone]) -> dict[str, Any]:
    """Totals and use of all hosts that are up; None where no host says."""
    hosts = [host for zone in known for host in zone.hosts]
    up = [host for host in hosts if host.up and host.enabled]
    told: dict[str, Any] = {"hosts": len(hosts), "hosts_up": len(up), "vms": sum(host.vms for host in hosts)}
    for name in ("cpus", "memory_mib", "disk_gib"):
        totals = [total for host in up if (total := getattr(host, f"{name}_total")) is not None]
        told[f"{name}_total"] = sum(totals) if totals else None
        told[f"{name}_used"] = sum(getattr(host, f"{name}_used") for host in up)
    return told


def plain(data: Any) -> Any:
    """Dataclasses as JSON: mappings, lists, times as ISO 8601."""
    if is_dataclass(data) and not isinstance(data, type):
        return {field.name: plain(getattr(data, field.name)) for field in fields(data)}
    if isinstance(data, Mapping):
        return {str(key): plain(value) for key, value in data.items()}
    if isinstance(data, list | tuple):
        return [plain(value) for value in data]
    return data.isoformat() if isinstance(data, datetime) else data


def _made(made: type[Any], row: Mapping[str, Any]) -> Any:
    return made(**{field.name: row[field.name] for field in fields(made) if field.name in row})


# -- the kinds ---------------------------------------------------------------------------------------------------------


def _merged(real: Rows) -> Rows:
    """The cloud's flavors and the predefined ones that it has not; `on_cloud` and `predefined` tell which is which."""
    rows = [{**row, "on_cloud": True, "predefined": row["name"] in PREDEFINED} for row in real]
    named = {row["name"] for row in rows}
    rows += [
        {"id": "", **asdict(flavor), "public": True, "on_cloud": False, "predefined": True}
        for name, flavor in PREDEFINED.items()
        if name not in named
    ]
    return sorted(rows, key=lambda row: (cost(_made(Flavor, row)), row["name"]))


#: Zones that serve before any cloud was heard, with their hosts.
PREDEFINED_ZONES: Final = {
    "nova": ("controller",),
    "zone-1": ("compute-01", "compute-02"),
    "zone-2": ("compute-03",),
}


def _predefined_zones() -> Rows:
    return [
        asdict(Zone(name, hosts=tuple(Host(host, name) for host in hosts))) for name, hosts in PREDEFINED_ZONES.items()
    ]


def _cloud(ask: Callable[[Cloud, str], Any]) -> Callable[[Gateway, str], Any]:
    return lambda gateway, of: gateway.on_cloud(lambda cloud: ask(cloud, of))


def host_rows(look: standing.Look, hypervisor: str) -> Rows:
    """What was seen of the hosts, as it is kept."""
    claimed = Claim.objects.filter(hypervisor__name=hypervisor).values_list("uid", flat=True)
    return standing.rows(look, {str(uid) for uid in claimed})


KINDS: Final[Mapping[str, Kind]] = {
    "hosts": Kind(
        lambda gateway, of: standing.look(gateway), 5, made=lambda hypervisor, look: host_rows(look, hypervisor.name)
    ),
    "capacity": Kind(lambda gateway, of: gateway.capacity(), 5),
    "flavors": Kind(_cloud(lambda cloud, of: cloud.flavors()), 300, list, _merged),
    "flavor_use": Kind(_cloud(lambda cloud, of: cloud.flavor_use()), 30),
    "images": Kind(_cloud(lambda cloud, of: cloud.images()), 60),
    "zones": Kind(_cloud(lambda cloud, of: cloud.zones(capacity=True)), 30, _predefined_zones),
    "networks": Kind(_cloud(lambda cloud, of: cloud.networks(of)), 30),
    "routers": Kind(_cloud(lambda cloud, of: cloud.routers(of)), 30),
    "volumes": Kind(_cloud(lambda cloud, of: cloud.volumes(of)), 10),
    "volume_snapshots": Kind(_cloud(lambda cloud, of: cloud.volume_snapshots(of)), 10),
    "quotas": Kind(_cloud(lambda cloud, of: cloud.quotas(of)), 15),
    "keypairs": Kind(_cloud(lambda cloud, of: cloud.keypairs()), 60),
    "projects": Kind(_cloud(lambda cloud, of: cloud.projects()), 60),
}


# -- inside ------------------------------------------------------------------------------------------------------------


class _Flight:
    """One question under way, and how the last one failed."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.answered_at = self.failed_at = float("-inf")
        self.error: HypervisorError | None = None

    def failed_since(self, moment: float) -> HypervisorError | None:
        return self.error if self.failed_at >= moment else None


_flights: dict[tuple[Any, ...], _Flight] = {}
_flights_lock = threading.Lock()


def _flight(hypervisor: Hypervisor, key: str) -> _Flight:
    with _flights_lock:
        if len(_flights) > MOST_FLIGHTS:
            _flights.clear()
        return _flights.setdefault((hypervisor.pk, hypervisor.created_at, hypervisor.version, key), _Flight())


@dataclass(frozen=True)
class _Question:
    """What is to be known of one hypervisor. All of it happens under the lock of its flight."""

    hypervisor: Hypervisor
    asked: Kind
    key: str
    of: str = ""
    refresh: bool = False
    came: float = field(default_factory=time.monotonic)

    @cached_property
    def flight(self) -> _Flight:
        return _flight(self.hypervisor, self.key)

    def answer(self) -> Answer:
        """Ask the cloud, or take what somebody else was told while we waited."""
        with self.flight.lock:
            row = _row(self.hypervisor, self.key)
            known = self._known(row)
            return known() if known else self._heard(row, timezone.now(), self._ask)

    def begun(self, threads: Executor) -> Callable[[], Answer]:
        """The same in two steps: it is asked in one of these threads; what is returned waits for its end."""
        row = _row(self.hypervisor, self.key)
        if known := self._known(row):
            return known
        began, future = timezone.now(), threads.submit(self._ask_in, get_language())
        return lambda: self._heard(row, began, future.result)

    def _known(self, row: Inventory | None) -> Callable[[], Answer] | None:
        """What need not be asked: it is fresh, or the last question failed just now."""
        flight = self.flight
        if row is not None and _fresh(row, self.asked) and (not self.refresh or flight.answered_at >= self.came):
            return partial(_told, self.asked, row, "cached")
        since = self.came if self.refresh else min(self.came, time.monotonic() - REST_SECONDS)
        error = flight.failed_since(since)
        return partial(_fallback, self.asked, row, error) if error else None

    def _ask(self) -> Any:
        return self.asked.ask(gateway_for(self.hypervisor), self.of)

    def _ask_in(self, language: str | None) -> Any:
        """In another thread, whose errors are for whoever waits here."""
        with override(language):
            return self._ask()

    def _heard(self, row: Inventory | None, began: datetime, ask: Callable[[], Any]) -> Answer:
        """Keep what is answered. The time is that of the question, so that a write during the call leaves it stale."""
        flight, hypervisor = self.flight, self.hypervisor
        try:
            row = keep(hypervisor, self.key, self.asked.made(hypervisor, ask()), began)
        except DEFINITE:
            raise
        except HypervisorError as error:
            flight.error, flight.failed_at = error, time.monotonic()
            if isinstance(error, Unreachable):
                health.mark_unreachable(hypervisor, error)
            return _fallback(self.asked, row, error)
        flight.error, flight.answered_at = None, time.monotonic()
        health.mark_ok(hypervisor)
        return _told(self.asked, row, "live")


def _or_error(answer: Callable[[], Answer]) -> Answer | OlimpusError:
    try:
        return answer()
    except OlimpusError as error:
        return error


def keep(hypervisor: Hypervisor, key: str, data: Any, began: datetime) -> Inventory:
    """Keep what the hypervisor said when it was asked at this time."""
    kept = {"data": plain(data), "fetched_at": began}
    if not Hypervisor.objects.filter(pk=hypervisor.pk, version=hypervisor.version).exists():
        return Inventory(hypervisor=hypervisor, kind=key, **kept)  # asked with settings that are no longer true
    row, _created = Inventory.objects.update_or_create(hypervisor=hypervisor, kind=key, defaults=kept)
    return row


def _row(hypervisor: Hypervisor, key: str) -> Inventory | None:
    return Inventory.objects.filter(hypervisor=hypervisor, kind=key).first()


def _fresh(row: Inventory, asked: Kind) -> bool:
    if row.stale_at is not None and row.fetched_at <= row.stale_at:
        return False
    return timezone.now() - row.fetched_at < timedelta(seconds=asked.seconds)


def _told(asked: Kind, row: Inventory, source: Source, error: str = "") -> Answer:
    age = 0.0 if source == "live" else max(0.0, (timezone.now() - row.fetched_at).total_seconds())
    return Answer(asked.finish(row.data), source, round(age, 1), error)


def _recalled(row: Inventory) -> Answer:
    kind = KINDS[row.kind.partition(":")[0]]
    return _told(kind, row, "cached" if _fresh(row, kind) else "last_known")


def _fallback(asked: Kind, row: Inventory | None, error: HypervisorError) -> Answer:
    return _told(asked, row, "last_known", str(error)) if row is not None else _predefined(asked, error)


def _predefined(asked: Kind, error: HypervisorError | None) -> Answer:
    if asked.predefined is None:
        raise error or no_cloud()
    return Answer(asked.finish(asked.predefined()), "predefined", None, str(error or ""))
