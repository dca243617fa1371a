"""Secrets at rest and the rotation of their keys."""

from __future__ import annotations

import pytest
from cryptography.fernet import Fernet
from django.core.management import CommandError, call_command

from accounts.models import Entry
from hypervisors import actions, secrets
from hypervisors.models import Hypervisor
from olimpus.errors import HypervisorError


@pytest.fixture
def keys() -> list[str]:
    return [Fernet.generate_key().decode() for _ in range(3)]


def test_what_is_encrypted_is_read_back_and_is_not_clear(settings, keys):
    settings.OLIMPUS_SECRET_KEYS = keys[:1]
    text = secrets.encrypt({"api_token": "s3cr3t"})
    assert "s3cr3t" not in text
    assert secrets.decrypt(text) == {"api_token": "s3cr3t"}
    assert text != secrets.encrypt({"api_token": "s3cr3t"})


def test_no_secrets_need_no_key(settings):
    settings.OLIMPUS_SECRET_KEYS = []
    assert secrets.encrypt({}) == ""
    assert secrets.decrypt("") == {}


def test_a_wrong_key_says_what_to_do(settings, keys):
    settings.OLIMPUS_SECRET_KEYS = keys[:1]
    text = secrets.encrypt({"api_token": "s3cr3t"})
    settings.OLIMPUS_SECRET_KEYS = keys[1:]
    with pytest.raises(HypervisorError) as caught:
        secrets.decrypt(text, where="rack-1")
    assert caught.value.where == "rack-1"
    assert "OLIMPUS_SECRET_KEYS" in caught.value.hint


@pytest.mark.parametrize("bad", [[], ["short-key"], [""]])
def test_a_malformed_key_says_so_without_showing_it(settings, bad):
    settings.OLIMPUS_SECRET_KEYS = bad
    with pytest.raises(HypervisorError) as caught:
        secrets.encrypt({"api_token": "s3cr3t"})
    assert "short-key" not in str(caught.value)
    assert caught.value.where == "OLIMPUS_SECRET_KEYS"


def test_rotation_makes_the_old_key_superfluous(settings, keys, hypervisor):
    old = settings.OLIMPUS_SECRET_KEYS
    settings.OLIMPUS_SECRET_KEYS = [keys[0], *old]
    call_command("rotate_secrets")
    call_command("rotate_secrets")
    settings.OLIMPUS_SECRET_KEYS = keys[:1]
    assert Hypervisor.objects.get().clear_settings()["api_token"] == "s3cr3t-token"


def test_a_rotation_that_cannot_read_one_changes_none(settings, keys, hypervisor, root):
    settings.OLIMPUS_SECRET_KEYS = keys[:1]
    other = actions.create({"name": "rack-2", "driver": "mock", "settings": {"api_token": "x"}}, actor=root)
    before = dict(Hypervisor.objects.values_list("name", "secrets"))
    settings.OLIMPUS_SECRET_KEYS = [keys[1], keys[0]]
    with pytest.raises(CommandError, match="rack-1"):
        call_command("rotate_secrets")
    assert dict(Hypervisor.objects.values_list("name", "secrets")) == before
    assert other.name in before


def test_secrets_that_nobody_can_read_can_be_entered_again(settings, keys, hypervisor, root):
    settings.OLIMPUS_SECRET_KEYS = keys[:1]
    assert hypervisor.secrets_set() == []
    saved = actions.update(hypervisor, {"settings": {"api_token": "new"}}, actor=root)
    assert saved.clear_settings() == {"api_token": "new"}


def test_the_record_shows_no_secret(hypervisor):
    stored = Hypervisor.objects.values().get()
    assert "s3cr3t" not in str(stored)
    assert "s3cr3t" not in f"{hypervisor!r} {hypervisor}"
    assert hypervisor.secrets_set() == ["api_token"]
    assert "s3cr3t" not in str(list(Entry.objects.values()))
