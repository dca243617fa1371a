"""Snapshots inside the disks of a machine. Of one that was on they have the memory, too, which nobody brings back."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Final
from xml.etree import ElementTree as ET

import libvirt
from defusedxml.ElementTree import fromstring

from hypervisors.drivers.base import Snapshot, VmInfo
from hypervisors.drivers.linux.machines import Machines
from olimpus.errors import Rejected
from olimpus.words import gettext as _

MISSING: Final = libvirt.VIR_ERR_NO_DOMAIN_SNAPSHOT


class SnapshotService:
    """Of the machines of one worker."""

    def __init__(self, machines: Machines):
        self.machines = machines

    def take(self, uuid: str, name: str, description: str) -> Snapshot:
        """A new one, or the one of this name."""
        if name.isdecimal():
            message = _("A snapshot cannot be called by a number: QEMU numbers them, and would take another for it.")
            raise Rejected(message, where="name")
        known = {snapshot.name: snapshot for snapshot in self.all(uuid)}
        if name not in known:
            self.machines.act(uuid, lambda domain: domain.snapshotCreateXML(_snapshot_xml(name, description), 0))
            known = {snapshot.name: snapshot for snapshot in self.all(uuid)}
        return known[name]

    def all(self, uuid: str) -> list[Snapshot]:
        """Oldest first. Within one second they come in the order in which they stand upon each other."""
        found: list[tuple[float, int, Snapshot]] = []

        def ask(domain: libvirt.virDomain) -> None:
            for snapshot in domain.listAllSnapshots():
                told = _snapshot(snapshot.getXMLDesc())
                found.append((told.created_at.timestamp(), _depth(snapshot), told))

        self.machines.act(uuid, ask)
        return [told for _time, _depth, told in sorted(found, key=lambda each: each[:2])]

    def remove(self, uuid: str, name: str) -> None:
        """One by its name; a missing one succeeds quietly."""

        def ask(domain: libvirt.virDomain) -> None:
            with _unless_missing():
                domain.snapshotLookupByName(name).delete(0)

        self.machines.act(uuid, ask)

    def revert(self, uuid: str, name: str) -> VmInfo:
        """The disks as they were then, and the machine off; cards, CPUs and memory stay as they are defined now."""

        def ask(domain: libvirt.virDomain) -> None:
            defined = domain.XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE | libvirt.VIR_DOMAIN_XML_SECURE)
            try:
                snapshot = domain.snapshotLookupByName(name)
            except libvirt.libvirtError as error:
                if error.get_error_code() != MISSING:
                    raise
                message = _("There is no snapshot “%(name)s”.") % {"name": name}
                raise Rejected(message, where=self.machines.worker.where) from None
            domain.revertToSnapshot(snapshot, _revert_flags(snapshot.getXMLDesc()))
            if domain.isActive():
                domain.destroy()
            domain.connect().defineXML(defined)

        return self.machines.act(uuid, ask)


def _snapshot_xml(name: str, description: str) -> str:
    snapshot = ET.Element("domainsnapshot")
    ET.SubElement(snapshot, "name").text = name
    ET.SubElement(snapshot, "description").text = description
    return ET.tostring(snapshot, encoding="unicode")


def _snapshot(xml: str) -> Snapshot:
    told = fromstring(xml)
    created = datetime.fromtimestamp(int(told.findtext("creationTime", "0")), UTC)
    return Snapshot(told.findtext("name", ""), created, told.findtext("description") or "")


def _revert_flags(xml: str) -> int:
    """A machine that was on then does not run a step."""
    was_off = fromstring(xml).findtext("state", "") == "shutoff"
    force, paused = libvirt.VIR_DOMAIN_SNAPSHOT_REVERT_FORCE, libvirt.VIR_DOMAIN_SNAPSHOT_REVERT_PAUSED
    return force if was_off else force | paused


def _depth(snapshot: libvirt.virDomainSnapshot) -> int:
    """How many it stands upon."""
    depth = 0
    with _unless_missing():
        while True:
            snapshot = snapshot.getParent()
            depth += 1
    return depth


@contextlib.contextmanager
def _unless_missing() -> Iterator[None]:
    try:
        yield
    except libvirt.libvirtError as error:
        if error.get_error_code() != MISSING:
            raise
