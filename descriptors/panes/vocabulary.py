"""The words that an editor offers while somebody writes a definition: the table of parameters and the names known here."""

from __future__ import annotations

from typing import Any

from descriptors import selectors
from descriptors.definition import FLAVORS, schema_document
from descriptors.models import Node
from descriptors.parameters import EXTENDS, NOT_IN_PROTOTYPES, ROLES
from descriptors.permissions import OPERATIONS
from olimpus.errors import Invalid


def vocabulary(node: Node) -> dict[str, Any]:
    """{"schema", "names", "not_in_prototypes"}: the schema of a definition, and for parameters the names one may write.

    Names come from what is visible along the path of the node, so nothing is told that its computed definition hides.
    One query.
    """
    return {
        "schema": schema_document(),
        "names": _names(node),
        "operations": {name: str(label) for name, label in OPERATIONS.items()},
        "roles": list(ROLES),
        "not_in_prototypes": sorted(NOT_IN_PROTOTYPES),
        "extends": EXTENDS,
    }


def _names(node: Node) -> dict[str, list[str]]:
    try:
        values = selectors.computed(node).values
    except Invalid:  # its own prototype is missing, say: the words of the table still help
        values = {}
    prototypes = values.get("prototypes") or {}
    return {
        "prototype": sorted(prototypes),
        "network": sorted(values.get("networks") or {}),
        "hypervisor": _known("hypervisor", values, prototypes, values.get("hypervisors") or []),
        "flavor": sorted(FLAVORS),
        **{name: _known(name, values, prototypes) for name in ("image", "storage", "host", "availability_zone")},
    }


def _known(name: str, values: dict[str, Any], prototypes: dict[str, Any], more: list[str] | None = None) -> list[str]:
    """Values of a parameter that the way to the node names already."""
    found = {values.get(name), *(content.get(name) for content in prototypes.values() if isinstance(content, dict))}
    return sorted({one for one in found if isinstance(one, str)} | set(more or []))
