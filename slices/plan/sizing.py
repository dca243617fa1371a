"""How large each node is and by which flavor, with the reason."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from hypervisors.flavors import PREDEFINED
from hypervisors.placement import RESOURCES, Named, Reason, Size, cost, recommend
from slices.graph import Graph, Node
from slices.plan.importance import critical
from slices.plan.shape import Running, Site, Wish

#: Flavors of nodes that say nothing of their size, and of those among them that are critical.
ORDINARY: Final = PREDEFINED["small"]
CRITICAL: Final = PREDEFINED["medium"]


@dataclass(frozen=True)
class Sized:
    """A node's flavor and sizes; `size` None: `reason` says why there is no telling."""

    flavor: str
    size: Size | None
    reason: Reason


#: What explicit sizes without a flavor fill up.
SMALLEST: Final = Sized("", Size(*(getattr(PREDEFINED["nano"], name) for name in RESOURCES)), Reason("sizes_said"))


def size_all(graph: Graph, sites: Mapping[str, Site], wish: Wish) -> dict[str, Sized]:
    """Node → its size, for all whose site is known (node → its site)."""
    reasons = critical(graph, optimise=wish.optimise)
    desks: dict[str, _Desk] = {}
    found = {}
    for node in graph.nodes:
        if site := sites.get(node.name):
            desk = desks.get(site.name) or desks.setdefault(site.name, _Desk(site, graph.defaults))
            found[node.name] = _sized(node, desk, reasons.get(node.name), wish)
    return found


def _sized(node: Node, desk: _Desk, reason: Reason | None, wish: Wish) -> Sized:
    said = node.definition
    if flavor := wish.flavors.get(node.name):
        return desk.sized(flavor, "flavor_by_hand")
    if any(said.get(name) is not None for name in RESOURCES):
        return desk.exactly(said)
    if flavor := said.get("flavor"):
        return desk.exactly(said) if desk.inherits_sizes else desk.sized(flavor, "flavor_said")
    if desk.inherits_sizes:
        return desk.exactly(said)
    here = wish.running.get(node.name)
    if here and here.hypervisor == desk.site.name:
        if any(_sizes(here)):
            return _of_running(node, here, desk, reason)
        reason = reason if node.critical else None
    return desk.larger(reason) if reason else desk.usual()


def _of_running(node: Node, here: Running, desk: _Desk, reason: Reason | None) -> Sized:
    """Another size would restart it: it gets one when somebody marks it, takes the mark off, or says what all machines get.

    Importance that is only worked out makes it neither larger when it begins, nor smaller when it ends.
    """
    has = Sized(here.flavor, Size(*_sizes(here)), Reason("flavor_kept", {"flavor": here.flavor}))
    now = desk.larger(reason) if reason else desk.usual()
    if node.critical or here.marked or now.flavor == has.flavor:
        return _kept(has) if node.critical and _is_larger(has, now) else now
    if desk.default and (not here.chosen or _is_larger(desk.usual(), has)):
        return desk.usual()
    return _kept(has) if desk.default and _is_larger(has, desk.usual()) else has


def _is_larger(one: Sized, other: Sized) -> bool:
    return bool(one.size and other.size) and cost(one.size) > cost(other.size)


def _kept(has: Sized) -> Sized:
    """As it is, although it would get a smaller one now."""
    return replace(has, reason=Reason("flavor_larger", has.reason.params))


def _sizes(here: Running) -> tuple[float, ...]:
    return here.cpus, here.memory_mib, here.disk_gib


class _Desk:
    """Hands out the flavors of one site. What it has worked out once serves all nodes that are alike."""

    def __init__(self, site: Site, defaults: Mapping[str, Any]):
        self.site = site
        self.default = str(defaults.get("flavor") or "")
        self.inherits_sizes = any(defaults.get(name) is not None for name in RESOURCES)
        self._defaults = defaults
        self._flavors = {flavor.name: flavor for flavor in site.flavors}
        self._known: dict[tuple[str, str], Sized] = {}

    def sized(self, name: str, code: str, params: Mapping[str, Any] | None = None) -> Sized:
        """By this flavor, or the smallest of the site that is as large."""
        if params:
            return self._found(name, Reason(code, params))
        if (name, code) not in self._known:
            self._known[name, code] = self._found(name, Reason(code))
        return self._known[name, code]

    def usual(self) -> Sized:
        """Of a node that says nothing."""
        return self.sized(self.default, "flavor_default") if self.default else self.sized(ORDINARY.name, "ordinary")

    def larger(self, reason: Reason) -> Sized:
        """Of a critical one: never smaller than the others."""
        usual = self.usual()
        larger = self.sized(CRITICAL.name, reason.code, reason.params)
        if usual.size and larger.size and cost(usual.size) >= cost(larger.size):
            return usual
        return larger

    def exactly(self, said: Mapping[str, Any]) -> Sized:
        """By the sizes that it says, or inherits; what it does not say comes from its flavor."""
        name = said.get("flavor") or self.default
        below = self.sized(name, "sizes_said") if name else SMALLEST
        if below.size is None:
            return below
        given = [said[n] if said.get(n) is not None else self._defaults.get(n) for n in RESOURCES]
        size = Size(*(_or(value, getattr(below.size, n)) for n, value in zip(RESOURCES, given, strict=True)))
        return Sized(below.flavor, size, Reason("sizes_said"))

    def _found(self, name: str, reason: Reason) -> Sized:
        told = {**reason.params, "flavor": name}
        if flavor := self._flavors.get(name):
            return Sized(name, _size(flavor), Reason(reason.code, told))
        where = {"hypervisor": self.site.name}
        if name not in PREDEFINED:
            return Sized(
                name, None, Reason("flavor_unknown", {"flavor": name, "flavors": sorted(self._flavors)} | where)
            )
        advice = recommend(PREDEFINED[name], self._flavors.values())
        if advice.best is None:
            return Sized(name, None, Reason("flavor_too_large", told | where | {"flavors": sorted(self._flavors)}))
        told |= {"flavor": advice.best.name, "wanted": name}
        return Sized(advice.best.name, _size(advice.best), Reason(reason.code, told | where))


def _size(flavor: Named) -> Size:
    return Size(flavor.cpus, flavor.memory_mib, flavor.disk_gib)


def _or(given: Any, otherwise: float) -> float:
    return otherwise if given is None else given
