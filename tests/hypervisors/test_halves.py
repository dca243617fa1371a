"""Half of a character is JSON for Python, and nothing that can be stored or sent back."""

from __future__ import annotations

import pytest


@pytest.mark.parametrize(
    "body", ['{"requirements": {"\\ud800": 1}}', '{"requirements": {"vcpus": "\\ud800"}}', '["\\udfff"]']
)
def test_half_a_character_is_bad_input(teacher_api, body):
    answer = teacher_api.post("/api/openstack/flavors/recommend", body, content_type="application/json")
    assert (answer.status_code, answer.json()["type"]) == (400, "http:parse_error")
    assert "half of a character" in answer.json()["title"]


def test_a_whole_pair_is_one_character(teacher_api):
    body = '{"requirements": {"vcpus": "\\ud83d\\ude42"}}'
    answer = teacher_api.post("/api/openstack/flavors/recommend", body, content_type="application/json")
    assert (answer.status_code, answer.json()["type"]) == (400, "input:invalid")
