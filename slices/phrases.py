"""Reasons of `slices.plan` in words; those of places are `hypervisors.phrases`'."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from django.utils.translation import gettext_lazy as _

from hypervisors import phrases
from hypervisors.placement import Reason

#: Code → its sentence.
SENTENCES: Final[Mapping[str, Any]] = {
    "flavor_by_hand": _("“%(flavor)s” was chosen by hand."),
    "flavor_said": _("“%(flavor)s” was asked for."),
    "flavor_default": _("“%(flavor)s” is what the slice gives its machines."),
    "flavor_kept": _("It has “%(flavor)s” already."),
    "flavor_larger": _("It keeps “%(flavor)s”, the larger one that it has."),
    "sizes_said": _("These sizes were asked for."),
    "ordinary": _("“%(flavor)s”, as it says nothing of its size."),
    "critical_marked": _("“%(flavor)s”, as it is marked as critical."),
    "critical_role": _("“%(flavor)s”, as its role is “%(role)s”."),
    "critical_degree": _("“%(flavor)s”, as it has %(degree)d neighbours; on average it is %(mean)s."),
    "critical_paths": _("“%(flavor)s”, as it carries %(percent)d %% of all shortest paths."),
    "flavor_unknown": _("There is no flavor “%(flavor)s” in %(hypervisor)s. There are: %(flavors)s."),
    "flavor_too_large": _("No flavor in %(hypervisor)s is as large as “%(flavor)s”. There are: %(flavors)s."),
    "no_choice": _("%(place)s itself says where."),
    "recreate": _("It exists already: %(names)s can change only before that. Remove it and add another one."),
    "moves": _("It is in %(here)s already and does not move to %(place)s."),
    "not_in_slice": _("The slice has it no longer."),
    "site_unsaid": _("It says no hypervisor."),
    "no_site": _("The hypervisor “%(hypervisor)s” cannot be used. There are: %(places)s."),
    "site_closed": _("The hypervisor “%(hypervisor)s” cannot be used here."),
    "joins": _("It joins %(links)s with %(hypervisors)s."),
    "gateway_taken": _(
        "Networks on several hypervisors are joined by a gateway of this name, but “%(name)s” is something else. Rename it, "
        "or give it the role “gateway” and no cards of its own."
    ),
    "gateway_floats": _(
        "Nothing can be joined with %(hypervisor)s: it gives machines no floating addresses. Set them up there, or put "
        "the ends of each link on one hypervisor."
    ),
    "tunnels_anew": _(
        "Its tunnels change: it is made anew. Meanwhile nothing passes from one hypervisor to another in %(links)s."
    ),
    "gateway_anew": _(
        "It is made anew, as this changes: %(names)s. Meanwhile nothing passes from one hypervisor to another in %(links)s."
    ),
    "join_range": _("“%(link)s” cannot be joined with another hypervisor: it has no range of IPv4. Give it a “cidr”."),
    "join_number": _(
        "“%(link)s” and “%(other)s” cannot both be joined: their ranges begin alike but for the first number. Give one of "
        "them another “cidr”."
    ),
    "join_room": _("“%(link)s” has no addresses left for its gateways: %(cidr)s is %(number)d too small. Widen it."),
    "join_cards": _(
        "A machine has at most %(most)d cards; the gateway would have %(number)d. Put the ends of its links into fewer "
        "networks, shared by more of them."
    ),
    "join_nodes": _("A slice has at most %(most)d machines; with its gateways it would have %(number)d."),
    "join_links": _("A slice has at most %(most)d networks; with those of its gateways it would have %(number)d."),
    "image_missing": _("There is no image “%(image)s” in %(hypervisor)s. There are: %(places)s."),
    "routes_kept": _("It keeps the routes that it was made with, and lacks: %(ways)s."),
    "leads_not": _("It was made before it had to lead on what is not its own, and does not."),
    "range_unserved": _("“%(link)s” cannot have the range %(cidr)s in %(hypervisor)s. These can: %(places)s."),
    "way_without_room": _(
        "Nothing leads into “%(link)s” from outside: its machines have all addresses of %(cidr)s, and %(hypervisor)s needs "
        "one of them. Give it a larger range, or no forwards and no floating address."
    ),
}
#: Of a flavor that stands in for another one.
INSTEAD: Final = _("There is no “%(wanted)s” in %(hypervisor)s; “%(flavor)s” is the smallest that is as large.")
#: Resource → its sentence, of the code `quota`.
QUOTAS: Final[Mapping[str, Any]] = {
    "instances": _("%(hypervisor)s has a quota of %(left)g more machines; it takes %(needed)g."),
    "cores": _("%(hypervisor)s has a quota of %(left)g more CPUs; it takes %(needed)g."),
    "ram": _("%(hypervisor)s has a quota of %(left)g MiB more memory; it takes %(needed)g."),
    "networks": _("%(hypervisor)s has a quota of %(left)g more networks; it takes %(needed)g."),
    "subnets": _("%(hypervisor)s has a quota of %(left)g more subnets; it takes %(needed)g."),
    "ports": _("%(hypervisor)s has a quota of %(left)g more ports; it takes %(needed)g."),
}


def phrase(reason: Reason) -> str:
    """The reason as a sentence, in the language of whoever is being answered."""
    if reason.code not in SENTENCES and reason.code != "quota":
        return phrases.phrase(reason)
    told = phrases.lists(reason.params)
    if reason.code == "quota":
        return str(QUOTAS[told["resource"]]) % told
    sentence = (str(SENTENCES[reason.code]) % told).replace("….", "…")
    if reason.code == "leads_not" and told["ways"]:
        return f"{sentence} {str(SENTENCES['routes_kept']) % told}"
    return f"{sentence} {str(INSTEAD) % told}" if "wanted" in told and "flavors" not in told else sentence


def phrase_of(kept: Mapping[str, Any]) -> str:
    """The sentence of a reason that a plan has kept as JSON."""
    return phrase(Reason(**kept))
