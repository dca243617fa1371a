"""What managers change through forms: plans before edits, everything typed is kept, errors stand next to their field."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.test import Client

from descriptors import actions, tree
from descriptors.models import Node
from descriptors.permissions import can
from tests.web.conftest import Browser
from tests.world import World

pytestmark = pytest.mark.django_db


def hidden(page: str, name: str) -> str:
    """The value of a hidden field."""
    found = re.search(rf'<input type="hidden" name="{name}" value="([^"]*)"', page)
    assert found, name
    return found[1]


def edit(client: Client, node: Any, text: str, **more: str) -> Any:
    """Send the definition form."""
    return client.post(f"/-/nodes/{node.pk}/edit", {"definition": text, "version": "1", "step": "plan", **more})


def test_an_edit_shows_its_plan_before_it_is_saved(world: World, browser: Browser) -> None:
    world.do("create", world.sam.web, world.sam.db)
    client, text = browser(world.mia), "labels: {course: TEL141}\nmemory_mib: 3072\n"
    page = edit(client, world.tel141, text).content.decode()
    assert "<b>2</b> at their next start" in page
    world.tel141.refresh_from_db()
    assert "memory_mib" not in world.tel141.definition
    saved = edit(client, world.tel141, text, step="save", planned=hidden(page, "planned"))
    assert saved.status_code == 302
    world.tel141.refresh_from_db()
    assert world.tel141.definition["memory_mib"] == 3072


def test_a_text_changed_after_its_plan_is_planned_again(world: World, browser: Browser) -> None:
    client = browser(world.mia)
    page = edit(client, world.tel141, "memory_mib: 3072").content.decode()
    again = edit(client, world.tel141, "memory_mib: 64", step="save", planned=hidden(page, "planned"))
    assert again.status_code == 200
    assert "What saving will do" in again.content.decode()
    world.tel141.refresh_from_db()
    assert world.tel141.definition == {"labels": {"course": "TEL141"}}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("flavour: small", "Line 1, column 1: flavour: unknown parameter"),
        ("cpus: 2\nmemory_mib: much", "Line 2, column 1: memory_mib"),
        ("cpus: [", "Line 1"),
        ("- a\n- b", "A definition is a mapping"),
        ("a: &x [1]\nb: *y", "Line 2"),
    ],
)
def test_faults_of_a_definition_say_their_line_and_keep_the_text(
    world: World, browser: Browser, text: str, said: str
) -> None:
    answer = edit(browser(world.mia), world.tel141, text)
    page = answer.content.decode()
    assert answer.status_code == 400
    assert said in page
    assert text.split("\n")[0].replace("&", "&amp;") in page


def test_somebody_who_saved_first_is_shown_and_mine_is_kept(world: World, browser: Browser) -> None:
    client, mine = browser(world.mia), "memory_mib: 3072"
    page = edit(client, world.tel141, mine).content.decode()
    actions.edit(world.tel141, {"cpus": 7}, actor=world.root)
    answer = edit(client, world.tel141, mine, step="save", planned=hidden(page, "planned"))
    page = answer.content.decode()
    assert answer.status_code == 400
    assert "cpus: 7" in page
    assert mine in page
    world.tel141.refresh_from_db()
    assert world.tel141.definition == {"cpus": 7}
    assert hidden(page, "version") == str(world.tel141.version)


def test_a_state_that_forbids_the_edit_says_so(world: World, browser: Browser) -> None:
    world.do("create", world.sam.web)
    answer = edit(browser(world.mia), world.sam.web, "image: other")
    assert answer.status_code == 400
    assert "can change only before the VM is created" in answer.content.decode()


@pytest.mark.parametrize("kind", ["folder", "machine"])
def test_new_nodes(world: World, browser: Browser, kind: str) -> None:
    client, address = browser(world.mia), f"/-/nodes/{world.tel141.pk}/new-{kind}"
    answer = client.post(address, {"name": "fresh", "definition": "cpus: 2"})
    assert answer["Location"] == "/tree/courses/TEL141/fresh"
    made = tree.by_path("/courses/TEL141/fresh")
    assert (made.is_folder, made.definition) == (kind == "folder", {"cpus": 2})
    taken = client.post(address, {"name": "fresh", "definition": "cpus: 3"})
    assert taken.status_code == 400
    assert "cpus: 3" in taken.content.decode()
    bad = client.post(address, {"name": "other", "definition": "cpus: many"})
    assert "Line 1, column 1: cpus" in bad.content.decode()


def test_move_rename_copy_and_delete(world: World, browser: Browser) -> None:
    client, web = browser(world.mia), world.sam.web
    renamed = client.post(f"/-/nodes/{web.pk}/rename", {"name": "www"})
    assert renamed["Location"] == "/tree/courses/TEL141/sam/www"
    moved = client.post(f"/-/nodes/{web.pk}/move", {"to": world.ana.folder.path, "name": "www"})
    assert moved["Location"] == "/tree/courses/TEL141/ana/www"
    copied = client.post(
        f"/-/nodes/{world.ana.folder.pk}/copy", {"to": world.tel141.path, "name": "eva", "new_addresses": "on"}
    )
    assert copied["Location"] == "/tree/courses/TEL141/eva"
    assert {node.name for node in Node.objects.filter(path__startswith="/courses/TEL141/eva/")} == {"web", "db", "www"}
    eva = tree.by_path("/courses/TEL141/eva")
    assert client.post(f"/-/nodes/{eva.pk}/delete", {"name": "wrong"}).status_code == 400
    assert client.post(f"/-/nodes/{eva.pk}/delete", {"name": "eva"})["Location"] == "/tree/courses/TEL141"
    assert not Node.objects.filter(path="/courses/TEL141/eva").exists()


def test_a_refused_move_stands_next_to_its_field_and_changes_nothing(world: World, browser: Browser) -> None:
    client = browser(world.mia)
    answer = client.post(f"/-/nodes/{world.sam.folder.pk}/move", {"to": "/no/such", "name": "sam"})
    assert answer.status_code == 400
    assert "/no/such" in answer.content.decode()
    taken = client.post(f"/-/nodes/{world.sam.web.pk}/rename", {"name": world.sam.db.name})
    assert taken.status_code == 400
    world.sam.web.refresh_from_db()
    assert world.sam.web.name == "web"


def test_real_machines_below_forbid_deleting(world: World, browser: Browser) -> None:
    world.do("create", world.sam.web)
    answer = browser(world.mia).post(f"/-/nodes/{world.sam.folder.pk}/delete", {"name": "sam"})
    assert answer.status_code == 400
    assert world.sam.web.path in answer.content.decode()


def test_roles_are_given_and_taken_back(world: World, browser: Browser) -> None:
    client, web = browser(world.mia), world.sam.web
    world.stranger  # noqa: B018 - made
    given = {"do": "grant", "role": "user", "kind": "user", "holder": "stranger"}
    assert client.post(f"/-/nodes/{web.pk}/access", given).status_code == 302
    page = client.get(f"/tree{web.path}?tab=access").content.decode()
    assert "stranger" in page
    assert can(type(world.stranger).objects.get(pk=world.stranger.pk), "see", web)
    nobody = client.post(f"/-/nodes/{web.pk}/access", given | {"holder": "nobody"})
    assert nobody.status_code == 400
    assert "nobody" in nobody.content.decode()
    assert client.post(f"/-/nodes/{web.pk}/access", given | {"do": "revoke"}).status_code == 302
    assert not can(type(world.stranger).objects.get(pk=world.stranger.pk), "see", web)


def test_students_change_nothing(world: World, browser: Browser) -> None:
    client, web, folder = browser(world.sam.user), world.sam.web, world.sam.folder
    given = {"do": "grant", "role": "user", "kind": "user", "holder": "sam"}
    for address, data in [
        (f"/-/nodes/{web.pk}/edit", {"definition": "cpus: 9", "version": "1"}),
        (f"/-/nodes/{folder.pk}/new-machine", {"name": "mine"}),
        (f"/-/nodes/{web.pk}/rename", {"name": "mine"}),
        (f"/-/nodes/{web.pk}/delete", {"name": "web"}),
    ]:
        assert client.post(address, data).status_code == 403, address
    assert client.post(f"/-/nodes/{web.pk}/access", given).status_code == 403
    assert client.get(f"/tree{web.path}?tab=access").content.decode().count("Take back") == 0


def test_a_document_is_planned_then_applied(world: World, browser: Browser) -> None:
    client = browser(world.mia)
    text = "path: /courses/NEW\nfolders:\n  one:\n    descriptors:\n      web: {cpus: 2}\n"
    page = client.post("/apply/", {"document": text, "step": "plan"}).content.decode()
    assert "/courses/NEW/one/web" in page
    assert not Node.objects.filter(name="NEW").exists()
    done = client.post("/apply/", {"document": text, "step": "apply", "planned": hidden(page, "planned")})
    assert done.status_code == 302
    assert tree.by_path("/courses/NEW/one/web").definition == {"cpus": 2}
    bad = client.post("/apply/", {"document": "path: /courses\nfolder: {}", "step": "plan"})
    assert bad.status_code == 400
    assert "folder: {}" in bad.content.decode()


def test_an_export_can_be_applied_again(world: World, browser: Browser) -> None:
    world.sam  # noqa: B018 - made
    client = browser(world.mia)
    text = client.get(f"/-/nodes/{world.tel141.pk}/export").content.decode()
    page = client.post("/apply/", {"document": text, "step": "plan"}).content.decode()
    assert "Nothing: everything is as the document says." in page
