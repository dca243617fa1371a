"""What else has to be there: hypervisors, images, quota."""

from __future__ import annotations

import difflib
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping

from hypervisors.placement import Reason
from olimpus.errors import Invalid
from olimpus.words import gettext as _
from slices import joins
from slices.graph import Graph, Link, Node
from slices.plan.placing import growth, here
from slices.plan.shape import Refusal, Site, Wish
from slices.plan.sizing import Sized

#: Site → resource → how much of it is needed.
Needed = defaultdict[str, defaultdict[str, float]]


def site_of(node: Node, graph: Graph, sites: Mapping[str, Site]) -> tuple[str, Site | None]:
    """The hypervisor that the node names or inherits, else the only one there is; and its site, if it is known."""
    name = str(node.definition.get("hypervisor") or graph.defaults.get("hypervisor") or "")
    if not name and len(sites) == 1:
        name = next(iter(sites))
    return name, sites.get(name)


def strangers(graph: Graph, wish: Wish) -> None:
    """Invalid when something was set by hand for a node that there is not."""
    names = {node.name for node in graph.nodes}
    for where in ("pins", "flavors"):
        for name in getattr(wish, where):
            if name not in names:
                raise Invalid(_("There is no node “%s”.") % name, where=f"{where}.{name}")


def unknown_sites(found: Mapping[str, tuple[str, Site | None]], sites: Collection[str]) -> Iterator[Refusal]:
    """Nodes of which nobody knows where they belong."""
    for node, (name, site) in found.items():
        if site is None:
            yield Refusal(node, name, _no_site(name, sites))


def _no_site(name: str, sites: Collection[str]) -> Reason:
    if not name:
        return Reason("site_unsaid")
    return (
        Reason("no_site", {"hypervisor": name, "places": sorted(sites)})
        if sites
        else Reason("site_closed", {"hypervisor": name})
    )


def missing_images(graph: Graph, sites: Mapping[str, Site]) -> Iterator[Refusal]:
    """Nodes (node → its site) whose image their site does not have; with the names that are most like it."""
    for node in graph.nodes:
        site = sites.get(node.name)
        if site is None or site.images is None:
            continue
        image = str(node.definition.get("image") or graph.defaults.get("image") or "")
        if image and image not in site.images:
            near = difflib.get_close_matches(image, sorted(site.images), n=3, cutoff=0.4)
            told = {"image": image, "hypervisor": site.name, "places": near or sorted(site.images)}
            yield Refusal(node.name, site.name, Reason("image_missing", told))


def lacking_quota(graph: Graph, sites: Mapping[str, Site], sizes: Mapping[str, Sized], wish: Wish) -> Iterator[Refusal]:
    """What the quotas of the sites (node → its site) are short of. What is removed gives nothing back beforehand."""
    limited = {site.name: site for site in sites.values() if any(left is not None for left in site.quota.values())}
    if not limited:
        return
    needed: Needed = defaultdict(lambda: defaultdict(float))
    for node in graph.nodes:
        if (site := sites.get(node.name)) and site.name in limited:
            _count_machine(node, site, sizes, wish, needed[site.name])
    for link in graph.links:
        _count_network(link, sites, wish, needed)
    for name, site in sorted(limited.items()):
        for resource, number in needed[name].items():
            left = site.quota.get(resource)
            if left is not None and number > left:
                told = {"resource": resource, "needed": number, "left": max(0, left), "hypervisor": name}
                yield Refusal("", name, Reason("quota", told))


def _count_machine(node: Node, site: Site, sizes: Mapping[str, Sized], wish: Wish, needed: dict[str, float]) -> None:
    running, size = here(node.name, site, wish), sizes[node.name].size
    needed["instances"] += running is None
    if size:
        more = growth(size, running) if running else size
        needed["cores"] += more.cpus
        needed["ram"] += more.memory_mib


def _count_network(link: Link, sites: Mapping[str, Site], wish: Wish, needed: Needed) -> None:
    """On each site that it reaches it is a network with a subnet; each card is a port."""
    new = link.name not in wish.networks
    for name in {sites[node].name for node in link.nodes if node in sites}:
        if new and link.options.get("type") not in joins.FOREIGN:
            needed[name]["networks"] += 1
            needed[name]["subnets"] += 1
    for node in link.nodes:
        if node in sites and (new or here(node, sites[node], wish) is None):
            needed[sites[node].name]["ports"] += 1
