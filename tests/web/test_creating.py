"""New machines in two steps: from a prototype, under one name or many, only what differs is written; all or none."""

from __future__ import annotations

import pytest

from descriptors import actions
from descriptors.models import Descriptor, Node, Operation
from descriptors.names import series
from olimpus.errors import Invalid
from tests.web.conftest import Browser
from tests.world import World

pytestmark = pytest.mark.django_db
PROTOTYPES = {"server": {"flavor": "medium", "description": "Web server"}, "broken": {"extends": "missing"}}


def new(world: World) -> str:
    """The address where machines of TEL141 are made."""
    definition = {**world.tel141.definition, "prototypes": {"server": PROTOTYPES["server"]}}
    actions.edit(world.tel141, definition, actor=world.root)
    return f"/-/nodes/{world.tel141.pk}/new-machine"


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("web", ["web"]),
        ("web-{1..3}", ["web-1", "web-2", "web-3"]),
        ("web-{08..10}", ["web-08", "web-09", "web-10"]),
        ("{red,blue}-{1..2}", ["red-1", "red-2", "blue-1", "blue-2"]),
        ("a, b,a", ["a", "b"]),
        ("{2..1}", ["2", "1"]),
    ],
)
def test_a_text_stands_for_names(text: str, names: list[str]) -> None:
    assert series(text, 50) == names


@pytest.mark.parametrize("text", ["web-{1..51}", "{1..9}{1..9}", "web-{", "web-{}", "{1..999999}"])
def test_too_many_names_and_strange_braces_are_refused(text: str) -> None:
    with pytest.raises(Invalid):
        series(text, 50)


def test_prototypes_are_offered_with_what_they_make(world: World, browser: Browser) -> None:
    address = new(world)
    page = browser(world.mia).get(address).content.decode()
    assert "?prototype=server" in page
    assert "Web server" in page
    assert "2 CPUs, 2560 MiB, 20 GiB" in page
    assert "Empty machine" in page


def test_fields_show_what_is_inherited_and_only_differences_are_written(world: World, browser: Browser) -> None:
    address, client = new(world), browser(world.mia)
    form = client.get(f"{address}?prototype=server").content.decode()
    assert 'value="debian-12"' in form
    typed = {"prototype": "server", "name": "fresh", "image": "debian-12", "flavor": "medium", "memory_mib": "3000"}
    answer = client.post(address, typed | {"network": "lan", "definition": "labels: {week: 3}"})
    assert answer["Location"] == "/tree/courses/TEL141/fresh"
    made = Node.objects.get(path="/courses/TEL141/fresh")
    wanted = {"prototype": "server", "memory_mib": 3000, "nics": [{"network": "lan"}], "labels": {"week": 3}}
    assert made.definition == wanted


def test_many_are_made_at_once_or_none(world: World, browser: Browser) -> None:
    address, client = new(world), browser(world.mia)
    answer = client.post(address, {"name": "pc-{1..4}", "prototype": "server"})
    assert answer["Location"] == "/tree/courses/TEL141"
    assert Descriptor.objects.filter(parent=world.tel141).count() == 4
    taken = client.post(address, {"name": "pc-{3..9}", "prototype": "server"})
    assert taken.status_code == 400
    assert "pc-{3..9}" in taken.content.decode()
    assert Descriptor.objects.filter(parent=world.tel141).count() == 4


def test_they_are_created_at_once_when_that_is_wanted(world: World, browser: Browser) -> None:
    answer = browser(world.mia).post(new(world), {"name": "pc-{1..2}", "prototype": "server", "create": "on"})
    assert answer.status_code == 302
    operation = Operation.objects.get(parent=None)
    assert (operation.verb, operation.total, operation.actor) == ("create", 2, world.mia)


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ({"name": "a/b"}, "is not allowed"),
        ({"name": "fresh", "cpus": "0"}, "cpus"),
        ({"name": "fresh", "definition": "cpus: many"}, "Line 1, column 1: cpus"),
        ({"name": "fresh", "definition": "cpus: ["}, "Line 1"),
        ({"name": "fresh", "prototype": "none-such"}, "none-such"),
        ({"name": ""}, "required"),
    ],
)
def test_faults_stand_at_their_field_and_nothing_is_lost(
    world: World, browser: Browser, typed: dict[str, str], said: str
) -> None:
    answer = browser(world.mia).post(new(world), {"image": "kept-image", **typed})
    assert answer.status_code == 400
    page = answer.content.decode()
    assert said in page
    assert "kept-image" in page
    assert not Descriptor.objects.filter(parent=world.tel141).exists()


def test_a_fault_of_a_field_stands_beside_it_not_beside_the_yaml(world: World, browser: Browser) -> None:
    typed = {"name": "pc-{1..3}", "cpus": "0", "definition": "memory_mib: 512"}
    page = browser(world.mia).post(new(world), typed).content.decode()
    beside = page[page.index('id="id_cpus"') : page.index('id="hint-cpus"')]
    assert "at least 1" in beside
    assert "Line 1" not in page


def test_the_preview_says_paths_and_yaml(world: World, browser: Browser) -> None:
    typed = {"prototype": "server", "name": "pc-{1..20}", "memory_mib": "512", "flavor": "medium"}
    page = browser(world.mia).post(f"{new(world)}/preview", typed).content.decode()
    assert "/courses/TEL141/pc-1" in page
    assert "and 12 more" in page
    assert "memory_mib: 512" in page
    assert "flavor" not in page
    assert not Descriptor.objects.filter(parent=world.tel141).exists()


def test_who_may_not_create_is_refused(world: World, browser: Browser) -> None:
    address = f"/-/nodes/{world.sam.folder.pk}/new-machine"
    client = browser(world.sam.user)
    assert [client.get(address).status_code, client.post(address, {"name": "x"}).status_code] == [403, 403]
    assert client.post(f"{address}/preview", {"name": "x"}).status_code == 403


def test_a_dry_run_meets_every_fault_and_makes_nothing(world: World) -> None:
    with pytest.raises(Invalid):
        actions.create_descriptors(world.tel141, {"a": {}, "b": {"cpus": -1}}, actor=world.root, dry_run=True)
    assert len(actions.create_descriptors(world.tel141, {"a": {}, "b": {}}, actor=world.root, dry_run=True)) == 2
    assert not Descriptor.objects.filter(parent=world.tel141).exists()
