"""Database fields of the tree."""

from __future__ import annotations

from typing import Any

from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper


class ExactCharField(models.CharField):
    """Text compared byte by byte on every database: `Web` and `web` are two names (MariaDB would fold them by default)."""

    def db_parameters(self, connection: BaseDatabaseWrapper) -> dict[str, Any]:
        """Adds MariaDB's binary collation; SQLite compares exactly by itself."""
        parameters = super().db_parameters(connection)
        if connection.vendor == "mysql":
            parameters["collation"] = "utf8mb4_bin"
        return parameters
