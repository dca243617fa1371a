"""The parts of the documentation that are made from the code, so that they cannot lie.

Between `<!-- generated: name -->` and `<!-- end -->` a page holds what the function of that name returns.
`python -m tests.docs` writes them; a test refuses pages that are out of date.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from descriptors.cascade import Layer, compute, facts_of
from descriptors.definition import at, schema_document
from descriptors.documents import load
from descriptors.jobs import Outcome
from descriptors.models import Descriptor
from descriptors.parameters import DRIVERS
from descriptors.permissions import DEFAULTS, OPERATIONS
from descriptors.selectors import sources
from descriptors.states import CHOICES, ON_THE_WAY
from descriptors.verbs import VERBS
from hypervisors.drivers.base import Setting
from hypervisors.drivers.openstack.settings import SETTINGS
from slices.formats import described
from slices.topology import palette

ROOT = Path(__file__).resolve().parents[2]
SECTION = re.compile(r"(<!-- generated: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)


def pages() -> list[Path]:
    """Every page of documentation."""
    return [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md")), *sorted((ROOT / "deploy").glob("*.md"))]


def refreshed(text: str) -> str:
    """The page with its generated sections as they should be."""
    return SECTION.sub(lambda found: f"{found[1]}{SECTIONS[found[2]]()}\n{found[3]}", text)


def _table(head: tuple[str, ...], rows: Iterator[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _name in head), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


# -- parameters --------------------------------------------------------------------------------------------------------


def parameters() -> str:
    """One row per parameter, from the schema document that the API serves, too."""
    properties = schema_document()["properties"]
    head = ("parameter", "class", "value", "meaning", "drivers", "example")
    return _table(head, (_parameter(name, schema) for name, schema in properties.items()))


def _parameter(name: str, schema: dict[str, Any]) -> tuple[str, ...]:
    drivers = "all" if set(schema["x-drivers"]) == DRIVERS else ", ".join(schema["x-drivers"])
    example = f"`{json.dumps(schema['examples'][0], ensure_ascii=False)}`"
    return f"`{name}`", schema["x-kind"], _value(schema, schema["x-unit"]), schema["description"], drivers, example


def _value(schema: dict[str, Any], unit: str = "") -> str:
    """The type of a value in words, with unit and bounds."""
    if "enum" in schema:
        return ", ".join(f"`{value}`" for value in schema["enum"] if value is not None)
    types = [schema["type"]] if isinstance(schema["type"], str) else schema["type"]
    words = " or ".join(WORDS[name] for name in types if name != "null")
    if unit:
        words += f" of {unit}"
    if "exclusiveMinimum" in schema:
        words += f", above {schema['exclusiveMinimum']}, up to {schema['maximum']}"
    elif "minimum" in schema:
        words += f", {schema['minimum']} to {schema['maximum']}"
    elif schema.get("type") == ["array", "null"]:
        words += f", up to {schema['maxItems']}"
    return words


WORDS = {
    "string": "text",
    "integer": "whole number",
    "number": "number",
    "boolean": "true or false",
    "array": "list",
    "object": "mapping",
}


# -- states and verbs --------------------------------------------------------------------------------------------------


#: Transitions that the page tells in words: any state may fail, and what is cancelled in time goes back.
IN_WORDS = {"fail", "abandon"}


def states() -> str:
    """The life of a VM as a Mermaid diagram, from the transitions of the state machine."""
    edges: dict[tuple[str, str], list[str]] = {}
    for source, target, label in transitions():
        edges.setdefault((source, target), []).append(label)
    lines = [f"    {source} --> {target} : {', '.join(labels)}" for (source, target), labels in edges.items()]
    return "\n".join(["```mermaid", "stateDiagram-v2", "    [*] --> provisioned", *lines, "```"])


def transitions() -> Iterator[tuple[str, str, str]]:
    """(from, to, why) of every transition that changes the state, but for those in `IN_WORDS`."""
    order = [value for value, _label in CHOICES]
    for name in sorted(set(vars(Descriptor)) - IN_WORDS, key=lambda name: (name.startswith("finish_"), name)):
        machine = getattr(getattr(Descriptor, name), "_django_fsm", None)
        for source in sorted(set(machine.transitions) - {"*"} if machine else (), key=order.index):
            for target in _targets(machine.transitions[source].target):
                yield str(source), target, _label(name, source)


def _targets(target: Any) -> list[str]:
    if target is None:
        return []
    return [str(state) for state in getattr(target, "allowed_states", (target,))]


def _label(method: str, source: str) -> str:
    if method.startswith("finish_") and source in ON_THE_WAY:
        return "confirmed"
    return method.removeprefix("begin_").removeprefix("finish_").replace("_by_force", " by force")


def verbs() -> str:
    """One row per verb."""
    head = ("verb", "button", "from", "by way of", "lands in", "warns", "gives up after")
    return _table(head, (_verb(name) for name in VERBS))


def _verb(name: str) -> tuple[str, ...]:
    verb = VERBS[name]
    begin = _only_target(verb.begin)
    needs = "".join(f" (needs `{argument}`)" for argument in verb.arguments)
    return (
        f"`{name}`{needs}",
        str(verb.label),
        ", ".join(sources(verb)),
        begin or "–",
        LANDS.get(name) or _landing(name),
        str(verb.warns) or "–",
        f"{verb.deadline // 60} min",
    )


def _only_target(method: Any) -> str:
    targets = {target for found in method._django_fsm.transitions.values() for target in _targets(found.target)}
    return targets.pop() if len(targets) == 1 else ""


def _landing(name: str) -> str:
    """Where a machine is after the verb: played through in memory, from every state in which it may begin."""
    landed = set()
    for source in sources(VERBS[name]):
        machine = Descriptor(state=source)
        VERBS[name].begin(machine)
        VERBS[name].finish(machine, Outcome())
        landed.add("as before" if machine.state == source else str(machine.state))
    return ", ".join(sorted(landed))


#: Where the answer of the hypervisor decides.
LANDS = {
    "create": "created, or running where the hypervisor boots what it builds",
    "recover": "what the hypervisor says: provisioned, stopped, running or paused",
}


# -- permissions -------------------------------------------------------------------------------------------------------


def operations() -> str:
    """What can be allowed, and for whom it is when no flag says otherwise."""
    head = ("operation", "what it is", *(f"{role} by default" for role in DEFAULTS))
    return _table(head, (_operation(name, str(label)) for name, label in OPERATIONS.items()))


def _operation(name: str, label: str) -> tuple[str, ...]:
    return f"`{name}`", label.lower(), *("yes" if name in DEFAULTS[role] else "no" for role in DEFAULTS)


# -- the worked example ------------------------------------------------------------------------------------------------


def examples(page: str) -> dict[str, Any]:
    """The documents of a page by name: YAML blocks below `<!-- example: name -->`."""
    found = re.findall(r"<!-- example: (\w+) -->\n```yaml\n(.*?)```", (ROOT / "docs" / page).read_text(), re.DOTALL)
    return {name: load(text, name=f"{page}: {name}") for name, text in found}


def cascade() -> str:
    """What the machine of the worked example is computed to be, and which layer says so."""
    document = examples("concepts.md")["cascade"]
    (name, folder), path = next(iter(document["folders"].items())), document["path"]
    (machine, local) = next(iter(folder["descriptors"].items()))
    chain = [
        Layer(path, document["common"]),
        Layer(f"{path}/{name}", folder["common"]),
        Layer(f"{path}/{name}/{machine}", local),
    ]
    computed = compute(chain, facts=facts_of(chain[-1].path))
    shown = (
        (key, value) for key, value in computed.values.items() if key not in ("prototypes", "prototype", "networks")
    )
    return _table(("parameter", "value", "set by"), (_set_by(key, value, computed.origins) for key, value in shown))


def _set_by(key: str, value: Any, origins: Mapping[str, str]) -> tuple[str, ...]:
    where = dict.fromkeys(origins[at(key, inner)] for inner in value) if isinstance(value, dict) else [origins[key]]
    return f"`{key}`", f"`{json.dumps(value)}`", ", ".join(f"`{path}`" for path in where)


def openstack_settings() -> str:
    """One row per setting of the driver, but for the second hop's: they are the bastion's with another beginning."""
    rows = [one for one in SETTINGS if not one.name.startswith("headnode_")]
    return _table(("setting", "value", "by default", "meaning"), (_setting(one) for one in rows))


def _setting(one: Setting) -> tuple[str, ...]:
    value = ", ".join(f"`{choice}`" for choice in one.choices) or one.type + (", secret" if one.secret else "")
    default = "" if one.default is None else f"`{json.dumps(one.default)}`"
    return f"`{one.name}`", value, default, f"{one.label}. {one.help}".strip()


# -- slices ------------------------------------------------------------------------------------------------------------


def topologies() -> str:
    """One row per topology, with its parameters and what they are when nothing is said."""
    return _table(("topology", "what", "parameters"), (_topology(kind) for kind in palette()))


def _topology(kind: dict[str, Any]) -> tuple[str, ...]:
    said = {name: one.get("default") for name, one in kind["schema"]["properties"].items() if name != "prefix"}
    asked = [f"`{name}`" if value is None else f"`{name}={value}`" for name, value in said.items()]
    return f"`{kind['name']}`", kind["title"], ", ".join(asked)


def formats() -> str:
    """One row per format of slices, with the endings of its files."""
    return _table(("format", "what", "files", "import", "export"), (_format(row) for row in described()))


def _format(row: dict[str, Any]) -> tuple[str, ...]:
    endings = ", ".join(f"`{ending}`" for ending in row["endings"])
    return f"`{row['name']}`", row["title"], endings, "yes" if row["reads"] else "", "yes" if row["writes"] else ""


SECTIONS: dict[str, Callable[[], str]] = {
    "cascade": cascade,
    "parameters": parameters,
    "states": states,
    "verbs": verbs,
    "operations": operations,
    "openstack_settings": openstack_settings,
    "topologies": topologies,
    "formats": formats,
}
