"""`python -m tests.bench.alone NAME`: one benchmark in a process, a data folder and a database of its own.

The last line of its output is the list of figures as JSON. With a `DATABASE_URL` of MySQL or MariaDB the database is a new
one on that server, removed at the end; the one that the URL names is not touched.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from urllib.parse import unquote, urlsplit

import django
from django.core.management import call_command


@contextmanager
def home() -> Iterator[None]:
    """A new data folder, known to this process and to those that it starts."""
    folder = tempfile.mkdtemp(prefix="olimpus-bench-")
    os.environ |= {
        "OLIMPUS_HOME": folder,
        "DJANGO_SETTINGS_MODULE": "olimpus.settings.dev",
        "OLIMPUS_LOG_LEVEL": "WARNING",
        "PYTHONWARNINGS": "ignore",
    }
    os.environ.pop("BROKER_URL", None)
    try:
        with database(os.environ.get("DATABASE_URL", "")):
            yield
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def database(url: str) -> Iterator[None]:
    """A new database on the server of `url`; for SQLite the file in the data folder."""
    if not url.startswith("mysql"):
        os.environ.pop("DATABASE_URL", None)
        yield
        return
    name = f"olimpus_bench_{os.getpid()}"
    execute(url, f"CREATE DATABASE {name} CHARACTER SET utf8mb4 COLLATE utf8mb4_bin")
    os.environ["DATABASE_URL"] = urlsplit(url)._replace(path=f"/{name}").geturl()
    try:
        yield
    finally:
        execute(url, f"DROP DATABASE {name}")


def execute(url: str, statement: str) -> None:
    """One statement on the server of a URL."""
    driver = import_module("MySQLdb")  # installed for MySQL and MariaDB only
    place = urlsplit(url)
    connection = driver.connect(
        host=place.hostname, port=place.port or 3306, user=place.username, password=unquote(place.password or "")
    )
    try:
        connection.cursor().execute(statement)
    finally:
        connection.close()


def main(name: str) -> None:
    """Entry point."""
    with home():
        django.setup()
        call_command("migrate", verbosity=0, interactive=False)
        figures = import_module(f"tests.bench.{name}").run()
    print(json.dumps([figure.as_data() for figure in figures]))


if __name__ == "__main__":
    main(sys.argv[1])
