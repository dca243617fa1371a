"""The documentation tells the truth: links lead somewhere, commands exist, tables and pictures come from the code."""

from __future__ import annotations

import importlib.util
import re
import tomllib
from pathlib import Path

import pytest
from django.core.management import get_commands
from django.utils.translation import gettext, override

from descriptors.definition import validate
from descriptors.models import Descriptor
from descriptors.parameters import PARAMETERS
from descriptors.permissions import OPERATIONS
from descriptors.states import CHOICES
from descriptors.verbs import VERBS
from tests.docs.generated import ROOT, SECTIONS, pages, refreshed

PAGES = {str(page.relative_to(ROOT)): page for page in pages()}
READMES = ("README.md", "README.es.md")
CODE = re.compile(r"```.*?```", re.DOTALL)
TOPS = (
    "olimpus",
    "accounts",
    "hypervisors",
    "descriptors",
    "courses",
    "docs",
    "deploy",
    "tests",
    "static",
    "templates",
)

every_page = pytest.mark.parametrize("name", PAGES)


def text_of(name: str) -> str:
    return PAGES[name].read_text()


# -- made from the code ------------------------------------------------------------------------------------------------


@every_page
def test_generated_parts_are_up_to_date(name: str) -> None:
    text = text_of(name)
    assert refreshed(text) == text, "write them again with: python -m tests.docs"


def test_every_generated_part_is_on_some_page() -> None:
    everything = "".join(map(text_of, PAGES))
    assert set(re.findall(r"<!-- generated: (\w+) -->", everything)) == set(SECTIONS)


def test_the_picture_shows_every_transition_and_no_other() -> None:
    drawn = set(re.findall(r"^    (\w+) --> (\w+) :", text_of("docs/concepts.md"), re.MULTILINE))
    made = set()
    for method in (getattr(Descriptor, name) for name in set(vars(Descriptor)) - {"fail", "abandon"}):
        for source, found in method._django_fsm.transitions.items() if hasattr(method, "_django_fsm") else ():
            targets = getattr(found.target, "allowed_states", [found.target])
            made |= {(str(source), str(target)) for target in targets if target is not None}
    assert drawn == made


def test_what_the_picture_leaves_to_words_is_still_so() -> None:
    assert list(Descriptor.fail._django_fsm.transitions) == ["*"]
    assert set(Descriptor.abandon._django_fsm.transitions) == {"starting", "stopping"}


def test_every_verb_operation_and_parameter_has_its_row() -> None:
    for page, names in (("concepts", VERBS), ("permissions", OPERATIONS), ("definitions", PARAMETERS)):
        rows = set(re.findall(r"^\| `(\w+)`", text_of(f"docs/{page}.md"), re.MULTILINE))
        assert rows >= set(names), page


@pytest.mark.parametrize("name", PARAMETERS)
def test_the_example_of_a_parameter_is_valid(name: str) -> None:
    example = PARAMETERS[name].example
    assert validate({name: example}, rights_operations=OPERATIONS) == {name: example}


# -- links, commands, paths --------------------------------------------------------------------------------------------


@every_page
def test_links_lead_somewhere(name: str) -> None:
    page = PAGES[name]
    broken = [target for target in _links(CODE.sub("", page.read_text())) if not _resolves(page, target)]
    assert broken == []


def _links(text: str) -> list[str]:
    return [target for target in re.findall(r"\]\(([^)\s]+)\)", text) if "://" not in target]


def _resolves(page: Path, target: str) -> bool:
    path, _hash, anchor = target.partition("#")
    found = (page.parent / path).resolve() if path else page
    if not found.exists() or not found.is_relative_to(ROOT):
        return False
    return not anchor or anchor in _anchors(found.read_text())


