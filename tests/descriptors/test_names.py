"""Which names and paths are accepted."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from descriptors import names
from olimpus.errors import Invalid


@pytest.mark.parametrize(
    "name", ["web", "Web 1", "student-07", "añejo", "名前", "हिन्दी", "a.b_c@d+e", "...", "Common", "٣"]
)
def test_letters_of_any_language_are_names(name):
    assert names.clean_name(name) == name


def test_one_spelling_of_an_accent():
    assert names.clean_name("cafe\u0301") == "caf\u00e9"


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("", "empty"),
        (".", "reserved"),
        ("..", "reserved"),
        ("common", "reserved"),
        (" a", "space"),
        ("a ", "space"),
        ("a/b", "“/”"),
        ("a\nb", "U+000A"),
        ("a\u200bb", "U+200B"),
        ("a\x00", "U+0000"),
        ("\u0301a", "combining"),
        ("a" * 129, "129 characters"),
        ("a*", "“*”"),
    ],
)
def test_a_refused_name_says_why(name, reason):
    with pytest.raises(Invalid) as refused:
        names.clean_name(name)
    assert reason in refused.value.message


@given(st.text(max_size=140))
def test_a_name_is_cleaned_once(name):
    try:
        clean = names.clean_name(name)
    except Invalid:
        return
    assert names.clean_name(clean) == clean
    assert "/" not in clean
    assert names.clean_path(names.join("/", clean)) == f"/{clean}"


@pytest.mark.parametrize(
    ("path", "node", "common"),
    [
        ("/", "/", False),
        ("/common", "/", True),
        ("/a/b/common", "/a/b", True),
        ("/a/common/", "/a", True),
        ("/a/b/", "/a/b", False),
        ("/a/commons", "/a/commons", False),
    ],
)
def test_common_addresses_the_folder(path, node, common):
    assert names.split_common(path) == (node, common)


@pytest.mark.parametrize("path", ["", "a/b", "common"])
def test_a_path_is_absolute(path):
    with pytest.raises(Invalid):
        names.split_common(path)


def test_ancestors_of_a_path():
    assert names.above("/a/b/c") == ["/", "/a", "/a/b"]
    assert names.above("/a") == ["/"]
    assert names.above("/") == []
