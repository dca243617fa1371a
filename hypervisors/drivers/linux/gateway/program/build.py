"""What is really there becomes what is planned: what lacks is made, what is too much goes. Everything may be repeated.

A stamp in a folder that a reboot empties says which plan a network was built after. A network whose stamp is right and
whose DHCP server runs is not looked at again, except by `mend`: so thirty machines enter quickly.
"""

from __future__ import annotations

import contextlib
import functools
import shutil
import signal
from collections.abc import Collection, Container, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from hypervisors.drivers.linux.faults import Refused
from hypervisors.drivers.linux.gateway.program import jump, system
from hypervisors.drivers.linux.gateway.program.names import OUT, namespace, peer_link, port, root_link, tag_of
from hypervisors.drivers.linux.gateway.program.plan import Links, NetworkPlan, RootPlan, folder
from hypervisors.drivers.linux.gateway.program.settings import Settings
from hypervisors.drivers.linux.gateway.program.state import write
from hypervisors.drivers.linux.gateway.program.system import inside, run, run_json
from hypervisors.drivers.linux.gateway.program.texts import no_rules

#: Number of the routing protocol that marks our routes.
PROTOCOL = "199"
#: So many new or needless networks are worth commands for all of them; so many threads furnish them.
TOGETHER, ABREAST = 2, 8


