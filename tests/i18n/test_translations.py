"""The Spanish catalog is complete, and its texts fit where the English ones stand."""

from __future__ import annotations

import re
from collections import Counter

import polib
import pytest
from django.utils.translation import override

from descriptors import actions
from descriptors.definition import validate
from descriptors.parameters import PARAMETERS
from descriptors.states import CHOICES
from descriptors.verbs import VERBS
from hypervisors import actions as hypervisors
from hypervisors.drivers.base import CAPABILITY_WORDS, POWER_WORDS, Capability
from hypervisors.drivers.mock import MockDriver
from olimpus.errors import Invalid
from olimpus.translations import LOCALE, compile_all, messages, sources

PLACEHOLDER = re.compile(r"%\(\w+\)[sdg]|%0?\d*[sdXg](?!\w)|\{\w+\}|\$\{\w*\}?")
TAG = re.compile(r"</?([a-z][a-z0-9]*)[^>]*>")
#: Texts that are the same in both languages: names, abbreviations, words that the field does not translate.
SAME = frozenset(
    {
        *(
            "%(label)s: %(name)s",
            "%(cpus)s CPU, %(memory)s MiB, %(disk)s GiB",
            "%(first)s–%(last)s of %(total)s",
            "error",
            "no",
            "worker",
            "IP",
            "Id",
            "Portal",
            "Roles",
            "Tokens",
        ),
        *("DHCP", "DNS", "MTU", "RAM", "Endpoints", "Flavor", "Flavors", "flavors", "%(n)s flavor", "%(n)s flavors"),
        *("Host", "Hosts", "%(n)s host", "%(n)s hosts", "Routers", "routers", "%d vCPU", "%(name)s: %(size)s."),
        *("%(verb)s %(n)s", "%(verb)s: %(results)s", "%(verb)s: %(what)s…", "Error: {message}"),
        *("CPU", "Plan", "Router", "Slice", "Slices", "Switch", "Zoom"),
        "%(cpus)s CPU · %(memory)s MiB · %(disk)s GiB",
    }
)
#: A command to type is the same in every language.
COMMAND = re.compile(r"olimpus(?: [a-z-]+)+")
#: Words that give away a sentence left in English.
ENGLISH = re.compile(
    r"""(?<![\w%({“"./-])(?:the|of|and|or|is|are|was|were|this|that|these|your|you|may|must|not|there|here|with|without|which
    |what|who|from|to|already|than|more|machines?|folders?|nodes?|user|users|operations?|hypervisors?|wrong|only|cannot)
    (?![\w)}”".-])""",
    re.VERBOSE | re.IGNORECASE,
)


@pytest.fixture(scope="module")
def catalog():
    compile_all()
    return polib.pofile(str(LOCALE / "es" / "LC_MESSAGES" / "django.po"))


def translations(entry: polib.POEntry) -> list[tuple[str, str]]:
    """(English, Spanish) pairs of one entry."""
    if not entry.msgid_plural:
        return [(entry.msgid, entry.msgstr)]
    return [(entry.msgid, entry.msgstr_plural[0]), (entry.msgid_plural, entry.msgstr_plural[1])]


def pairs(catalog: polib.POFile) -> list[tuple[str, str]]:
    """(English, Spanish) of every entry, plurals included."""
    return [pair for entry in catalog for pair in translations(entry)]


def test_the_catalog_has_exactly_the_messages_of_the_source(catalog):
    """`python -m olimpus.translations --update` brings them in line."""
    known = {(entry.msgctxt or "", entry.msgid, entry.msgid_plural) for entry in catalog if not entry.obsolete}
    wanted = {(message.context, message.text, message.plural) for message in messages().values()}
    assert {"missing": sorted(wanted - known), "obsolete": sorted(known - wanted)} == {"missing": [], "obsolete": []}


def test_no_alias_hides_a_message():
    """Extraction knows gettext and its relatives by their names, and `_`."""
    alias = re.compile(r"import n?p?gettext\w* as (?!_$)\w+$", re.MULTILINE)
    assert [str(path) for path in sources() if alias.search(path.read_text(encoding="utf-8"))] == []


