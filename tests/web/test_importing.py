"""Documents in: the plan reads like a review, the folder one comes from is the base, size is bounded."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from descriptors.models import Node
from tests.web.conftest import Browser
from tests.world import World

pytestmark = pytest.mark.django_db


def test_the_plan_counts_what_is_new_and_shows_changes_line_by_line(world: World, browser: Browser) -> None:
    client = browser(world.mia)
    text = f"path: {world.tel141.path}\ncommon:\n  cpus: 3\nfolders:\n  eva:\n    descriptors: {{a: {{}}, b: {{}}}}\n"
    page = client.post("/apply/", {"document": text, "step": "plan"}).content.decode()
    assert "<b>1</b> new folder" in page
    assert "<b>2</b> new machines" in page
    assert "cpus: 3" in page
    assert "diff-old" in page
    assert not Node.objects.filter(name="eva").exists()


def test_a_document_without_a_path_goes_to_the_folder_one_comes_from(world: World, browser: Browser) -> None:
    client, base = browser(world.mia), world.tel141.path
    assert f'value="{base}"' in client.get(f"/apply/?base={base}").content.decode()
    text = "descriptors: {fresh: {}}"
    plan = client.post("/apply/", {"document": text, "base": base, "step": "plan"})
    planned = plan.context["planned"]
    done = client.post("/apply/", {"document": text, "base": base, "step": "apply", "planned": planned})
    assert done["Location"] == f"/tree{base}"
    assert Node.objects.filter(path=f"{base}/fresh").exists()


def test_a_dropped_file_is_read_like_typed_text(world: World, browser: Browser) -> None:
    body = SimpleUploadedFile("course.yaml", f"path: {world.tel141.path}\ndescriptors: {{fresh: {{}}}}".encode())
    page = browser(world.mia).post("/apply/", {"file": body, "step": "plan"}).content.decode()
    assert "fresh" in page
    assert "<b>1</b> new machine" in page


@pytest.mark.parametrize(("content", "said"), [(b"\xff\xfe\x00bad", "not UTF-8"), (b"a" * 2048, "at most 0 MiB")])
def test_what_cannot_be_read_is_told(world: World, browser: Browser, settings: Any, content: bytes, said: str) -> None:
    settings.OLIMPUS_UPLOAD_LIMIT = 1024
    answer = browser(world.mia).post("/apply/", {"file": SimpleUploadedFile("x.yaml", content), "step": "plan"})
    assert answer.status_code == 400
    assert said in answer.content.decode()


def test_faults_say_their_line(world: World, browser: Browser) -> None:
    text = f"path: {world.tel141.path}\ndescriptors:\n  fresh:\n    cpus: many\n"
    answer = browser(world.mia).post("/apply/", {"document": text, "step": "plan"})
    assert "Line 4, column 5" in answer.content.decode()
    assert "cpus: many" in answer.content.decode()
