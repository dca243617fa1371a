"""What a server remembers of what was asked for: in its metadata and its tag, so that the cloud alone tells it.

OpenStack has sizes only as flavors, forgets the names of images and knows no modes of addressing; and a value of its
metadata has 255 characters at most.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from hypervisors.drivers.base import NicSpec, VmSpec
from hypervisors.drivers.ways import floats, is_login, login_of

Json = dict[str, Any]

TAG: Final = "olimpus-"
LIMIT: Final = 255
SIZE, IMAGE, IMAGE_ID, SINCE = "olimpus_size", "olimpus_image", "olimpus_image_id", "olimpus_since"
#: Writing the note is itself something that happens to the server; who stops it takes the note away.
NOTE_SECONDS: Final = 5.0
NIC, DISK = "olimpus_nic_", "olimpus_disk_"
LOGIN: Final = "olimpus_login"


@dataclass(frozen=True)
class Size:
    """What was asked for, and the flavor that was chosen for it."""

    cpus: int
    memory_mib: int
    disk_gib: float
    flavor: str


@dataclass(frozen=True)
class Disk:
    """An extra disk and the volume that it is."""

    name: str
    size_gib: float
    storage: str
    volume: str


@dataclass(frozen=True)
class Card:
    """A network card as it was asked for, and the cloud's own name of its network."""

    nic: NicSpec
    label: str


def tag_of(uid: str) -> str:
    return f"{TAG}{uid}"


def uid_of(server: Mapping[str, Any]) -> str:
    """Our uid of this server, "" when it is not ours."""
    return next((tag.removeprefix(TAG) for tag in server.get("tags") or [] if tag.startswith(TAG)), "")


# -- size and image ----------------------------------------------------------------------------------------------------


def of_size(size: Size) -> dict[str, str]:
    return {SIZE: f"{size.cpus} {size.memory_mib} {size.disk_gib:g} {size.flavor}"[:LIMIT]}


def size_in(metadata: Mapping[str, str]) -> Size | None:
    parts = metadata.get(SIZE, "").split(" ", 3)
    try:
        cpus, memory, disk, flavor = parts
        return Size(int(cpus), int(memory), float(disk), flavor)
    except ValueError:  # nothing there, or somebody has been writing in our place
        return None


def of_image(name: str, image_id: str) -> dict[str, str]:
    return {IMAGE: name[:LIMIT], IMAGE_ID: image_id}


def image_in(metadata: Mapping[str, str], image_id: str) -> str:
    """The image's name as it was asked for, while the server still has that image; a volume has none to compare."""
    return metadata.get(IMAGE, "") if image_id in ("", metadata.get(IMAGE_ID)) else ""


# -- network cards -----------------------------------------------------------------------------------------------------


def of_cards(cards: Sequence[Card]) -> dict[str, str]:
    return {f"{NIC}{position}": _short(_card(card), "network", "label") for position, card in enumerate(cards)}


def cards_in(metadata: Mapping[str, str]) -> list[Card]:
    """In their order."""
    found = []
    for item in _numbered(metadata, NIC):
        network = str(item.get("network", ""))
        mode, model = str(item.get("mode", "dhcp")), str(item.get("model", "virtio"))
        nic = NicSpec(network, str(item.get("mac", "")), str(item.get("ip", "")), mode, model)
        found.append(Card(nic, str(item.get("label", network))))
    return found


def _card(card: Card) -> Json:
    nic = card.nic
    item: Json = {"mac": nic.mac, "network": nic.network, "mode": nic.ip_mode, "model": nic.model}
    item |= {"ip": nic.ip} if nic.ip else {}
    return item | ({"label": card.label} if card.label != nic.network else {})


# -- ways in ------------------------------------------------------------------------------------------------------------


def of_login(spec: VmSpec) -> dict[str, str]:
    """Who signs in there, for machines with a floating address."""
    login = login_of(spec) if floats(spec) else ""
    return {LOGIN: login} if login else {}


def login_in(metadata: Mapping[str, str]) -> str:
    login = metadata.get(LOGIN, "")
    return login if is_login(login) else ""  # somebody may have been writing in our place


# -- extra disks -------------------------------------------------------------------------------------------------------


def of_disks(disks: Sequence[Disk]) -> dict[str, str]:
    return {f"{DISK}{position}": _short(vars(disk), "storage", "name") for position, disk in enumerate(disks)}


def disks_in(metadata: Mapping[str, str]) -> list[Disk]:
    return [
        Disk(str(item.get("name", "")), item.get("size_gib", 0), str(item.get("storage", "")), str(item["volume"]))
        for item in _numbered(metadata, DISK)
        if item.get("volume")
    ]


# -- since when it is on -----------------------------------------------------------------------------------------------


def of_since(since: datetime, updated: str) -> dict[str, str]:
    """That it was powered on then, good for as long as Nova does not touch it again after this note (`updated`)."""
    return {SINCE: f"{since.isoformat()} {updated}"}


def since_in(metadata: Mapping[str, str], updated: str, *, paused: bool) -> datetime | None:
    """What was noted at a pause; once it is resumed only if nothing has happened since but the note itself."""
    since, _space, seen = metadata.get(SINCE, "").partition(" ")
    try:
        noted = datetime.fromisoformat(since)
        return noted if paused or _seconds(seen, updated) <= NOTE_SECONDS else None
    except ValueError:
        return None


def _seconds(before: str, after: str) -> float:
    return abs((datetime.fromisoformat(after) - datetime.fromisoformat(before)).total_seconds())


def _numbered(metadata: Mapping[str, str], prefix: str) -> list[Json]:
    keys = [key for key in metadata if key.startswith(prefix) and key.removeprefix(prefix).isdigit()]
    found = []
    for key in sorted(keys, key=lambda key: int(key.removeprefix(prefix))):
        try:
            item = json.loads(metadata[key])
        except ValueError:
            continue
        if isinstance(item, dict):
            found.append(item)
    return found


def _short(item: Mapping[str, Any], *droppable: str) -> str:
    """As JSON that fits; names too long for that are left out one by one, and the cloud's own are told then."""
    for dropped in range(len(droppable) + 1):
        kept = {name: value for name, value in item.items() if name not in droppable[:dropped]}
        text = json.dumps(kept, separators=(",", ":"))
        if len(text) <= LIMIT:
            return text
    return "{}"
