"""Hundreds of servers that cost nothing: rows beside those of a real one in Nova's own database, for which Nova answers.

No hypervisor and no network know them: good for listing, for nothing else.
"""

from __future__ import annotations

import subprocess
import uuid
from collections.abc import Iterator
from contextlib import contextmanager

from tests.lab.cloud import Cloud

#: Table → the column that holds a server's id. The mapping is in the database of the API.
TABLES = {
    "instances": "uuid",
    "instance_extra": "instance_uuid",
    "instance_info_caches": "instance_uuid",
    "instance_system_metadata": "instance_uuid",
    "oslab_nova_api.instance_mappings": "instance_uuid",
}
#: A row of `instances` says its host here: no nova-compute shall look after a clone.
NOWHERE = {"host": "NULL", "node": "NULL"}


@contextmanager
def clones(cloud: Cloud, server: str, number: int) -> Iterator[None]:
    """So many copies of a server that is there, each with a tag of ours; gone when the block ends."""
    name = f"clone-{uuid.uuid4().hex[:6]}"
    setup = [
        "CREATE TEMPORARY TABLE more (uuid CHAR(36), name CHAR(32))",
        f"INSERT INTO more SELECT UUID(), CONCAT('{name}-', seq) FROM seq_1_to_{number}",
        *(_copy(table, column, server) for table, column in TABLES.items()),
        "INSERT INTO tags (resource_id, tag) SELECT uuid, CONCAT('olimpus-', uuid) FROM more",
    ]
    sql("; ".join(setup))
    try:
        yield
    finally:
        mine = f"(SELECT uuid FROM (SELECT uuid FROM instances WHERE display_name LIKE '{name}-%') AS mine)"
        others = [f"DELETE FROM {table} WHERE {column} IN {mine}" for table, column in reversed(TABLES.items())]
        sql("; ".join([f"DELETE FROM tags WHERE resource_id IN {mine}", *others]))


def sql(statements: str) -> list[str]:
    """Lines of what Nova's database answers."""
    account = ["--protocol=tcp", "--host=127.0.0.1", "--user=oslab", "--password=lab"]
    command = ["mariadb", "--no-defaults", "--batch", "--skip-column-names", *account, "oslab_nova"]
    done = subprocess.run(command, input=statements, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def _copy(table: str, key: str, server: str) -> str:
    """The statement that writes the table's rows of this server once more for each clone."""
    base, _dot, name = table.rpartition(".")
    where = f"table_schema='{base or 'oslab_nova'}' AND table_name='{name}'"
    columns = sql(f"SELECT column_name FROM information_schema.columns WHERE {where} AND extra NOT LIKE '%auto%'")
    given = {key: "more.uuid"}
    if name == "instances":
        given |= NOWHERE | {"display_name": "more.name", "hostname": "more.name"}
    chosen = ", ".join(given.get(column, f"old.`{column}`") for column in columns)
    named = ", ".join(f"`{column}`" for column in columns)
    return f"INSERT INTO {table} ({named}) SELECT {chosen} FROM {table} AS old, more WHERE old.{key}='{server}'"
