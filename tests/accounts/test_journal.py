"""The journal: what is written, from where, and what never is."""

from __future__ import annotations

from uuid import uuid4

import pytest
from django.db import transaction
from hypothesis import given
from hypothesis import strategies as st

from accounts import journal
from accounts.models import Entry, User

pytestmark = pytest.mark.django_db


def test_an_entry_says_who_did_what_to_which_path_and_from_where():
    user = User.objects.create_user("ada")
    operation = uuid4()
    with journal.context(via="command", source="10.0.0.7"):
        entry = journal.record(user, "folder.create", path="/courses", node_id=7, data={"n": 1}, operation_id=operation)
    entry.refresh_from_db()
    assert (entry.actor, entry.actor_name, entry.verb, entry.path) == (user, "ada", "folder.create", "/courses")
    assert (entry.node_id, entry.operation_id, entry.data) == (7, operation, {"n": 1})
    assert (entry.via, entry.source) == ("command", "10.0.0.7")


def test_the_name_outlives_the_account():
    user = User.objects.create_user("ada")
    entry = journal.record(user, "vm.start")
    user.delete()
    entry.refresh_from_db()
    assert (entry.actor, entry.actor_name) == (None, "ada")


def test_nested_contexts_come_back():
    with journal.context(via="worker"):
        with journal.context(via="api", source="::1"):
            assert journal.current() == journal.Context("api", "::1")
        assert journal.current() == journal.Context("worker")
    assert journal.current() == journal.Context()


def test_a_rollback_leaves_no_line():
    with transaction.atomic():
        journal.record(None, "vm.start")
        transaction.set_rollback(True)
    assert not Entry.objects.exists()


def test_many_entries_in_few_queries(django_assert_max_num_queries):
    drafts = [journal.Draft(None, "vm.create", path=f"/a/{n}", data={"password": "x"}) for n in range(1000)]
    with django_assert_max_num_queries(20):
        journal.record_many(drafts)
    assert Entry.objects.count() == 1000
    assert set(Entry.objects.values_list("data__password", flat=True)) == {"***"}


def test_a_path_too_long_for_the_index_is_cut_not_refused():
    assert len(journal.record(None, "x", path="/" + "a" * 2000).path) == 768


@pytest.mark.parametrize(
    "name", ["password", "Password", "old_password", "secret", "client_secret", "token", "api_key", "key", "sshKey"]
)
def test_secrets_are_replaced_at_any_depth(name):
    assert journal.scrub({"a": [{name: "hunter2"}]}) == {"a": [{name: "***"}]}


def test_secrets_that_are_mappings_are_replaced_whole():
    assert journal.scrub({"secrets": {"user": "root"}}) == {"secrets": "***"}


def test_what_is_no_secret_stays():
    data = {"keypair": "lab", "key_name": "lab", "tokens": 3, "token": None, "flavor": "small"}
    assert journal.scrub(data) == data


def test_passwords_inside_urls_are_replaced():
    assert journal.scrub(["https://root:hunter2@host/x"]) == ["https://***@host/x"]


json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=12,
)


@given(json)
def test_scrubbing_keeps_the_shape_and_is_stable(data):
    once = journal.scrub({"password": "hunter2", "data": data})
    assert once["password"] == "***"
    assert journal.scrub(once) == once
