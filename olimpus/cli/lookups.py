"""People, groups and hypervisors by name: the API knows them by number."""

from __future__ import annotations

from typing import Any

from olimpus.cli.context import Context
from olimpus.cli.errors import Exit, Failure
from olimpus.cli.words import gettext as _

Row = dict[str, Any]


def user(here: Context, name: str) -> Row:
    """The account of this user name. Raises Failure."""
    return _only(here, "/users", _("There is no such user, or you may not see it."), name, username=name)


def group(here: Context, name: str) -> Row:
    """The group of this name. Raises Failure."""
    return _only(here, "/groups", _("There is no such group, or you may not see it."), name, name=name)


def hypervisor(here: Context, name: str) -> Row:
    """The hypervisor of this name. Raises Failure."""
    rows = [row for row in here.client.paged("/hypervisors", q=name) if row["name"] == name]
    if not rows:
        raise Failure(_("There is no such hypervisor."), Exit.NOT_FOUND, where=name)
    return rows[0]


def _only(here: Context, address: str, message: str, where: str, **query: str) -> Row:
    row = next(here.client.paged(address, page_size=2, **query), None)
    if row is None:
        raise Failure(message, Exit.NOT_FOUND, where=where)
    return dict(here.client.get(f"{address}/{row['id']}"))
