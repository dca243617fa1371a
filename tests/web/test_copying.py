"""Moving, copying and deleting say what they will do before they do it."""

from __future__ import annotations

import re

import pytest

from descriptors.models import Node
from tests.web.conftest import Browser
from tests.world import World

pytestmark = pytest.mark.django_db


def hidden(page: str, name: str) -> str:
    """The value of a hidden field."""
    return re.search(rf'name="{name}" value="([^"]*)"', page)[1]  # type: ignore[index]


def test_a_move_tells_paths_definitions_and_access_before_it_is_done(world: World, browser: Browser) -> None:
    client, web, ana = browser(world.root), world.sam.web, world.ana.folder
    address, typed = f"/-/nodes/{web.pk}/move", {"to": ana.path, "name": "www"}
    page = client.post(address, typed | {"step": "plan"}).content.decode()
    assert "/courses/TEL141/ana/www" in page
    assert "<b>1</b> machine inherits something else there." in page
    assert "+ ana" in page
    assert "− sam" in page
    web.refresh_from_db()
    assert web.path == "/courses/TEL141/sam/web"
    moved = client.post(address, typed | {"step": "do", "planned": hidden(page, "planned")})
    assert moved["Location"] == "/tree/courses/TEL141/ana/www"


def test_what_was_changed_after_its_plan_is_planned_again(world: World, browser: Browser) -> None:
    client, address = browser(world.root), f"/-/nodes/{world.sam.web.pk}/rename"
    page = client.post(address, {"name": "www", "step": "plan"}).content.decode()
    again = client.post(address, {"name": "other", "step": "do", "planned": hidden(page, "planned")})
    assert again.status_code == 200
    assert "/courses/TEL141/sam/other" in again.content.decode()
    world.sam.web.refresh_from_db()
    assert world.sam.web.name == "web"


def test_a_copy_counts_what_it_makes(world: World, browser: Browser) -> None:
    client, address = browser(world.mia), f"/-/nodes/{world.sam.folder.pk}/copy"
    world.sam.folder.refresh_from_db()
    page = client.post(
        address, {"to": world.tel141.path, "name": "eva", "new_addresses": "on", "step": "plan"}
    ).content.decode()
    assert "<b>1</b> folder" in page
    assert "<b>2</b> machines" in page
    assert not Node.objects.filter(name="eva").exists()


def test_a_copy_begins_where_the_link_says(world: World, browser: Browser) -> None:
    page = browser(world.mia).get(f"/-/nodes/{world.sam.web.pk}/copy?to=/courses&name=fresh").content.decode()
    assert 'value="/courses"' in page
    assert 'value="fresh"' in page


def test_deleting_says_what_is_lost_and_what_stands_in_the_way(world: World, browser: Browser) -> None:
    world.do("create", world.sam.web)
    page = browser(world.mia).get(f"/-/nodes/{world.sam.folder.pk}/delete").content.decode()
    assert "cannot be deleted now" in page
    assert world.sam.web.path in page
    assert "Export as YAML" in page
