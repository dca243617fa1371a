"""JSON from and to the services of a cloud, with errors in our words; and what every part of `OpenStackCloud` shares."""

from __future__ import annotations

import difflib
import logging
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from datetime import UTC, datetime
from typing import Any, Final, TypeVar
from urllib.parse import parse_qs, quote, urlsplit

import requests

from hypervisors.drivers.openstack.errors import Denied, of_response, translated
from hypervisors.drivers.openstack.session import Session
from olimpus.errors import HypervisorError, Missing, TimedOut
from olimpus.words import gettext as _

log = logging.getLogger(__name__)

Json = dict[str, Any]
Params = Mapping[str, Any]
A = TypeVar("A")
T = TypeVar("T")

FIRST_PAUSE: Final = 0.1
PAUSE_GROWTH: Final = 1.5
LONGEST_PAUSE: Final = 2.0
PARALLEL: Final = 16
#: The largest page that Nova, Glance and Cinder give unless they are told otherwise.
PAGE: Final = 1000


class Rest:
    """The services of one cloud. Raises `HypervisorError` only, with `where` naming the hypervisor. Thread-safe.

    Services are named as openstacksdk names them: compute, image, network, block_storage, identity, placement.
    """

    def __init__(self, session: Session):
        self.session = session
        self.where = session.hypervisor

    def ask(
        self,
        service: str,
        method: str,
        path: str,
        *,
        project: str = "",
        missing: type[HypervisorError] = Missing,
        **options: Any,
    ) -> requests.Response:
        """One request. What is not there (404) raises `missing`."""
        connection = self.session.connection(project)
        with translated(self.where, missing=missing):
            response = getattr(connection, service).request(path, method, **options)
            if response.status_code >= 400:
                raise of_response(response, self.where, missing=missing)
            return response

    def get(self, service: str, path: str, params: Params | None = None, **options: Any) -> Json:
        return self.ask(service, "GET", path, params=params, **options).json()

    def post(self, service: str, path: str, body: Json, **options: Any) -> Json:
        """The answer's JSON; empty when there is none."""
        return _json(self.ask(service, "POST", path, json=body, **options))

    def put(self, service: str, path: str, body: Json | None = None, **options: Any) -> Json:
        return _json(self.ask(service, "PUT", path, json=body, **options))

    def delete(self, service: str, path: str, **options: Any) -> None:
        """Succeeds quietly when it is gone already."""
        try:
            self.ask(service, "DELETE", path, **options)
        except Missing:
            return

    def pages(self, service: str, path: str, key: str, params: Params | None = None, **options: Any) -> Iterator[Json]:
        """Every item of a list, however many pages it has.

        Of the link to the next page only the query is followed: its host may be a name that only the cloud knows.
        """
        query: Params | None = dict(params or {})
        while query is not None:
            body = self.get(service, path, query, **options)
            yield from body[key]
            link = _next_page(body, key)
            query = parse_qs(urlsplit(link).query) if link else None

    def optional(self, service: str, path: str, key: str, **options: Any) -> Json | None:
        """The one item of an answer, or None when it is not there; an empty id is never there, nor is one like “detail”."""
        if path.endswith("/"):
            return None
        try:
            found = self.get(service, path, **options).get(key)
        except Missing:
            return None
        return found if isinstance(found, dict) else None  # else it was the address of a list


class Part:
    """A part of `OpenStackCloud`: the session and the helpers that all parts use."""

    def __init__(self, session: Session):
        self.session = session
        self.rest = Rest(session)
        self.where = session.hypervisor

    def project_id(self, project: str) -> str:
        """The id of a project, given by name or id; "" is the account's own. `Missing` with the nearest name."""
        if not project:
            return self.session.project_id()
        known = self._known_projects()
        for item in known:
            if project in (item["name"], item["id"]):
                return str(item["id"])
        raise missing(_("There is no project “%(name)s”."), project, known, self.where)

    def _known_projects(self) -> list[Json]:
        """Those of the account's domain when it may list them, else those that it can enter."""
        domain = self.session.access().project_domain_id
        try:
            return self.rest.get("identity", "/projects", {"domain_id": domain})["projects"]
        except Denied:
            return self.rest.get("identity", "/auth/projects")["projects"]


def at(path: str, *names: str) -> str:
    """The path of one thing: ids come from people, and none of them leads elsewhere. `Missing` for “.” and “..”."""
    for name in names:
        if name in (".", ".."):  # a client makes a shorter path of them, however they are written
            raise Missing(_("There is nothing of this name: “%(name)s”.") % {"name": name})
    return "/".join([path, *(quote(name, safe="") for name in names)])


def missing(text: str, wanted: str, known: Iterable[Json], where: str) -> Missing:
    """The error for an id or a name that is not there; its hint is the nearest one that is."""
    return Missing(text % {"name": wanted}, where=where, hint=nearest(wanted, list(known)))


def nearest(wanted: str, known: Sequence[Json]) -> str:
    """A hint with the name (and id) that is most like what was asked for; "" when there is nothing at all."""
    names = {str(item.get("name") or item["id"]): str(item.get("id", "")) for item in known}
    found = difflib.get_close_matches(wanted[:200], [*names, *names.values()], n=1, cutoff=0.0)
    if not found:
        return ""
    name = next(name for name, key in names.items() if found[0] in (name, key))
    if not names[name] or names[name] == name:
        return _("The nearest is “%(name)s”.") % {"name": name}
    return _("The nearest is “%(name)s” (%(id)s).") % {"name": name, "id": names[name]}


def wait_for(look: Callable[[], T | None], what: str, where: str, seconds: float) -> T:
    """The first answer of `look` that is not None, asked with growing pauses. `TimedOut` naming `what`."""
    deadline = time.monotonic() + seconds
    pause = FIRST_PAUSE
    while (answer := look()) is None:
        if time.monotonic() > deadline:
            message = _("%(what)s was not finished after %(seconds)s s.")
            raise TimedOut(message % {"what": what, "seconds": f"{seconds:g}"}, where=where)
        time.sleep(pause)
        pause = min(pause * PAUSE_GROWTH, LONGEST_PAUSE)
    return answer


def in_parallel(ask: Callable[[A], T], items: Sequence[A]) -> list[T]:
    """The answers in the order of the items; each thread speaks the language of who asks."""
    with ThreadPoolExecutor(max_workers=min(PARALLEL, len(items) or 1)) as pool:
        asked = [pool.submit(copy_context().run, ask, item) for item in items]
        return [future.result() for future in asked]


def log_left(where: str, undo: Callable[[str], object], key: str) -> None:
    """Undo a part of what failed. What it failed of is what people must hear, so undoing fails in silence."""
    try:
        undo(key)
    except HypervisorError as error:
        log.warning("%s: %s stays behind: %s", where, key, error)


def when(text: str | None) -> datetime | None:
    """A moment as the services write it (some leave the zone out, all mean UTC)."""
    if not text:
        return None
    moment = datetime.fromisoformat(text)
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)


def _json(response: requests.Response) -> Json:
    return response.json() if response.content else {}


def _next_page(body: Json, key: str) -> str:
    """The link to the page after this one: Nova, Neutron and Cinder, Glance, Keystone each say it in their way."""
    links = body.get(f"{key}_links") or []
    found = next((link["href"] for link in links if link.get("rel") == "next"), None)
    if found is None and isinstance(body.get("links"), dict):
        found = body["links"].get("next")
    return str(found or body.get("next") or "")
