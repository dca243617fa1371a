"""The commands: each first writes the wish, then brings it about, and may be repeated."""

from __future__ import annotations

import contextlib
import functools
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from hypervisors.drivers.linux.faults import Refused
from hypervisors.drivers.linux.gateway.program import state as states
from hypervisors.drivers.linux.gateway.program import system
from hypervisors.drivers.linux.gateway.program.build import Builder
from hypervisors.drivers.linux.gateway.program.names import port
from hypervisors.drivers.linux.gateway.program.plan import network_plans, root_plan
from hypervisors.drivers.linux.gateway.program.settings import Settings, settings_from
from hypervisors.drivers.linux.gateway.program.state import Machine, Network, State
from hypervisors.drivers.linux.gateway.program.texts import name_servers
from hypervisors.drivers.linux.gateway.program.ways import ways_of
from hypervisors.drivers.linux.gateway.program.wishes import entered, held, left

Json = dict[str, Any]
#: Tells the tags of each port of the bridge.
Ports = Callable[[], Mapping[str, Sequence[int]]]
TOOLS = ("ip", "ovs-vsctl", "nft", "dnsmasq")


def answers(requests: Sequence[Mapping[str, Any]]) -> list[Json]:
    """What the program says to each request of a parcel. Machines that enter and leave in one are brought about together."""
    os.environ["PATH"] = os.environ.get("PATH", "") + ":/usr/local/sbin:/usr/sbin:/sbin"
    os.umask(0o022)
    alike = {str(request["command"]) for request in requests} <= WISHES.keys()
    if alike and len(requests) > 1 and all(one["settings"] == requests[0]["settings"] for one in requests):
        with contextlib.suppress(Exception):  # whatever it is, all is as before, and each by itself tells its own fault
            return _together(requests)
    return [answer(request) for request in requests]


def answer(request: Mapping[str, Any]) -> Json:
    """What the program says to a request: {"answer": …} or {"refused": code, "told": {…}}."""
    begun = time.monotonic()
    try:
        settings = settings_from(request.get("settings") or {})
        command = COMMANDS[str(request["command"])]
        with states.locked(settings.home):
            return {"answer": command(settings, request), "seconds": round(time.monotonic() - begun, 4)}
    except Refused as refused:
        return {"refused": refused.code, "told": refused.told}
    except Exception as error:  # noqa: BLE001 - others travel in the same parcel: they shall have their answers
        return {"refused": "failed", "told": {"command": request.get("command"), "error": repr(error)[:400]}}


# -- machines that enter and leave -------------------------------------------------------------------------------------


def _together(requests: Sequence[Mapping[str, Any]]) -> list[Json]:
    """All wishes are written, then brought about at once. Raises when one cannot be: all is as before then."""
    settings = settings_from(requests[0].get("settings") or {})
    with states.locked(settings.home):
        before = states.load(settings.home)
        ports = functools.cache(lambda: system.tags_in_use(settings.bridge))
        afters = [before]
        for request in requests:
            afters.append(WISHES[str(request["command"])](settings, request, afters[-1], ports))
        faults = _brought_about(settings, before, afters[-1], requests)
        return [{"answer": _told_of(settings, *pair, faults)} for pair in zip(requests, afters[1:], strict=True)]


def alone(settings: Settings, request: Mapping[str, Any]) -> Json:
    """One machine enters or leaves. What cannot be brought about for one that enters is not wished for any more."""
    before = states.load(settings.home)
    wish = WISHES[str(request["command"])]
    after = wish(settings, request, before, lambda: system.tags_in_use(settings.bridge))
    return _told_of(settings, request, after, _brought_about(settings, before, after, [request]))


def _entered(settings: Settings, request: Mapping[str, Any], before: State, ports: Ports) -> State:
    """A machine is in these networks, and in no others. It is told its cards as they are there, and its ways in."""
    system.need(*TOOLS)
    machine = states.machine_from(request["machine"])
    wanted = {key: states.network_from(one) for key, one in request["networks"].items()}
    tags = _used_tags(before, wanted, ports)
    after = entered(before, str(request["uid"]), machine, wanted, settings, tags)
    _require_outside(after, machine, settings)
    return after


def _left(_settings: Settings, request: Mapping[str, Any], before: State, _ports: Ports) -> State:
    """A machine is in no network any more, unless it is held and the request spares such ones.

    It is told what is in the way of tidying up, which `mend` tries again.
    """
    uid = str(request["uid"])
    spared = request.get("spare_held") and uid in before.machines and before.machines[uid].held
    return before if spared else left(before, uid)


def _brought_about(
    settings: Settings, before: State, after: State, requests: Sequence[Mapping[str, Any]]
) -> dict[str, Refused]:
    """Write the wish and make it so. Raises the first fault of a network that somebody enters: all is as before then."""
    _write(settings, before, after)
    faults = _converge(settings, after)
    entering = [str(request["uid"]) for request in requests if "machine" in request]
    keys = {card.network for uid in entering if uid in after.machines for card in after.machines[uid].cards}
    for key, fault in faults.items():
        if entering and (not key or key in keys):
            _take_back(settings, before, after)
            raise fault
    return faults


def _told_of(settings: Settings, request: Mapping[str, Any], after: State, faults: Mapping[str, Refused]) -> Json:
    """The answer to somebody who has entered or left."""
    if "machine" not in request:
        return {"faults": _told(faults)}
    uid = str(request["uid"])
    about = _about(after, uid)
    outside = outside_address(settings) if about["ways"] else ""
    return {"cards": _cards(after, uid, settings), **about, "outside": outside}