class Builder:
    """Builds after plans; `settings` say where."""

    def __init__(self, settings: Settings):
        self.settings = settings

    # -- networks ---------------------------------------------------------------------------------------------------

    def converge(self, plans: list[NetworkPlan], *, thorough: bool) -> dict[str, Refused]:
        """Bring all networks about; what could not be done, by the network's key."""
        faults: dict[str, Refused] = {}
        self._sweep({plan.tag for plan in plans}, thorough=thorough)
        wrong = {plan.tag for plan in plans if thorough or not self._is_built(plan)}
        if wrong:
            self._stamp("root").unlink(missing_ok=True)  # the other ends of their links are new, too
        wrong |= {peer for plan in plans if plan.tag in wrong for peer in plan.peers}
        stale = wrong | {plan.tag for plan in plans if self._stamped(plan.tag)[1:] != [plan.digest]}
        new = self._found_together([plan for plan in plans if plan.tag in wrong])

        def furnish(plan: NetworkPlan) -> None:
            self._furnish(plan, new)

        for step, tags, abreast in (
            (self._found, wrong - new, 1),
            (self._link, wrong, 1),  # two networks make one link
            (furnish, stale, ABREAST),
            (self._people, {plan.tag for plan in plans}, 1),
        ):
            with ThreadPoolExecutor(abreast) as pool:  # each thread can be in a namespace of its own
                some = [plan for plan in plans if plan.tag in tags and plan.key not in faults]
                list(pool.map(functools.partial(_attempt, step, faults=faults), some))
        return faults

    def _found_together(self, plans: list[NetworkPlan]) -> set[int]:
        """The tags of those of which there was nothing, and whose namespaces and ports are there now: a few commands make
        them all. None when that does not work: one after the other it is told where it does not.
        """
        there = {*system.namespaces(), *system.devices(), *(self._ports() if plans else ())}
        new = [plan for plan in plans if not there.intersection((namespace(plan.tag), port(plan.tag)))]
        if len(new) < TOGETHER:
            return set()
        for plan in new:
            self._stamp(str(plan.tag)).unlink(missing_ok=True)
            folder(self.settings, plan.tag).mkdir(parents=True, exist_ok=True)
        ports = [word for plan in new for word in ("--", *_port_words(plan.tag, self.settings.bridge))]
        try:
            _batch(f"netns add {namespace(plan.tag)}" for plan in new)
            run("ovs-vsctl", "--timeout=20", *ports)
            _batch(f"link set {port(plan.tag)} netns {namespace(plan.tag)}" for plan in new)
            for plan in new:
                self._switch_on(plan)
        except (Refused, OSError):
            return set()
        return {plan.tag for plan in new}

    def _is_built(self, plan: NetworkPlan) -> bool:
        built = self._stamped(plan.tag)[:1] == [plan.base]
        return built and self._is_plugged(plan) and self._serves(plan)

    def _is_plugged(self, plan: NetworkPlan) -> bool:
        """Whether the port is where it belongs, and no newer one where OVS makes them."""
        name, space = port(plan.tag), namespace(plan.tag)
        return system.has_namespace(space, name) and name not in system.devices()

    def _stamped(self, tag: int) -> list[str]:
        try:
            return self._stamp(str(tag)).read_text().split()
        except FileNotFoundError:
            return []

    def _found(self, plan: NetworkPlan) -> None:
        """The namespace and its port; the folder comes first, as it tells that there may be something."""
        self._stamp(str(plan.tag)).unlink(missing_ok=True)
        folder(self.settings, plan.tag).mkdir(parents=True, exist_ok=True)
        system.make_namespace(namespace(plan.tag))
        self._plug(plan)
        self._switch_on(plan)

    def _switch_on(self, plan: NetworkPlan) -> None:
        with inside(namespace(plan.tag)):
            system.switch_on("net/ipv4/ip_forward")
            system.finish_sums(port(plan.tag))  # OVS' userspace datapath would leave them to a card that is not there

    def _plug(self, plan: NetworkPlan) -> None:
        """The port: OVS makes it beside the other devices of the gateway, and makes it again there when it restarts."""
        name, space = port(plan.tag), namespace(plan.tag)
        if not (self._is_plugged(plan) and name in self._ports()):
            system.end_processes(_conf_argument(self.settings, plan.tag))  # it listens on the device that is gone
            if not _has_device(name):
                run("ovs-vsctl", "--timeout=20", "--if-exists", "del-port", name)
            run("ovs-vsctl", "--timeout=20", *_port_words(plan.tag, self.settings.bridge))
            run("ip", "-n", space, "link", "del", name, fine=(0, 1))  # OVS has forgotten it when it started again
            run("ip", "link", "set", name, "netns", space)
        run("ovs-vsctl", "--timeout=20", "set", "port", name, f"tag={plan.tag}")

    def _ports(self) -> list[str]:
        return run("ovs-vsctl", "--timeout=20", "list-ports", self.settings.bridge).split()

    def _link(self, plan: NetworkPlan) -> None:
        """The links to the gateway itself and to other networks."""
        space = namespace(plan.tag)
        if plan.out and not (_has_device(OUT, space) and _has_device(root_link(plan.tag))):
            _remove_device(root_link(plan.tag))
            run("ip", "link", "add", root_link(plan.tag), "type", "veth", "peer", "name", OUT, "netns", space)
        if not plan.out:
            _remove_device(root_link(plan.tag))
        for peer in plan.peers:
            if not _has_device(peer_link(peer), space):
                other = ("type", "veth", "peer", "name", peer_link(plan.tag), "netns", namespace(peer))
                run("ip", "-n", space, "link", "add", peer_link(peer), *other)
        for name in _devices(space):
            if name.startswith("to") and name not in plan.links.addresses:
                run("ip", "-n", space, "link", "del", name, fine=(0, 1))

    def _furnish(self, plan: NetworkPlan, new: Container[int]) -> None:
        """Rules before addresses: nothing passes that shall not, not even for a moment. New ones have no addresses yet."""
        with inside(namespace(plan.tag)):
            run("nft", "-f", "-", data=plan.rules)
            if plan.tag in new:
                _batch(steps(plan.links, [{"ifname": name} for name in system.devices()], ()))
            else:
                _apply(plan.links)
        self._serve(plan)
        self._stamp(str(plan.tag)).parent.mkdir(parents=True, exist_ok=True)
        write(self._stamp(str(plan.tag)), f"{plan.base} {plan.digest}")

    # -- DHCP -------------------------------------------------------------------------------------------------------

    def _serve(self, plan: NetworkPlan) -> None:
        """The DHCP server, started again when its configuration has changed."""
        place, argument = folder(self.settings, plan.tag), _conf_argument(self.settings, plan.tag)
        changed = write(place / "dnsmasq.conf", plan.conf)
        write(place / "hosts", plan.hosts)
        if plan.conf and not changed and self._serves(plan):
            return
        system.end_processes(argument)
        if plan.conf:
            self._start(plan)

    def _start(self, plan: NetworkPlan) -> None:
        _keep_leases(folder(self.settings, plan.tag) / "leases", plan.leases)
        with inside(namespace(plan.tag)):
            run("dnsmasq", _conf_argument(self.settings, plan.tag))
        write(folder(self.settings, plan.tag) / "told", plan.hosts)

    def _serves(self, plan: NetworkPlan) -> bool:
        if not plan.conf:
            return True
        number = self._server(plan.tag)
        return bool(number and system.shares_namespace(number, namespace(plan.tag)))

    def _server(self, tag: int) -> int:
        """The process that serves a network, 0: none."""
        with contextlib.suppress(FileNotFoundError, ValueError):
            number = int((folder(self.settings, tag) / "pid").read_text())
            return number if system.is_process(number, _conf_argument(self.settings, tag)) else 0
        return 0

    def _people(self, plan: NetworkPlan) -> None:
        """Who gets which address. A lease of somebody who left would keep the address from the next one.

        What the server was told is written down last: whoever is killed before tells it again.
        """
        if not plan.conf:
            return
        place = folder(self.settings, plan.tag)
        write(place / "hosts", plan.hosts)
        if _strangers(place / "leases", plan.leases):
            system.end_processes(_conf_argument(self.settings, plan.tag))
            self._start(plan)
        elif _lines(place / "told") != plan.hosts.splitlines():
            system.tell(self._server(plan.tag), signal.SIGHUP)
            write(place / "told", plan.hosts)

    # -- what is too much -------------------------------------------------------------------------------------------

    def _sweep(self, wanted: set[int], *, thorough: bool) -> None:
        """Remove the networks that nobody wishes for any more."""
        gone = sorted(self.leftovers(thorough=thorough) - wanted)
        if len(gone) >= TOGETHER:
            self._empty_together(gone)
        ports = self._ports() if gone else ()
        for tag in gone:
            self._remove(tag, ports)

    def _empty_together(self, tags: Sequence[int]) -> None:
        """What takes long, of many networks at once; where it does not work, each is seen to by itself."""
        for tag in tags:
            self._stamp(str(tag)).unlink(missing_ok=True)
        system.end_processes(*(_conf_argument(self.settings, tag) for tag in tags))
        there = set(system.namespaces())
        ports = [word for tag in tags for word in ("--", "--if-exists", "del-port", port(tag))]
        with contextlib.suppress(Refused):
            run("ovs-vsctl", "--timeout=20", *ports)
            _batch(f"netns del {namespace(tag)}" for tag in tags if namespace(tag) in there)

    def leftovers(self, *, thorough: bool) -> set[int]:
        """Tags of all networks that anything is there of, wished for or not; without `thorough`, by folders alone."""
        with contextlib.suppress(FileNotFoundError):
            found = {int(one.name) for one in (self.settings.home / "networks").iterdir() if one.name.isdecimal()}
            return found | (self._seen() if thorough else set())
        return self._seen() if thorough else set()

    def _seen(self) -> set[int]:
        names = [*system.namespaces(), *_devices(), *self._ports()]
        return {tag for name in names if (tag := tag_of(name)) is not None}

    def _remove(self, tag: int, ports: Collection[str]) -> None:
        """Everything of a network; its folder goes last, as it tells that there may be something."""
        self._stamp(str(tag)).unlink(missing_ok=True)
        system.end_processes(_conf_argument(self.settings, tag))
        if port(tag) in ports:
            run("ovs-vsctl", "--timeout=20", "--if-exists", "del-port", port(tag))
        system.remove_namespace(namespace(tag))
        _remove_device(root_link(tag))
        shutil.rmtree(folder(self.settings, tag), ignore_errors=True)

    # -- the gateway itself -----------------------------------------------------------------------------------------

    def converge_root(self, plan: RootPlan, outside: str, *, thorough: bool) -> None:
        """Bring about what is on the gateway itself: after the networks, as its links come with them."""
        stamp = self._stamp("root")
        if not thorough and stamp.exists() and stamp.read_text() == plan.digest:
            return
        stamp.unlink(missing_ok=True)
        if plan.rules:
            system.switch_on("net/ipv4/ip_forward")
        run("nft", "-f", "-", data=plan.rules or no_rules())
        _apply(plan.links)
        self._answer_for(plan.floats, outside)
        jump.converge(self.settings, plan.keys)
        stamp.parent.mkdir(parents=True, exist_ok=True)
        write(stamp, plan.digest)

    def _answer_for(self, floats: Iterable[str], outside: str) -> None:
        """Say outside that the floating addresses are here."""
        if not (outside and self.settings.floating_pool):
            return
        pool, wanted = set(self.settings.floats()), set(floats)
        entries = run_json("ip", "-j", "neigh", "show", "proxy", "dev", outside)
        there = {str(one["dst"]) for one in entries}
        for address in sorted(wanted - there):
            run("ip", "neigh", "replace", "proxy", address, "dev", outside)
        for address in sorted((there & pool) - wanted):
            run("ip", "neigh", "del", "proxy", address, "dev", outside, fine=(0, 1, 2))

    def _stamp(self, name: str) -> Path:
        return self.settings.run / name


