"""Pages asked for in Spanish say nothing in English: texts translated too early, at import, would show here."""

from __future__ import annotations

from html.parser import HTMLParser

import polib
import pytest
from django.test import Client

from descriptors.parameters import PARAMETERS
from olimpus.translations import LOCALE, compile_all

pytestmark = pytest.mark.django_db(transaction=True)

#: Shown to everybody alike: names that happen to be words of the interface, too.
NAMES = frozenset({"mock", "student", "web", "db", "user", "driver", "name", "path", "on", "off", *PARAMETERS})
ATTRIBUTES = ("aria-label", "title", "placeholder")
CONSOLE = ("definition", "grants")
TABS = ("", "definition", "access", "history")


class Texts(HTMLParser):
    """Collects what a person reads or hears."""

    def __init__(self) -> None:
        super().__init__()
        self.found: set[str] = set()
        self._silent = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._silent += tag in ("script", "style", "code", "pre", "textarea")
        self.found |= {value.strip() for name, value in attrs if name in ATTRIBUTES and value}

    def handle_endtag(self, tag: str) -> None:
        self._silent -= tag in ("script", "style", "code", "pre", "textarea")

    def handle_data(self, data: str) -> None:
        if not self._silent and data.strip():
            self.found.add(" ".join(data.split()))


@pytest.fixture(scope="module")
def english() -> set[str]:
    """Every text without placeholders that Spanish says in another way, with a capital as templates may give it."""
    compile_all()
    catalog = polib.pofile(str(LOCALE / "es" / "LC_MESSAGES" / "django.po"))
    spanish = {entry.msgstr for entry in catalog}
    texts = {entry.msgid for entry in catalog if "%" not in entry.msgid and entry.msgid not in spanish}
    return (texts | {text[:1].upper() + text[1:] for text in texts}) - NAMES


@pytest.fixture
def pages(world) -> dict[str, str]:
    """What the superuser sees in Spanish once a machine runs."""
    world.do("create", world.sam.web)
    world.do("start", world.sam.web)
    machine, folder = world.sam.web, world.sam.folder
    client = Client(headers={"accept-language": "es"})
    client.force_login(world.root)
    addresses = ["/", "/operations/", "/apply/", "/search/?q=web", "/accounts/profile/", "/tree/", "/admin/"]
    addresses += [f"/tree{node.path}?tab={tab}" for node in (machine, folder) for tab in TABS]
    addresses += [f"/-/nodes/{machine.pk}/{page}" for page in ("edit", "copy", "move", "rename", "delete")]
    addresses += [f"/-/nodes/{folder.pk}/{page}" for page in ("new-folder", "new-machine", "edit")]
    addresses += [f"/-/nodes/{machine.pk}/{page}" for page in ("panel", "snapshots", "console")]
    addresses += [f"/-/nodes/{node.pk}/ask/{verb}" for node in (machine, folder) for verb in ("force_off", "snapshot")]
    addresses += ["/admin/hypervisors/hypervisor/", "/admin/hypervisors/hypervisor/add/", "/admin/accounts/user/"]
    addresses += ["/admin/descriptors/node/", "/admin/descriptors/operation/", "/admin/descriptors/unowned/"]
    addresses += [f"/admin/descriptors/node/{node.pk}/{page}/" for node in (machine, folder) for page in CONSOLE]
    answers = {address: client.get(address, follow=True) for address in addresses}
    assert {address: answer.status_code for address, answer in answers.items() if answer.status_code != 200} == {}
    return {address: answer.content.decode() for address, answer in answers.items()}


def test_no_page_says_anything_in_english(pages, english):
    left = {}
    for address, html in pages.items():
        texts = Texts()
        texts.feed(html)
        if told := sorted(texts.found & english):
            left[address] = told
    assert left == {}


def test_pages_say_that_they_are_spanish(pages):
    whole = {address: html for address, html in pages.items() if "<!doctype" in html[:200].lower()}
    assert whole.keys() >= {"/", "/operations/", "/admin/"}
    assert [address for address, html in whole.items() if '<html lang="es"' not in html] == []


def test_a_person_who_may_see_nothing_is_told_so_in_spanish(world, english):
    client = Client(headers={"accept-language": "es"})
    client.force_login(world.stranger)
    texts = Texts()
    texts.feed(client.get("/").content.decode())
    assert "Todavía no te han dado ninguna máquina" in texts.found
    assert texts.found & english == set()
