"""TCP connections into a closed network, through one SSH connection to its bastion (and a headnode behind it).

>>> tunnels = Tunnels("cloud-1", hops_from(settings), home)
>>> sock = tunnels.dial("10.0.0.11", 5000, "identity")        # a connected socket, inside this process
>>> address = tunnels.local("10.0.0.11", 8774, "compute")     # ("127.0.0.1", port), for other programs
>>> ended = tunnels.run(["uname", "-r"])                       # a program on the last host

Nothing is contacted before the first of these calls. From then on the SSH connection is kept, checked and, when it is
lost, made again until `close()`. Everything here may be called by many threads at once.
"""

from hypervisors.tunnels.board import Service, Status, ask_reconnect, statuses
from hypervisors.tunnels.commands import Ended
from hypervisors.tunnels.hops import WORKER, Hop, hop_of, hops_from
from hypervisors.tunnels.tunnels import Tunnels, steps

__all__ = [
    "WORKER",
    "Ended",
    "Hop",
    "Service",
    "Status",
    "Tunnels",
    "ask_reconnect",
    "hop_of",
    "hops_from",
    "statuses",
    "steps",
]