def _attempt(step: Any, plan: NetworkPlan, faults: dict[str, Refused]) -> None:
    """One step; a fault of one network is no reason to leave the others as they are."""
    try:
        step(plan)
    except Refused as fault:
        faults[plan.key] = fault
    except OSError as error:
        faults[plan.key] = Refused("failed", command=step.__name__.strip("_"), error=str(error))


def _port_words(tag: int, bridge: str) -> list[str]:
    """What ovs-vsctl is told to make the port of a network."""
    name = port(tag)
    return ["--may-exist", "add-port", bridge, name, f"tag={tag}", "--", "set", "interface", name, "type=internal"]


def _conf_argument(settings: Settings, tag: int) -> str:
    return f"--conf-file={folder(settings, tag) / 'dnsmasq.conf'}"


# -- devices, addresses and routes -------------------------------------------------------------------------------------


def _has_device(name: str, space: str = "") -> bool:
    return name in _devices(space)


def _devices(space: str = "") -> list[str]:
    with inside(space) if space else contextlib.nullcontext():
        return system.devices()


def _remove_device(name: str) -> None:
    if _has_device(name):
        run("ip", "link", "del", name, fine=(0, 1))


def _apply(links: Links) -> None:
    """Addresses and routes of our devices in the namespace that we are in."""
    there, routes = run_json("ip", "-j", "addr"), run_json("ip", "-j", "route", "show", "proto", PROTOCOL)
    _batch(steps(links, there, routes))


