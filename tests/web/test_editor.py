"""The definition editor: what it answers while one types, what its pages show, what it offers."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.test import Client

from descriptors import actions
from descriptors.models import Node
from tests import factories
from tests.web.conftest import Browser
from tests.world import World

pytestmark = pytest.mark.django_db


def draft(client: Client, node: Any, text: str, **more: str) -> dict[str, Any]:
    """What the editor is told about a text."""
    answer = client.post(f"/-/nodes/{node.pk}/draft", {"definition": text, "version": str(node.version), **more})
    assert answer.status_code == 200, answer.content
    return answer.json()


def row(html: str, key: str) -> str:
    """The line of a value in the computed table."""
    found = re.search(rf'<tr id="at-{re.escape(key)}".*?</tr>', html, re.DOTALL)
    assert found, key
    return found[0]


# -- while one types ---------------------------------------------------------------------------------------------------


def test_a_draft_shows_its_result_with_origins_and_saves_nothing(world: World, browser: Browser) -> None:
    told = draft(browser(world.mia), world.tel141, "labels: {course: TEL141, week: 3}\nflavor: medium\n")
    assert told["faults"] == []
    assert "change-changed" in row(told["computed"], "flavor")
    assert "<del>small</del>" in row(told["computed"], "flavor")
    assert "change-added" in row(told["computed"], "labels.week")
    assert "here" in row(told["computed"], "labels.week")
    assert 'href="/tree/courses?tab=definition#at-image"' in row(told["computed"], "image")
    world.tel141.refresh_from_db()
    assert world.tel141.definition == {"labels": {"course": "TEL141"}}


def test_what_a_draft_leaves_out_is_shown_as_going(world: World, browser: Browser) -> None:
    told = draft(browser(world.mia), world.tel141, "")
    assert "change-removed" in row(told["computed"], "labels.course")


@pytest.mark.parametrize(
    ("text", "line", "column", "said"),
    [
        ("labels: {}\nflavour: small", 2, 1, "unknown parameter"),
        ("cpus: 2\nmemory_mib: much", 2, 1, "memory_mib"),
        ("cpus: [", 1, 8, "not YAML"),
        ("nics:\n  - network: lan\n    mac: zz", 3, 5, "MAC"),
        ("cpus: 2\nprototype: nobody", 2, 1, "unknown prototype"),
        ("cpus: 2\nhypervisors: [mock-1]", 2, 1, "Only a superuser"),
        ("- a", 0, 0, "A definition is a mapping"),
    ],
)
def test_faults_have_their_place(world: World, browser: Browser, text: str, line: int, column: int, said: str) -> None:
    told = draft(browser(world.mia), world.tel141, text)
    assert (told["faults"][0]["line"], told["faults"][0]["column"]) == (line, column)
    assert said in told["faults"][0]["sentence"]
    assert "computed" not in told


def test_the_plan_is_asked_for_by_itself(world: World, browser: Browser) -> None:
    world.do("create", world.sam.web, world.sam.db)
    told = draft(browser(world.mia), world.tel141, "memory_mib: 3072", part="plan")
    assert "<b>2</b> at their next start" in told["plan"]
    assert told["saveable"]
    assert "computed" not in told


def test_the_token_of_a_plan_saves_the_very_text(world: World, browser: Browser) -> None:
    client, text = browser(world.mia), "memory_mib: 3072\ncpus: 2"
    planned = draft(client, world.tel141, text, part="plan")["planned"]
    sent = {"definition": text.replace("\n", "\r\n"), "version": "1", "step": "save", "planned": planned}
    assert client.post(f"/-/nodes/{world.tel141.pk}/edit", sent).status_code == 302
    world.tel141.refresh_from_db()
    assert world.tel141.definition == {"memory_mib": 3072, "cpus": 2}


def test_a_machine_whose_state_forbids_the_draft_says_so_in_the_plan(world: World, browser: Browser) -> None:
    world.do("create", world.sam.web)
    told = draft(browser(world.mia), world.sam.web, "image: other", part="plan")
    assert "can change only before the VM is created" in told["faults"][0]["sentence"]


def test_a_draft_tells_that_somebody_saved_meanwhile(world: World, browser: Browser) -> None:
    client, begun = browser(world.mia), world.tel141.version
    actions.edit(world.tel141, {"cpus": 7}, actor=world.root)
    told = draft(client, world.tel141, "cpus: 2", version=str(begun))
    assert world.root.username in told["stale"]
    world.tel141.refresh_from_db()
    assert draft(client, world.tel141, "cpus: 2")["stale"] == ""


def test_a_huge_text_is_a_fault_and_not_read(world: World, browser: Browser) -> None:
    told = draft(browser(world.mia), world.tel141, "a" * (512 * 1024 + 1))
    assert "512 KiB" in told["faults"][0]["text"]


def test_drafts_are_for_those_who_may_edit(world: World, browser: Browser) -> None:
    address = f"/-/nodes/{world.sam.web.pk}/draft"
    as_json = {"Accept": "application/json"}
    assert browser(world.sam.user).post(address, {"definition": ""}, headers=as_json).status_code == 403
    assert browser(world.stranger).post(address, {"definition": ""}, headers=as_json).status_code == 404
    assert browser(world.mia).get(address).status_code == 405
    assert Client().post(address, {"definition": ""}).status_code == 302


@pytest.mark.parametrize("part", ["computed", "plan"])
def test_a_draft_costs_the_same_however_many_machines_there_are(
    world: World, browser: Browser, django_assert_max_num_queries: Any, part: str
) -> None:
    client = browser(world.mia)
    for number in range(12):
        factories.machine(f"{world.tel141.path}/vm-{number}", world.root)
    world.tel141.refresh_from_db()
    with django_assert_max_num_queries(12):
        assert draft(client, world.tel141, "cpus: 3", part=part)["faults"] == []


# -- pages -------------------------------------------------------------------------------------------------------------


def test_the_form_works_as_a_plain_textarea(world: World, browser: Browser) -> None:
    page = browser(world.mia).get(f"/-/nodes/{world.tel141.pk}/edit").content.decode()
    assert re.search(r'<textarea [^>]*name="definition"[^>]*data-editor[^>]*>\s*labels:\n  course: TEL141', page)
    assert 'name="step" value="plan"' in page
    assert "style=" not in page.partition("<main")[2]


def test_their_change_is_shown_against_what_i_began_from(world: World, browser: Browser) -> None:
    client = browser(world.mia)
    sent = {"definition": "memory_mib: 3072", "started": "labels:\n  course: TEL141\n", "version": "1", "step": "save"}
    sent["planned"] = draft(client, world.tel141, sent["definition"], part="plan")["planned"]
    actions.edit(world.tel141, {"labels": {"course": "TEL999"}}, actor=world.root)
    answer = client.post(f"/-/nodes/{world.tel141.pk}/edit", sent)
    page = answer.content.decode()
    assert answer.status_code == 400
    assert "<del>-   course: TEL141</del>" in page
    assert "<ins>+   course: TEL999</ins>" in page
    assert "memory_mib: 3072" in page
    again = sent | {"version": str(Node.objects.get(pk=world.tel141.pk).version)}
    assert client.post(f"/-/nodes/{world.tel141.pk}/edit", again).status_code == 302


def test_a_version_that_is_no_number_saves_nothing(world: World, browser: Browser) -> None:
    client, text = browser(world.mia), "memory_mib: 3072"
    planned = draft(client, world.tel141, text, part="plan")["planned"]
    sent = {"definition": text, "version": "x", "step": "save", "planned": planned}
    assert client.post(f"/-/nodes/{world.tel141.pk}/edit", sent).status_code == 400
    world.tel141.refresh_from_db()
    assert "memory_mib" not in world.tel141.definition


def test_readers_see_what_is_written_and_what_results_without_links_to_hidden_folders(
    world: World, browser: Browser
) -> None:
    page = browser(world.sam.user).get(f"/tree{world.sam.web.path}?tab=definition").content.decode()
    assert "data-editor" in page
    assert f"/-/nodes/{world.sam.web.pk}/edit" not in page
    assert '<span class="path">/courses</span>' in row(page, "image")
    assert "/tree/courses?tab" not in page


def test_pending_changes_stand_beside_their_values(world: World, browser: Browser) -> None:
    world.do("create", world.sam.web)
    actions.edit(world.tel141, {"cpus": 3}, actor=world.root)
    page = browser(world.mia).get(f"/tree{world.sam.web.path}?tab=definition").content.decode()
    assert "Given to the hypervisor" in page
    assert 'class="waits"' in row(page, "cpus")


def test_overridden_values_name_where_they_come_from(world: World, browser: Browser) -> None:
    actions.edit(world.sam.web, {"flavor": "large"}, actor=world.root)
    page = browser(world.mia).get(f"/tree{world.sam.web.path}?tab=definition").content.decode()
    assert "<del>small</del>" in row(page, "flavor")
    assert "/tree/courses?tab=definition#at-flavor" in row(page, "flavor")


@pytest.mark.parametrize("address", ["/-/nodes/{}/edit", "/-/nodes/{}/words"])
def test_pages_ask_few_questions(
    world: World, browser: Browser, django_assert_max_num_queries: Any, address: str
) -> None:
    client, node = browser(world.mia), world.sam.web
    with django_assert_max_num_queries(15):
        assert client.get(address.format(node.pk)).status_code == 200


# -- words -------------------------------------------------------------------------------------------------------------


def test_the_editor_offers_parameters_and_the_names_known_on_the_way(world: World, browser: Browser) -> None:
    actions.edit(world.tel141, {"prototypes": {"router": {"image": "vyos"}}}, actor=world.root)
    told = browser(world.mia).get(f"/-/nodes/{world.sam.web.pk}/words").json()
    assert told["schema"]["properties"]["memory_mib"]["x-unit"] == "MiB"
    assert told["names"]["prototype"] == ["router"]
    assert told["names"]["network"] == ["lan"]
    assert told["names"]["image"] == ["debian-12", "vyos"]
    assert "medium" in told["names"]["flavor"]
    assert "grant" in told["operations"]


def test_words_are_for_those_who_see_the_node(world: World, browser: Browser) -> None:
    assert browser(world.mia).get(f"/-/nodes/{world.probe.pk}/words").status_code == 404


def test_a_document_is_checked_while_it_is_typed(world: World, browser: Browser) -> None:
    client = browser(world.mia)
    bad = client.post("/-/check", {"definition": "path: /courses\nfolders:\n  one:\n    common: {cpu: 1}"}).json()
    assert (bad["faults"][0]["line"], "cpu" in bad["faults"][0]["text"]) == (4, True)
    assert client.post("/-/check", {"definition": ""}).json() == {"faults": []}
    fine = client.post("/-/check", {"definition": "path: /courses/NEW\nfolders: {one: {}}"}).json()
    assert fine == {"faults": []}
    assert not Node.objects.filter(name="NEW").exists()
