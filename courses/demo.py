"""The demo: a mock hypervisor, three accounts, groups and the example course, made by the same actions as real ones.

What is there already is left alone, so that a demo in use is never set back; only the passwords follow
`OLIMPUS_DEMO_PASSWORD` when it is given.
"""

from __future__ import annotations

import hashlib
import os
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from django.conf import settings
from django.contrib.auth.models import Group
from django.db import transaction
from django.utils.crypto import constant_time_compare, salted_hmac

from accounts import actions as accounts
from accounts import tokens
from accounts.models import User
from accounts.roles import Kind, Role
from courses.actions import import_course, snapshot
from courses.manifest import read_course
from courses.plan import make_plan
from courses.roster import Student, read_roster
from descriptors.actions import edit, grant
from descriptors.models import Node
from hypervisors import actions as hypervisors
from hypervisors.models import Hypervisor
from olimpus import env

ADMIN, MANAGER, STUDENT = ACCOUNTS = ("admin", "manager", "student")
HYPERVISOR: Final = "mock"
TEACHERS: Final = "teachers"
COURSES: Final = "/courses"
FILES: Final = Path(settings.BASE_DIR) / "docs" / "examples" / "tel141"
PASSWORD_FILE: Final = "demo-password"  # noqa: S105 - a file name
MARKER_FILE: Final = "demo-loaded"
ROOT_DEFINITION: Final = {
    "hypervisor": HYPERVISOR,
    "prototypes": {
        "linux": {"image": "debian-12", "flavor": "micro"},
        "desktop": {"extends": "linux", "flavor": "medium", "firmware": "uefi"},
    },
}


@dataclass(frozen=True)
class Loaded:
    """What the demo tells: `changed` is False when everything was there; `own` are accounts with another password."""

    password: str
    changed: bool
    own: tuple[str, ...] = ()


def load() -> Loaded:
    """Make what is missing. May be repeated; when nothing is, it is found out by one query and one small file."""
    password = _password()
    if _is_loaded(password):
        return Loaded(password, changed=False)
    with transaction.atomic():
        admin = _account(ADMIN, is_superuser=True, first_name="Ada", last_name="Operadora")
        manager = _account(MANAGER, kind=Kind.MANAGER, first_name="Mario", last_name="Profesor Ñaupari")
        _hypervisor(admin)
        _root(admin)
        _course(admin)
        grant(Node.objects.get(path=COURSES), Role.MANAGER, user=manager, actor=admin)
        _groups(admin)
        own = tuple(name for name in ACCOUNTS if not _give_password(name, password))
    if not own:
        _write(MARKER_FILE, _mark(password))
    return Loaded(password, changed=True, own=own)


# -- password and marker ---------------------------------------------------------------------------------------------


def _password() -> str:
    """`OLIMPUS_DEMO_PASSWORD`, kept for the next run; else the one kept, else a new random one."""
    given = env.env("OLIMPUS_DEMO_PASSWORD", default="")
    if given and given != _read(PASSWORD_FILE):
        _write(PASSWORD_FILE, given)
    return given or env.kept(PASSWORD_FILE, lambda: secrets.token_urlsafe(12))


def _is_loaded(password: str) -> bool:
    """Whether this very database was loaded from these very files with this password, and nobody changed one."""
    return constant_time_compare(_read(MARKER_FILE), _mark(password))


def _mark(password: str) -> str:
    """A digest of everything that decides; the hashes in the database stand for the database itself."""
    rows = User.objects.filter(username__in=ACCOUNTS).order_by("username").values_list("username", "password")
    files = [hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(FILES.iterdir())]
    return salted_hmac("courses.demo", repr((password, list(rows), files)), algorithm="sha256").hexdigest()


def _read(name: str) -> str:
    path = env.home() / name
    return path.read_text().strip() if path.exists() else ""


def _write(name: str, content: str) -> None:
    """Replace a private file of the data folder in one step."""
    draft = env.home() / f".{name}.{os.getpid()}.{secrets.token_hex(4)}"
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(content)
    draft.replace(env.home() / name)


# -- what is made ----------------------------------------------------------------------------------------------------


def _account(username: str, *, kind: str = Kind.SIMPLE, is_superuser: bool = False, **names: str) -> User:
    found = User.objects.filter(username=username).first()
    email = f"{username}@example.edu"
    return found or accounts.create_user(
        username, actor=None, email=email, kind=kind, is_superuser=is_superuser, **names
    )


def _hypervisor(admin: User) -> None:
    if not Hypervisor.objects.filter(name=HYPERVISOR).exists():
        fields = {
            "name": HYPERVISOR,
            "driver": "mock",
            "settings": {"latency": 0.2},
            "description": "Pretends: nothing real runs here.",
        }
        hypervisors.create(fields, actor=admin)


def _root(admin: User) -> None:
    root = Node.objects.get(path="/")
    if not root.definition:
        edit(root, ROOT_DEFINITION, actor=admin)


def _course(admin: User) -> None:
    """The example course, unless its folder is there."""
    course = read_course((FILES / "course.yaml").read_bytes(), name="course.yaml")
    if not Node.objects.filter(path=course.folder).exists():
        import_course(make_plan(course, _roster(), snapshot(course)), actor=admin)


def _groups(admin: User) -> None:
    """Teachers, and the students of the course."""
    members = {TEACHERS: [MANAGER], "TEL141": [student.username for student in _roster()]}
    for name, usernames in members.items():
        if not Group.objects.filter(name=name).exists():
            group = accounts.create_group(name, actor=admin)
            accounts.add_members(group, User.objects.filter(username__in=usernames), actor=admin)


def _roster() -> list[Student]:
    return read_roster((FILES / "roster.csv").read_bytes())


def _give_password(username: str, password: str) -> bool:
    """Give the demo password to an account without one, or to any when it came with the environment.

    Returns whether the account has it now. Its strength is not checked: whoever chose it wants this one, for a demo.
    """
    user = User.objects.get(username=username)
    if user.has_usable_password() and user.check_password(password):
        return True
    if user.has_usable_password() and not env.env("OLIMPUS_DEMO_PASSWORD", default=""):
        return False
    user.set_password(password)
    user.save(update_fields=["password"])
    tokens.revoke_all(user)
    return True
