"""What a hypervisor calls the images, flavors and networks of definitions: one document deploys on any of them.

Pure: `{"images": {"debian-12": "tiny"}, "flavors": {…}, "networks": {…}}`, our name → its name there.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from olimpus.errors import Invalid
from olimpus.words import gettext as _

KINDS: Final = ("images", "flavors", "networks")
MOST: Final = 500
LENGTH: Final = 255

Aliases = Mapping[str, Mapping[str, str]]


def clean(data: object) -> dict[str, dict[str, str]]:
    """The same, trimmed, without empty kinds; `Invalid` with each fault in `errors`, below `aliases`."""
    if not isinstance(data, Mapping):
        raise Invalid(_("A mapping is needed."), where="aliases")
    faults: list[dict[str, Any]] = []
    found = {str(kind): _names(str(kind), names, faults) for kind, names in data.items()}
    if sum(map(len, found.values())) > MOST:
        faults.append({"where": "aliases", "message": _("At most %(bound)d.") % {"bound": MOST}})
    if faults:
        raise Invalid(faults[0]["message"], where=faults[0]["where"], errors=faults)
    return {kind: names for kind, names in found.items() if names}


def _names(kind: str, names: object, faults: list[dict[str, Any]]) -> dict[str, str]:
    where = f"aliases.{kind[:32]}"
    if kind not in KINDS:
        faults.append({"where": where, "message": _("One of: %s.") % ", ".join(KINDS)})
    elif not isinstance(names, Mapping):
        faults.append({"where": where, "message": _("A mapping is needed.")})
    else:
        for name, there in names.items():
            if not (_is_name(name) and _is_name(there)):
                message = _("Names are needed: texts of 1 to %(bound)d characters.") % {"bound": LENGTH}
                faults.append({"where": f"{where}.{str(name)[:64]}", "message": message})
        return {} if faults else {name.strip(): there.strip() for name, there in names.items()}
    return {}


def _is_name(text: object) -> bool:
    return isinstance(text, str) and 0 < len(text.strip()) <= LENGTH and text.isprintable()


def here(aliases: Aliases, kind: str, name: str) -> str:
    """What the hypervisor calls it."""
    return aliases.get(kind, {}).get(name, name)


def translated(values: Mapping[str, Any], aliases: Aliases, hypervisor: str) -> dict[str, Any]:
    """A computed definition in the names of the hypervisor: images, flavor, and its networks under their `aliases`.

    What a network's own definition says of this hypervisor wins.
    """
    values = dict(values)
    for kind, name in (("images", "image"), ("flavors", "flavor")):
        if values.get(name):
            values[name] = here(aliases, kind, str(values[name]))
    if values.get("cdroms"):
        values["cdroms"] = [
            {**cd, "image": here(aliases, "images", str(cd.get("image") or ""))} for cd in values["cdroms"]
        ]
    if known := aliases.get("networks"):
        values["networks"] = _networks(values, known, hypervisor)
    return values


def _networks(values: Mapping[str, Any], known: Mapping[str, str], hypervisor: str) -> dict[str, Any]:
    networks = dict(values.get("networks") or {})
    named = {str(nic.get("network") or "") for nic in values.get("nics") or []}
    for name in known.keys() & (networks.keys() | named):
        definition = dict(networks.get(name) or {})
        networks[name] = {**definition, "aliases": {hypervisor: known[name], **(definition.get("aliases") or {})}}
    return networks


def with_own(values: Mapping[str, Any], marks: Mapping[str, str], hypervisor: str) -> dict[str, Any]:
    """A computed definition in which each of these networks has a name on the hypervisor that is nobody else's.

    `marks` are what tells the owner of a network from all others. A name that the definition gives it there stays.
    """
    networks = dict(values.get("networks") or {})
    for name in marks.keys() & networks.keys():
        known = dict(networks[name].get("aliases") or {})
        networks[name] = {**networks[name], "aliases": {hypervisor: f"{name[:200]}-{marks[name]}", **known}}
    return {**values, "networks": networks} if marks else dict(values)


# -- as lines that people type -----------------------------------------------------------------------------------------


def lines(aliases: Aliases) -> str:
    """One a line: "images debian-12 = tiny"."""
    return "\n".join(f"{kind} {name} = {there}" for kind in KINDS for name, there in aliases.get(kind, {}).items())


def of_lines(text: str) -> dict[str, dict[str, str]]:
    """The other way round; `Invalid` names the line that is none."""
    found: dict[str, dict[str, str]] = {}
    for number, line in enumerate(text.splitlines(), 1):
        kind, _space, rest = line.strip().partition(" ")
        name, equals, there = rest.partition("=")
        if kind and not equals:
            message = _("Line %(number)d: “images debian-12 = tiny” is how it is written.") % {"number": number}
            raise Invalid(message, where="aliases")
        if kind:
            found.setdefault(kind, {})[name.strip()] = there.strip()
    return clean(found)
