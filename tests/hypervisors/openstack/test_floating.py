"""What Neutron refuses of floating addresses and open cards, in our words."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from hypervisors.drivers.base import NicSpec
from hypervisors.drivers.openstack.errors import Clash, Denied
from hypervisors.drivers.openstack.memory import Card
from hypervisors.drivers.openstack.ports import Plan, Plug, Ports
from hypervisors.drivers.openstack.session import Session
from hypervisors.drivers.openstack.settings import SETTINGS
from olimpus.errors import CapacityExceeded
from tests.hypervisors.openstack.recorded import ACCOUNT


@pytest.fixture
def ports(tmp_path: Path) -> Ports:
    return Ports(Session("lab", {setting.name: setting.default for setting in SETTINGS} | ACCOUNT, tmp_path))


def refuse(error: Exception) -> Any:
    def asked(*_args: Any, **_options: Any) -> None:
        raise error

    return asked


@pytest.mark.parametrize(("bridge", "words"), [(True, r"“shared-lan”: rule:create_port"), (False, r"^lab: rule:")])
def test_a_network_of_others_lets_no_other_frames_pass(
    ports: Ports, monkeypatch: pytest.MonkeyPatch, bridge: bool, words: str
) -> None:
    plan = Plan((Plug(Card(NicSpec("lan", ""), "shared-lan"), "n-1", bridge=bridge, secure=not bridge),))
    monkeypatch.setattr(ports.rest, "post", refuse(Denied("rule:create_port is disallowed by policy", where="lab")))
    with pytest.raises(Denied, match=words):
        ports.make("u-1", plan, "")


def test_an_external_network_that_is_full_has_no_room(ports: Ports, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ports.floating, "_each", lambda *_asked, **_query: iter(()))
    monkeypatch.setattr(ports.floating, "_new", refuse(Clash("No more IP addresses available on network n-1.")))
    with pytest.raises(CapacityExceeded, match="no floating address left: No more IP"):
        ports.floating.outside("u-1", "52:54:00:00:00:01", "n-1", "")
