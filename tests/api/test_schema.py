"""The API against its own description: no 5xx, no undocumented answer, every answer as described.

Schemathesis makes requests from `/api/schema`; most of them aim at things that exist in a small world.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from django.core.handlers.wsgi import WSGIHandler
from django.core.management import call_command
from django.core.signals import request_finished, request_started
from django.db import close_old_connections, transaction
from django.test import override_settings
from hypothesis import HealthCheck, Phase, settings
from schemathesis.checks import CHECKS, load_all_checks
from schemathesis.config import (
    CacheConfig,
    CoveragePhaseConfig,
    PhasesConfig,
    ProjectConfig,
    ProjectsConfig,
    SchemathesisConfig,
)

from accounts.models import ApiToken, Entry
from descriptors import actions, reconcile
from descriptors.models import Operation
from hypervisors.drivers.mock import create_by_hand
from hypervisors.gateway import forget_gateways
from tests.world import World

pytestmark = pytest.mark.django_db

load_all_checks()
#: Whether bad input is refused is told by the tests of each door; here it matters that the answer is as described.
CONFORMANCE = CHECKS.get_by_names(
    [
        "not_a_server_error",
        "status_code_conformance",
        "content_type_conformance",
        "response_headers_conformance",
        "response_schema_conformance",
    ]
)
PHASES = PhasesConfig(coverage=CoveragePhaseConfig(enabled=False))
CONFIG = SchemathesisConfig(
    seed=141,
    cache=CacheConfig(enabled=False),
    projects=ProjectsConfig(default=ProjectConfig(phases=PHASES)),
)
schema = schemathesis.openapi.from_wsgi("/api/schema?format=json", WSGIHandler(), config=CONFIG)


@pytest.fixture(scope="module")
def inhabited(django_db_setup: None, django_db_blocker: Any, tmp_path_factory: Any) -> Iterator[World]:
    """One world for all operations; what each test changes is taken back. Requests share the connection, as with
    Django's own client."""
    home = tmp_path_factory.mktemp("world")
    signals = (request_started, request_finished)
    for signal in signals:
        signal.disconnect(close_old_connections)
    with django_db_blocker.unblock(), override_settings(OLIMPUS_HOME=home), transaction.atomic():
        world = World(home)
        settle(world)
        yield world
        forget_gateways()
        transaction.set_rollback(True)
    for signal in signals:
        signal.connect(close_old_connections)


def settle(world: World) -> None:
    """Things in every state of affairs."""
    sam, ana = world.sam, world.ana
    world.do("create", sam.web, sam.db, ana.web)
    world.do("start", sam.web)
    world.do("snapshot", sam.web, name="first")
    world.probe  # noqa: B018 - the world is made when asked for
    create_by_hand(world.home, "mock-1", "found")
    reconcile.reconcile(world.hypervisor.pk)
    actions.request("start", sam.db, actor=world.root)
    actions.request("create", world.tel141, actor=world.mia)


def ids(world: World) -> dict[str, list[Any]]:
    """What paths may name, by collection."""
    sam, ana = world.sam, world.ana
    return {
        "nodes": [node.pk for node in (world.tel141, sam.folder, sam.web, sam.db, ana.web, world.lab)],
        "folders": [world.tel141.pk, sam.folder.pk],
        "descriptors": [sam.web.pk, ana.db.pk],
        "operations": list(Operation.objects.filter(parent=None).values_list("pk", flat=True)),
        "hypervisors": [world.hypervisor.pk],
        "users": [sam.user.pk, world.root.pk],
        "journal": list(Entry.objects.order_by("-pk").values_list("pk", flat=True)[:3]),
    }


def aim(case: schemathesis.Case, world: World) -> None:
    """Let three of four requests meet something that exists; which one depends on nothing but the request."""
    known, given = ids(world).get(case.path.split("/")[2]), (case.path_parameters or {}).get("id")
    number = zlib.crc32(repr((given, case.query, case.body)).encode("utf-8", "replace"))
    if known and given is not None and number % 4:
        case.path_parameters["id"] = str(known[number % len(known)])


@pytest.mark.parametrize("who", ["root", "sam"])
@schema.parametrize()
@settings(
    max_examples=8,
    derandomize=True,
    deadline=None,
    database=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
def test_answers_are_as_described(case: schemathesis.Case, who: str, inhabited: World) -> None:
    """Each operation as a superuser and as a student."""
    person = inhabited.root if who == "root" else inhabited.sam.user
    with transaction.atomic():
        token = ApiToken.issue(person, "schemathesis")[1]
        aim(case, inhabited)
        case.call_and_validate(headers={"Authorization": f"Bearer {token}"}, checks=CONFORMANCE)
        transaction.set_rollback(True)


def test_the_description_is_made_without_warnings(tmp_path: Path) -> None:
    """`manage.py spectacular --validate --fail-on-warn`."""
    target = tmp_path / "schema.yaml"
    call_command("spectacular", "--validate", "--fail-on-warn", file=str(target))
    assert target.read_text().startswith("openapi: 3.1")
