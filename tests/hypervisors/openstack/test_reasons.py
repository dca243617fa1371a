"""What is told of a connection that cannot be made: why, and not which host and port it was."""

from __future__ import annotations

import pytest
import requests
from keystoneauth1.session import Session

from hypervisors.drivers.openstack.errors import translated
from olimpus.errors import Unreachable


@pytest.mark.parametrize("ask", [requests.get, Session().get], ids=["requests", "keystoneauth"])
@pytest.mark.parametrize(
    ("url", "reason"),
    [("http://127.0.0.1:1/v3", "connection refused"), ("http://no-such-host.invalid/v3", "its name is not known")],
)
def test_the_reason_is_told_without_the_address(ask, url, reason):
    with pytest.raises(Unreachable) as caught, translated("lab"):
        ask(url)
    assert caught.value.message == f"OpenStack does not answer: {reason}"
