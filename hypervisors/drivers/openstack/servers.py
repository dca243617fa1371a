"""The servers of a cloud as Nova has them: found, listed, told what to do, waited for."""

from __future__ import annotations

from typing import Any, Final

from hypervisors.drivers.base import Power
from hypervisors.drivers.openstack import memory
from hypervisors.drivers.openstack.errors import Denied
from hypervisors.drivers.openstack.rest import PAGE, Part, at, wait_for
from hypervisors.drivers.openstack.session import Session
from hypervisors.drivers.openstack.view import GONE, power_of, task_of
from hypervisors.drivers.openstack.watch import Watcher
from olimpus.errors import Rejected, Transient, VMNotFound
from olimpus.words import gettext as _

Json = dict[str, Any]


class Servers(Part):
    """Every call names the machine by Nova's id and raises `VMNotFound` when Nova knows no such machine."""

    def __init__(self, session: Session):
        super().__init__(session)
        self._everywhere = session.values.get("scope") != "project"
        self.watcher = Watcher(self.rest, self.reach)

    def reach(self) -> Json:
        """The query that says whose machines are meant: all projects', or our own."""
        return {"all_tenants": "True"} if self._everywhere else {}

    # -- looking ----------------------------------------------------------------------------------------------------

    def get(self, ref: str) -> Json:
        server = self.rest.get("compute", at("/servers", ref), missing=VMNotFound)["server"]
        if server["status"] in GONE:
            raise VMNotFound(_("The machine has been deleted."), where=self.where)
        return server

    def every(self) -> list[Json]:
        """All machines in one paged call; those of the own project when the account may not see others."""
        return self._list({"limit": PAGE})

    def by_uid(self, uid: str) -> Json | None:
        """The machine with our tag. Should there be two, the older one."""
        found = self._list({"tags": memory.tag_of(uid)}) if uid else []
        return min(found, key=lambda server: (server["created"], server["id"]), default=None)

    def all_by_uid(self, uid: str) -> list[Json]:
        return sorted(self._list({"tags": memory.tag_of(uid)}), key=lambda server: (server["created"], server["id"]))

    def actions(self, ref: str) -> list[Json]:
        """What was done to it, newest first: create, stop, start…"""
        return self.rest.get("compute", at("/servers", ref) + "/os-instance-actions", missing=VMNotFound)[
            "instanceActions"
        ]

    def _list(self, query: Json) -> list[Json]:
        try:
            return self._listed(query)
        except Denied:
            if not self._everywhere:
                raise
            self._everywhere = False  # the account may see its own project only, and that will not change
            return self._listed(query)

    def _listed(self, query: Json) -> list[Json]:
        found = self.rest.pages("compute", "/servers/detail", "servers", {**self.reach(), **query})
        return [server for server in found if server["status"] not in GONE]

    # -- changing ---------------------------------------------------------------------------------------------------

    def act(self, ref: str, name: str, body: Any = None) -> Json:
        """One of Nova's server actions."""
        path = at("/servers", ref) + "/action"
        return self.rest.post("compute", path, {name: body}, missing=VMNotFound)

    def bring(self, ref: str, action: str, status: str, seconds: float, body: Any = None) -> Json:
        """Do an action and wait for the status that it leads to; fine when somebody else does the same just now."""
        try:
            self.act(ref, action, body)
        except (Transient, Rejected):
            server = self.get(ref)
            if server["status"] != status and task_of(server) != TASKS.get(action):
                raise
        self.watcher.until(ref, seconds, status)
        return self.settled(ref, status)

    def at_rest(self, ref: str, status: str, seconds: float) -> Json:
        """The machine once it has this status and Nova is done with it: for changes in which the list by status, which
        knows no tasks, shows the wanted one too early. `HypervisorError` when it ends in ERROR.
        """

        def look() -> Json | None:
            server = self.get(ref)
            if server["status"] == "ERROR":
                return self.settled(ref, status)
            return server if server["status"] == status and not task_of(server) else None

        return wait_for(look, _("The machine"), self.where, seconds)

    def settled(self, ref: str, status: str) -> Json:
        """The machine, which should have this status now; `Transient` saying what it has instead."""
        server = self.get(ref)
        if server["status"] != status:
            fault = (server.get("fault") or {}).get("message", "")
            told = {"name": server["name"], "status": server["status"], "fault": fault}
            raise Transient(_("“%(name)s” is %(status)s now. %(fault)s") % told, where=self.where)
        return server

    def note(self, ref: str, metadata: dict[str, str]) -> None:
        """Write into what the machine remembers; other entries stay."""
        path = at("/servers", ref) + "/metadata"
        self.rest.post("compute", path, {"metadata": metadata}, missing=VMNotFound)

    def forget_since(self, server: Json) -> None:
        """What was noted about its last power-on is over."""
        if memory.SINCE in (server.get("metadata") or {}):
            self.rest.delete("compute", at("/servers", server["id"]) + at("/metadata", memory.SINCE))

    def power_off(self, server: Json, seconds: float) -> Json:
        """The machine, off. Nova stops what runs only, so that a paused one is woken first."""
        ref, status = server["id"], server["status"]
        if power_of(server) is Power.OFF:
            return server
        self.forget_since(server)
        if status in WAKE:
            self.bring(ref, WAKE[status], "ACTIVE", seconds)
        return self.bring(ref, "os-stop", "SHUTOFF", seconds)

    def delete(self, ref: str, seconds: float) -> bool:
        """Delete it and wait until it is gone; False when it was."""
        try:
            self.rest.ask("compute", "DELETE", at("/servers", ref), missing=VMNotFound)
        except VMNotFound:
            return False
        self.watcher.until_gone(ref, seconds)
        return True


#: What Nova says it is doing while an action is under way.
TASKS: Final = {
    "os-start": "powering-on",
    "os-stop": "powering-off",
    "pause": "pausing",
    "unpause": "unpausing",
    "resume": "resuming",
    "unshelve": "unshelving",
}
#: How a machine whose memory is kept goes on, by its status.
WAKE: Final = {"PAUSED": "unpause", "SUSPENDED": "resume"}
