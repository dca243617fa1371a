"""Languages: words, dates, numbers, and what the server says."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest
from django.utils.translation import gettext

from descriptors.states import CHOICES
from olimpus import words as texts
from olimpus.cli import moments, states, words
from tests.cli.conftest import COURSE

VM = f"{COURSE}/20260001/web"


@pytest.fixture
def spanish():
    words.use("es")
    yield
    words.use("en")
    texts.use(gettext)  # Django's again: what the server says is tested in this process, too


def test_the_locale_or_lang_decides(admin):
    for ended in (admin("ls", VM, LC_ALL="es_PE.UTF-8"), admin("--lang", "es", "ls", VM), admin("--lang=es", "ls", VM)):
        assert ended.table[1][1] == "○ definida"
        assert re.fullmatch(r"hace .*|ahora", ended.table[1][2])
    assert admin("--lang", "en", "ls", VM, LANG="es_PE.UTF-8").table[1][1] == "○ provisioned"
    assert admin("ls", VM, LC_ALL="fr_FR.UTF-8").table[1][1] == "○ provisioned"


def test_the_server_answers_in_the_same_language(admin):
    assert "No existe" in admin("--lang", "es", "ls", "/nope", code=6).err


def test_data_is_the_same_in_every_language(admin):
    assert admin("--lang", "es", "ls", VM, "-o", "json").out == admin("ls", VM, "-o", "json").out


def test_a_terminal_that_knows_few_letters_is_no_fault(admin):
    assert "? provisioned" in admin("ls", VM, PYTHONIOENCODING="ascii").out


def test_every_state_has_a_look_and_its_own_sign():
    assert list(states.LOOKS) == [name for name, _label in CHOICES]
    assert [look[2] for look in states.LOOKS.values()] == [label for _name, label in CHOICES]
    assert len({look[0] for look in states.LOOKS.values()}) == len(CHOICES)


def test_dates_and_numbers_are_those_of_the_language(spanish):
    assert moments.exact("2026-03-01T12:00:00Z").startswith("1 mar 2026")
    assert moments.number(20000) == "20.000"
    assert moments.duration(120) == "2 minutos"
    now = datetime.now(UTC)
    assert moments.ago((now - timedelta(hours=2)).isoformat()) == "hace 2 horas"
    assert moments._ago(0, "es") == "ahora"
    assert moments.ago(None) == moments.exact(None) == ""
