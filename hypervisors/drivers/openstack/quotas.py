"""How much a project may use: the quotas of Nova, Neutron and Cinder in one list, under one set of names."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from typing import Final

from hypervisors.drivers.cloud import Quota, Quotas
from hypervisors.drivers.openstack.errors import NoService
from hypervisors.drivers.openstack.rest import Json, Part, at, in_parallel, nearest
from olimpus.errors import Rejected
from olimpus.words import gettext as _

UNLIMITED: Final = -1
#: Services in the order of the list; the name that openstacksdk knows each by.
SERVICES: Final[Mapping[str, str]] = {"compute": "compute", "network": "network", "volume": "block_storage"}
#: Neutron's resources whose plural is not theirs with an s.
PLURALS: Final[Mapping[str, str]] = {"rbac_policy": "rbac_policies", "floatingip": "floating_ips"}
SINGULARS: Final[Mapping[str, str]] = {plural: singular for singular, plural in PLURALS.items()}
#: What people set; every other name that the cloud lists is understood, too.
COMMON: Final[Mapping[str, str]] = {
    **dict.fromkeys(("instances", "cores", "ram", "key_pairs", "server_groups", "server_group_members"), "compute"),
    **dict.fromkeys(("networks", "subnets", "ports", "routers", "floating_ips", "security_groups"), "network"),
    **dict.fromkeys(("security_group_rules", "rbac_policies", "subnetpools"), "network"),
    **dict.fromkeys(("volumes", "snapshots", "gigabytes", "per_volume_gigabytes", "backups"), "volume"),
}


class QuotaService(Part):
    """Limits and use of projects."""

    def quotas(self, project: str) -> Quotas:
        """Compute, then network, then volume; a service that the cloud lacks adds nothing."""
        owner = self.project_id(project)
        readers: list[Callable[[str], list[Quota]]] = [self._compute_quotas, self._network_quotas, self._volume_quotas]
        return [quota for part in in_parallel(lambda read: _if_there(read, owner), readers) for quota in part]

    def write_quotas(self, project_id: str, limits: Mapping[str, int]) -> None:
        """Set limits by the names of `quotas`; -1 is unbounded. `Rejected` below what is used already."""
        for service, adapter in SERVICES.items():
            mine = {_own_name(name): limit for name, limit in limits.items() if COMMON[name] == service}
            if not mine:
                continue
            if service == "network":
                self.rest.put(adapter, at("/quotas", project_id), {"quota": mine})
            else:
                self.rest.put(adapter, at("/os-quota-sets", project_id), {"quota_set": mine})

    def forget_quotas(self, project_id: str) -> None:
        """Back to the cloud's defaults, so that nothing of a removed project stays."""
        for service, adapter in SERVICES.items():
            path = at("/quotas" if service == "network" else "/os-quota-sets", project_id)
            with suppress(NoService):
                self.rest.delete(adapter, path)

    def check_quotas(self, limits: Mapping[str, int]) -> None:
        """Refuse names that no quota has, with the nearest, and limits below -1."""
        for name, limit in limits.items():
            if name not in COMMON:
                known = [{"id": known} for known in sorted(COMMON)]
                message = _("There is no quota “%(name)s”.") % {"name": name}
                raise Rejected(message, where=f"quotas.{name}", hint=nearest(name, known))
            if limit < UNLIMITED:
                message = _("A limit is 0 or more, or -1 for none.")
                raise Rejected(message, where=f"quotas.{name}")

    # -- inside -----------------------------------------------------------------------------------------------------

    def _compute_quotas(self, owner: str) -> list[Quota]:
        found = self.rest.get("compute", f"{at('/os-quota-sets', owner)}/detail")["quota_set"]
        return list(_rows("compute", found, "in_use"))

    def _network_quotas(self, owner: str) -> list[Quota]:
        found = self.rest.get("network", f"{at('/quotas', owner)}/details")["quota"]
        plural = {PLURALS.get(name, f"{name}s"): item for name, item in found.items()}
        return list(_rows("network", plural, "used"))

    def _volume_quotas(self, owner: str) -> list[Quota]:
        found = self.rest.get("block_storage", at("/os-quota-sets", owner), {"usage": "True"})["quota_set"]
        return list(_rows("volume", found, "in_use"))


def _rows(service: str, found: Json, used: str) -> Iterator[Quota]:
    """Quotas of single volume types are left out while they limit nothing."""
    for name, item in found.items():
        if not isinstance(item, dict) or (item["limit"] == UNLIMITED and name not in COMMON and service == "volume"):
            continue
        yield Quota(service, name, None if item["limit"] == UNLIMITED else item["limit"], item[used])


def _own_name(name: str) -> str:
    """Neutron's own word for what we call by its plural; Nova's and Cinder's words are ours."""
    return SINGULARS.get(name, name.removesuffix("s")) if COMMON[name] == "network" else name


def _if_there(read: Callable[[str], list[Quota]], owner: str) -> list[Quota]:
    try:
        return read(owner)
    except NoService:
        return []
