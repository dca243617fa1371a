"""Which drivers exist, loaded only when asked for: a missing vendor library harms its own driver alone."""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable, Collection, Mapping
from typing import Any

from django.utils.module_loading import import_string
from django.utils.translation import gettext as _

from hypervisors.drivers.base import Driver, Setting
from olimpus.errors import Invalid

DRIVERS: dict[str, str] = {
    "mock": "hypervisors.drivers.mock.MockDriver",
    "openstack": "hypervisors.drivers.openstack.OpenStackDriver",
    "linux": "hypervisors.drivers.linux.driver.LinuxDriver",
}

TEXT_LIMIT = 20_000  # characters: room for a private key
INTEGER_LIMIT = 2**53  # what JSON readers agree about
BOOLEANS = {"true": True, "on": True, "1": True, "yes": True, "false": False, "off": False, "0": False, "no": False}


def driver_class(name: str) -> type[Driver]:
    """The driver of this name. `Invalid` with the nearest name when there is none, or its library is missing."""
    if name not in DRIVERS:
        hint = _("Did you mean “%(name)s”?") % {"name": nearest(name, DRIVERS)}
        raise Invalid(_("There is no driver “%(name)s”.") % {"name": name}, where="driver", hint=hint)
    try:
        return import_string(DRIVERS[name])
    except ImportError as error:
        message = _("The driver “%(name)s” cannot be loaded: %(error)s.") % {"name": name, "error": error}
        raise Invalid(message, where="driver", hint=_("Install its library.")) from error


def installed() -> dict[str, type[Driver]]:
    """The drivers whose libraries are there, by name."""
    return {name: found for name in sorted(DRIVERS) if (found := _found(name))}


def _found(name: str) -> type[Driver] | None:
    try:
        return driver_class(name)
    except Invalid:
        return None


def nearest(name: str, known: Collection[str]) -> str:
    """The known name most like this one."""
    return next(iter(difflib.get_close_matches(str(name)[:200], list(known), n=1, cutoff=0.0)), "")


def clean_settings(
    name: str, data: Mapping[str, Any], *, kept: Collection[str] = ()
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Check settings against the driver's declaration and split them into (public, secret).

    Empty values are left out: a driver fills in its defaults, and an empty secret keeps the old one, if its name is in
    `kept`. Raises `Invalid` with one entry in `errors` per faulty field.
    """
    declared = {setting.name: setting for setting in driver_class(name).settings}
    errors = [_unknown(key, declared) for key in data if key not in declared]
    public: dict[str, Any] = {}
    secret: dict[str, Any] = {}
    for setting in declared.values():
        try:
            value = clean_value(setting, data.get(setting.name))
        except ValueError as error:
            errors.append({"where": f"settings.{setting.name}", "message": str(error)})
            continue
        if value is not None:
            (secret if setting.secret else public)[setting.name] = value
        elif setting.required and setting.name not in kept:
            errors.append({"where": f"settings.{setting.name}", "message": _("This setting is required.")})
    if errors:
        raise Invalid(_("The settings are not valid."), where=errors[0]["where"], errors=errors)
    return public, secret


def clean_value(setting: Setting, value: Any) -> Any:
    """The value in the setting's type, None when empty; `ValueError` with a message for the user."""
    if value is None or value == "":
        return None
    cleaned = CLEANERS[setting.type](setting, value)
    if setting.minimum is not None and cleaned < setting.minimum:
        raise ValueError(_("At least %(bound)s.") % {"bound": setting.minimum})
    if setting.maximum is not None and cleaned > setting.maximum:
        raise ValueError(_("At most %(bound)s.") % {"bound": setting.maximum})
    return cleaned


def _text(setting: Setting, value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError(_("A text is needed."))
    if len(value) > TEXT_LIMIT:
        raise ValueError(_("At most %(bound)s characters.") % {"bound": TEXT_LIMIT})
    if "\x00" in value or (not value.isascii() and value.encode("utf-8", "ignore").decode() != value):
        raise ValueError(_("The text contains characters that cannot be stored."))
    return value


def _int(setting: Setting, value: Any) -> int:
    number = _float(setting, value)
    if not number.is_integer() or abs(number) > INTEGER_LIMIT:
        raise ValueError(_("A whole number is needed."))
    return int(number)


def _float(setting: Setting, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ValueError(_("A number is needed."))
    try:
        number = float(value)
    except (ValueError, OverflowError):
        number = math.nan
    if not math.isfinite(number):
        raise ValueError(_("A number is needed."))
    return number


def _bool(setting: Setting, value: Any) -> bool:
    if isinstance(value, bool):
        return value
    try:
        return BOOLEANS[str(value).lower()]
    except KeyError:
        raise ValueError(_("Yes or no is needed.")) from None


def _choice(setting: Setting, value: Any) -> str:
    if not isinstance(value, str) or value not in setting.choices:
        raise ValueError(_("One of these is needed: %(choices)s.") % {"choices": ", ".join(setting.choices)})
    return value


CLEANERS: dict[str, Callable[[Setting, Any], Any]] = {
    "text": _text,
    "lines": _text,
    "int": _int,
    "float": _float,
    "bool": _bool,
    "choice": _choice,
}


def _unknown(key: Any, declared: Mapping[str, Setting]) -> dict[str, Any]:
    hint = _("Did you mean “%(name)s”?") % {"name": nearest(key, declared)} if declared else ""
    shown = str(key)[:100].encode("utf-8", "replace").decode()
    return {"where": f"settings.{shown}", "message": _("There is no such setting."), "hint": hint}
