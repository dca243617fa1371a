"""Import of 1,000 students with 5 VMs each: 6,001 nodes.

Measured: from the text of a course file and the bytes of a roster to the commit, through `courses`: read, compare with
what is there, plan, check every right, 6,001 nodes with their child rows, 1,000 accounts, 1,000 grants, and the journal
of all that.
Floor: `bulk_create` of the same nodes, child rows, accounts and grants with their numbers given beforehand, in one
transaction: no tree, no checks, no journal.
The two alternate, three times each, every time into a tree without them; the best of each counts.
"""

from __future__ import annotations

from collections.abc import Sequence

from django.contrib.auth.hashers import make_password
from django.db import connection, transaction

from accounts.models import Entry, User
from courses.actions import import_course, snapshot
from courses.manifest import read_course
from courses.plan import make_plan
from courses.roster import read_roster
from descriptors import tree
from descriptors.actions.granting import permission
from descriptors.models import Descriptor, Folder, Kind, Node, NodeUserObjectPermission
from hypervisors import actions as hypervisors
from tests.bench.figures import Figure, say, timed
from tests.bench.world import drop_branch, superuser

STUDENTS, ROUNDS, REACH = 1000, 3, 4.0
MACHINES = ("web", "db", "router", "client", "monitor")
COURSE = """
course: TEL141
title: Networks
term: 2026-2
folder: /TEL141
common:
  hypervisor: mock
  image: debian-12
  flavor: small
  networks: {lan: {cidr: 10.0.0.0/24}}
prototypes:
  node: {memory_mib: 1024, nics: [{network: lan}]}
student: {labels: {kind: exercise}}
machines:
""" + "".join(f"  {name}: {{prototype: node, labels: {{role: {name}}}}}\n" for name in MACHINES)
ROSTER = "username,first name,last name,email,group\n" + "".join(
    f"s{number:05},Ana,Quispe {number},s{number:05}@example.edu,{number % 8}\n" for number in range(STUDENTS)
)


def run() -> list[Figure]:
    """The figure."""
    root = superuser()
    hypervisors.create({"name": "mock", "driver": "mock"}, actor=root)
    measured, floors = [], []
    for _round in range(ROUNDS):
        measured.append(timed(lambda: whole_import(root)))
        rows = rows_of("/TEL141")
        forget_import()
        floors.append(timed(lambda rows=rows: insert_raw(*rows)))
        forget_import()
        say(f"import {measured[-1]:.2f} s, floor {floors[-1]:.2f} s")
    best, floor = min(measured), min(floors)
    work = f"import {STUDENTS:,} students × {len(MACHINES)} VMs"
    details = {"measured": measured, "floors": floors, "nodes": STUDENTS * (len(MACHINES) + 1) + 1}
    return [Figure(work, best, "s", f"≤ {REACH:g} ×", best <= REACH * floor, floor, details)]


def whole_import(actor: User) -> None:
    """From files to rows."""
    course = read_course(COURSE)
    students = read_roster(ROSTER.encode())
    import_course(make_plan(course, students, snapshot(course)), actor=actor)


def rows_of(path: str) -> tuple[list[Node], list[User], list[NodeUserObjectPermission]]:
    """What an import wrote, as rows that were never saved, with their numbers."""
    nodes = list(Node.objects.filter(path__startswith=path))
    users = list(User.objects.filter(is_superuser=False))
    grants = list(NodeUserObjectPermission.objects.all())
    assert (len(nodes), len(users), len(grants)) == (STUDENTS * 6 + 1, STUDENTS, STUDENTS)
    return nodes, users, grants


def insert_raw(nodes: Sequence[Node], users: Sequence[User], grants: Sequence[NodeUserObjectPermission]) -> None:
    """The same rows by `bulk_create` alone; the ids are those that they had."""
    for node in nodes:
        node._state.adding = True
    with transaction.atomic():
        Node._base_manager.bulk_create(nodes, batch_size=1000)
        for model, kind in ((Folder, Kind.FOLDER), (Descriptor, Kind.DESCRIPTOR)):
            rows = [model(node_ptr_id=node.pk) for node in nodes if node.kind == kind]
            model._base_manager.all()._batched_insert(
                rows, model._meta.local_concrete_fields, batch_size=None if connection.vendor == "sqlite" else 1000
            )
        unusable = make_password(None)
        for user in users:
            user.password = unusable
        User.objects.bulk_create(users, batch_size=1000)
        NodeUserObjectPermission.objects.bulk_create(grants, batch_size=1000)


def forget_import() -> None:
    """The tree as it was before."""
    role = permission("user")
    NodeUserObjectPermission.objects.filter(permission=role).delete()
    drop_branch("/TEL141")
    User.objects.filter(is_superuser=False).delete()
    Entry.objects.all().delete()
    assert not tree_faults()


def tree_faults() -> Sequence[object]:
    """The tree is whole again."""
    return [] if tree.by_path("/").rght == 2 else ["not empty"]
