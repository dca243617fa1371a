"""What a plan says of links that are on several hypervisors: who joins their parts, and why that cannot be."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from hypervisors.placement import Reason
from slices import joins
from slices.graph import MOST_CARDS, MOST_LINKS, MOST_NODES, Graph, Link
from slices.plan.shape import REMOVE, Refusal, Row, Site, Tunnel


def tunnels(graph: Graph, at: Mapping[str, Site]) -> Iterator[Tunnel]:
    """The links with nodes (node → its site) on several hypervisors, and the gateways that join their parts."""
    needs = joins.crossing(graph, {name: site.name for name, site in at.items()})
    ours = joins.gateways(graph) if needs else set()
    for link in graph.links:
        if link.name in needs:
            joining = tuple(end.node for end in link.ends if end.bridged and end.node in ours)
            yield Tunnel(link.name, needs[link.name], joining)


def explained(rows: Iterable[Row], found: Iterable[Tunnel]) -> Iterator[Row]:
    """The rows; those of gateways say what they join with whom."""
    links: dict[str, list[Tunnel]] = {}
    for tunnel in found:
        for gateway in tunnel.gateways:
            links.setdefault(gateway, []).append(tunnel)
    for row in rows:
        joined = links.get(row.node, []) if row.change != REMOVE else []
        others = sorted({name for tunnel in joined for name in tunnel.hypervisors} - {row.hypervisor})
        told = {"links": [tunnel.link for tunnel in joined], "hypervisors": others}
        yield replace(row, reason=Reason("joins", told)) if joined else row


def refusals(graph: Graph, at: Mapping[str, Site], found: Sequence[Tunnel]) -> Iterator[Refusal]:
    """Why the parts of these links cannot be joined, told of the gateways."""
    needs = {tunnel.link: tunnel.hypervisors for tunnel in found}
    ours = {name for tunnel in found for name in tunnel.gateways}
    sites = {site.name: site for site in at.values()}
    for name in sorted({name for there in needs.values() for name in there}):
        gateway = joins.name_at(name)
        if stranger := joins.strangers(graph, name):
            yield Refusal(gateway, name, Reason("gateway_taken", {"name": stranger, "hypervisor": name}))
        elif gateway in at and not sites[name].floats:
            yield Refusal(gateway, name, Reason("gateway_floats", {"hypervisor": name}))
    yield from _crowded(graph, at, ours)
    yield from _unjoinable([link for link in graph.links if link.name in needs], needs)


def _crowded(graph: Graph, at: Mapping[str, Site], ours: Collection[str]) -> Iterator[Refusal]:
    """What is too large with these gateways."""
    cards = Counter(end.node for link in graph.links for end in link.ends if end.node in ours)
    for name in sorted(cards.keys() & at.keys()):
        if cards[name] > MOST_CARDS:
            yield Refusal(name, at[name].name, Reason("join_cards", {"number": cards[name], "most": MOST_CARDS}))
    sizes = ("join_nodes", len(graph.nodes), MOST_NODES), ("join_links", len(graph.links), MOST_LINKS)
    for code, number, most in sizes if ours else ():
        if number > most:
            yield Refusal("", "", Reason(code, {"number": number, "most": most}))


def _unjoinable(links: Iterable[Link], needs: Mapping[str, tuple[str, ...]]) -> Iterator[Refusal]:
    """Links whose addresses do not allow it."""
    numbers: dict[int, str] = {}
    for link in links:
        first = needs[link.name][0]
        told = {"link": link.name, "cidr": link.cidr}
        number = joins.number_of(link)
        if number is None:
            yield Refusal(joins.name_at(first), first, Reason("join_range", told))
        elif (other := numbers.setdefault(number, link.name)) != link.name:
            yield Refusal(joins.name_at(first), first, Reason("join_number", told | {"other": other}))
        elif full := [end.node for end in link.ends if end.bridged and not end.ip]:
            yield Refusal(full[0], first, Reason("join_room", told | {"number": len(full)}))
