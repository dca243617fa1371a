"""From a size to a flavor: OpenStack knows no other sizes."""

from __future__ import annotations

import difflib
import math
import threading
from typing import Any

from hypervisors.drivers.base import VmSpec
from hypervisors.drivers.openstack.errors import Denied
from hypervisors.drivers.openstack.known import Known
from hypervisors.drivers.openstack.rest import Rest
from olimpus.errors import Rejected
from olimpus.words import gettext as _

Json = dict[str, Any]


class Sizes:
    """Chooses flavors, and makes them when the policy says so and the account may. Thread-safe."""

    def __init__(self, rest: Rest, policy: str):
        self.rest = rest
        self.policy = policy
        self._making = threading.Lock()
        self.known = Known(self._read)

    def choose(self, spec: VmSpec, *, volume: bool = False, least_disk: int = 0) -> Json:
        """The flavor for a size; of a machine that has its system disk on a volume, the flavor's disk does not matter.

        `least_disk`: the disk that the flavor has now, as none shrinks. `Rejected` naming the nearest.
        """
        disk = max(math.ceil(spec.disk_gib), least_disk)
        if found := self._exact(spec, disk, volume):
            return found
        if self.policy == "create":
            try:
                return self._make(spec, 0 if volume else disk, volume)
            except Denied:
                self.policy = "fitting"  # the account makes no flavors, and that will not change
        if self.policy == "fitting" and (found := self._fitting(spec, 0 if volume else disk)):
            return found
        raise self._none(spec)

    def _read(self) -> list[Json]:
        flavors = self.rest.pages("compute", "/flavors/detail", "flavors", {"is_public": "None"})
        return [flavor for flavor in flavors if not flavor.get("OS-FLV-DISABLED:disabled")]

    def _exact(self, spec: VmSpec, disk: int, volume: bool) -> Json | None:
        def fits(flavor: Json) -> bool:
            same = (flavor["vcpus"], flavor["ram"]) == (spec.cpus, spec.memory_mib)
            return same and (volume or flavor["disk"] == disk)

        asked = spec.parameters.get("flavor") or ""
        return min(self.known.find(fits), key=lambda flavor: (flavor["name"] != asked, *_rank(flavor)), default=None)

    def _make(self, spec: VmSpec, disk: int, volume: bool) -> Json:
        """A public flavor, once, however many ask for it at once."""
        name = f"olimpus-{spec.cpus}c-{spec.memory_mib}m-{disk}g"
        body = {"name": name, "vcpus": spec.cpus, "ram": spec.memory_mib, "disk": disk}
        with self._making:
            if found := self._exact(spec, disk, volume):
                return found
            try:
                made: Json = self.rest.post("compute", "/flavors", {"flavor": body})["flavor"]
            except Denied:
                raise
            except Rejected:  # another process made it in between
                self.known.forget()
                if found := self._exact(spec, disk, volume):
                    return found
                raise
            self.known.forget()
            return made

    def _fitting(self, spec: VmSpec, disk: int) -> Json | None:
        """The cheapest that is large enough."""
        wanted = (spec.cpus, spec.memory_mib, disk)

        def fits(flavor: Json) -> bool:
            return all(has >= wants for has, wants in zip(_sizes(flavor), wanted, strict=True))

        return min(self.known.find(fits), key=_rank, default=None)

    def _none(self, spec: VmSpec) -> Rejected:
        told = {"cpus": spec.cpus, "memory": spec.memory_mib, "disk": spec.disk_gib}
        message = _("No flavor has %(cpus)d CPUs, %(memory)d MiB of memory and %(disk)g GiB of disk.") % told
        return Rejected(message, where="flavor", hint=self._nearest(spec))

    def _nearest(self, spec: VmSpec) -> str:
        """The flavor with the name that was asked for or one like it, else the one nearest in size."""
        flavors = {flavor["name"]: flavor for flavor in self.known.all()}
        if not flavors:
            return ""
        like = difflib.get_close_matches(str(spec.parameters.get("flavor") or ""), list(flavors), n=1)
        wanted = (spec.cpus, spec.memory_mib, spec.disk_gib)
        name = like[0] if like else min(flavors, key=lambda name: _distance(_sizes(flavors[name]), wanted))
        told = dict(zip(("cpus", "memory", "disk"), _sizes(flavors[name]), strict=True)) | {"name": name}
        return _("The nearest is “%(name)s”: %(cpus)d CPUs, %(memory)d MiB, %(disk)d GiB.") % told


def _sizes(flavor: Json) -> tuple[int, int, int]:
    return flavor["vcpus"], flavor["ram"], flavor["disk"]


def _rank(flavor: Json) -> tuple[Any, ...]:
    """Plain flavors before those for special hosts, and small before large."""
    return (
        bool(flavor.get("extra_specs")),
        bool(flavor.get("OS-FLV-EXT-DATA:ephemeral")),
        *_sizes(flavor),
        flavor["name"],
    )


def _distance(has: tuple[float, ...], wants: tuple[float, ...]) -> float:
    return sum(abs(math.log2((one + 1) / (other + 1))) for one, other in zip(has, wants, strict=True))
