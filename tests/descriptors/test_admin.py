"""The console's pages of the tree: what managers see and do there, always through the actions."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from accounts.models import User
from descriptors import reconcile
from descriptors.models import Descriptor, Node, Operation, Unowned
from hypervisors.drivers.mock import create_by_hand, tamper
from tests import factories

NODES = "/admin/descriptors/node/"


def console(person: User) -> Client:
    made = Client()
    made.force_login(person, backend="django.contrib.auth.backends.ModelBackend")
    return made


def page(answer) -> str:
    assert answer.status_code == 200, answer
    return answer.content.decode()


def act(client: Client, action: str, *nodes: Node, url: str = f"{NODES}?q=/", **more) -> str:
    """Choose an action for the rows; returns the page that follows."""
    chosen = [node.pk for node in nodes]
    return page(client.post(url, {"action": action, "_selected_action": chosen, **more}, follow=True))


@pytest.fixture
def mia(world) -> Client:
    world.ana.web, world.sam.web  # noqa: B018 - the world is made when asked for
    return console(world.mia)


def test_students_do_not_come_in(world):
    assert console(world.sam.user).get(NODES).status_code == 302


def test_one_level_at_a_time(world, mia):
    top = page(console(world.root).get(NODES))
    assert f"?folder={world.courses.pk}" in top
    assert "TEL141" not in top
    level = page(mia.get(f"{NODES}?folder={world.sam.folder.pk}"))
    assert f'title="{world.sam.web.path}"' in level
    assert world.ana.web.path not in level
    assert f'data-feed="{world.sam.folder.path}"' in level


def test_lists_hold_only_what_one_may_see(world, mia):
    world.probe  # noqa: B018 - the world is made when asked for
    assert f"?folder={world.lab.pk}" not in page(mia.get(f"{NODES}?q=lab"))
    assert "probe" in page(console(world.root).get(f"{NODES}?q=probe"))
    assert mia.get(f"{NODES}{world.probe.pk}/definition/").status_code == 302
    assert mia.get(f"{NODES}{world.probe.pk}/grants/").status_code == 302
    assert mia.get("/admin/descriptors/unowned/").status_code == 403
    assert "Unowned" not in page(mia.get("/admin/"))


@pytest.mark.parametrize(
    ("query", "number"),
    [
        ("q=web", 2),
        ("kind=descriptor", 4),
        ("state=created", 1),
        ("state=nothing", 0),
        ("drifted=yes", 1),
        ("hypervisor=x", 0),
        ("folder=x", 0),
        ("folder=99999999", 0),
    ],
)
def test_filters_go_as_deep_as_they_must(world, mia, query, number):
    world.do("create", world.sam.web)
    tamper(world.home, "mock-1", world.sam.web.vm_ref, cpus=9)
    reconcile.reconcile(world.hypervisor.pk)
    answer = mia.get(f"{NODES}?{query}")
    assert answer.status_code == 200
    # The root's one child is mia's /courses: without a filter that is the level shown.
    expected = number or (1 if query.startswith("folder") else 0)
    assert len(answer.context["cl"].result_list) == expected


def test_a_page_does_not_load_the_tree(world, mia):
    big = factories.folder(f"{world.courses.path}/big", world.root)
    factories.many_machines(big.path, 1000, world.root)
    with CaptureQueriesContext(connection) as captured:
        answer = mia.get(f"{NODES}?folder={big.pk}")
    assert len(answer.context["cl"].result_list) == 50
    assert len(captured) <= 15
    with CaptureQueriesContext(connection) as few:
        mia.get(f"{NODES}?folder={world.sam.folder.pk}")
    assert len(captured) <= len(few) + 1


def test_verbs_are_actions(world, mia):
    told = act(mia, "do_create", world.sam.folder, world.ana.web)
    assert "3 machines" in told
    world.perform()
    assert Descriptor.objects.filter(state="created").count() == 3
    told = act(mia, "do_create", world.sam.folder)
    assert "No machine here" in told


def test_what_loses_something_is_asked_before(world, mia):
    world.do("create", world.sam.web)
    question = act(mia, "do_destroy", world.sam.web)
    assert "deleted from the hypervisor" in question
    assert Operation.objects.filter(verb="destroy").count() == 0
    act(mia, "do_destroy", world.sam.web, confirmed="1")
    assert Operation.objects.filter(verb="destroy", total=1).count() == 1


def test_a_snapshot_needs_a_name(world, mia):
    world.do("create", world.sam.web)
    assert 'name="name"' in act(mia, "do_snapshot", world.sam.web)
    assert "1 to 128" in act(mia, "do_snapshot", world.sam.web, confirmed="1", name="")
    act(mia, "do_snapshot", world.sam.web, confirmed="1", name="before")
    assert Operation.objects.get(verb="snapshot", total=0).arguments == {"name": "before"}


def test_nodes_are_deleted_by_the_action(world, mia):
    world.do("create", world.sam.web)
    assert world.sam.folder.path in act(mia, "delete_nodes", world.sam.folder)
    assert "exists on a hypervisor" in act(mia, "delete_nodes", world.sam.folder, confirmed="1")
    act(mia, "delete_nodes", world.ana.folder, confirmed="1")
    assert not Node.objects.filter(path__startswith=world.ana.folder.path).exists()


def test_django_itself_changes_nothing(world, mia):
    root = console(world.root)
    for url in (f"{NODES}add/", f"{NODES}{world.sam.web.pk}/delete/"):
        assert root.post(url, {"post": "yes"}).status_code == 403
    assert root.get(f"{NODES}{world.sam.web.pk}/change/").status_code == 302
    assert root.post("/admin/descriptors/operation/add/", {}).status_code == 403


# -- pages of one node -------------------------------------------------------------------------------------------------


def test_nodes_are_made_and_renamed(world, mia):
    url = f"{NODES}{world.tel141.pk}/definition/"
    mia.post(url, {"name": "new", "folder": "1"})
    mia.post(f"{NODES}{Node.objects.get(name='new').pk}/definition/", {"name": "vm", "machine": "1"})
    assert Descriptor.objects.get(path="/courses/TEL141/new/vm").state == "provisioned"
    mia.post(url, {"name": "TEL142", "rename": "1"})
    assert Node.objects.get(pk=world.tel141.pk).path == "/courses/TEL142"
    assert "reserved" in page(mia.post(url, {"name": "common", "folder": "1"}))


# -- strays, cards -----------------------------------------------------------------------------------------------------


def test_strays_are_adopted(world):
    create_by_hand(world.home, world.hypervisor.name, "found")
    reconcile.reconcile(world.hypervisor.pk)
    root, url, vm = console(world.root), "/admin/descriptors/unowned/", Unowned.objects.get()
    assert "found" in page(root.get(url))
    assert 'name="folder"' in act(root, "adopt", vm, url=url)
    assert "no such path" in act(root, "adopt", vm, url=url, folder="/nothing")
    assert "is ours now" in act(root, "adopt", vm, url=url, folder=world.tel141.path)
    assert Descriptor.objects.get(path="/courses/TEL141/found").state == "stopped"


def test_cards_are_listed(world, mia):
    world.do("create", world.sam.web)
    assert world.sam.web.cards.get().mac in page(mia.get("/admin/descriptors/nic/"))


def test_the_index_links_to_everything(world):
    index = page(console(world.root).get(reverse("admin:index")))
    for name in ("node", "operation", "unowned", "nic"):
        assert f"/admin/descriptors/{name}/" in index


def test_the_menu_marks_the_tree_on_its_list_and_an_app_of_django_is_no_page_of_its_own(mia):
    told = page(mia.get(f"{NODES}?q=/"))
    marked = told.split('aria-current="page"')
    assert f'href="{NODES}tree/"' in marked[0].rpartition("<a")[2] + marked[1].partition(">")[0]
    assert mia.get("/admin/descriptors/").headers["Location"] == "/admin/"
