"""The page of the command line says what there is."""

from __future__ import annotations

import re
import tomllib

from olimpus.cli.errors import Exit
from olimpus.cli.main import MODULES
from tests.processes.installation import ROOT

PAGE = (ROOT / "docs" / "cli.md").read_text()


def test_every_command_is_on_the_page():
    named = set(re.findall(r"`([a-z-]+)[ `]", PAGE))
    assert {command for commands in MODULES.values() for command in commands} - named == set()


def test_every_exit_code_is_on_the_page():
    assert set(map(int, re.findall(r"^\| (\d+) \|", PAGE, re.MULTILINE))) == set(map(int, Exit))


def test_a_computer_without_a_server_gets_the_same_versions():
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]["cli"]
    required = {line.partition("#")[0].strip() for line in (ROOT / "requirements.txt").read_text().splitlines()}
    assert set(extras) - required == set()
