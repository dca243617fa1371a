"""Keystone's projects: made with quotas and people, removed only when nothing is in them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack, suppress
from typing import Final

from hypervisors.drivers.cloud import Project, Projects
from hypervisors.drivers.openstack.errors import Denied, NoService
from hypervisors.drivers.openstack.groups import DEFAULT, WAYS_IN
from hypervisors.drivers.openstack.quotas import UNLIMITED, QuotaService
from hypervisors.drivers.openstack.rest import Json, at, in_parallel, log_left, missing
from olimpus.errors import Rejected
from olimpus.words import gettext as _
from olimpus.words import gettext_noop

#: Roles of the accounts that run the cloud: where others have one, the project is the cloud's own.
RUNNING_ROLES: Final = frozenset({"admin", "service"})
NAMED: Final = 5  # how many of a kind a refusal names
#: Security groups that keep no project: Neutron's own and ours.
OWN_GROUPS: Final = (DEFAULT, WAYS_IN)
#: What keeps a project: how people call it, service, path and key of its list.
CONTENTS: Final = (
    (gettext_noop("machines"), "compute", "/servers", "servers"),
    (gettext_noop("volumes"), "block_storage", "/volumes", "volumes"),
    (gettext_noop("snapshots of volumes"), "block_storage", "/snapshots", "snapshots"),
    (gettext_noop("routers"), "network", "/routers", "routers"),
    (gettext_noop("networks"), "network", "/networks", "networks"),
    (gettext_noop("ports"), "network", "/ports", "ports"),
    (gettext_noop("floating IPs"), "network", "/floatingips", "floatingips"),
    (gettext_noop("security groups"), "network", "/security-groups", "security_groups"),
    (gettext_noop("images"), "image", "/images", "images"),
)


class ProjectService(QuotaService):
    """Projects with their quotas and people."""

    def projects(self) -> Projects:
        """By name: all of the account's domain, or those that it works in when it may not see more."""
        return sorted(map(project_of, self._known_projects()), key=lambda project: project.name)

    def ensure_project(
        self,
        name: str,
        *,
        description: str = "",
        quotas: Mapping[str, int] | None = None,
        users: Sequence[str] = (),
        role: str = "member",
        ordinary: bool = False,
    ) -> Project:
        """The project of this name, made when missing. `Missing`: user, role; `Rejected`: quota. Nothing changes then.

        With `ordinary` neither the account's own project nor one of the cloud's own is changed: `Rejected`.
        """
        limits = dict(quotas or {})
        self.check_quotas(limits)
        role_id = self._role_id(role) if users else ""
        people = [self._person(user) for user in users]
        with ExitStack() as undo:
            known = self._project(name)
            if known:
                self._check_change(known, limits, ordinary=ordinary)
            else:
                known, mine = self._make_project(name, description)
                if mine:
                    undo.callback(log_left, self.where, self._drop_project, known["id"])
                else:
                    self._check_change(known, limits, ordinary=ordinary)
            for person in people:
                path = f"{at('/projects', known['id'])}/users/{person}/roles/{role_id}"
                self.rest.put("identity", path)
            self.write_quotas(known["id"], limits)
            if description not in ("", known["description"]):
                body = {"project": {"description": description}}
                known = self.rest.ask("identity", "PATCH", at("/projects", known["id"]), json=body).json()["project"]
            undo.pop_all()
        return project_of(known)

    def delete_project(self, name: str) -> None:
        """Remove an empty project with its quotas and the security groups that it has of itself, or of ours."""
        known = self._project(name)
        if not known:
            return
        self._check_ours(known)
        self._check_empty(known)
        for group in self._groups(known["id"]):
            self.rest.delete("network", at("/security-groups", group["id"]))
        self._drop_project(known["id"])
        self.session.forget(name)

    # -- looking, inside --------------------------------------------------------------------------------------------

    def _project(self, name: str) -> Json | None:
        query = {"name": name, "domain_id": self.session.access().project_domain_id}
        return next(iter(self.rest.get("identity", "/projects", query)["projects"]), None)

    def _role_id(self, role: str) -> str:
        known = self.rest.get("identity", "/roles")["roles"]
        for item in known:
            if role in (item["name"], item["id"]):
                return str(item["id"])
        raise missing(_("There is no role “%(name)s”."), role, known, self.where)

    def _person(self, user: str) -> str:
        """The id of a user, given by name (in the account's own domain) or id."""
        domain = self.session.access().user_domain_id
        found = self.rest.get("identity", "/users", {"name": user, "domain_id": domain})["users"]
        if not found:
            by_id = self.rest.optional("identity", at("/users", user), "user")
            found = [by_id] if by_id else []
        if not found:
            known = self.rest.get("identity", "/users", {"domain_id": domain})["users"]
            raise missing(_("There is no user “%(name)s”."), user, known, self.where)
        return str(found[0]["id"])

    def _groups(self, project_id: str) -> list[Json]:
        """The default security group, which Neutron makes as soon as anybody looks, and ours."""
        query = {"project_id": project_id, "name": OWN_GROUPS}
        with suppress(NoService):
            return list(self.rest.pages("network", "/security-groups", "security_groups", query))
        return []

    # -- making and removing ----------------------------------------------------------------------------------------

    def _make_project(self, name: str, description: str) -> tuple[Json, bool]:
        """The project, and whether it was made here."""
        body = {"name": name, "description": description, "domain_id": self.session.access().project_domain_id}
        try:
            return self.rest.post("identity", "/projects", {"project": body})["project"], True
        except Denied:
            raise
        except Rejected:
            known = self._project(name)  # somebody else made it in between
            if not known:
                raise
            return known, False

    def _drop_project(self, project_id: str) -> None:
        self.forget_quotas(project_id)
        self.rest.delete("identity", at("/projects", project_id))

    # -- checking ---------------------------------------------------------------------------------------------------

    def _check_change(self, project: Json, limits: Mapping[str, int], *, ordinary: bool) -> None:
        if ordinary:
            self._check_ours(project)
        self._check_used(project["id"], limits)

    def _check_used(self, project_id: str, limits: Mapping[str, int]) -> None:
        """Refuse limits below what is used: the services differ in whether they notice."""
        for quota in self.quotas(project_id) if limits else ():
            limit = limits.get(quota.resource, UNLIMITED)
            if limit != UNLIMITED and limit < quota.used:
                told = {"name": quota.resource, "limit": limit, "used": quota.used}
                message = _("A quota of %(limit)d %(name)s is below the %(used)d that are used.") % told
                raise Rejected(message, where=f"quotas.{quota.resource}")

    def _check_ours(self, project: Json) -> None:
        """Refuse the project that we work in ourselves, and those in which the cloud's own services do."""
        own = self.session.access()
        if project["id"] == own.project_id:
            message = _("“%(name)s” is the project of the account itself.") % {"name": project["name"]}
            raise Rejected(message, where=self.where)
        query = {"scope.project.id": project["id"], "include_names": "true"}
        assigned = self.rest.get("identity", "/role_assignments", query)["role_assignments"]
        others = (item for item in assigned if item.get("user") and item["user"]["id"] != own.user_id)
        running = sorted({item["user"]["name"] for item in others if item["role"]["name"] in RUNNING_ROLES})
        if running:
            told = {"name": project["name"], "users": ", ".join(running)}
            message = _("Accounts that run the cloud work in “%(name)s”: %(users)s.") % told
            raise Rejected(message, where=self.where, hint=_("Take their roles away first, if you are sure."))

    def _check_empty(self, project: Json) -> None:
        found = [words for words in in_parallel(lambda kind: self._content(kind, project["id"]), CONTENTS) if words]
        if found:
            told = {"name": project["name"], "content": "; ".join(found)}
            message = _("The project “%(name)s” is not empty: %(content)s.") % told
            raise Rejected(message, where=self.where, hint=_("Delete these first."))

    def _content(self, kind: tuple[str, str, str, str], project_id: str) -> str:
        """What a project has of a kind, in words; "" when it has none."""
        word, service, path, key = kind
        query = {"owner" if service == "image" else "project_id": project_id}
        if service in ("compute", "block_storage"):
            query["all_tenants"] = "1"
        try:
            items = list(self.rest.pages(service, path, key, query))
        except NoService:
            return ""
        return _listed(word, (item for item in items if key != "security_groups" or item["name"] not in OWN_GROUPS))


def project_of(item: Json) -> Project:
    return Project(item["id"], item["name"], item.get("description") or "", item.get("enabled", True))


def _listed(word: str, items: Iterable[Json]) -> str:
    names = [item.get("name") or item.get("floating_ip_address") or item["id"] for item in items]
    if not names:
        return ""
    more = ", …" if len(names) > NAMED else ""
    return f"{len(names)} {_(word)} ({', '.join(names[:NAMED])}{more})"
