"""No page asks the database more than fifteen questions, nor more of them when there is more to show."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from accounts.models import User
from descriptors import actions
from descriptors.models import Node
from descriptors.selectors import sizes
from hypervisors.models import Hypervisor
from tests import factories
from tests.web.conftest import Browser
from tests.world import World

MOST = 15


def portal_pages(folder: Node, machine: Node) -> list[str]:
    """Of a folder and a machine in it."""
    here, one = f"/tree{folder.path}", f"/tree{machine.path}"
    number = folder.pk
    views = [f"{here}?view={view}" for view in ("table", "cards", "grid")] + [f"{here}?below=1&state=running", here]
    tabs = [f"{place}?tab={tab}" for place in (here, one) for tab in ("definition", "access", "history")]
    parts = [f"/-/nodes/{number}/{part}" for part in ("counts", "tallies", "export", "copy", "move", "delete")]
    asks = [f"/-/nodes/{number}/ask/start", f"/-/nodes/{number}/new-machine", f"/-/nodes/{number}/edit"]
    found = [f"/{page}?q=vm" for page in ("search/", "-/suggest", "-/palette")]
    rest = ["/", "/operations/", "/-/notifications", "/accounts/profile/", "/apply/", f"/-/nodes/{machine.pk}/panel"]
    slices = ["/slices/", "/slices/new/", f"/slices/{number}/"]
    return [*views, one, *tabs, *parts, *asks, *found, *rest, *slices, f"/-/tree/{number}"]


def console_pages(folder: Node, machine: Node) -> list[str]:
    """Of the console, for the same."""
    nodes = "/admin/descriptors/node"
    branch = [f"{nodes}/{folder.pk}/{page}/" for page in ("definition", "grants")]
    tree = [f"{nodes}/tree/", f"{nodes}/tree/level/{folder.pk}/", f"{nodes}/tree/panel/{machine.pk}/"]
    lists = ["descriptors/operation", "descriptors/nic", "descriptors/unowned", "hypervisors/hypervisor"]
    people = ["accounts/user", "auth/group", "accounts/entry", "accounts/apitoken", "axes/accessattempt"]
    cloud = Hypervisor.objects.get_or_create(name="campus", driver="openstack")[0]
    clouds = [f"hypervisors/hypervisor/clouds/{cloud.pk}{tab}" for tab in ("", "/images", "/flavors", "/networks")]
    lists += clouds
    return ["/admin/", "/admin/drift/", f"{nodes}/", *branch, *tree, *(f"/admin/{name}/" for name in lists + people)]


@pytest.mark.parametrize("pages", [portal_pages, console_pages])
def test_no_page_asks_more_than_a_few_questions_however_much_there_is(
    world: World, browser: Browser, pages: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        sizes, "HOLD", 1e9
    )  # what is read once in five seconds must not fall into one half of the counting
    folder = factories.folder(f"{world.courses.path}/many", world.root, {"slice": {}})
    for number in range(7):
        fill(world, folder, number)
    client = browser(world.root)
    addresses = pages(folder, Node.objects.get(path=f"{folder.path}/vm-0-0"))
    client.get(addresses[0])
    few = {address: asked(client, address) for address in addresses}
    for number in range(7, 10):
        fill(world, folder, number)
    many = {address: asked(client, address) for address in addresses}
    assert {address: number for address, number in many.items() if number > MOST} == {}
    assert {address: (few[address], number) for address, number in many.items() if number > few[address]} == {}


def fill(world: World, folder: Node, number: int) -> None:
    """More of all that a page could show: machines, a folder of them, operations, people with roles, journal."""
    for name in (f"vm-{number}-0", f"vm-{number}-1", f"vm-{number}-2"):
        world.do("create", factories.machine(f"{folder.path}/{name}", world.root))
    below = factories.folder(f"{folder.path}/below-{number}", world.root, {"description": "Somebody"})
    factories.many_machines(below.path, 2, world.root)
    person: User = factories.user(f"person-{number}")
    group = Group.objects.create(name=f"group-{number}")
    person.groups.add(group)
    actions.grant(folder, "user", user=person, actor=world.root)
    actions.grant(below, "manager", group=group, actor=world.root)


def asked(client: Client, address: str) -> int:
    """How many questions the page asks."""
    with CaptureQueriesContext(connection) as queries:
        answer = client.get(address, follow=True)
        assert answer.status_code == 200, address
    return len(queries)
