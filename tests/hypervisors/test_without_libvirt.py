"""A machine without libvirt's library: everything but its own driver works."""

from __future__ import annotations

import sys

import pytest

from hypervisors.registry import clean_settings, driver_class, installed
from olimpus.errors import Invalid


@pytest.fixture
def without_libvirt(monkeypatch):
    for name in [name for name in sys.modules if name.startswith("hypervisors.drivers.linux.")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "libvirt", None)


def test_the_others_are_there(without_libvirt):
    assert set(installed()) == {"mock", "openstack"}
    assert clean_settings("mock", {}) == ({}, {})


def test_its_own_driver_says_what_is_missing(without_libvirt):
    with pytest.raises(Invalid, match="libvirt") as caught:
        driver_class("linux")
    assert "library" in str(caught.value.hint)


@pytest.mark.django_db
def test_the_form_offers_what_can_be_used(without_libvirt, admin_client):
    page = admin_client.get("/admin/hypervisors/hypervisor/add/?driver=linux")
    assert page.status_code == 200
    assert "Linux/KVM" not in page.content.decode()
