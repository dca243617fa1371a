"""What a domain's XML says about a machine, ours or not. Pure; the XML comes from a worker: nothing in it is believed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Final
from xml.etree import ElementTree as ET

from defusedxml.ElementTree import fromstring

from hypervisors.drivers.base import NicSpec
from hypervisors.drivers.linux import marks
from hypervisors.drivers.linux.marks import Mark

#: MiB of one of libvirt's units.
UNITS: Final = {"b": 2**-20, "bytes": 2**-20, "k": 2**-10, "KiB": 2**-10, "M": 1, "MiB": 1, "G": 2**10, "GiB": 2**10}


@dataclass(frozen=True)
class Facts:
    """One domain, as it is defined. Memory is MiB."""

    uuid: str
    domain: str
    mark: Mark | None
    name: str
    cpus: int
    memory_mib: int
    nics: tuple[NicSpec, ...]
    disks: tuple[str, ...]  # paths, the system disk first
    cdroms: tuple[str, ...]
    vnc_password: str = ""

    @property
    def uid(self) -> str:
        """Ours, or "" when the machine is not ours."""
        return self.mark.uid if self.mark else ""

    @property
    def disk_gib(self) -> float:
        """Of the system disk, as we made it; 0 where we did not."""
        return self.mark.disk_gib if self.mark else 0.0

    @property
    def room_gib(self) -> float:
        """What all of its disks take up at most, of a machine of ours."""
        return self.mark.room_gib if self.mark else 0.0


def facts_of(xml: str) -> Facts:
    """The domain in this XML, with its secrets where libvirt told them."""
    domain = fromstring(xml)
    mark = marks.read(domain)
    name = domain.findtext("name", "")
    screen = domain.find("devices/graphics[@type='vnc']")
    return Facts(
        uuid=domain.findtext("uuid", ""),
        domain=name,
        mark=mark,
        name=mark.name if mark else name,
        cpus=_cpus(domain.find("vcpu")),
        memory_mib=_memory(domain.find("memory")),
        nics=tuple(_nic(card, mark) for card in domain.iterfind("devices/interface")),
        disks=_files(domain, "disk"),
        cdroms=_files(domain, "cdrom"),
        vnc_password=screen.get("passwd", "") if screen is not None else "",
    )


def screen_of(xml: str) -> tuple[int, str] | None:
    """Port of the VNC server on the worker's loopback and its password; None while the machine is off."""
    screen = fromstring(xml).find("devices/graphics[@type='vnc']")
    port = int(screen.get("port", "-1")) if screen is not None else -1
    return (port, screen.get("passwd", "")) if screen is not None and port > 0 else None


def volume_of(path: str) -> str:
    """The name of a volume by its path."""
    return PurePosixPath(path).name


def _cpus(element: ET.Element | None) -> int:
    """Those that are switched on; there may be room for more."""
    return int(element.get("current") or element.text or "1") if element is not None else 1


def _memory(element: ET.Element | None) -> int:
    if element is None or not element.text:
        return 0
    return round(int(element.text) * UNITS.get(element.get("unit", "KiB"), 2**-10))


def _nic(card: ET.Element, mark: Mark | None) -> NicSpec:
    """A card; what libvirt does not know of it (network, address) is in our mark."""
    mac = getattr(card.find("mac"), "attrib", {}).get("address", "").lower()
    model = getattr(card.find("model"), "attrib", {}).get("type", "virtio")
    ours = next((nic for nic in mark.nics if nic.mac.lower() == mac), None) if mark else None
    if ours:
        return NicSpec(ours.network, ours.mac, ours.ip, ours.ip_mode, model)
    source = getattr(card.find("source"), "attrib", {})
    tag = card.find("vlan/tag")
    network = source.get("network") or source.get("bridge") or ""
    return NicSpec(f"{network}:{tag.get('id')}" if tag is not None else network, mac, model=model)


def _files(domain: ET.Element, device: str) -> tuple[str, ...]:
    found = domain.iterfind(f"devices/disk[@device='{device}']")
    sources = (getattr(disk.find("source"), "attrib", {}) for disk in found)
    return tuple(source["file"] for source in sources if "file" in source)
