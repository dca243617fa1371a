"""A hypervisor made of the environment's `OPENSTACK_*` variables."""

from __future__ import annotations

import io

import pytest
from django.core.management import CommandError, call_command

from accounts.models import Entry
from hypervisors import actions, clouds
from hypervisors.models import Hypervisor


@pytest.fixture
def environment(monkeypatch):
    for name in ("AUTH_URL", "CLOUD", "USERNAME", "PASSWORD", "PROJECT_NAME"):
        monkeypatch.delenv(f"OPENSTACK_{name}", raising=False)
    return lambda **named: [monkeypatch.setenv(f"OPENSTACK_{name}", value) for name, value in named.items()]


def test_nothing_is_made_without_a_word(db, environment):
    environment(USERNAME="olimpus")
    assert clouds.from_environment() is None


def test_the_environments_openstack_is_made_once(db, environment, root):
    environment(AUTH_URL="https://cloud.example.org/v3", USERNAME="olimpus", PASSWORD="s3cr3t-pw")
    out = io.StringIO()
    call_command("openstack_from_env", stdout=out)
    made = Hypervisor.objects.get()
    assert (made.name, made.driver, made.settings, made.secrets) == ("openstack", "openstack", {}, "")
    assert "openstack" in out.getvalue()
    call_command("openstack_from_env", stdout=out)
    assert Hypervisor.objects.count() == 1
    assert Entry.objects.get(verb="hypervisor.create").data["by"] == "environment"
    assert "s3cr3t" not in str(list(Entry.objects.values()))


def test_an_entry_of_clouds_yaml_is_named(db, environment, root):
    actions.create({"name": "openstack", "driver": "mock"}, actor=root)
    environment(CLOUD="lab")
    made = clouds.from_environment()
    assert (made.name, made.settings) == ("openstack-2", {"cloud": "lab"})


def test_a_driver_that_cannot_be_loaded_is_told(db, environment, monkeypatch):
    environment(CLOUD="lab")
    monkeypatch.setattr("hypervisors.registry.DRIVERS", {})
    with pytest.raises(CommandError):
        call_command("openstack_from_env")