def _batch(commands: Iterable[str]) -> None:
    """Commands of `ip`, in one call."""
    if text := "".join(f"{command}\n" for command in commands):
        run("ip", "-batch", "-", data=text)


def steps(links: Links, there: Iterable[dict[str, Any]], routes: Iterable[dict[str, Any]]) -> list[str]:
    """Commands of `ip` that make of what is there (its own JSON) what is wanted; none when it is so. Pure."""
    known = {str(one["ifname"]): one for one in there}
    commands = ["link set lo up"] if "lo" in known and "UP" not in known["lo"].get("flags", []) else []
    for device, wanted in links.addresses.items():
        one = known.get(device, {})
        has = [f"{at['local']}/{at['prefixlen']}" for at in one.get("addr_info", []) if at["family"] == "inet"]
        commands += [f"addr del {address} dev {device}" for address in has if address not in wanted]
        commands += [f"addr add {address} dev {device}" for address in wanted if address not in has]
        size = links.mtus.get(device)
        if size and size != one.get("mtu"):
            commands.append(f"link set {device} mtu {size}")
        if "UP" not in one.get("flags", []):
            commands.append(f"link set {device} up")
    return commands + _route_steps(links, routes)


def _route_steps(links: Links, routes: Iterable[dict[str, Any]]) -> list[str]:
    has = {str(one["dst"]): (str(one.get("gateway", "")), str(one.get("dev", ""))) for one in routes}
    gone = [f"route del {to} proto {PROTOCOL}" for to in has if to not in links.routes]
    return gone + [
        f"route replace {to} via {via} dev {device} onlink proto {PROTOCOL}"
        for to, (via, device) in links.routes.items()
        if has.get(to) != (via, device)
    ]


# -- leases ------------------------------------------------------------------------------------------------------------


def _strangers(file: Path, wanted: Iterable[tuple[str, str]]) -> list[str]:
    """Lines of leases that nobody in the network has any more."""
    pairs = set(wanted)
    return [line for line in _lines(file) if len(line.split()) > 2 and tuple(line.split()[1:3]) not in pairs]


def _keep_leases(file: Path, wanted: Iterable[tuple[str, str]]) -> None:
    strangers = set(_strangers(file, wanted))
    if strangers:
        write(file, "".join(f"{line}\n" for line in _lines(file) if line not in strangers))


def _lines(file: Path) -> list[str]:
    try:
        return file.read_text().splitlines()
    except FileNotFoundError:
        return []