def _anchors(text: str) -> set[str]:
    titles = re.findall(r"^#+ (.+)$", CODE.sub("", text), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@every_page
def test_commands_exist(name: str) -> None:
    text = text_of(name)
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert set(re.findall(r"(?:`|^)make ([a-z-]+)", text, re.MULTILINE)) <= set(targets)
    assert set(re.findall(r"(?:manage\.py|deploy/manage) ([a-z_]+)", text)) <= set(get_commands())
    modules = set(re.findall(r"python3? -m ([a-z_.]+)", text)) | set(re.findall(r"-m (olimpus\.\w+)", text))
    assert [module for module in modules if importlib.util.find_spec(module) is None] == []


def test_the_import_layers_are_those_that_are_checked() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    chains = [_layers(block) for block in CODE.findall(text_of("docs/architecture.md")) if "→" in block]
    checked = [[_layers(layer)[0] for layer in contract["layers"]] for contract in contracts if "layers" in contract]
    assert chains == [checked[0], [[name.removeprefix("descriptors.") for name in layer] for layer in checked[1]]]


def _layers(text: str) -> list[list[str]]:
    return [re.findall(r"[\w.]+", layer) for layer in text.strip("`").split("→")]


@every_page
def test_files_that_are_named_exist(name: str) -> None:
    named = re.findall(r"(?<![\w/<.])((?:\w[\w-]*/)+[\w.@-]*\w)(?![\w/<>])", text_of(name))
    known = {path for path in named if path.split("/")[0] in TOPS and not path.startswith("docs/images/")}
    assert [path for path in sorted(known) if not _exists(path, PAGES[name])] == []


def _exists(path: str, page: Path) -> bool:
    places = (ROOT / path, page.parent / path, ROOT / f"{path}.py")
    return any(place.exists() for place in places)


def test_every_page_is_in_the_index() -> None:
    index = text_of("docs/README.md")
    missing = [name for name in PAGES if re.fullmatch(r"docs/\w+\.md", name) and f"({Path(name).name})" not in index]
    assert missing == ["docs/README.md"]


# -- the two front pages -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", READMES)
def test_every_variable_that_is_read_is_described(name: str) -> None:
    described = set(re.findall(r"^\| `([A-Z_]+)`", text_of(name), re.MULTILINE))
    assert described == _variables_read()


def _variables_read() -> set[str]:
    places = [*(ROOT / "olimpus").rglob("*.py"), ROOT / "courses" / "demo.py"]
    code = "".join(place.read_text() for place in places)
    read = re.findall(r"""(?:\benv(?:\.env)?(?:\.\w+)?\(|environ\.get\()\s*"([A-Z_]+)\"""", code)
    return set(read)


def test_the_spanish_page_gives_the_same_commands() -> None:
    english, spanish = (re.sub("<.*?>", "<>", "".join(CODE.findall(text_of(name)))) for name in READMES)
    assert english == spanish
    assert "make run" in english


def test_both_front_pages_link_to_the_same_pages() -> None:
    # Each shows its pictures in its own language.
    english, spanish = (
        {re.sub(r"-(en|es)-(\d+)", r"-\2", link) for link in _links(text_of(name))} - {*READMES} for name in READMES
    )
    assert english == spanish - {"docs/glossary.md"}


# -- words and decisions -----------------------------------------------------------------------------------------------


def test_the_glossary_has_every_state_and_verb() -> None:
    glossary = text_of("docs/glossary.md").lower()
    words = [value for value, _label in CHOICES] + [name.replace("_", " ") for name in VERBS]
    assert [word for word in words if not re.search(rf"^\| [^|]*\b{word}\b", glossary, re.MULTILINE)] == []


def test_the_glossary_says_what_the_interface_says() -> None:
    glossary = text_of("docs/glossary.md").lower()
    labels = [label for _value, label in CHOICES] + [str(verb.label) for verb in VERBS.values()]
    with override("es"):
        spanish = [gettext(label).lower() for label in labels]
    assert [word for word in spanish if not re.search(rf"^\| [^|]*\| [^|]*\b{word}\b", glossary, re.MULTILINE)] == []


def test_decisions_are_numbered_and_complete() -> None:
    records = sorted((ROOT / "docs" / "decisions").glob("0*.md"))
    index = text_of("docs/decisions/README.md")
    for number, record in enumerate(records, start=1):
        text = record.read_text()
        assert record.name.startswith(f"{number:04}-")
        assert text.startswith(f"# {number}. ")
        assert all(part in text for part in ("**Status:**", "## Context", "## Decision", "## Consequences")), record
        title, status = (
            re.search(r"# \d+\. (.*)", text)[1],
            re.search(r"\*\*Status:\*\* (.*)\.$", text, re.MULTILINE)[1],
        )
        assert f"| {number} | [{title}]({record.name}) | {status} |" in index
