"""Security groups: those that a definition names, and the one that lets in whatever comes to a floating address.

Neutron lets nothing into a machine but what its groups allow. Where the definition names none, the ports with a floating
address are in two: the project's default one, as all others, and one that Olimpus makes once in each project and never
touches again, nor removes: whoever narrows it has narrowed it for good.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Final

from hypervisors.drivers.base import VmSpec
from hypervisors.drivers.locks import one_at_a_time
from hypervisors.drivers.openstack.errors import Clash
from hypervisors.drivers.openstack.known import Known
from hypervisors.drivers.openstack.networks import NetworkService, age
from hypervisors.drivers.openstack.rest import Json, at, log_left, nearest
from hypervisors.drivers.openstack.session import Session
from hypervisors.drivers.openstack.topology import MADE, READY
from olimpus.errors import Rejected
from olimpus.words import gettext as _

#: The name of the group that lets everything in, and of Neutron's own of each project.
WAYS_IN: Final = "olimpus-ways-in"
DEFAULT: Final = "default"
PATH: Final = "/security-groups"


class Groups(NetworkService):
    """`project` is a name, "" the account's own."""

    def __init__(self, session: Session):
        super().__init__(session)
        self._known: dict[str, Known] = {}

    def named(self, spec: VmSpec, project: str) -> tuple[str, ...]:
        """The ids of the groups that a definition names; none said: none, and Neutron takes the default one."""
        return tuple(self._named(name, project) for name in spec.parameters.get("security_groups") or [])

    def default(self, project: str) -> str:
        """The id of the project's own group."""
        return self._named(DEFAULT, project)

    def known(self) -> list[Known]:
        """The lists that are kept."""
        return list(self._known.values())

    def ways_in(self, project: str) -> str:
        """The id of the group that lets everything in, made when there is none. One for all who ask at the same time.

        Those who share no home folder settle it afterwards: the oldest one stays. Who uses another one just then is told
        that it is gone (`Missing`), and asks again.
        """
        if ready := self.ready_ways_in(project):
            return ready
        with one_at_a_time(self.session.home, self.where, "group", project):
            return self.ready_ways_in(project) or self._completed(project)

    def ready_ways_in(self, project: str) -> str:
        """The id of that group when there is one, else ""."""
        return next((str(group["id"]) for group in self._ours(project) if READY in group["tags"]), "")

    # -- inside -----------------------------------------------------------------------------------------------------

    def _named(self, name: str, project: str) -> str:
        def read() -> list[Json]:
            query = {"fields": ["id", "name"], "project_id": self.session.project_id(project)}
            return list(self.rest.pages("network", PATH, "security_groups", query))

        known = self._known.setdefault(project, Known(read))
        found = known.find(lambda group: name in (group["name"], group["id"]))
        if not found:
            hint = nearest(name, known.all())
            message = _("There is no security group “%(name)s”.") % {"name": name}
            raise Rejected(message, where="security_groups", hint=hint)
        return str(found[0]["id"])

    def _ours(self, project: str) -> list[Json]:
        query = {"name": WAYS_IN, "project_id": self.session.project_id(project)}
        found = self.rest.pages("network", PATH, "security_groups", query)
        return sorted((group for group in found if group["description"].startswith(MADE)), key=age)

    def _completed(self, project: str) -> str:
        """One with all it needs: one that a dead attempt left, or a new one; of those made at the same time the oldest."""
        left = next((str(group["id"]) for group in self._ours(project)), "")
        self._fill(left or self._new_group(project))
        ready, *others = [group for group in self._ours(project) if READY in group["tags"]]
        for group in others:
            log_left(self.where, self._discard, group["id"])
        return str(ready["id"])

    def _new_group(self, project: str) -> str:
        body = {"name": WAYS_IN, "description": f"{MADE}: lets everything in to machines with a floating address."}
        with self._counted("security_group", self.session.project_id(project)):
            made = self.rest.post("network", PATH, {"security_group": body}, project=project)
        return str(made["security_group"]["id"])

    def _fill(self, group: str) -> None:
        for family in ("IPv4", "IPv6"):
            rule = {"security_group_id": group, "direction": "ingress", "ethertype": family}
            with suppress(Clash):  # it is there
                self.rest.post("network", "/security-group-rules", {"security_group_rule": rule})
        self.rest.put("network", f"{at(PATH, group)}/tags/{READY}")

    def _discard(self, group: str) -> None:
        self.rest.delete("network", at(PATH, group))
