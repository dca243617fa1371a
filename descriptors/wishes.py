"""Between a cloud's words and ours: bodies of the service API as definitions, faults of definitions as faults of bodies."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final, TypeVar

from olimpus.errors import OlimpusError

#: Field of a body → parameter of a definition.
PARAMETERS: Final[Mapping[str, str]] = {
    "image": "image",
    "flavor": "flavor",
    "vcpus": "cpus",
    "ram": "memory_mib",
    "disk": "disk_gib",
    "availability_zone": "availability_zone",
    "keypair": "keypair",
    "user_data": "user_data",
    "security_groups": "security_groups",
    "boot_from_volume": "boot_from_volume",
    "project": "project",
    "description": "description",
}
FIELDS: Final[Mapping[str, str]] = {parameter: name for name, parameter in PARAMETERS.items()} | {"nics": "networks"}
E = TypeVar("E", bound=OlimpusError)


def definition_of(body: Mapping[str, Any]) -> dict[str, Any]:
    """What a body says about one machine, as a definition. A script's ${…} stays as it is: it refers to nothing of ours."""
    found = {PARAMETERS[name]: value for name, value in body.items() if name in PARAMETERS and value not in ("", None)}
    if "user_data" in found:
        found["user_data"] = str(found["user_data"]).replace("${", "$${")
    return found


def in_words(error: E, prefix: str = "", *, strip: str = "") -> E:
    """The error with its places as the body calls them, below `prefix`; `strip` is what they begin with in ours."""
    for fault in error.errors:
        fault["where"] = _field(str(fault.get("where", "")), prefix, strip)
        fault.pop("path", None)
    error.where = _field(error.where, prefix, strip)
    return error


def _field(where: str, prefix: str, strip: str) -> str:
    """“/a/b: nics[0].network” → “networks[0]”; “cpus” → “vcpus”."""
    where = where.rpartition(": ")[2].removeprefix(strip).lstrip(".")
    found = re.match(r"[a-z_]+", where)
    if found and found[0] in FIELDS:
        where = FIELDS[found[0]] + where[found.end() :].removesuffix(".network")
    return ".".join(part for part in (prefix, where) if part)
