"""How a cluster is reached, and what its workers offer."""

from __future__ import annotations

from typing import Final

from hypervisors.drivers.base import Setting
from hypervisors.drivers.hops import BASTION, HEADNODE, hop_settings
from olimpus.words import gettext_noop

#: Headings.
WORKERS, MACHINES = gettext_noop("Workers"), gettext_noop("Machines")

SETTINGS: Final[tuple[Setting, ...]] = (
    Setting(
        "workers",
        gettext_noop("Workers"),
        "lines",
        required=True,
        help=gettext_noop(
            "One a line: name and address; then, where it differs, “user=”, “port=”, “cpus=”, “memory=” (MiB), "
            "“disk=” (GiB), and “maintenance”: it takes no new machines."
        ),
        group=WORKERS,
        example="worker-1 192.168.201.11\nworker-2 192.168.201.12 maintenance",
    ),
    Setting("worker_user", gettext_noop("User"), group=WORKERS, example="olimpus"),
    Setting(
        "worker_key",
        gettext_noop("Private key"),
        secret=True,
        help=gettext_noop("Its text (PEM). Without a key and a key file, an SSH agent is asked."),
        group=WORKERS,
    ),
    Setting("worker_passphrase", gettext_noop("Passphrase of the private key"), secret=True, group=WORKERS),
    Setting(
        "worker_key_file",
        gettext_noop("File of the private key"),
        help=gettext_noop("A path on this server, instead of the text."),
        group=WORKERS,
    ),
    Setting(
        "worker_host_keys",
        gettext_noop("Host keys"),
        "lines",
        help=gettext_noop("Of all workers, as in a known_hosts file; or their fingerprints (SHA256:…)."),
        group=WORKERS,
        example="192.168.201.11 ssh-ed25519 AAAA…",
    ),
    Setting(
        "worker_accept_new_host_key",
        gettext_noop("Accept a new host key"),
        "bool",
        False,
        help=gettext_noop("Trust the key that is met first, and only that one from then on."),
        group=WORKERS,
    ),
    Setting(
        "pool_path",
        gettext_noop("Folder of disks and images"),
        default="/var/lib/libvirt/olimpus",
        help=gettext_noop("On every worker; libvirt's storage pool “olimpus” is made there."),
        group=MACHINES,
    ),
    Setting(
        "virt_type",
        gettext_noop("Virtualization"),
        "choice",
        "auto",
        choices=("auto", "kvm", "qemu"),
        help=gettext_noop("auto: KVM where the worker offers it, else emulation, which is slow."),
        group=MACHINES,
    ),
    Setting(
        "cpu_ratio",
        gettext_noop("Virtual CPUs for each real one"),
        "float",
        4.0,
        minimum=0.1,
        maximum=64,
        group=MACHINES,
    ),
    Setting(
        "memory_ratio",
        gettext_noop("Memory given for each real MiB"),
        "float",
        1.0,
        minimum=0.1,
        maximum=16,
        group=MACHINES,
    ),
    Setting(
        "disk_ratio",
        gettext_noop("Disk given for each real GiB"),
        "float",
        4.0,
        minimum=0.1,
        maximum=100,
        help=gettext_noop("Disks grow as they are filled."),
        group=MACHINES,
    ),
    Setting(
        "placement",
        gettext_noop("Placement"),
        "choice",
        "spread",
        choices=("spread", "pack"),
        help=gettext_noop("On which worker: spread = where most is free, pack = where least is, and enough."),
        group=MACHINES,
    ),
    *hop_settings("bastion", BASTION, "bastion.example.org"),
    *hop_settings("headnode", HEADNODE, "192.168.201.1"),
)
