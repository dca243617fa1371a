"""Where the driver finds how to sign in: the record, then clouds.yaml, then the environment."""

from __future__ import annotations

import pytest

from hypervisors.drivers.openstack.settings import SETTINGS, account
from olimpus.errors import Rejected

DEFAULTS = {setting.name: setting.default for setting in SETTINGS}
FULL = {"auth_url": "https://cloud:5000/v3", "username": "olimpus", "password": "s3cret", "project_name": "labs"}
CLOUDS = """
clouds:
  campus:
    auth: {auth_url: "https://campus:5000/v3", username: ana, password: pw, project_name: physics,
           user_domain_name: campus, project_domain_name: campus}
    region_name: North
    interface: internal
    verify: false
"""


@pytest.fixture(autouse=True)
def clean(monkeypatch, tmp_path):
    """No cloud of the person who runs the tests."""
    for name in ("AUTH_URL", "USERNAME", "PASSWORD", "PROJECT_NAME", "REGION_NAME"):
        monkeypatch.delenv(f"OPENSTACK_{name}", raising=False)
        monkeypatch.delenv(f"OS_{name}", raising=False)
    file = tmp_path / "clouds.yaml"
    file.write_text(CLOUDS)
    monkeypatch.setenv("OS_CLIENT_CONFIG_FILE", str(file))


def told(**values):
    return account(DEFAULTS | values)


def test_the_record_is_enough():
    found = told(**FULL)
    assert found["auth_type"] == "v3password"
    assert found["auth"] == {**FULL, "user_domain_name": "Default", "project_domain_name": "Default"}
    assert (found["interface"], found["verify"]) == ("public", True)


def test_an_entry_of_clouds_yaml_fills_in():
    found = told(cloud="campus", project_name="biology")
    assert (found["auth"]["username"], found["auth"]["project_name"]) == ("ana", "biology")
    assert found["auth"]["user_domain_name"] == "campus"
    assert (found["region_name"], found["interface"], found["verify"]) == ("North", "internal", False)


def test_an_entry_that_is_not_there_is_refused():
    with pytest.raises(Rejected) as caught:
        told(cloud="kampus")
    assert caught.value.where == "cloud"


def test_the_environment_fills_in_what_is_empty(monkeypatch):
    for name, value in FULL.items():
        monkeypatch.setenv(f"OPENSTACK_{name.upper()}", value)
    monkeypatch.setenv("OPENSTACK_REGION_NAME", "South")
    found = told(username="eva")
    assert (found["auth"]["username"], found["auth"]["password"], found["region_name"]) == ("eva", "s3cret", "South")


@pytest.mark.parametrize("name", sorted(FULL))
def test_what_is_missing_is_named(name):
    with pytest.raises(Rejected) as caught:
        told(**{key: value for key, value in FULL.items() if key != name})
    assert caught.value.where == name
    assert f"OPENSTACK_{name.upper()}" in caught.value.hint
    assert "s3cret" not in str(caught.value)


def test_an_application_credential_needs_no_user():
    found = told(auth_url="https://c/v3", application_credential_id="id", application_credential_secret="secret")
    assert found["auth_type"] == "v3applicationcredential"
    assert sorted(found["auth"]) == ["application_credential_id", "application_credential_secret", "auth_url"]


def test_no_secret_is_a_public_setting():
    assert {one.name for one in SETTINGS if one.secret} == {
        "password",
        "application_credential_secret",
        "bastion_key",
        "bastion_passphrase",
        "headnode_key",
        "headnode_passphrase",
    }
