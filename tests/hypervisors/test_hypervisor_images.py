"""Images of hypervisors that are no OpenStack: the doors of the API and of the console, on the mock."""

from __future__ import annotations

import io

import pytest
from django.test import Client

from accounts.models import Entry
from hypervisors import actions, clouds
from hypervisors.drivers.cloud import Cleared
from hypervisors.drivers.mock import MockDriver
from hypervisors.drivers.mock.cloud import MockCloud


@pytest.fixture
def images(hypervisor) -> str:
    return f"/api/hypervisors/{hypervisor.pk}/images"


@pytest.fixture
def copying(monkeypatch):
    """The mock as if it kept copies on hosts; gives what it was asked to tidy."""
    asked = []

    def tidy(self, days: float = 0.0) -> list[Cleared]:
        asked.append(days)
        return [Cleared("debian", "worker-3", 5)]

    kinds = MockCloud.kinds | {"copies"}
    monkeypatch.setattr(MockCloud, "kinds", kinds)
    monkeypatch.setattr(MockDriver, "offers", kinds)
    monkeypatch.setattr(MockCloud, "tidy_images", tidy)
    return asked


@pytest.fixture
def browser(root) -> Client:
    made = Client()
    made.force_login(root)
    return made


def upload(api, images: str, content: bytes = b"a raw disk", **fields):
    return api.post(images, {"name": "debian", "file": io.BytesIO(content), **fields}, format="multipart")


def test_an_image_comes_is_listed_and_goes(api, images):
    assert upload(api, images).json()["name"] == "debian"
    (row,) = api.get(images).json()["results"]
    assert (row["id"], row["status"], row["hosts"]) == ("debian", "active", [])
    assert upload(api, images).status_code == 409  # taken
    assert api.delete(f"{images}/debian").status_code == 204
    assert api.get(images).json()["results"] == []
    assert list(Entry.objects.filter(verb__startswith="cloud.").order_by("id").values_list("verb", flat=True)) == [
        "cloud.image.upload",
        "cloud.image.upload.failed",
        "cloud.image.delete",
    ]


def test_the_address_of_clouds_serves_it_by_name(api, images, hypervisor):
    upload(api, images)
    told = api.get("/api/openstack/images", {"hypervisor": hypervisor.name}).json()
    assert [row["name"] for row in told["results"]] == ["debian"]
    assert api.get("/api/openstack/images").status_code == 404


def test_everybody_may_look_and_only_those_in_charge_change(teacher_api, teacher, api, images, hypervisor, root):
    upload(api, images)
    assert teacher_api.get(images).json()["results"][0]["name"] == "debian"
    for answer in (upload(teacher_api, images), teacher_api.delete(f"{images}/debian")):
        assert answer.status_code == 403
    assert teacher_api.post(f"{images}/tidy", {}, format="json").status_code == 403
    actions.update(hypervisor, {"managers": ["teacher"]}, actor=root)
    assert teacher_api.delete(f"{images}/debian").status_code == 204


def test_what_is_no_whole_image_is_refused(api, images):
    backed = b"QFI\xfb" + (3).to_bytes(4, "big") + (512).to_bytes(8, "big") + bytes(600)
    assert upload(api, images, backed).status_code == 400
    assert upload(api, images, b"raw", format="qcow2").status_code == 400
    assert api.get(images).json()["results"] == []


def test_tidying_where_there_are_no_copies_is_told(api, images):
    answer = api.post(f"{images}/tidy", {}, format="json")
    assert answer.status_code == 409
    assert "copies of images on hosts" in answer.json()["detail"]


def test_tidying_tells_what_went(api, images, copying):
    answer = api.post(f"{images}/tidy", {"days": 30}, format="json")
    assert answer.json() == [{"name": "debian", "host": "worker-3", "size_bytes": 5}]
    assert copying == [30]
    assert Entry.objects.get(verb="cloud.image.tidy").data["days"] == 30
    assert api.post(f"{images}/tidy", {"days": -1}, format="json").status_code == 400


def test_a_technology_says_what_it_has(hypervisor):
    assert clouds.offers(hypervisor) == {"images"}
    assert hypervisor in clouds.with_kind("images")
    assert clouds.with_kind("flavors") == []


def test_the_console_has_a_page_of_images_and_no_other(browser, hypervisor, api, images):
    upload(api, images)
    own = f"/admin/hypervisors/hypervisor/clouds/{hypervisor.pk}"
    page = browser.get(f"{own}/images/?refresh=1", follow=True).content.decode()
    assert "debian" in page
    assert "For all projects" not in page
    assert f"{own}/flavors/" not in page
    assert "Tidy up" not in page
    assert f"{own}/images/" in browser.get(f"/admin/hypervisors/hypervisor/{hypervisor.pk}/").content.decode()
    browser.post(f"{own}/remove/image/", {"key": "debian"})
    assert api.get(f"{images}?refresh=1").json()["results"] == []


def test_the_console_tidies(browser, hypervisor, copying):
    own = f"/admin/hypervisors/hypervisor/clouds/{hypervisor.pk}"
    assert "Tidy up" in browser.get(f"{own}/images/").content.decode()
    assert browser.get(f"{own}/images/tidy/").status_code == 405
    assert "1 copy is removed" in browser.post(f"{own}/images/tidy/", follow=True).content.decode()
    assert copying == [0.0]
