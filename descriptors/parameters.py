"""The documented schema of a VM definition: one row per parameter.

Validation, editing rules, documentation and editor completion all read this table. A new parameter is one row here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Literal

from olimpus.words import gettext, gettext_noop

Schema = dict[str, Any]
Kind = Literal["creation", "run", "free"]

#: Names of the driver technologies, as in `hypervisors.drivers`.
DRIVERS: Final = frozenset({"mock", "openstack", "linux", "vmware", "proxmox", "virtualbox"})

#: The roles whose flags a folder may set.
ROLES: Final = ("manager", "user")

#: A prototype describes a machine, so it holds no parameter that describes a branch.
NOT_IN_PROTOTYPES: Final = frozenset({"prototypes", "prototype", "hypervisors", "rights", "slice"})

#: The pseudo-parameter by which a prototype takes the content of another.
EXTENDS: Final = "extends"


@dataclass(frozen=True)
class Parameter:
    """One parameter of a definition.

    `kind` says when it may change (see `descriptors.definition.check_edit`), `schema` is the JSON Schema of its value,
    `drivers` the technologies that use it (None: all of them). `guarded` parameters need more than the right to edit.
    """

    name: str
    kind: Kind
    schema: Schema
    description: str
    example: Any
    unit: str = ""
    drivers: frozenset[str] | None = None
    guarded: bool = False


# Schemas --------------------------------------------------------------------------------------------------------------

NAME: Final[Schema] = {"type": "string", "format": "name", "maxLength": 255}
WORD: Final[Schema] = {"type": "string", "maxLength": 128}
TEXT: Final[Schema] = {"type": "string", "maxLength": 65536}
FLAG: Final[Schema] = {"type": "boolean"}
MAC: Final[Schema] = {"type": "string", "format": "mac"}
ADDRESS: Final[Schema] = {"type": "string", "format": "address"}
ADDRESS_OR_AUTO: Final[Schema] = {"type": "string", "format": "ip"}
CIDR: Final[Schema] = {"type": "string", "format": "cidr"}
SSH_KEY: Final[Schema] = {"type": "string", "format": "ssh-key", "maxLength": 4096}
COORDINATE: Final[Schema] = {"type": "number", "minimum": -1_000_000, "maximum": 1_000_000}
GIB: Final[Schema] = {"type": "number", "exclusiveMinimum": 0, "maximum": 65536}


def _whole(least: int, most: int) -> Schema:
    return {"type": "integer", "minimum": least, "maximum": most}


def _one_of(*values: str) -> Schema:
    return {"type": "string", "enum": list(values)}


def _list(items: Schema, most: int, *, unique: bool = False) -> Schema:
    return {"type": "array", "items": items, "maxItems": most} | ({"uniqueItems": True} if unique else {})


def _record(required: tuple[str, ...] = (), **properties: Schema) -> Schema:
    return {"type": "object", "properties": properties, "required": list(required), "additionalProperties": False}


def _mapping(values: Schema) -> Schema:
    return {"type": "object", "additionalProperties": values}


FORWARD: Final = _record(("port",), port=_whole(1, 65535), protocol=_one_of("tcp", "udp"), outside=_whole(1, 65535))
NIC: Final = _record(
    network=NAME,
    mac=MAC,
    ip=ADDRESS_OR_AUTO,
    ip_mode=_one_of("dhcp", "mac", "cloud-init", "disk"),
    model=_one_of("virtio", "e1000", "e1000e", "vmxnet3", "rtl8139", "pcnet"),
    forwards=_list(FORWARD, 32),
    floating=FLAG,
    bridge=FLAG,
)
DISK: Final = _record(("name", "size_gib"), name=NAME, size_gib=GIB, storage=NAME)
NETWORK: Final = _record(
    cidr=CIDR,
    type=_one_of("private", "public", "provider", "nat", "isolated"),
    gateway=ADDRESS,
    dns=_list(ADDRESS, 8),
    vlan=_whole(1, 4094),
    mtu=_whole(68, 65535),
    dhcp=FLAG,
    pool=_record(start=ADDRESS, end=ADDRESS),
    reaches=_list(NAME, 64, unique=True),
    aliases=_mapping(NAME),
    own=FLAG,
    description=TEXT,
)
#: What a folder that is a slice keeps beside its networks; see `slices.treeform`.
SLICE: Final = _record(
    (),
    description=TEXT,
    links=_mapping(_record((), shared=FLAG, x=COORDINATE, y=COORDINATE)),
    routed=FLAG,
    template=FLAG,
    parameters=_mapping({"type": "object"}),
)
#: What a machine of a slice keeps of its drawing, and for its plan.
SLICE_NODE: Final = _record(
    (),
    role=WORD,
    group=WORD,
    apart=WORD,
    critical=FLAG,
    x=COORDINATE,
    y=COORDINATE,
    cards=_list(WORD, 32),
    planned=_list(WORD, 8),
    peers=_list(NAME, 256),
)


# The table ------------------------------------------------------------------------------------------------------------


def _driver_set(*names: str) -> frozenset[str]:
    """The technologies that use a parameter; the mock takes part in everything, so that all can be rehearsed."""
    return frozenset({"mock", *names})


_CREATION = (
    Parameter("hypervisor", "creation", NAME, gettext_noop("Hypervisor where the VM is created."), "mock-1"),
    Parameter(
        "image", "creation", NAME, gettext_noop("Image or template that the system disk is made from."), "debian-12"
    ),
    Parameter(
        "disk_gib", "creation", GIB, gettext_noop("Size of the system disk; wins over the flavor."), 20, unit="GiB"
    ),
    Parameter(
        "storage", "creation", NAME, gettext_noop("Pool, datastore or volume type for the system disk."), "local-lvm"
    ),
    Parameter("vm_name", "creation", NAME, gettext_noop("Name of the VM on the hypervisor."), "${student}-${name}"),
    Parameter(
        "availability_zone",
        "creation",
        NAME,
        gettext_noop("Zone where the VM is placed."),
        "nova",
        drivers=_driver_set("openstack", "linux"),
    ),
    Parameter(
        "host",
        "creation",
        NAME,
        gettext_noop("Worker or host of the hypervisor that must carry the VM."),
        "worker-1",
        drivers=_driver_set("openstack", "linux", "vmware", "proxmox"),
    ),
    Parameter(
        "firmware",
        "creation",
        _one_of("bios", "uefi"),
        gettext_noop("Firmware that the VM boots with."),
        "uefi",
        drivers=_driver_set("linux", "vmware", "proxmox", "virtualbox"),
    ),
    Parameter(
        "guest_os",
        "creation",
        NAME,
        gettext_noop("Guest type as the hypervisor calls it."),
        "debian12_64Guest",
        drivers=_driver_set("vmware", "proxmox", "virtualbox"),
    ),
    Parameter(
        "user_data",
        "creation",
        TEXT,
        gettext_noop("cloud-init user data; write $${ for a ${ that the shell shall see."),
        "#cloud-config\nhostname: ${name}\n",
        drivers=_driver_set("openstack", "linux", "proxmox", "vmware"),
    ),
    Parameter(
        "keypair",
        "creation",
        NAME,
        gettext_noop("Key pair whose public key goes into the VM."),
        "lab-key",
        drivers=_driver_set("openstack", "linux", "proxmox"),
    ),
    Parameter(
        "security_groups",
        "creation",
        _list(NAME, 32, unique=True),
        gettext_noop("Security groups of the VM's ports."),
        ["default"],
        drivers=_driver_set("openstack"),
    ),
    Parameter(
        "boot_from_volume",
        "creation",
        FLAG,
        gettext_noop("Make the system disk a volume instead of an ephemeral disk."),
        True,
        drivers=_driver_set("openstack"),
    ),
    Parameter(
        "project",
        "creation",
        NAME,
        gettext_noop("OpenStack project that owns the VM."),
        "tel141",
        drivers=_driver_set("openstack"),
    ),
)

_RUN = (
    Parameter("flavor", "run", NAME, gettext_noop("Named size; explicit sizes win over it."), "small"),
    Parameter(
        "cpus", "run", _whole(1, 512), gettext_noop("Virtual CPUs; wins over the flavor."), 2, unit=gettext_noop("CPUs")
    ),
    Parameter(
        "memory_mib", "run", _whole(16, 4194304), gettext_noop("Memory; wins over the flavor."), 2048, unit="MiB"
    ),
    Parameter(
        "nics",
        "run",
        _list(NIC, 32),
        gettext_noop(
            "Network cards in their order: network, mac, ip, ip_mode (dhcp, mac, cloud-init, disk), model; "
            "ways in from outside: forwards (port, protocol, outside) and floating; "
            "bridge: frames of other machines pass through the card."
        ),
        [{"network": "lan", "mac": "52:54:00:12:34:56", "ip": "10.0.0.10", "ip_mode": "dhcp", "model": "virtio"}],
    ),
    Parameter(
        "disks",
        "run",
        _list(DISK, 32),
        gettext_noop("Extra disks: name, size_gib, storage."),
        [{"name": "data", "size_gib": 50}],
    ),
    Parameter(
        "cdroms",
        "run",
        _list(_record(("image",), image=NAME), 8),
        gettext_noop("Virtual CDs."),
        [{"image": "tools.iso"}],
    ),
    Parameter(
        "boot_order",
        "run",
        _list(_one_of("disk", "cdrom", "network"), 3, unique=True),
        gettext_noop("Devices in the order they are tried."),
        ["disk", "cdrom"],
        drivers=_driver_set("linux", "vmware", "proxmox", "virtualbox"),
    ),
    Parameter(
        "ssh_keys",
        "run",
        _list(SSH_KEY, 32, unique=True),
        gettext_noop("Public keys that the machine, and the gateway before it, let in by SSH."),
        [f"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI{'A' * 43} student@home"],
        drivers=_driver_set("linux"),
    ),
    Parameter("description", "run", TEXT, gettext_noop("Text shown beside the VM on its hypervisor."), "Web server"),
)

_FREE = (
    Parameter(
        "labels",
        "free",
        _mapping({"type": ["string", "number", "boolean"], "maxLength": 1024}),
        gettext_noop("Labels to search and group by."),
        {"course": "TEL141", "week": 3},
    ),
    Parameter(
        "custom",
        "free",
        {"type": "object"},
        gettext_noop("Anything applications wish to keep here."),
        {"grading": {"port": 8080}},
    ),
    Parameter(
        "student", "free", NAME, gettext_noop("Student the VM belongs to; referred to as ${student}."), "20261234"
    ),
    Parameter("prototype", "free", NAME, gettext_noop("Prototype whose content lies beneath the values here."), "web"),
    Parameter(
        "prototypes",
        "free",
        _mapping({"type": "object"}),
        gettext_noop("Named sets of parameters offered in this branch; one may extend another."),
        {"web": {"extends": "base", "image": "debian-12"}},
    ),
    Parameter(
        "networks",
        "free",
        _mapping(NETWORK),
        gettext_noop(
            "Networks offered in this branch, with their names on each hypervisor under aliases, "
            "and the other networks that their machines reach; one that is “own” is this folder's alone, "
            "whatever networks of that name there are elsewhere."
        ),
        {"lan": {"cidr": "10.0.0.0/24", "type": "private", "vlan": 120, "aliases": {"proxmox-1": "vmbr1"}}},
    ),
    Parameter(
        "slice",
        "free",
        SLICE,
        gettext_noop("Makes the folder a slice: what its networks cannot say of the links between its machines."),
        {"routed": True, "links": {"lan": {"shared": True}}},
    ),
    Parameter(
        "node",
        "free",
        SLICE_NODE,
        gettext_noop(
            "What the machine is in its slice: role, group, apart, critical, and where it is drawn; “peers” are machines "
            "of its folder whose addresses outside stand in its user_data for @outside(NAME)@."
        ),
        {"role": "router", "critical": True, "x": 10, "y": 20},
    ),
    Parameter(
        "hypervisors",
        "free",
        _list(NAME, 256, unique=True),
        gettext_noop("Hypervisors offered in this branch. Only superusers edit this."),
        ["mock-1"],
        guarded=True,
    ),
    Parameter(
        "rights",
        "free",
        _record((), **{role: _mapping(FLAG) for role in ROLES}),
        gettext_noop("What each role may do in this branch. Needs the right to grant."),
        {"user": {"create_nodes": False}},
        guarded=True,
    ),
    Parameter(
        "reapply_on_start",
        "free",
        FLAG,
        gettext_noop("Rewrite the run parameters on the hypervisor when the VM goes from Stopped to Running."),
        True,
    ),
    Parameter(
        "stop_timeout",
        "free",
        _whole(1, 3600),
        gettext_noop("How long a graceful stop may take before the power is cut."),
        120,
        unit=gettext_noop("seconds"),
    ),
)


def nullable(schema: Schema) -> Schema:
    """`schema` with null legal for the value and in its mappings (where it removes), but not inside lists."""
    result = dict(schema)
    if "type" in schema:
        types = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
        result["type"] = [*types, "null"]
    if "enum" in schema:
        result["enum"] = [*schema["enum"], None]
    if "properties" in schema:
        result["properties"] = {name: nullable(value) for name, value in schema["properties"].items()}
    if isinstance(schema.get("additionalProperties"), dict):
        result["additionalProperties"] = nullable(schema["additionalProperties"])
    return result


PARAMETERS: Final[dict[str, Parameter]] = {p.name: p for p in (*_CREATION, *_RUN, *_FREE)}

#: The schema of each parameter in a *local* definition, where null means "remove what is inherited".
LOCAL_SCHEMAS: Final[dict[str, Schema]] = {name: nullable(p.schema) for name, p in PARAMETERS.items()}


def schema_document() -> dict[str, Any]:
    """The whole table as JSON-able data: a JSON Schema of a local definition, and what each parameter means."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Definition of a VM or folder",
        "type": "object",
        "additionalProperties": False,
        "properties": {name: _documented(p) for name, p in PARAMETERS.items()},
    }


def _documented(parameter: Parameter) -> Schema:
    return LOCAL_SCHEMAS[parameter.name] | {
        "description": gettext(parameter.description),
        "examples": [parameter.example],
        "x-kind": parameter.kind,
        "x-unit": parameter.unit,
        "x-drivers": sorted(parameter.drivers or DRIVERS),
        "x-guarded": parameter.guarded,
    }
