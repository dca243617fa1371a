"""Graphs for property tests: small, whatever a slice may say, and in the order in which documents keep them."""

from __future__ import annotations

import itertools

from hypothesis import strategies as st

from slices.graph import End, Graph, Link, Node

NAMES = st.from_regex(r"[a-zA-Zñ名0-9][a-zA-Z0-9._@+-]{0,8}[a-z0-9]", fullmatch=True)
WORDS = st.sampled_from(["", "", "router", "host", "área 1", "a<b>&\"c'", "x: y", "true", "12", "#1"])
TEXTS = st.text(
    st.characters(codec="utf-8", exclude_categories=["C", "Zl", "Zp"]) | st.sampled_from("\n\t"), max_size=30
)
PIXELS = st.none() | st.integers(-5000, 5000) | st.floats(-5000, 5000).map(lambda x: round(x, 3))
DEFINITIONS = st.fixed_dictionaries(
    {},
    optional={
        "image": st.sampled_from(["debian-12", "ubuntu 22.04", "${course}", "1", "null"]),
        "flavor": st.sampled_from(["small", "medium"]),
        "cpus": st.integers(1, 8),
        "host": st.just("worker-1"),
        "boot_from_volume": st.booleans(),
        "disk_gib": st.floats(0.5, 100),
        "disks": st.just([{"name": "data", "size_gib": 5}]),
        "labels": st.dictionaries(NAMES, st.integers(-(2**63), 2**63 - 1) | TEXTS | st.booleans(), max_size=2),
        "user_data": TEXTS,
    },
)
CARDS = st.fixed_dictionaries(
    {},
    optional={
        "ip_mode": st.sampled_from(["dhcp", "cloud-init"]),
        "model": st.just("virtio"),
        "mac": st.just("52:54:00:12:34:56"),
        "forwards": st.just([{"port": 22, "protocol": "tcp"}]),
        "floating": st.booleans(),
    },
)
OPTIONS = st.fixed_dictionaries(
    {},
    optional={
        "type": st.sampled_from(["private", "nat", "isolated"]),
        "mtu": st.integers(68, 9000),
        "dhcp": st.booleans(),
        "dns": st.just(["9.9.9.9", "2620:fe::fe"]),
        "description": TEXTS,
    },
)
ADDRESSES = st.sampled_from(["", "", "10.0.0.2", "10.0.0.3", "fd00::2"])
CIDRS = st.sampled_from(["", "", "10.0.0.0/29", "192.168.0.0/24", "fd00::/64"])
PARAMETERS = st.sampled_from([{}, {}, {"size": {"type": "integer", "default": 4, "minimum": 3, "maximum": 50}}])


@st.composite
def nodes(draw: st.DrawFn) -> tuple[Node, ...]:
    names = draw(st.lists(NAMES, max_size=6, unique=True))
    return tuple(
        Node(
            name,
            draw(DEFINITIONS),
            role=draw(WORDS),
            group=draw(WORDS),
            apart=draw(WORDS),
            critical=draw(st.booleans()),
            x=draw(PIXELS),
            y=draw(PIXELS),
        )
        for name in names
    )


@st.composite
def graphs(draw: st.DrawFn) -> Graph:
    """Any graph that `check` lets pass."""
    made = draw(nodes())
    names = [node.name for node in made]
    pairs = list(itertools.combinations(names, 2))
    wires = draw(st.lists(st.sampled_from(pairs), unique=True, max_size=6)) if pairs else []
    links = [_link(draw, f"{a}-{b}" if draw(st.booleans()) else f"w{i}", (a, b)) for i, (a, b) in enumerate(wires)]
    for number in range(draw(st.integers(0, 2))):
        members = draw(st.lists(st.sampled_from(names), max_size=4)) if names else []
        links.append(_link(draw, f"net {number}", members, shared=True))
    taken: set[str] = set()
    links = [link for link in links if link.name not in taken and not taken.add(link.name)]  # type: ignore[func-returns-value]
    return Graph(
        name=draw(st.just("") | NAMES),
        description=draw(TEXTS),
        defaults=draw(DEFINITIONS),
        nodes=made,
        links=tuple(links),
        routed=draw(st.booleans()),
        parameters=draw(PARAMETERS),
    )


def _link(draw, name, members, shared=False):
    ends = tuple(
        End(node, draw(ADDRESSES), draw(st.sampled_from(["", "", "eth1", "Gi0/1"])), draw(CARDS)) for node in members
    )
    place = {"x": draw(PIXELS), "y": draw(PIXELS)} if shared else {}
    return Link(name, ends, shared, draw(CIDRS), draw(OPTIONS), **place)
