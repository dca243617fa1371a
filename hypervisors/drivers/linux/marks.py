"""What we write into a domain so that it is known again: whose it is, and what was asked for. Pure.

It is one element of libvirt's metadata, with JSON inside: libvirt keeps it through edits, restarts and migrations.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Final
from xml.etree import ElementTree as ET

from hypervisors.drivers.base import NicSpec, VmSpec, extra_gib

NAMESPACE: Final = "urn:olimpus:machine:1"
TAG: Final = f"{{{NAMESPACE}}}machine"


@dataclass(frozen=True)
class Mark:
    """A machine that is ours."""

    uid: str
    name: str
    image: str = ""
    disk_gib: float = 0.0
    nics: tuple[NicSpec, ...] = ()
    disks: tuple[Any, ...] = ()
    cdroms: tuple[Any, ...] = ()
    boot_order: tuple[str, ...] = ()
    #: What the gateway does to reach it from outside.
    ways: tuple[Mapping[str, Any], ...] = field(default=())

    @property
    def room_gib(self) -> float:
        """What all of its disks take up at most."""
        return self.disk_gib + extra_gib(self.disks)

    def element(self, tag: str = TAG) -> ET.Element:
        """As it stands in a domain; to be handed to libvirt by itself it is a plain `machine`."""
        element = ET.Element(tag)
        element.text = json.dumps(asdict(self), ensure_ascii=True)
        return element


def mark_of(spec: VmSpec, nics: tuple[NicSpec, ...], ways: tuple[Mapping[str, Any], ...] = ()) -> Mark:
    """Of a machine as it is built, its cards with the addresses that they got."""
    return Mark(
        uid=spec.uid,
        name=spec.name,
        image=spec.image,
        disk_gib=spec.disk_gib,
        nics=nics,
        disks=tuple(spec.disks),
        cdroms=tuple(spec.cdroms),
        boot_order=tuple(spec.boot_order),
        ways=ways,
    )


def read(domain: ET.Element) -> Mark | None:
    """The mark in a domain's XML; None where there is none that we understand."""
    element = domain.find(f"metadata/{TAG}")
    try:
        found = json.loads(element.text or "") if element is not None else None
        return _mark(found) if isinstance(found, dict) else None
    except (ValueError, TypeError, KeyError):
        return None  # somebody else wrote it


def _mark(found: dict[str, Any]) -> Mark:
    nics = tuple(NicSpec(**nic) for nic in found.pop("nics", ()))
    lists = {name: tuple(found.pop(name, ())) for name in ("disks", "cdroms", "boot_order", "ways")}
    mark = Mark(nics=nics, **lists, **found)
    return mark if mark.room_gib >= 0 else None  # which fails where sizes are none
