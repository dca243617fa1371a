"""The program that runs on a worker and writes files into a disk, sent there with its request: standard library only.

It is written for Python 3.9 and later, whatever the worker has. Its modules are sent in the order of `MODULES`. What a
guest wrote into its disk is believed by nobody: no kernel mounts it, and the tools that read it run as “nobody”.
"""

from __future__ import annotations

MODULES = ("tools", "partitions", "export", "ext", "commands")
