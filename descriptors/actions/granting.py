"""Giving and taking roles on a branch. Nobody gives more than he has."""

from __future__ import annotations

from collections.abc import Iterable

from django.contrib.auth.models import Group, Permission
from django.db import transaction
from django.utils.translation import gettext as _

from accounts import journal
from accounts.models import User
from descriptors.models import Folder, Node, NodeGroupObjectPermission, NodeUserObjectPermission
from descriptors.permissions import DEFAULTS, PERMISSION_OF, ROLES, access_of, forget, require
from olimpus.errors import Conflict, Forbidden, Invalid, NotFound


def grant(node: Node, role: str, *, user: User | None = None, group: Group | None = None, actor: User) -> None:
    """Give a role on the branch to a user or a group. May be repeated. Forbidden beyond what the actor holds there."""
    require_giving(node, role, actor=actor)
    holder = _holder(user, group)
    with transaction.atomic():
        _created = _table(holder).objects.get_or_create(
            permission=permission(role), content_object_id=node.pk, **_who(holder)
        )[1]
        if _created:
            _tell(actor, "grant.add", node, role, holder)


def revoke(node: Node, role: str, *, user: User | None = None, group: Group | None = None, actor: User) -> None:
    """Take a role given at exactly this node. NotFound when it was not given here (it may come from above)."""
    require_giving(node, role, actor=actor)
    holder = _holder(user, group)
    with transaction.atomic():
        rows = _table(holder).objects.filter(permission=permission(role), content_object_id=node.pk, **_who(holder))
        if not rows.delete()[0]:
            raise NotFound(
                _("This role was not given here."), where=node.path, hint=_("It may be inherited from a folder above.")
            )
        _tell(actor, "grant.remove", node, role, holder)


def grant_many(rows: Iterable[tuple[int, str, int]], *, actor: User) -> int:
    """Give roles to users in bulk: (node id, role, user id); what is given already is left alone. Returns how many are new.

    The caller has checked that the actor may: this is for superusers and for imports below one checked folder.
    """
    rows = list(rows)
    permissions = {role: permission(role).pk for role in {role for _node, role, _user in rows}}
    wanted = [(node, permissions[role], user) for node, role, user in rows]
    nodes = sorted({node for node, _permission, _user in wanted})
    have: set[tuple[int, int, int]] = set()
    for start in range(0, len(nodes), 5000):
        found = NodeUserObjectPermission.objects.filter(content_object__in=nodes[start : start + 5000])
        have.update(found.values_list("content_object_id", "permission_id", "user_id"))
    fresh = [row for row in dict.fromkeys(wanted) if row not in have]
    NodeUserObjectPermission.objects.bulk_create(
        [NodeUserObjectPermission(content_object_id=n, permission_id=p, user_id=u) for n, p, u in fresh],
        batch_size=1000,
    )
    forget()
    return len(fresh)


def set_inherit_grants(folder: Node, inherit: bool, *, actor: User) -> None:
    """Let grants from above hold in this folder, or stop them. Refused (Conflict) when the actor would lose it himself."""
    require(actor, "grant", folder)
    with transaction.atomic():
        if not Folder.objects.filter(pk=folder.pk).update(inherit_grants=inherit):
            raise Conflict(_("Only a folder can stop what it inherits."), where=folder.path)
        forget()
        if not access_of(actor).can("grant", folder.path):
            forget()  # what was just read is rolled back
            raise Conflict(
                _("You would lose this folder yourself."),
                where=folder.path,
                hint=_("Have yourself made a manager of this very folder first."),
            )
        journal.record(actor, "grant.inherit", path=folder.path, node_id=folder.pk, data={"inherit": inherit})


def permission(role: str) -> Permission:
    """The row of guardian's permission that stands for a role. Invalid for an unknown role."""
    _known(role)
    return Permission.objects.get(content_type__app_label="descriptors", codename=PERMISSION_OF[role])


def _known(role: str) -> None:
    if role not in PERMISSION_OF:
        raise Invalid(_("There is no such role."), where="role", hint=", ".join(ROLES))


def require_giving(node: Node, role: str, *, actor: User) -> None:
    """Raise Forbidden or NotFound unless the actor may give this role here: nobody gives more than he has. No query."""
    require(actor, "grant", node)
    _known(role)
    access = access_of(actor)
    stand = access.stand(node.path)
    lacking = [
        operation
        for operation in sorted(DEFAULTS[role])
        if access.flag(stand, role, operation)[0] and not access.can(operation, node.path)
    ]
    if lacking:
        raise Forbidden(_("You cannot give more than you have here: %s.") % ", ".join(lacking), where=node.path)


def _holder(user: User | None, group: Group | None) -> User | Group:
    if (user is None) == (group is None):
        raise Invalid(_("Name one user or one group."), where="user")
    return user or group  # type: ignore[return-value]


def _table(holder: User | Group) -> type[NodeUserObjectPermission] | type[NodeGroupObjectPermission]:
    return NodeUserObjectPermission if isinstance(holder, User) else NodeGroupObjectPermission


def _who(holder: User | Group) -> dict[str, User | Group]:
    return {"user": holder} if isinstance(holder, User) else {"group": holder}


def _tell(actor: User, verb: str, node: Node, role: str, holder: User | Group) -> None:
    forget()
    who = {"user": holder.username} if isinstance(holder, User) else {"group": holder.name}
    journal.record(actor, verb, path=node.path, node_id=node.pk, data={"role": role, **who})
