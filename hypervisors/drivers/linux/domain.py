"""A machine as libvirt's domain XML. Pure: elements are made, never text.

Format: https://libvirt.org/formatdomain.html
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from xml.etree import ElementTree as ET

from hypervisors.drivers.linux.marks import NAMESPACE, Mark

ET.register_namespace("olimpus", NAMESPACE)

#: What our boot devices are called there.
BOOT: Final = {"disk": "hd", "cdrom": "cdrom", "network": "network"}
#: Open vSwitch with its userspace datapath does not complete the checksums that virtio leaves to others.
OFFLOADS: Final = ("csum", "tso4", "tso6", "ecn", "ufo")
#: Letters that disks are named by; IDE has four places.
LETTERS: Final = "abcdefghijklmnopqrstuvwxyz"
CACHE_MIB: Final = 32
LONGEST_NAME: Final = 40


@dataclass(frozen=True)
class Disk:
    """A file that the machine sees."""

    path: str
    format: str = "qcow2"


@dataclass(frozen=True)
class Card:
    """A network card, in the network that the tag names; 0: what has no tag. (Without any, a port carries all tags.)"""

    mac: str
    tag: int = 0
    model: str = "virtio"


@dataclass(frozen=True)
class Hardware:
    """Everything about a machine that libvirt must know. Memory is MiB."""

    uuid: str
    name: str
    mark: Mark
    cpus: int
    memory_mib: int
    disks: Sequence[Disk]
    cdroms: Sequence[Disk]
    cards: Sequence[Card]
    boot_order: Sequence[str] = ()
    virt_type: str = "kvm"
    firmware: str = "bios"
    bridge: str = "br-int"
    password: str = ""
    description: str = ""


def name_of(name: str, uid: str) -> str:
    """The domain's name: readable, safe in file names, and unlike any other machine's."""
    return f"{re.sub(r'[^A-Za-z0-9._-]+', '-', name)[:LONGEST_NAME].strip('.-') or 'vm'}-{uid[:8]}"


def domain_xml(wanted: Hardware) -> str:
    """The domain that the machine becomes."""
    domain = ET.Element("domain", type=wanted.virt_type)
    for tag, text in (("name", wanted.name), ("uuid", wanted.uuid), ("title", _line(wanted.mark.name))):
        ET.SubElement(domain, tag).text = text
    if wanted.description:
        ET.SubElement(domain, "description").text = _printable(wanted.description)
    ET.SubElement(domain, "metadata").append(wanted.mark.element())
    ET.SubElement(domain, "memory", unit="MiB").text = str(wanted.memory_mib)
    ET.SubElement(domain, "vcpu").text = str(wanted.cpus)
    domain.append(_os(wanted))
    features = ET.SubElement(domain, "features")
    for feature in ("acpi", "apic"):
        ET.SubElement(features, feature)
    if wanted.virt_type == "kvm":
        ET.SubElement(domain, "cpu", mode="host-passthrough")
    else:
        ET.SubElement(ET.SubElement(features, "tcg"), "tb-cache", unit="MiB").text = str(CACHE_MIB)
    ET.SubElement(domain, "clock", offset="utc")
    for event, action in (("poweroff", "destroy"), ("reboot", "restart"), ("crash", "destroy")):
        ET.SubElement(domain, f"on_{event}").text = action
    domain.append(_devices(wanted))
    return ET.tostring(domain, encoding="unicode")


def _os(wanted: Hardware) -> ET.Element:
    """The machine type `pc` has IDE, whose drivers every guest brings along: the seed's CD is found."""
    os = ET.Element("os", firmware="efi") if wanted.firmware == "uefi" else ET.Element("os")
    ET.SubElement(os, "type", arch="x86_64", machine="q35" if wanted.firmware == "uefi" else "pc").text = "hvm"
    for device in wanted.boot_order or ("disk",):
        ET.SubElement(os, "boot", dev=BOOT[device])
    return os


def _devices(wanted: Hardware) -> ET.Element:
    devices = ET.Element("devices")
    devices.extend(_disk(disk, f"vd{letter}") for disk, letter in zip(wanted.disks, LETTERS, strict=False))
    bus, prefix = ("scsi", "sd") if wanted.firmware == "uefi" else ("ide", "hd")
    if wanted.firmware == "uefi" and wanted.cdroms:
        ET.SubElement(devices, "controller", type="scsi", model="virtio-scsi")
    devices.extend(_cdrom(cd, f"{prefix}{letter}", bus) for cd, letter in zip(wanted.cdroms, LETTERS, strict=False))
    devices.extend(_card(card, wanted.bridge) for card in wanted.cards)
    serial = ET.SubElement(devices, "serial", type="pty")
    ET.SubElement(serial, "log", file=log_of(wanted.name), append="off")
    ET.SubElement(serial, "target", port="0")
    screen = ET.SubElement(devices, "graphics", type="vnc", port="-1", autoport="yes", passwd=wanted.password)
    ET.SubElement(screen, "listen", type="address", address="127.0.0.1")
    ET.SubElement(devices, "input", type="tablet", bus="usb")
    ET.SubElement(ET.SubElement(devices, "video"), "model", type="vga", vram="16384")
    ET.SubElement(ET.SubElement(devices, "rng", model="virtio"), "backend", model="random").text = "/dev/urandom"
    ET.SubElement(ET.SubElement(devices, "memballoon", model="virtio"), "stats", period="5")
    return devices


def log_of(name: str) -> str:
    """Where the worker keeps what the serial console of this domain says, since it was powered on."""
    return f"/var/log/libvirt/qemu/{name}-serial.log"


def _disk(disk: Disk, target: str) -> ET.Element:
    element = ET.Element("disk", type="file", device="disk")
    ET.SubElement(element, "driver", name="qemu", type=disk.format, discard="unmap")
    ET.SubElement(element, "source", file=disk.path)
    ET.SubElement(element, "target", dev=target, bus="virtio")
    return element


def _cdrom(cdrom: Disk, target: str, bus: str) -> ET.Element:
    element = ET.Element("disk", type="file", device="cdrom")
    ET.SubElement(element, "driver", name="qemu", type="raw")
    ET.SubElement(element, "source", file=cdrom.path)
    ET.SubElement(element, "target", dev=target, bus=bus)
    ET.SubElement(element, "readonly")
    return element


def _card(card: Card, bridge: str) -> ET.Element:
    element = ET.Element("interface", type="bridge")
    ET.SubElement(element, "mac", address=card.mac)
    ET.SubElement(element, "source", bridge=bridge)
    ET.SubElement(element, "virtualport", type="openvswitch")
    ET.SubElement(ET.SubElement(element, "vlan"), "tag", id=str(card.tag))
    ET.SubElement(element, "model", type=card.model)
    if card.model == "virtio":
        driver = ET.SubElement(element, "driver")
        ET.SubElement(driver, "host", {"csum": "off", "gso": "off", **dict.fromkeys(OFFLOADS[1:], "off")})
        ET.SubElement(driver, "guest", dict.fromkeys(OFFLOADS, "off"))
    ET.SubElement(element, "rom", enabled="no")
    return element


def _line(text: str) -> str:
    return " ".join(_printable(text).split())


def _printable(text: str) -> str:
    """Without what XML cannot hold."""
    return "".join(filter(_in_xml, text))


def _in_xml(letter: str) -> bool:
    return letter in "\t\n\r" or (letter >= " " and not "\ud800" <= letter <= "\udfff" and letter not in "\ufffe\uffff")
