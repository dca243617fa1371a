"""What hypervisors call the names of definitions: the rules, and who may write them."""

from __future__ import annotations

import pytest

from hypervisors.aliases import MOST, clean, here, lines, of_lines, translated
from olimpus.errors import Invalid

ALIASES = {
    "images": {"debian-12": "tiny", "tools.iso": "tools-1.iso"},
    "flavors": {"small": "m1.small"},
    "networks": {"lan": "vmbr1", "wire": "vmbr2"},
}


def test_a_definition_in_the_names_of_the_hypervisor():
    values = {
        "image": "debian-12",
        "flavor": "small",
        "cdroms": [{"image": "tools.iso"}, {"image": "other.iso"}],
        "networks": {"lan": {"cidr": "10.0.0.0/24"}, "own": {"cidr": "10.1.0.0/24"}},
        "nics": [{"network": "lan"}, {"network": "wire"}],
    }
    found = translated(values, ALIASES, "rack")
    assert (found["image"], found["flavor"]) == ("tiny", "m1.small")
    assert [cd["image"] for cd in found["cdroms"]] == ["tools-1.iso", "other.iso"]
    assert found["networks"] == {
        "lan": {"cidr": "10.0.0.0/24", "aliases": {"rack": "vmbr1"}},
        "own": {"cidr": "10.1.0.0/24"},
        "wire": {"aliases": {"rack": "vmbr2"}},
    }
    assert found["nics"] == values["nics"]
    assert values["image"] == "debian-12"  # the definition itself stays
    assert translated(values, {}, "rack") == values


def test_what_the_definition_of_a_network_says_wins():
    values = {"networks": {"lan": {"aliases": {"rack": "mine", "other": "theirs"}}}}
    assert translated(values, ALIASES, "rack")["networks"]["lan"]["aliases"] == {"rack": "mine", "other": "theirs"}


def test_lines_and_back():
    assert of_lines(lines(ALIASES)) == ALIASES
    assert of_lines("\n images  Debian 12 =  debian = 12 \n") == {"images": {"Debian 12": "debian = 12"}}
    assert here(ALIASES, "images", "alpine") == "alpine"


@pytest.mark.parametrize(
    ("data", "where"),
    [
        ([], "aliases"),
        ({"disks": {}}, "aliases.disks"),
        ({"images": ["a"]}, "aliases.images"),
        ({"images": {"a": 1}}, "aliases.images.a"),
        ({"images": {"a": " "}}, "aliases.images.a"),
        ({"images": {"": "a"}}, "aliases.images."),
        ({"images": {"a": "b\nc"}}, "aliases.images.a"),
        ({"images": {f"i{number}": "x" for number in range(MOST + 1)}}, "aliases"),
    ],
)
def test_what_is_no_alias_is_refused(data, where):
    with pytest.raises(Invalid) as refused:
        clean(data)
    assert refused.value.where == where


@pytest.mark.parametrize("text", ["debian-12 tiny", "disks a = b", "images = b"])
def test_a_line_that_is_none_is_refused(text):
    with pytest.raises(Invalid):
        of_lines(text)


def test_superusers_write_them_by_the_api(api, teacher_api, hypervisor):
    address = f"/api/hypervisors/{hypervisor.pk}"
    assert teacher_api.patch(address, {"aliases": ALIASES}, format="json").status_code == 403
    assert (
        api.patch(address, {"aliases": ALIASES}, format="json", headers={"If-Match": "*"}).json()["aliases"] == ALIASES
    )
    refused = api.patch(address, {"aliases": {"images": {"a": ""}}}, format="json", headers={"If-Match": "*"})
    assert (refused.status_code, refused.json()["errors"][0]["where"]) == (400, "aliases.images.a")


def test_the_form_of_the_console_has_them(client, root, hypervisor):
    client.force_login(root)
    address = f"/admin/hypervisors/hypervisor/{hypervisor.pk}/change/"
    page = client.get(address)
    assert 'name="aliases"' in page.text
    typed = {
        name: field.initial for name, field in page.context["form"].fields.items() if field.initial not in (None, "")
    } | page.context["form"].initial
    typed |= {"aliases": "images debian-12 = tiny", "secrets": ""}
    answer = client.post(address, {name: value for name, value in typed.items() if value is not None})
    assert answer.status_code == 302, answer.context["form"].errors
    hypervisor.refresh_from_db()
    assert hypervisor.aliases == {"images": {"debian-12": "tiny"}}
    assert "images debian-12 = tiny" in client.get(address).text
    refused = client.post(address, {**typed, "aliases": "nothing"})
    assert "Line 1" in refused.text
