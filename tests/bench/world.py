"""What the benchmarks build their trees from: the real actions where they are not what is measured."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from django.contrib.auth.hashers import make_password
from django.contrib.sessions.backends.db import SessionStore
from django.db import connection

from accounts.models import User
from descriptors import actions, tree
from descriptors.models import Kind, Node, Operation, Status
from tests.bench.servers import until

PATIENCE = 600.0


def superuser() -> User:
    """Who may everything."""
    return User.objects.create_superuser("root", "root@example.edu", None)


def people(names: Iterable[str]) -> list[User]:
    """Accounts that cannot sign in with a password."""
    unusable = make_password(None)
    users = [User(username=name, email=f"{name}@example.edu", password=unusable) for name in names]
    User.objects.bulk_create(users)
    return list(User.objects.filter(username__in=[user.username for user in users]).order_by("username"))


def session_of(user: User) -> str:
    """The key of a new session in which the user is signed in."""
    session = SessionStore()
    session["_auth_user_id"] = str(user.pk)
    session["_auth_user_backend"] = "django.contrib.auth.backends.ModelBackend"
    session["_auth_user_hash"] = user.get_session_auth_hash()
    session.create()
    return session.session_key


def folder(path: str, definition: dict[str, Any] | None = None) -> Node:
    """A new folder whose parent exists."""
    above, _slash, name = path.rpartition("/")
    return tree.insert([(tree.by_path(above or "/"), [tree.Draft(name, Kind.FOLDER, definition or {})])])[0]


def machines(below: Node, definitions: dict[str, dict[str, Any]]) -> list[Node]:
    """New machines in one folder, by name."""
    drafts = [tree.Draft(name, Kind.DESCRIPTOR, definition) for name, definition in definitions.items()]
    return tree.insert([(below, drafts)])


def perform(verb: str, node: Node, root: User, **arguments: Any) -> float:
    """Seconds from the request to the end that the operation carries; all of it has succeeded. A worker is running."""
    operation = actions.request(verb, Node.objects.get(pk=node.pk), actor=root, arguments=arguments)
    until(lambda: not Operation.objects.get(pk=operation.pk).is_open, PATIENCE, 0.25)
    operation.refresh_from_db()
    faults = [(child.path, child.error) for child in operation.children.exclude(error=None)]
    assert operation.status == Status.SUCCEEDED, (operation.status, operation.error, operation.result, faults)
    assert operation.finished_at is not None
    return (operation.finished_at - operation.created_at).total_seconds()


def drop_branch(path: str) -> None:
    """Deletes raw rows at and below a top-level path, whoever wrote them, and makes the root empty again."""
    ids = list(Node.objects.filter(path__startswith=path).values_list("pk", flat=True))
    tables = ("descriptors_descriptor", "descriptors_folder")
    with connection.cursor() as cursor:
        for table in tables:
            _delete(cursor, table, "node_ptr_id", ids)
        Node._base_manager.filter(path__startswith=path).update(parent=None)
        _delete(cursor, "descriptors_node", "id", ids)
    Node._base_manager.filter(path="/").update(lft=1, rght=2)


def _delete(cursor: Any, table: str, column: str, ids: Sequence[int]) -> None:
    for start in range(0, len(ids), 900):
        chunk = ids[start : start + 900]
        marks = ", ".join(["%s"] * len(chunk))
        cursor.execute(f"DELETE FROM {table} WHERE {column} IN ({marks})", chunk)
