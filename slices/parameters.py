"""Parameters of a template: what it asks for when it is used."""

from __future__ import annotations

from typing import Any, Final

from jsonschema import Draft202012Validator

from descriptors.faults import Path, explain
from slices.fields import Fields

MOST: Final = 32
_VALUE: Final = {"type": ["string", "number", "boolean"], "maxLength": 255}
SCHEMA: Final[dict[str, Any]] = {
    "type": "object",
    "maxProperties": MOST,
    "additionalProperties": {
        "type": "object",
        "additionalProperties": False,
        "required": ["type"],
        "properties": {
            "type": {"type": "string", "enum": ["integer", "number", "string", "boolean", "image", "flavor"]},
            "title": {"type": "string", "maxLength": 255},
            "description": {"type": "string", "maxLength": 1000},
            "default": _VALUE,
            "minimum": {"type": "number"},
            "maximum": {"type": "number"},
            "choices": {"type": "array", "items": _VALUE, "maxItems": 256, "uniqueItems": True},
        },
    },
}
_VALIDATOR: Final = Draft202012Validator(SCHEMA)
_TYPES: Final = {"image": "string", "flavor": "string"}


def asked(given: object, path: Path, fields: Fields) -> dict[str, dict[str, Any]]:
    """The parameters as they are said, each with a default that fits its own bounds."""
    found = list(_VALIDATOR.iter_errors(given))
    for error in found:
        explain(error, path, "", fields)
    if found or not isinstance(given, dict):
        return {}
    for name, parameter in given.items():
        fields.name(name, (*path, name))
        if "default" in parameter:
            for error in Draft202012Validator(value_schema(parameter)).iter_errors(parameter["default"]):
                explain(error, (*path, name, "default"), "", fields)
    return {name: dict(parameter) for name, parameter in given.items()}


def value_schema(parameter: dict[str, Any]) -> dict[str, Any]:
    """The JSON Schema of a value that somebody gives for the parameter."""
    schema = {"type": _TYPES.get(parameter["type"], parameter["type"])}
    schema |= {bound: parameter[bound] for bound in ("minimum", "maximum") if bound in parameter}
    return schema | ({"enum": parameter["choices"]} if "choices" in parameter else {})