#: The commands that only change a machine's part in the state, and what each makes of it.
WISHES: dict[str, Callable[[Settings, Mapping[str, Any], State, Ports], State]] = {"enter": _entered, "leave": _left}


# -- others ------------------------------------------------------------------------------------------------------------


def hold(settings: Settings, request: Mapping[str, Any]) -> Json:
    """As `enter`, for a machine that is not made yet and keeps its floating address if making it fails. Answers with that.

    One that has such an address already is left in the networks that it is in.
    """
    uid = str(request["uid"])
    known = states.load(settings.home).machines.get(uid)
    if not (known and known.floating):
        alone(settings, {**request, "command": "enter"})
    before = states.load(settings.home)
    _write(settings, before, held(before, uid))
    return {"address": before.machines[uid].floating}


def mend(settings: Settings, request: Mapping[str, Any]) -> Json:
    """Bring everything about that is wished for, whatever happened to it. Answers with what could not be, and all ways in."""
    system.need(*TOOLS)
    thorough = bool(request.get("thorough", True))
    state = states.load(settings.home)
    return {"faults": _told(_converge(settings, state, thorough=thorough)), **_ways_in(settings, state)}


def look(settings: Settings, request: Mapping[str, Any]) -> Json:
    """What is wished for, with each machine's ways in, and what is there that nobody wishes for."""
    state = states.load(settings.home)
    wanted = {network.tag for network in state.networks.values() if network.served}
    left_over = Builder(settings).leftovers(thorough=True) - wanted if request.get("thorough") else set()
    return {
        "networks": {key: asdict(network) for key, network in state.networks.items()},
        "leftovers": sorted(left_over),
        **_ways_in(settings, state),
    }


COMMANDS: dict[str, Callable[[Settings, Mapping[str, Any]], Json]] = {
    "enter": alone,
    "hold": hold,
    "leave": alone,
    "mend": mend,
    "look": look,
}


def _write(settings: Settings, before: State, after: State) -> None:
    if after != before:
        states.save(settings.home, after)


def _take_back(settings: Settings, before: State, after: State) -> None:
    """A wish that cannot be granted would be in the way of all who are in its networks, now and later."""
    if after != before:
        _write(settings, after, before)
        _converge(settings, before)


def _converge(settings: Settings, state: State, *, thorough: bool = False) -> dict[str, Refused]:
    """Bring it all about; faults by the key of the network, "" for the gateway itself."""
    builder, outside = Builder(settings), _outside(settings)
    plan = root_plan(state, settings, outside)
    faults = builder.converge(network_plans(state, settings), thorough=thorough)
    try:
        builder.converge_root(plan, outside, thorough=thorough)
    except Refused as fault:
        faults[""] = fault
    return faults


def _told(faults: Mapping[str, Refused]) -> list[Json]:
    return [{"network": key, "refused": fault.code, "told": fault.told} for key, fault in faults.items()]


def _used_tags(state: State, wanted: Mapping[str, Network], ports: Ports) -> set[int]:
    """The tags that others use on the bridge; looked up only when a network comes, or names a tag that it has not."""
    if all(key in state.networks and one.vlan in (0, state.networks[key].tag) for key, one in wanted.items()):
        return set()
    ours = {port(network.tag) for network in state.networks.values()}
    return {tag for name, tags in ports().items() if name not in ours for tag in tags}


# -- outside -----------------------------------------------------------------------------------------------------------


def _outside(settings: Settings) -> str:
    """The interface to the outside: the one of the settings, else the one of the default route, else ""."""
    if settings.outside_interface:
        return settings.outside_interface
    routes = system.run_json("ip", "-j", "route", "show", "default")
    return str(routes[0].get("dev", "")) if routes else ""


def _require_outside(state: State, machine: Machine, settings: Settings) -> None:
    """What leads outside needs an outside."""
    keys = {card.network for card in machine.cards}
    ways = [way for way in ways_of(state, machine) if way.kind != "jump"]
    outwards = [state.networks[key] for key in sorted(keys) if state.networks[key].type in ("nat", "public")]
    if (ways or outwards) and not _outside(settings):
        raise Refused("no-outside")


def outside_address(settings: Settings) -> str:
    """The address of the gateway outside, "" when it has none."""
    if not (device := _outside(settings)):
        return ""
    found = system.run_json("ip", "-j", "-4", "addr", "show", "dev", device)
    return next((str(at["local"]) for one in found for at in one.get("addr_info", []) if at["family"] == "inet"), "")


# -- answers -----------------------------------------------------------------------------------------------------------


def _cards(state: State, uid: str, settings: Settings) -> list[Json]:
    """The machine's cards in their order, with all that a guest without DHCP must know."""
    found = []
    for card in state.machines[uid].cards:
        network = state.networks[card.network]
        found.append(
            {
                "network": card.network,
                "tag": network.tag,
                "mac": card.mac,
                "ip": card.ip,
                "cidr": network.cidr,
                "gateway": network.router,
                "dns": name_servers(network, settings),
                "mtu": network.mtu,
            }
        )
    return found


def _ways_in(settings: Settings, state: State) -> Json:
    """The ways into each machine, and the address that they begin at."""
    return {"machines": {uid: _about(state, uid) for uid in state.machines}, "outside": outside_address(settings)}


def _about(state: State, uid: str) -> Json:
    machine = state.machines[uid]
    return {"ways": [asdict(way) for way in ways_of(state, machine)], "login": machine.login}
