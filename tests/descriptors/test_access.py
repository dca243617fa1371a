"""Access as a pure function: one node and lists agree with a plain walk, whatever the tree looks like."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from descriptors.access import Access, Mark, end_of, key_of, of_paths

ROLES = ("manager", "user")
OPERATIONS = ("see", "edit", "start")
DEFAULTS = {"manager": frozenset(OPERATIONS), "user": frozenset({"see", "start"})}

#: Characters on both sides of "/" in the order of code points, and beyond the basic plane.
names = st.text("-+.@_ 0aAé你𠀀", min_size=1, max_size=3).filter(lambda name: name == name.strip())
paths = st.lists(names, max_size=4).map(lambda parts: "/" + "/".join(parts))
flags = st.dictionaries(st.sampled_from(OPERATIONS), st.sampled_from([True, False, None]), max_size=3)
rights = st.dictionaries(st.sampled_from(ROLES), st.one_of(st.none(), flags), max_size=2)
marks = st.builds(
    Mark,
    path=paths,
    roles=st.frozensets(st.sampled_from(ROLES)),
    rights=rights,
    inherits=st.booleans(),
)


@st.composite
def trees(draw: st.DrawFn) -> tuple[list[Mark], list[str]]:
    """Marks at different paths, and paths to ask about: the marks', their neighbours' and others'."""
    found = {mark.path: mark for mark in draw(st.lists(marks, max_size=8))}
    asked = set(found) | set(draw(st.lists(paths, max_size=6))) | {"/"}
    for path in found:
        asked.add(f"{path.rstrip('/')}/{draw(names)}")
        asked.add(f"{path.rstrip('/') or '/x'}{draw(names)}")
    return list(found.values()), sorted(asked)


def walk(found: list[Mark], operation: str, path: str) -> bool:
    """The rule, spelled out: from the root down, one level after the other."""
    by_path = {mark.path: mark for mark in found}
    parts = [part for part in path.split("/") if part]
    roles: set[str] = set()
    said: dict[tuple[str, str], bool] = {}
    for depth in range(len(parts) + 1):
        mark = by_path.get("/" + "/".join(parts[:depth]))
        if mark is None:
            continue
        if not mark.inherits:
            roles = set()
        roles |= mark.roles
        for role, operations in mark.rights.items():
            for name in OPERATIONS if operations is None else operations:
                said.pop((role, name), None)
                if operations is not None and operations[name] is not None:
                    said[role, name] = operations[name]
    return any(said.get((role, operation), operation in DEFAULTS[role]) for role in roles)


@given(trees(), st.sampled_from(OPERATIONS))
def test_one_node_and_lists_agree_with_a_walk(tree, operation):
    found, asked = tree
    access = Access(found, DEFAULTS)
    intervals = access.intervals(operation)
    for path in asked:
        wanted = walk(found, operation, path)
        assert access.can(operation, path) is wanted, path
        assert any(low <= key_of(path) < high for low, high in intervals) is wanted, path


@given(trees(), st.sampled_from(OPERATIONS))
def test_paths_are_compared_as_their_keys_are(tree, operation):
    found, asked = tree
    intervals = Access(found, DEFAULTS).intervals(operation)
    more, fewer = of_paths(intervals)
    for path in asked:
        between = any(low <= path < high for low, high in intervals)
        assert ((between or path in more) and path not in fewer) is walk(found, operation, path), path


@given(trees(), st.sampled_from(OPERATIONS), paths)
def test_intervals_below_a_path_are_those_of_its_branch(tree, operation, below):
    found, asked = tree
    access = Access(found, DEFAULTS)
    intervals = access.intervals(operation, below=below)
    for path in asked:
        inside = path == below or path.startswith(f"{below.rstrip('/')}/")
        covered = any(low <= key_of(path) < high for low, high in intervals)
        assert covered is (inside and access.can(operation, path)), path


@given(trees(), st.sampled_from(OPERATIONS))
def test_intervals_are_sorted_and_apart(tree, operation):
    intervals = Access(tree[0], DEFAULTS).intervals(operation)
    ends = [end for interval in intervals for end in interval]
    assert ends == sorted(set(ends))


@given(trees(), st.sampled_from(OPERATIONS), paths)
def test_a_superuser_may_do_everything(tree, operation, path):
    access = Access(tree[0], DEFAULTS, everything=True)
    assert access.can(operation, path)
    assert access.intervals(operation) == [("/", "0")]


def test_a_branch_is_an_interval_of_keys():
    assert (key_of("/"), key_of("/a")) == ("/", "/a/")
    assert key_of("/a-b") < key_of("/a") < key_of("/a/b") < end_of(key_of("/a")) <= key_of("/a0")


def test_the_nearest_flag_says_why():
    found = [
        Mark("/", frozenset({"user"})),
        Mark("/exam", rights={"user": {"start": False}}),
        Mark("/exam/now", rights={"user": {"start": True}}),
    ]
    access = Access(found, DEFAULTS)
    assert access.flag(access.stand("/exam/now/vm"), "user", "start") == (True, "/exam/now")
    assert access.flag(access.stand("/exam/vm"), "user", "start") == (False, "/exam")
    assert access.flag(access.stand("/vm"), "user", "start") == (True, "")


def test_a_stop_clears_the_roles_but_not_the_flags():
    found = [
        Mark("/", frozenset({"manager"}), {"user": {"edit": True}}),
        Mark("/private", frozenset({"user"}), inherits=False),
    ]
    access = Access(found, DEFAULTS)
    assert access.stand("/private").roles == {"user": "/private"}
    assert access.can("edit", "/private/vm")
