"""The one place that reads the environment. Every variable Olimpus knows is named in this file."""

from __future__ import annotations

import contextlib
import os
import secrets
import socket
from collections.abc import Callable
from pathlib import Path

import environ
from cryptography.fernet import Fernet

env = environ.Env()

BASE_DIR = Path(__file__).resolve().parent.parent


def home() -> Path:
    """Folder of all local data (database, queue, keys, mock hypervisors): `OLIMPUS_HOME`, default `var/`."""
    folder = Path(env("OLIMPUS_HOME", default=str(BASE_DIR / "var"))).expanduser().resolve()
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def database_url() -> str:
    """`DATABASE_URL`; without it an SQLite file in the data folder."""
    return env("DATABASE_URL", default=f"sqlite:///{home() / 'olimpus.sqlite3'}")


def broker_url() -> str:
    """`BROKER_URL`; without it kombu's file-system transport in the data folder."""
    return env("BROKER_URL", default="filesystem://")


def allowed_hosts() -> list[str]:
    """`OLIMPUS_HOSTS`: host names this site answers to, comma separated."""
    return env.list("OLIMPUS_HOSTS", default=["localhost", "127.0.0.1", "[::1]"])


def metrics_folder() -> Path:
    """Where the processes of one data folder count together (`prometheus_client` reads `PROMETHEUS_MULTIPROC_DIR`)."""
    folder = Path(os.environ.setdefault("PROMETHEUS_MULTIPROC_DIR", str(home() / "metrics")))
    folder.mkdir(parents=True, exist_ok=True)
    from prometheus_client import values  # it looks at the variable when it is imported

    # Containers that share the folder may have processes of the same number.
    host = socket.gethostname().replace("_", "-")
    values.ValueClass = values.MultiProcessValue(lambda: f"{host}-{os.getpid()}")
    return folder


def secret_key(*, required: bool) -> str:
    """`OLIMPUS_SECRET_KEY` signs sessions and tokens. Where it is not required, one is made once and kept."""
    if required:
        return env("OLIMPUS_SECRET_KEY")
    return env("OLIMPUS_SECRET_KEY", default="") or kept("secret.key", lambda: secrets.token_urlsafe(64))


def fernet_keys(*, required: bool) -> list[str]:
    """`OLIMPUS_SECRET_KEYS`: Fernet keys of hypervisor secrets, comma separated; the first one encrypts."""
    if required:
        return env.list("OLIMPUS_SECRET_KEYS")
    return env.list("OLIMPUS_SECRET_KEYS", default=[]) or [kept("fernet.key", lambda: Fernet.generate_key().decode())]


def openstack() -> dict[str, str]:
    """Where an OpenStack is and how to sign in, by setting of its driver; only what the environment says.

    `OPENSTACK_CLOUD` names an entry of clouds.yaml. The driver reads the others, too, for what a record leaves empty.
    """
    said = {
        "cloud": env("OPENSTACK_CLOUD", default=""),
        "auth_url": env("OPENSTACK_AUTH_URL", default=""),
        "username": env("OPENSTACK_USERNAME", default=""),
        "password": env("OPENSTACK_PASSWORD", default=""),
        "project_name": env("OPENSTACK_PROJECT_NAME", default=""),
        "user_domain_name": env("OPENSTACK_USER_DOMAIN_NAME", default=""),
        "project_domain_name": env("OPENSTACK_PROJECT_DOMAIN_NAME", default=""),
        "region_name": env("OPENSTACK_REGION_NAME", default=""),
    }
    return {name: value for name, value in said.items() if value}


def kept(name: str, make: Callable[[], str]) -> str:
    """Return the content of a private file in the data folder, written with mode 600 on first use.

    Two processes starting at once agree: the file appears by an atomic link, and the loser reads the winner's.
    """
    path = home() / name
    if not path.exists():
        draft = path.with_name(f".{name}.{os.getpid()}.{secrets.token_hex(4)}")
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(make())
        with contextlib.suppress(FileExistsError):
            os.link(draft, path)
        draft.unlink()
    return path.read_text().strip()
