"""The page about OpenStack: its commands work, and are answered as it shows."""

from __future__ import annotations

from pathlib import Path

from tests.lab.cloud import Cloud
from tests.lab.openstack import curl
from tests.lab.openstack.campus import standing


def test_the_commands_of_the_page_are_answered_as_it_shows(lab: Cloud, tmp_path: Path) -> None:
    page = curl.PAGE.read_text()
    with standing(lab, tmp_path, hypervisors=False) as campus:
        printed = curl.run(page, campus.installation.address, tmp_path)
    found = []
    for block, real in zip(curl.blocks(page), printed, strict=True):
        if block.answer is not None:
            found += [f"{block.code}{one}" for one in curl.differences(curl.last(block.answer), curl.last(real))]
    assert not found, "\n".join(found)
    assert sum(block.answer is not None for block in curl.blocks(page)) >= 20
