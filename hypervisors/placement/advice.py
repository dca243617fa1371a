"""Which flavor suits, and what is missing where none does."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from hypervisors.placement.sizes import RESOURCES, Named, Reason, Sized, cost, fits


@dataclass(frozen=True)
class Shortage:
    """One resource that is missing: what is needed, what the nearest flavor has, the most that any has."""

    resource: str
    needed: float
    offered: float
    largest: float


@dataclass(frozen=True)
class Recommendation:
    """`best` is the cheapest flavor that fits, or None: then `nearest` lacks the least, and `missing` says what."""

    best: Named | None
    reason: Reason
    runner_up: Named | None = None
    runner_up_reason: Reason | None = None
    nearest: Named | None = None
    missing: tuple[Shortage, ...] = ()


def recommend(needs: Sized, flavors: Iterable[Named]) -> Recommendation:
    """The cheapest flavor with enough of everything, the next one, and why. Ties go by name."""
    known = sorted(flavors, key=lambda flavor: (cost(flavor), flavor.name))
    fitting = [flavor for flavor in known if fits(needs, flavor)]
    if not fitting:
        return _none_fits(needs, known)
    best, second = fitting[0], fitting[1] if len(fitting) > 1 else None
    reason = Reason(_why(needs, best, fitting), _spare(needs, best) | {"flavor": best.name, "fitting": len(fitting)})
    return Recommendation(best, reason, second, _next(best, second) if second else None)


def _why(needs: Sized, best: Named, fitting: Collection[Named]) -> str:
    if all(getattr(needs, name) == getattr(best, name) for name in RESOURCES):
        return "exact"
    return "cheapest" if len(fitting) > 1 else "only_flavor"


def _spare(needs: Sized, flavor: Named) -> dict[str, float]:
    return {f"spare_{name}": getattr(flavor, name) - getattr(needs, name) for name in RESOURCES}


def _next(best: Named, second: Named) -> Reason:
    more = round(100 * (cost(second) - cost(best)) / cost(best)) if cost(best) else 0
    return Reason("runner_up", {"flavor": second.name, "percent": more})


def _none_fits(needs: Sized, known: Sequence[Named]) -> Recommendation:
    if not known:
        return Recommendation(None, Reason("no_flavors"))
    nearest = min(known, key=lambda flavor: _lack(needs, flavor))
    missing = tuple(
        Shortage(name, getattr(needs, name), getattr(nearest, name), max(getattr(flavor, name) for flavor in known))
        for name in RESOURCES
        if getattr(needs, name) > getattr(nearest, name)
    )
    return Recommendation(None, Reason("none_fits", {"nearest": nearest.name}), nearest=nearest, missing=missing)


def _lack(needs: Sized, flavor: Sized) -> float:
    """How much is missing, each resource as a share of what is needed."""
    lacks = ((getattr(needs, name), getattr(flavor, name)) for name in RESOURCES)
    return sum((need - has) / need for need, has in lacks if need > has)
