"""containerlab's topologies (`*.clab.yml`), both ways."""

from __future__ import annotations

import re
from typing import Final

from slices.formats.base import Format
from slices.formats.containerlab_reader import read
from slices.formats.containerlab_words import NAME
from slices.formats.containerlab_writer import write

FORMAT: Final = Format(
    NAME,
    "containerlab",
    (".clab.yml", ".clab.yaml"),
    lambda head: not head.startswith(("{", "<")) and bool(re.search(r"^topology\s*:", head, re.MULTILINE)),
    read,
    write,
)
