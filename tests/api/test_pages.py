"""Pages of the API for people: the browsable pages and the documentation, offline and without inline scripts."""

from __future__ import annotations

import re

import pytest
from django.contrib.staticfiles import finders
from django.test import Client

INLINE = re.compile(r"<script(?![^>]*\bsrc=)(?![^>]*application/json)[^>]*>|\son[a-z]+=|javascript:", re.I)


@pytest.fixture
def browser(world) -> Client:
    client = Client(headers={"Accept": "text/html,application/xhtml+xml"})
    client.force_login(world.mia, backend="django.contrib.auth.backends.ModelBackend")
    return client


def policy(answer) -> dict[str, list[str]]:
    """The answer's content security policy."""
    rules = (rule.split() for rule in answer["Content-Security-Policy"].split(";"))
    return {rule[0]: rule[1:] for rule in rules if rule}


def test_browsable_pages_have_forms_and_no_inline_scripts(world, browser):
    web = world.sam.web
    for path in ("", "nodes", f"nodes/{web.pk}", f"nodes/{web.pk}/definition", "folders", "operations", "apply"):
        answer = browser.get(f"/api/{path}")
        page = answer.content.decode()
        assert answer["Content-Type"].startswith("text/html"), path
        assert not INLINE.search(page), path
        assert "<style" not in page, path
        rules = policy(answer)
        assert "'unsafe-inline'" not in rules["script-src"] + rules["style-src"]
        assert rules["style-src-attr"] == ["'unsafe-inline'"]
    assert 'name="parent_path"' in browser.get("/api/folders").content.decode()


def test_a_form_makes_a_folder(world, browser):
    form = {"parent": "", "parent_path": world.tel141.path, "path": "", "name": "by-hand", "definition": ""}
    answer = browser.post("/api/folders", form)
    assert answer.status_code == 201, answer.content.decode()


def test_problems_in_pages_are_pages(browser):
    answer = browser.get("/api/nodes?state=x")
    assert answer.status_code == 400
    assert answer["Content-Type"].startswith("text/html")


def test_other_answers_keep_the_strict_policy(world):
    answer = Client().get("/api/nodes")
    assert "style-src-attr" not in policy(answer)


def test_the_documentation_works_offline_under_the_policy(db):
    answer = Client().get("/api/docs")
    page = answer.content.decode()
    assert answer.status_code == 200
    assert not INLINE.search(page)
    assert "<style" not in page
    sources = re.findall(r'(?:src|href)="([^"]+)"', page)
    assert all(source.startswith("/") for source in sources)
    for source in sources:
        if source.startswith("/static/"):
            assert finders.find(source.removeprefix("/static/")), source
    script = Client().get(next(source for source in sources if "script" in source))
    assert script["Content-Type"].startswith("application/javascript")
    assert "/api/schema" in script.content.decode()
    assert "'unsafe-inline'" not in answer["Content-Security-Policy"]
