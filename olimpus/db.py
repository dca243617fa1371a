"""What databases do differently: races of transactions, upper and lower case."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any, ParamSpec, TypeVar

from django.db import OperationalError, connection, models, transaction
from django.db.models import Q, QuerySet
from django.db.models.functions import Lower

P = ParamSpec("P")
R = TypeVar("R")

#: MariaDB/MySQL: 1205 lock wait timeout, 1213 deadlock, 1020 row changed since it was read.
RACES = frozenset({1020, 1205, 1213})
ATTEMPTS = 6


def retry_on_deadlock(function: Callable[P, R]) -> Callable[P, R]:
    """Runs `function` in one transaction; when the database chose it as the victim of a deadlock, runs it again.

    Inside somebody else's transaction it is run once and the error passes through: only the outermost unit may be
    repeated. The function must be safe to run again after a rollback. After six attempts the last error is raised.
    """

    @wraps(function)
    def unit(*args: P.args, **kwargs: P.kwargs) -> R:
        if connection.in_atomic_block:
            return function(*args, **kwargs)
        for attempt in range(1, ATTEMPTS):
            try:
                with transaction.atomic():
                    return function(*args, **kwargs)
            except OperationalError as error:
                if not error.args or error.args[0] not in RACES:
                    raise
            # Losers of one deadlock that come back together would meet again.
            time.sleep(random.uniform(0, 0.02 * 2**attempt))
        with transaction.atomic():
            return function(*args, **kwargs)

    return unit


def containing(queryset: QuerySet[Any], columns: list[str], text: str) -> QuerySet[Any]:
    """Rows with `text` in one of the columns, whatever its case.

    Not icontains: under MariaDB's binary collation that minds upper and lower case.
    """
    found = Q()
    for column in columns:
        queryset = queryset.alias(**{f"lower_{column}": Lower(column)})
        found |= Q(**{f"lower_{column}__contains": text.lower()})
    return queryset.filter(found)


def update_each(model: type[models.Model], rows: Sequence[models.Model], columns: Sequence[str]) -> None:
    """Write these columns (attribute names of the model's own table) of every row: one prepared statement, run for all.

    Several times as fast as `bulk_update`, which builds a `CASE` of every value.
    """
    fields = [model._meta.get_field(column.removesuffix("_id")) for column in columns]
    key, quote = model._meta.pk, connection.ops.quote_name
    assignments = ", ".join(f"{quote(field.column)} = %s" for field in fields)
    sql = f"UPDATE {quote(model._meta.db_table)} SET {assignments} WHERE {quote(key.column)} = %s"  # noqa: S608 - names
    values = [
        [field.get_db_prep_save(getattr(row, field.attname), connection) for field in (*fields, key)] for row in rows
    ]
    with connection.cursor() as cursor:
        cursor.executemany(sql, values)


def insert_each(model: type[models.Model], rows: Sequence[models.Model]) -> None:
    """Insert rows; keys that the database gives are not read back. One prepared statement, run for all.

    Faster than `bulk_create` for thousands of rows. Raises IntegrityError as that does; call it in a transaction.
    """
    fields = [field for field in model._meta.local_concrete_fields if not isinstance(field, models.AutoField)]
    quote = connection.ops.quote_name
    names, marks = ", ".join(quote(field.column) for field in fields), ", ".join("%s" for _field in fields)
    sql = f"INSERT INTO {quote(model._meta.db_table)} ({names}) VALUES ({marks})"  # noqa: S608 - our own names
    values = [[field.get_db_prep_save(field.pre_save(row, True), connection) for field in fields] for row in rows]
    if values:
        with connection.cursor() as cursor:
            cursor.executemany(sql, values)
    for row in rows:
        row._state.adding, row._state.db = False, connection.alias
