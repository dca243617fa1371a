"""The program as it travels: all its modules and the request in one text, which a single line on the gateway unpacks."""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from hypervisors.drivers.linux.gateway import program

#: Makes modules of the texts that arrive, and answers the request.
UNPACK: Final = (
    "import json,sys,types\n"
    "sent=json.load(sys.stdin)\n"
    "for name,text in sent['modules']:\n"
    " made=sys.modules[name]=types.ModuleType(name)\n"
    " exec(compile(text,name,'exec'),made.__dict__)\n"
    " package,_,short=name.rpartition('.')\n"
    " setattr(sys.modules.setdefault(package,types.ModuleType(package)),short,made)\n"
    "print(json.dumps(made.answer(sent['request'])))\n"
)
ARGV: Final = ("python3", "-IS", "-c", UNPACK)


def packed(request: Mapping[str, Any]) -> bytes:
    """What the line reads."""
    return json.dumps({"modules": _modules(), "request": request}).encode()


@functools.cache
def _modules() -> list[tuple[str, str]]:
    folder = Path(program.__file__).parent
    return [(f"{program.__name__}.{name}", (folder / f"{name}.py").read_text()) for name in program.MODULES]
