"""On which host of its hypervisor a machine is, and why there."""

from __future__ import annotations

from dataclasses import dataclass

from descriptors.models import Descriptor
from hypervisors import claims
from hypervisors.phrases import phrase


@dataclass(frozen=True)
class Seat:
    """A host, and the reason in words; "" where nobody gave one."""

    host: str
    why: str = ""


def seat(machine: Descriptor) -> Seat | None:
    """Where the machine was last seen, or is to be; None where its hypervisor is one host or does not say. One query."""
    if machine.hypervisor_id is None:
        return None
    claim = claims.of(machine.hypervisor_id, [str(machine.uid)]).get(str(machine.uid))
    host = machine.host or (claim.host if claim else "")
    if not host:
        return None
    return Seat(host, phrase(claims.reason_of(claim)) if claim and claim.host == host else "")
