"""The console's frame, its first page, operations and drift: what is shown to whom, what can be done, at what cost."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from accounts.models import User
from descriptors import actions, reconcile
from descriptors.models import Descriptor, Operation
from descriptors.worker.life import Life
from hypervisors import actions as hypervisor_actions
from hypervisors.drivers.mock import tamper
from hypervisors.models import Health, Hypervisor
from tests import factories

HOME, NOW, DRIFT, OPERATIONS = "/admin/", "/admin/now/", "/admin/drift/", "/admin/descriptors/operation/"
MOST_QUERIES = 15


def console(person: User) -> Client:
    made = Client(headers={"Accept-Language": "en"})
    made.force_login(person, backend="django.contrib.auth.backends.ModelBackend")
    return made


def page(answer) -> str:
    assert answer.status_code == 200, answer
    return answer.content.decode()


def part(html: str, name: str) -> str:
    """What stands between this part of the first page and the next."""
    return html.partition(f'data-part="{name}"')[2].partition("data-part=")[0]


def queries(client: Client, url: str) -> int:
    client.get(url)
    with CaptureQueriesContext(connection) as caught:
        page(client.get(url))
    return len(caught)


def page_of(operation: Operation) -> str:
    return reverse("admin:descriptors_operation_change", args=[operation.pk])


@pytest.fixture
def root(world) -> Client:
    return console(world.root)


@pytest.fixture
def mia(world) -> Client:
    world.ana.web, world.sam.web  # noqa: B018 - the world is made when asked for
    return console(world.mia)


def fail(world, *machines: Descriptor, message: str = "No room.") -> None:
    for machine in machines:
        factories.failed(actions.request("create", machine, actor=world.root), message)


def change_there(world, *machines: Descriptor, **changes) -> None:
    """A colleague changes the VMs on the hypervisor, and reconcile notices."""
    for machine in machines:
        machine.refresh_from_db()
        tamper(world.home, world.hypervisor.name, machine.vm_ref, **changes)
    reconcile.reconcile(world.hypervisor.pk)


# -- the frame ---------------------------------------------------------------------------------------------------------


def test_the_console_stands_in_the_frame_of_the_portal(world, root):
    for url in (HOME, OPERATIONS, DRIFT, reverse("admin:accounts_user_changelist"), "/admin/accounts/user/add/"):
        html = page(root.get(url))
        assert 'class="topbar"' in html
        assert "css/console.css" in html
        assert "admin/css/base.css" not in html
        assert "<style" not in html
        assert "onclick" not in html
        assert html.count('aria-current="page"') >= 1


def test_the_menu_holds_what_the_person_may_open(world, root, mia):
    assert reverse("admin:hypervisors_hypervisor_changelist") in page(root.get(HOME))
    html = page(mia.get(HOME))
    assert reverse("admin:descriptors_operation_changelist") in html
    assert DRIFT in html
    assert reverse("admin:hypervisors_hypervisor_changelist") not in html
    assert reverse("admin:accounts_user_changelist") not in html


def test_the_sign_in_page_is_our_own_and_leads_back(world, client):
    asked = client.get(OPERATIONS, follow=True)
    html = page(asked)
    assert "plain-frame" in html
    assert f'value="{OPERATIONS}"' in html


def test_somebody_without_the_right_is_told_so_and_not_sent_round_in_circles(world):
    answer = console(world.sam.user).get(HOME, follow=True)
    assert answer.status_code == 403
    assert "for managers" in answer.content.decode()


def test_browsers_find_an_icon_where_they_look(client):
    assert client.get("/favicon.ico")["Location"].endswith("icons/olimpus.svg")


# -- what needs attention ----------------------------------------------------------------------------------------------


def test_a_quiet_world_is_told_plainly(world, root):
    world.do("create", world.sam.web)
    life = Life("here")
    try:
        html = page(root.get(HOME))
    finally:
        life.end()
    assert "Nothing needs attention." in html
    assert "1 worker runs here." in html


def test_failures_are_grouped_by_reason_and_recovered_together(world, root):
    fail(world, world.sam.web, world.sam.db)
    fail(world, world.ana.web, message="The image is broken.")
    failures = part(page(root.get(HOME)), "failures")
    assert failures.index("The image is broken.") < failures.index("No room.")
    assert "Recover 2" in failures
    answer = root.post("/admin/recover/", {"reason": "No room."})
    operation = Operation.objects.get(verb="recover", parent=None)
    assert answer["Location"] == page_of(operation)
    assert {child.path for child in operation.children.all()} == {world.sam.web.path, world.sam.db.path}


def test_nothing_to_recover_is_told(world, root):
    world.sam.web  # noqa: B018 - the world is made when asked for
    assert "No machine here can do" in page(root.post("/admin/recover/", {"reason": "No room."}, follow=True))


def test_stuck_operations_are_told_with_their_cause(world, root):
    actions.request("create", world.sam.web, actor=world.root)
    assert "waits for a worker" not in page(root.get(NOW))
    Operation.objects.update(wake_at=timezone.now() - timedelta(minutes=5))
    assert "waits for a worker" in part(page(root.get(NOW)), "operations")
    Operation.objects.update(deadline=timezone.now() - timedelta(minutes=1))
    assert "past its deadline" in part(page(root.get(NOW)), "operations")


def test_a_silent_hypervisor_is_told_with_its_machines(world, root):
    world.do("create", world.sam.web, world.sam.db)
    Hypervisor.objects.update(health=Health.UNREACHABLE, health_at=timezone.now(), health_detail="ssh: timeout")
    html = page(root.get(NOW))
    assert "does not answer since" in html
    assert "(ssh: timeout)" in html
    assert "Its 2 machines are shown as unknown; they are not stopped." in html
    assert ">2</b>" in part(html, "states").partition("state-unknown")[2][:300]


def test_maintenance_is_told_with_its_reason_and_since_when(world, root):
    hypervisor_actions.set_maintenance(world.hypervisor, True, "New disks.", actor=world.root)
    told = part(page(root.get(NOW)), "hypervisors")
    assert "mock-1 is in maintenance. New disks." in told
    assert "since" in told


def test_capacity_is_a_bar_and_words(world, root):
    Hypervisor.objects.filter(pk=world.hypervisor.pk).update(
        capacity={"cpus_total": 10, "cpus_used": 4, "memory_mib_total": None, "memory_mib_used": 2048, "vms": 3}
    )
    told = part(page(root.get(NOW)), "hypervisors")
    assert 'class="gauge-given" width="40"' in told
    assert "4 of 10 given, 0 running" in told
    assert "2 GiB given, 0 GiB running" in told


def test_a_missing_worker_is_visible(world, root):
    Hypervisor.objects.filter(pk=world.hypervisor.pk).update(last_ok_at=timezone.now() - timedelta(hours=1))
    assert "No worker is running: what is asked for does not begin." in page(root.get(NOW))
    Hypervisor.objects.update(last_ok_at=timezone.now())
    assert "A worker elsewhere wrote something" in page(root.get(NOW))


def test_managers_see_their_branches_only(world, mia):
    fail(world, world.probe, message="Only for the lab.")
    actions.request("create", world.sam.web, actor=world.root)
    html = page(mia.get(HOME))
    assert "Only for the lab." not in html
    assert world.probe.path not in html
    assert world.sam.web.path in part(html, "going-on")
    assert "given," not in html  # capacity is for superusers
    mia.post("/admin/recover/", {"reason": "Only for the lab."})
    assert not Operation.objects.filter(verb="recover").exists()


@pytest.mark.parametrize("url", [HOME, NOW, DRIFT, OPERATIONS])
def test_the_cost_does_not_grow_with_the_machines(world, root, mia, url):
    world.do("create", world.sam.web, world.sam.db)
    change_there(world, world.sam.web, cpus=31)
    hypervisor_actions.set_maintenance(world.hypervisor, True, "New disks.", actor=world.root)
    few = queries(root, url)
    nodes = factories.many_machines(world.tel141.path, 30, world.root)
    Descriptor.objects.filter(pk__in=[node.pk for node in nodes]).update(
        state="failed", reason="No room.", drifted=True, hypervisor=world.hypervisor
    )
    for node in nodes[:12]:
        Operation.objects.create(node=node, path=node.path, verb="create", actor=world.root, status="failed")
    assert queries(root, url) <= max(few, MOST_QUERIES - 2) <= MOST_QUERIES
    assert queries(mia, url) <= MOST_QUERIES


# -- operations --------------------------------------------------------------------------------------------------------


def test_operations_are_narrowed(world, root):
    actions.request("create", world.sam.folder, actor=world.mia)
    fail(world, world.ana.web)
    assert world.sam.folder.path in page(root.get(OPERATIONS))
    for query, there, gone in (
        ("status=open", world.sam.folder.path, world.ana.web.path),
        ("status=failed", world.ana.web.path, f"{world.sam.folder.path}<"),
        ("actor=MIA", world.sam.folder.path, world.ana.web.path),
        ("path=ANA", world.ana.web.path, f"{world.sam.folder.path}<"),
        ("hypervisor=mock-1&verb=create", world.sam.folder.path, "Nothing is like this"),
    ):
        html = page(root.get(f"{OPERATIONS}?{query}")).partition('class="card"')[2]
        assert there in html, query
        assert gone not in html, query
    assert "No operation matches" in page(root.get(f"{OPERATIONS}?verb=destroy"))
    assert "No operation matches" in page(root.get(f"{OPERATIONS}?hypervisor=nowhere"))


def test_an_old_link_to_the_machines_of_an_operation_leads_to_its_page(world, root):
    operation = actions.request("create", world.sam.folder, actor=world.root)
    assert root.get(f"{OPERATIONS}?parent={operation.pk}")["Location"] == page_of(operation)
    assert root.get(f"{OPERATIONS}?parent=x").status_code == 200


def test_one_operation_is_cancelled_in_the_console(world, mia):
    operation = actions.request("create", world.sam.folder, actor=world.mia)
    html = page(mia.get(page_of(operation)))
    assert world.sam.db.path in html
    cancel = reverse("operation-cancel", args=[operation.pk])
    answer = mia.post(cancel, {"console": "1"})
    assert answer["Location"] == page_of(operation)
    assert "cancelled" in page(mia.get(page_of(operation)))


def test_failed_machines_are_recovered_and_asked_again_by_reason(world, mia):
    parent = actions.request("create", world.sam.folder, actor=world.mia)
    for child, message in zip(parent.children.order_by("path"), ("No room.", "No image."), strict=True):
        factories.failed(child, message)
    parent.refresh_from_db()
    html = page(mia.get(page_of(parent)))
    assert "No room." in html
    assert "No image." in html
    assert "Recover it" in html
    assert "Retry these" not in html
    again = reverse("operation-retry", args=[parent.pk])
    answer = mia.post(again, {"console": "1", "verb": "recover", "reason": "No room."})
    recovery = Operation.objects.get(verb="recover", parent=None)
    assert answer["Location"] == page_of(recovery)
    assert [child.path for child in recovery.children.all()] == [world.sam.db.path]
    world.perform()
    assert "Retry these" in page(mia.get(page_of(parent)))
    mia.post(again, {"reason": "No room."})
    assert [child.path for child in Operation.objects.filter(verb="create", parent__isnull=False, status="queued")] == [
        world.sam.db.path
    ]


def test_operations_of_others_are_not_there(world, mia):
    hidden = actions.request("create", world.probe, actor=world.root)
    assert world.probe.path not in page(mia.get(OPERATIONS))
    assert mia.get(page_of(hidden)).status_code == 404
    assert mia.get(f"{OPERATIONS}nonsense/change/").status_code == 404


# -- drift -------------------------------------------------------------------------------------------------------------


def test_drift_is_told_field_by_field_and_narrowed(world, root):
    world.do("create", world.sam.web, world.sam.db, world.probe)
    change_there(world, world.sam.web, cpus=31)
    change_there(world, world.probe, power="on")
    html = page(root.get(DRIFT))
    assert world.sam.web.path in html
    assert world.sam.db.path not in html
    assert "<code>1</code>" in html
    assert '<code class="found">31</code>' in html
    assert '<code class="found">on</code>' in html
    assert world.probe.path not in page(root.get(f"{DRIFT}?branch=/courses"))
    assert world.sam.web.path not in page(root.get(f"{DRIFT}?field=power"))
    assert "No drift here" in page(root.get(f"{DRIFT}?hypervisor=nowhere"))


def test_what_was_chosen_is_repaired_after_a_question(world, root):
    world.do("create", world.sam.web, world.sam.db, world.ana.web)
    change_there(world, world.sam.web, cpus=31)
    change_there(world, world.sam.db, power="on")
    chosen = {"ids": [world.sam.web.pk, world.sam.db.pk, world.ana.web.pk]}
    question = page(root.post(DRIFT, chosen))
    assert "Reapply definition: 1 machine" in question
    assert "Start: 1 machine" in question
    assert not Operation.objects.filter(verb="reapply").exists()
    assert "begins on 1 machines" in page(root.post(DRIFT, chosen | {"confirmed": "1"}, follow=True))
    world.perform()
    reconcile.reconcile(world.hypervisor.pk)
    assert not Descriptor.objects.filter(drifted=True).exists()
    assert Descriptor.objects.get(pk=world.sam.db.pk).state == "running"


def test_what_no_verb_repairs_is_said(world, root):
    world.do("create", world.sam.web)
    world.do("start", world.sam.web)
    change_there(world, world.sam.web, cpus=31)
    question = page(root.post(DRIFT, {"ids": [world.sam.web.pk]}))
    assert "Stop it first" in question
    assert "Nothing that was chosen can be repaired" in question


def test_nobody_repairs_what_he_may_not_see(world, mia):
    world.do("create", world.probe)
    change_there(world, world.probe, cpus=31)
    assert world.probe.path not in page(mia.get(DRIFT))
    mia.post(DRIFT, {"ids": [world.probe.pk, "x", "9" * 40], "confirmed": "1"})
    assert not Operation.objects.filter(verb="reapply").exists()
