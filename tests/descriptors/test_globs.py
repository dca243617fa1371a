"""Patterns of paths: what they meet, and that none takes long."""

from __future__ import annotations

import time

import pytest

from descriptors.globs import MOST_STARS, read_glob
from olimpus.errors import Invalid


@pytest.mark.parametrize(
    ("pattern", "path", "meets"),
    [
        ("/a/*", "/a/b", True),
        ("/a/*", "/a", False),
        ("/a/*", "/a/b/c", False),
        ("/a*b*/x", "/aXbY/x", True),
        ("/a*b*/x", "/aX/bY/x", False),
        ("/a?", "/ab", True),
        ("/a?b", "/a/b", False),
        ("/s-[0-4]/web", "/s-3/web", True),
        ("/s-[0-4]/web", "/s-5/web", False),
        ("/s-[!0-4]/web", "/s-5/web", True),
        ("/a[/]b", "/a/b", False),
        ("/**/web", "/web", True),
        ("/**/web", "/a/b/c/web", True),
        ("/**/web", "/a/web/db", False),
        ("/a/**", "/a", False),
        ("/a/**", "/a/b/c", True),
        ("/a/**/**/b/**/c", "/a/b/x/b/c", True),
        ("/a/**/b/*/c", "/a/b/b/x/c", True),
        ("/a**c", "/abc", True),
        ("/a**c", "/a/c", False),
        ("/**", "/a/b", True),
        ("/**", "/", False),
        ("/", "/", True),
        ("/a/", "/a", True),
        ("/Ab", "/ab", False),
        ("/a.c", "/abc", False),
    ],
)
def test_what_a_pattern_meets(pattern: str, path: str, meets: bool) -> None:
    assert read_glob(pattern).matches(path) is meets


def test_the_part_without_wildcards_narrows_the_search() -> None:
    glob = read_glob("/courses/TEL141/*/web")
    assert (glob.folder, glob.depth, glob.last) == ("/courses/TEL141", 4, "web")
    glob = read_glob("/**/w*")
    assert (glob.folder, glob.depth, glob.last) == ("/", None, "")


@pytest.mark.parametrize("pattern", ["", "a/*", "*", "/" + "*x" * (MOST_STARS + 1)])
def test_what_cannot_be_read_is_refused(pattern: str) -> None:
    with pytest.raises(Invalid) as refused:
        read_glob(pattern)
    assert refused.value.where == "glob"


@pytest.mark.parametrize(
    ("pattern", "path"),
    [
        ("/" + "*a" * MOST_STARS, "/" + "a" * 700 + "b"),
        ("/" + "?*" * MOST_STARS + "c", "/" + "a" * 700),
        ("/**/a" * (MOST_STARS // 2) + "/b", "/a" * 380),
        ("/[" + "a-" * 300, "/" + "a" * 700),
    ],
)
def test_no_pattern_takes_long(pattern: str, path: str) -> None:
    glob, begun = read_glob(pattern), time.perf_counter()
    assert not any(glob.matches(path) for _ in range(100))
    assert time.perf_counter() - begun < 2