def test_nothing_is_untranslated_or_fuzzy(catalog):
    assert [entry.msgid for entry in catalog if entry.fuzzy or entry.obsolete] == []
    assert [english for english, spanish in pairs(catalog) if not spanish.strip()] == []


def test_placeholders_are_those_of_the_english_text(catalog):
    """A plural may say "one" in words, hence each form is compared with its own English form."""
    differ = [
        (english, spanish)
        for english, spanish in pairs(catalog)
        if Counter(PLACEHOLDER.findall(english)) != Counter(PLACEHOLDER.findall(spanish))
    ]
    assert differ == []


def test_translations_can_be_filled_in(catalog):
    """A stray percent sign would break the message only when it is needed."""
    values = dict.fromkeys(re.findall(r"%\((\w+)\)", " ".join(text for pair in pairs(catalog) for text in pair)), 1)
    for english, spanish in pairs(catalog):
        if "%(" in english:
            assert english % values
            assert spanish % values


def test_tags_are_those_of_the_english_text(catalog):
    for english, spanish in pairs(catalog):
        assert TAG.findall(english) == TAG.findall(spanish), english
        assert [tag[0] for tag in TAG.finditer(english)] == [tag[0] for tag in TAG.finditer(spanish)], english


def test_ends_and_lines_are_alike(catalog):
    """Sentences stay sentences, labels stay labels; what is put together keeps its spaces."""
    for english, spanish in pairs(catalog):
        assert english.endswith("\n") == spanish.endswith("\n"), english
        assert spanish == spanish.strip() or english != english.strip(), english
        assert english.endswith(".") == spanish.endswith("."), (english, spanish)
        assert english.endswith("?") == spanish.endswith("?"), (english, spanish)
        assert spanish.count("¿") == spanish.count("?"), spanish


def test_what_is_counted_in_one_place_is_also_found_where_it_stands_alone(catalog):
    compiled = {
        entry.msgid
        for entry in polib.mofile(str(LOCALE / "es" / "LC_MESSAGES" / "django.mo"))
        if not entry.msgid_plural
    }
    assert {entry.msgid for entry in catalog if entry.msgid_plural} - compiled == set()


def test_no_english_is_left(catalog):
    left = [
        (english, spanish)
        for english, spanish in pairs(catalog)
        if ENGLISH.search(COMMAND.sub("", spanish)) or (english == spanish and english not in SAME)
    ]
    assert left == []


def test_every_label_of_the_tables_is_known(catalog):
    """Tables of modules without Django mark their labels; the doors translate them."""
    known = {entry.msgid for entry in catalog}
    labels = [label for _value, label in CHOICES] + [*POWER_WORDS.values(), *CAPABILITY_WORDS.values()]
    labels += [parameter.description for parameter in PARAMETERS.values()]
    labels += [text for setting in MockDriver.settings for text in (setting.label, setting.help) if text]
    with override("en"):
        labels += [str(text) for verb in VERBS.values() for text in (verb.label, verb.warns) if text]
    assert sorted(set(labels) - known) == []
    assert CAPABILITY_WORDS.keys() == set(Capability)


def test_modules_without_django_answer_in_the_readers_language(catalog):
    with override("es"), pytest.raises(Invalid) as caught:
        validate({"cpus": "dos", "imgae": "debian-12"})
    told = {fault["where"]: (fault["message"], fault["hint"]) for fault in caught.value.errors}
    assert told["cpus"] == ('escribe un número entero de CPU, no "dos"', "")
    assert told["imgae"] == ('parámetro desconocido "imgae"', '¿Quisiste decir "image"?')


@pytest.mark.django_db(transaction=True)
def test_a_failure_is_told_in_the_language_of_whoever_asked(world, catalog):
    world.root.language = "es"
    world.root.save()
    hypervisors.update(world.hypervisor, {"settings": {"images": "debian-12"}}, actor=world.root)
    actions.edit(world.probe, {"image": "debian-13"}, actor=world.root)
    failed = world.do("create", world.probe)
    assert failed.status == "failed"
    assert failed.error["message"] == "No existe la imagen “debian-13”."
    assert "La más parecida es “debian-12”." in world.probe.reason
