"""The console's pages of a cloud: who may, what is told at once, what the cloud is asked, how it is changed."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from django.contrib.auth.models import Group
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.models import Entry
from descriptors.models import Unowned
from hypervisors import inventory
from hypervisors.admin.cloud.forms import ImageForm
from hypervisors.drivers.cloud import ServiceHealth
from hypervisors.models import Hypervisor, Inventory
from hypervisors.services import memory
from olimpus.errors import Rejected, Unreachable
from tests.hypervisors import recorded

CLOUDS = "/admin/hypervisors/hypervisor/clouds/"
PAGES = ("", "images/", "flavors/", "networks/")
PARTS = ("zones", "quotas", "images", "flavors", "networks")
QCOW2 = b"QFI\xfb" + (3).to_bytes(4, "big") + bytes(200)
KINDS = {
    "flavors": recorded.FLAVORS,
    "flavor_use": {"micro": 3},
    "images": recorded.IMAGES,
    "zones": recorded.ZONES,
    "networks": [recorded.NETWORK, replace(recorded.NETWORK, id="out", name="public", external=True, subnets=())],
    "routers": [replace(recorded.ROUTER, external_network_id="out")],
    "quotas": recorded.QUOTAS,
    "projects": recorded.PROJECTS,
}


@pytest.fixture
def console(client, root):
    client.force_login(root, backend="django.contrib.auth.backends.ModelBackend")
    return client


@pytest.fixture
def known(cloud):
    """All that the cloud last said, two hours ago."""
    at = timezone.now() - timedelta(hours=2)
    for kind, data in KINDS.items():
        Inventory.objects.create(hypervisor=cloud, kind=kind, data=inventory.plain(data), fetched_at=at)
    return cloud


@pytest.fixture
def services(monkeypatch):
    """The report of the services, without a cloud."""
    told = [
        ServiceHealth("nova", ok=True, version="2.93", seconds=0.0312),
        ServiceHealth("cinder", ok=False, detail="refused"),
    ]
    report = {"services": [vars(service) for service in told], "checked_at": timezone.now()}
    monkeypatch.setattr("hypervisors.services.asked", lambda _hypervisor: report)
    memory.forget()
    yield
    memory.forget()


def page(answer) -> str:
    return answer.content.decode()


def own(cloud, rest: str = "") -> str:
    return f"{CLOUDS}{cloud.pk}/{rest}"


def messages(answer) -> list[str]:
    return [str(message) for message in answer.context["messages"]]


# -- who ---------------------------------------------------------------------------------------------------------------


def test_others_are_kept_out_even_managers_of_the_cloud(client, teacher, known, spoken):
    known.managers.add(teacher)
    client.force_login(teacher, backend="django.contrib.auth.backends.ModelBackend")
    removals = [f"remove/{kind}/" for kind in ("image", "flavor", "network", "router")]
    for rest in (*PAGES, *removals, *(f"part/{name}/" for name in PARTS)):
        for method in (client.get, client.post):
            assert method(own(known, rest), {"key": "x", "predefined": "nano"}).status_code == 403, rest
    assert client.get(CLOUDS).status_code == 403
    assert (spoken.asked, spoken.done) == ([], [])


def test_only_an_openstack_is_a_cloud(console, hypervisor):
    for rest in ("flavors/", "networks/", "part/zones/", "remove/flavor/"):
        assert console.get(own(hypervisor, rest)).status_code == 404
    assert console.get(own(hypervisor))["Location"] == own(hypervisor, "images/")
    assert f'href="{own(hypervisor)}"' not in page(console.get(f"/admin/hypervisors/hypervisor/{hypervisor.pk}/"))


def test_the_menu_has_clouds_when_there_is_one(console, hypervisor):
    assert CLOUDS not in page(console.get("/admin/"))
    assert "Add an OpenStack" in page(console.get(CLOUDS))
    cloud = Hypervisor.objects.create(name="campus", driver="openstack")
    assert f'href="{CLOUDS}"' in page(console.get("/admin/"))
    assert own(cloud) in page(console.get(f"/admin/hypervisors/hypervisor/{cloud.pk}/"))
    assert own(cloud) in page(console.get("/admin/hypervisors/hypervisor/"))
    assert console.get(CLOUDS)["Location"] == own(cloud)
    Hypervisor.objects.create(name="second", driver="openstack")
    assert page(console.get(CLOUDS)).count("data-hypervisor=") == 2


# -- looking -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rest", PAGES)
def test_a_page_tells_at_once_what_is_known_and_asks_nobody(console, known, spoken, rest):
    Group.objects.create(name="others")
    with CaptureQueriesContext(connection) as queries:
        text = page(console.get(own(known, rest)))
    assert len(queries) <= 15
    assert spoken.asked == []
    assert "2\xa0hours ago" in text
    assert "data-stale" in text
    for forbidden in ("<script>", "style=", "onclick"):
        assert forbidden not in text


@pytest.mark.parametrize("rest", [*PAGES, *(f"part/{name}/" for name in PARTS)])
def test_more_rows_ask_no_more_questions(console, known, spoken, rest):
    def ask() -> int:
        with CaptureQueriesContext(connection) as queries:
            assert console.get(own(known, rest)).status_code == 200
        return len(queries)

    Inventory.objects.update(fetched_at=timezone.now())
    ask()  # the session and the health are written once
    few = ask()
    for row in Inventory.objects.filter(kind__in=("flavors", "images", "networks", "routers", "zones", "quotas")):
        more = [{**row.data[-1], "id": f"{row.kind}-{n}", "name": f"more-{n}"} for n in range(30)]
        row.data = row.data + more
        row.save()
    for number in range(20):
        Unowned.objects.create(hypervisor=known, ref=f"vm-{number}", name=f"vm-{number}", info={"power": "on"})
    assert ask() <= few <= 15


def test_the_overview_tells_room_quotas_and_machines(console, known, spoken):
    for ref, info in (("a", {"power": "on"}), ("b", {"power": "on"}), ("c", {})):
        Unowned.objects.create(hypervisor=known, ref=ref, name=ref, info=info)
    row = Inventory.objects.get(kind="quotas")
    row.data[0] |= {"used": 1000}
    row.data[1] |= {"used": 17_000_000}
    row.save()
    text = page(console.get(own(known)))
    assert "3 of 3 up" in text
    assert "1,000 of 1,000" in text
    assert "<b>full</b>" in text
    assert "<b>nearly full</b>" in text
    assert "no limit" in text
    assert "3 machines there belong to nobody" in text
    assert 'data-host="compute-02"' in text


def test_a_part_asks_the_cloud_once_until_its_answer_expires(console, known, spoken):
    text = page(console.get(own(known, "part/images/")))
    assert "cirros" in text
    assert spoken.asked == ["images"]
    console.get(own(known, "part/images/"))
    assert spoken.asked == ["images"]
    console.get(own(known, "part/images/?refresh=1"))
    assert spoken.asked == ["images", "images"]


def test_quotas_of_another_project(console, cloud, spoken):
    text = page(console.get(own(cloud, "part/quotas/?project=demo")))
    assert spoken.asked == ["quotas demo", "projects"]
    assert "<option selected>demo</option>" in text


def test_refresh_without_scripts_asks_and_leads_back(console, cloud, spoken):
    answer = console.get(own(cloud, "networks/?refresh=1"))
    assert answer["Location"] == own(cloud, "networks/")
    assert spoken.asked == ["networks", "routers", "projects"]
    text = page(console.get(own(cloud, "networks/")))
    assert "test-net" in text
    assert "project admin" in text


def test_services_with_their_latency_and_the_circuit(console, cloud, services):
    text = page(console.get(own(cloud, "part/services/")))
    assert 'data-service="nova"' in text
    assert "31 ms" in text
    assert "refused" in text
    assert "closed: calls go through" in text
    assert "direct, without a tunnel" in text


def test_which_flavors_are_there_and_who_has_them(console, cloud, spoken):
    text = page(console.get(own(cloud, "part/flavors/")))
    assert 'value="nano,small,large"' in text
    micro = text[text.index('data-flavor="micro"') :]
    number = recorded.Recorded().flavor_use()["micro"]
    assert f'<td class="number" data-label="Machines">{number}</td>' in micro[: micro.index("</tr>")]
    assert "predefined" in micro[: micro.index("</tr>")]


def test_an_unknown_part_is_not_there(console, cloud):
    assert console.get(own(cloud, "part/secrets/")).status_code == 404
    assert console.get(own(cloud, "remove/project/?key=x")).status_code == 404


# -- the cloud is silent -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", PARTS)
def test_a_silent_cloud_s_last_word_is_told_with_its_age_and_the_reason(console, known, silent, name):
    silent(Unreachable("no route to the cloud"))
    answer = console.get(own(known, f"part/{name}/"))
    assert answer.status_code == 200
    text = page(answer)
    assert "gives no answer. This is what it said last:" in text
    assert "2\xa0hours ago" in text
    assert "no route to the cloud" in text
    assert "Nothing is known yet" not in text


def test_of_a_cloud_that_never_answered_nothing_is_made_up(console, cloud, silent):
    silent(Unreachable("no route to the cloud"))
    for name in ("zones", "quotas", "images", "networks"):
        text = page(console.get(own(cloud, f"part/{name}/")))
        assert "Nothing is known yet" in text, name
        assert "compute-01" not in text
    flavors = page(console.get(own(cloud, "part/flavors/")))
    assert "These are the predefined ones" in flavors
    assert "not known" in flavors
    assert 'form="predefined"' not in flavors


def test_an_account_that_may_not_see_projects_sees_the_rest(console, cloud, spoken, monkeypatch):
    def refused() -> None:
        raise Rejected("you may not list projects")

    monkeypatch.setattr(spoken, "projects", refused)
    for name, shown in (("quotas", "Compute"), ("networks", "test-net")):
        text = page(console.get(own(cloud, f"part/{name}/")))
        assert shown in text
        assert "gives no answer" not in text


# -- changing ----------------------------------------------------------------------------------------------------------


def upload(console, cloud, content=QCOW2, **fields):
    sent = {"name": "debian-12", "public": "on", "file": SimpleUploadedFile("disk.qcow2", content), **fields}
    return console.post(own(cloud, "images/"), sent, headers={"X-Requested-With": "fetch"})


def test_an_image_is_uploaded_and_the_script_is_told_where_to_go(console, cloud, spoken):
    answer = upload(console, cloud)
    assert answer.json() == {"url": own(cloud, "images/")}
    ((method, fields),) = spoken.done
    assert (method, fields["name"], fields["format"], fields["public"]) == ("upload_image", "debian-12", "qcow2", True)
    assert fields["data"] == QCOW2
    assert Entry.objects.get(verb="cloud.image.upload").via == "admin"
    assert "debian-12" in str(messages(console.get(own(cloud, "images/"))))


def test_an_image_that_cannot_be_is_told_at_its_field(console, cloud, spoken):
    backed = QCOW2[:8] + (1).to_bytes(8, "big") + QCOW2[16:]
    answer = upload(console, cloud, backed)
    assert "another file" in str(answer.context["form"].errors["file"])
    assert "debian-12" in page(answer)
    assert upload(console, cloud, name="").context["form"].errors["name"]
    assert spoken.done == []


def test_an_upload_is_bounded_before_it_is_read(console, cloud, spoken, settings):
    settings.OLIMPUS_IMAGE_LIMIT = 300
    answer = console.post(
        own(cloud, "images/"), {"name": "x", "file": SimpleUploadedFile("disk.raw", bytes(500))}, follow=True
    )
    assert "larger than" in messages(answer)[0]
    assert spoken.done == []


def test_an_upload_needs_its_token(root, cloud, spoken):
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(root, backend="django.contrib.auth.backends.ModelBackend")
    assert upload(strict, cloud).status_code == 403
    assert spoken.done == []


def test_the_predefined_flavors_are_made_with_one_press(console, cloud, spoken):
    answer = console.post(own(cloud, "flavors/"), {"predefined": "nano,small,nonsense"}, follow=True)
    assert [(method, fields["name"]) for method, fields in spoken.done] == [
        ("create_flavor", "nano"),
        ("create_flavor", "small"),
    ]
    assert messages(answer) == ["2 predefined flavors are on the cloud."]


def test_what_stops_them_is_told(console, known, silent):
    silent(Rejected("another size"))
    answer = console.post(own(known, "flavors/"), {"predefined": "nano,small"}, follow=True)
    assert "“nano” is not made" in messages(answer)[0]


def test_a_flavor_of_ones_own(console, cloud, spoken):
    sent = {"name": "4c-8g", "cpus": 4, "memory_mib": 8192, "disk_gib": 0}
    assert console.post(own(cloud, "flavors/"), sent).status_code == 302
    assert spoken.done == [("create_flavor", {"name": "4c-8g", "cpus": 4, "memory_mib": 8192, "disk_gib": 0})]
    answer = console.post(own(cloud, "flavors/"), {**sent, "cpus": 0})
    assert answer.context["form"].errors["cpus"]
    assert "4c-8g" in page(answer)


NETWORK = {"name": "test-net", "cidr": "192.168.100.0/24", "gateway": "", "dns": "1.1.1.1, 9.9.9.9", "dhcp": "on"}


def test_a_network_with_addresses_and_a_way_out(console, known, spoken):
    answer = console.post(own(known, "networks/"), {**NETWORK, "way_out": "public"}, follow=True)
    assert messages(answer) == ["The network “test-net” is there."]
    made = dict(spoken.done)
    assert made["create_subnet"] == {
        "network": recorded.NETWORK.id,
        "name": "test-net",
        "cidr": "192.168.100.0/24",
        "dhcp": True,
        "dns": ["1.1.1.1", "9.9.9.9"],
    }
    assert made["create_router"] == {
        "name": "test-net-router",
        "external": "public",
        "subnets": [recorded.SUBNET.id],
    }


@pytest.mark.parametrize(
    ("field", "value", "told"),
    [
        ("cidr", "192.168.100.7/24", "Did you mean 192.168.100.0/24?"),
        ("cidr", "everything", "no range"),
        ("gateway", "10.0.0.1", "outside of 192.168.100.0/24"),
        ("dns", "1.1.1.1 nine", "“nine” is no address"),
        ("way_out", "nowhere", "nowhere"),
        ("name", "", "required"),
    ],
)
def test_a_network_that_cannot_be_is_told_at_its_field(console, known, spoken, field, value, told):
    answer = console.post(own(known, "networks/"), {**NETWORK, field: value})
    assert told in str(answer.context["form"].errors[field])
    assert spoken.done == []


@pytest.mark.parametrize(
    ("kind", "key", "done"),
    [
        ("image", recorded.IMAGES[0].id, ("delete_image", {"image": recorded.IMAGES[0].id})),
        ("flavor", "micro", ("delete_flavor", {"name": "micro"})),
        ("network", recorded.NETWORK.id, ("delete_network", {"network": recorded.NETWORK.id})),
        ("router", recorded.ROUTER.id, ("delete_router", {"router": recorded.ROUTER.id})),
    ],
)
def test_removing_asks_once_and_then_does(console, known, spoken, kind, key, done):
    place = own(known, f"remove/{kind}/")
    asked = page(console.get(place, {"key": key}))
    assert "ask-warning" in asked
    assert spoken.done == []
    answer = console.post(place, {"key": key}, follow=True)
    assert "is gone" in messages(answer)[0]
    assert spoken.done == [done]


def test_what_is_not_there_or_not_on_the_cloud_is_not_removed(console, known, spoken):
    for kind, key in (("image", "nothing"), ("flavor", "nano"), ("network", ""), ("router", "x")):
        answer = console.post(own(known, f"remove/{kind}/"), {"key": key}, follow=True)
        assert messages(answer) == ["It is not there any more."], kind
    assert spoken.done == []


def test_a_refusal_is_told_and_a_router_in_the_way_is_named(console, known, silent):
    place = own(known, "remove/network/")
    assert "way-out" in page(console.get(place, {"key": recorded.NETWORK.id}))
    silent(Rejected("in use by the machine “web”"))
    answer = console.post(place, {"key": recorded.NETWORK.id}, follow=True)
    assert "in use by the machine" in messages(answer)[0]


def test_in_maintenance_nothing_changes(console, known, spoken):
    Hypervisor.objects.update(maintenance=True, maintenance_reason="new disks")
    assert "cannot be changed" in page(console.get(own(known, "flavors/")))
    answer = console.post(own(known, "flavors/"), {"predefined": "nano"}, follow=True)
    assert "new disks" in messages(answer)[0]
    assert spoken.done == []


def test_only_formats_that_are_taken_are_asked_for():
    assert "vmdk" in ImageForm().fields["file"].help_text
    assert "vmdk" not in ImageForm(converts=False).fields["file"].help_text
