"""What gateways between hypervisors are told. That it joins networks is proven in tests/lab/linux/test_hybrid.py."""

from __future__ import annotations

import json
import shutil
import subprocess

import pytest

from slices import tunnels

SHELLS = [shell for shell in ("sh", "dash", "bash") if shutil.which(shell)]


def test_user_data_writes_the_script_and_runs_it():
    header, _, body = tunnels.user_data("10.99.0.1", ["gw-b", "gw-c"]).partition("\n")
    told = json.loads(body)
    assert header == "#cloud-config"
    assert told["write_files"][0]["content"] == tunnels.script("10.99.0.1", ["gw-b", "gw-c"])
    assert told["runcmd"] == [["sh", told["write_files"][0]["path"]]]


def test_peers_stand_as_placeholders():
    lines = tunnels.script("10.99.0.1", ["gw-b", "gw-c"]).splitlines()
    assert lines[0] == "#!/bin/sh"
    assert "OUTSIDE=10.99.0.1" in lines
    assert 'PEERS="@outside(gw-b)@ @outside(gw-c)@"' in lines


@pytest.mark.parametrize("shell", SHELLS)
def test_every_shell_reads_it(shell):
    subprocess.run([shell, "-n"], input=tunnels.script("10.99.0.1", ["gw-b"]), text=True, check=True)


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize(
    ("address", "number"),
    [
        ("10.64.0.5/29", 64 << 16),
        ("10.64.0.14/29", 64 << 16 | 8),
        ("10.0.0.7/24", 0),
        ("192.168.255.254/16", 168 << 16),
        ("172.16.1.1/0", 0),
        ("11.255.255.254/32", 0xFFFFFE),
    ],
)
def test_the_number_of_a_tunnel_is_its_networks(shell, address, number):
    start, end = (tunnels.BODY.index(name) for name in ("number() (", "join() {"))
    asked = f"{tunnels.BODY[start:end]}\nnumber {address}"
    assert subprocess.run([shell, "-c", asked], text=True, capture_output=True, check=True).stdout == f"{number}\n"
