"""Every address of the resolver, asked by everybody: a new one without a rule here fails.

The ids are those of things that none of the four may see; what they are called must be in no answer.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.db import connection
from django.test import Client
from django.urls import URLResolver, get_resolver

from accounts.models import ApiToken, Entry
from descriptors import actions
from hypervisors import inventory
from tests import factories

#: Who gets what. open: everybody the same; own: whoever is signed in, of his own; hidden: there is nothing for him here;
#: console: managers, of what they see; superuser: nobody but superusers.
RULES = {
    "open": """
        admin:app_list admin:login admin:password_change api/ api/auth-grant api/auth-login
        api/auth-refresh api/docs api/schema favicon.ico health health-openstack invitation login logout password_reset
        password_reset_complete password_reset_confirm password_reset_done set_language
    """,
    "own": """
        api/api-root api/auth-logout api/auth-me api/auth-password api/auth-token-detail api/auth-token-list
        api/descriptor-list api/do-many api/driver-list api/folder-list api/group-detail api/group-list
        api/group-members api/hypervisor-detail api/hypervisor-images api/hypervisor-list api/journal-export api/journal-list
        api/node-brief api/node-by-path api/node-list api/node-revoke api/operation-list api/parameters
        api/states api/user-detail api/user-list api/verbs apply document-check filter-forget filter-keep
        folder-options guide-close home home-places keys last-operations node-rows notifications
        notifications-seen open-count operations palette password_change password_change_done preferences
        profile root root-or-home search slice-new slices suggest theme token_create
        api/openstack-availability-zones api/openstack-availability-zones-suggest api/openstack-flavors
        api/openstack-flavors-recommend api/slice-list api/slice-topologies api/slice-generate
        api/slice-formats api/slice-read
    """,
    "hidden": """
        api/apply api/descriptor-detail api/folder-detail api/journal-detail api/node-console api/node-copy
        api/node-definition api/node-detail api/node-do api/node-duplicate api/node-export api/node-grants
        api/node-history api/node-inherit api/node-metrics api/node-move api/node-plan api/node-rights
        api/node-snapshots api/node-screenshot api/node-verbs api/operation-cancel api/operation-detail api/operation-results
        api/operation-retry ask ask-bulk do guide-break new-folder new-machine new-machine-preview node
        node-access node-console node-console-text node-console-ticket node-picture
        node-copy node-counts node-delete node-draft node-duplicate node-edit
        node-export node-group node-hypervisors node-move node-panel node-people node-rename node-row
        node-selection node-snapshots node-tallies node-ways node-words operation operation-cancel slice
        operation-line operation-report operation-retry siblings sign_in_end token_revoke tree-level
        api/openstack-flavors-one api/openstack-images api/openstack-images-one api/openstack-keypairs
        api/openstack-networks api/openstack-networks-one api/openstack-projects api/openstack-projects-one
        api/openstack-quotas-one api/openstack-routers api/openstack-routers-one api/openstack-subnets
        api/openstack-subnets-one api/openstack-volume-snapshots api/openstack-volume-snapshots-one
        api/openstack-volumes api/openstack-volumes-one api/openstack-volumes-one-attach
        api/openstack-instances api/openstack-instance api/openstack-deploy-slice
        api/openstack-volumes-one-detach api/openstack-volumes-one-extend api/openstack-volumes-one-snapshot
        api/slice-detail api/slice-plan api/slice-deploy api/slice-resume api/slice-undo api/slice-status api/slice-export
    """,
    "console": """
        admin:accounts_entry_change admin:accounts_entry_changelist admin:accounts_entry_export
        admin:accounts_entry_history admin:accounts_entry_news admin:axes_accessattempt_history
        admin:descriptors_nic_change admin:descriptors_nic_changelist admin:descriptors_nic_history
        admin:descriptors_node_at admin:descriptors_node_change admin:descriptors_node_changelist
        admin:descriptors_node_definition admin:descriptors_node_grants admin:descriptors_node_history
        admin:descriptors_node_tree admin:descriptors_node_tree_counts admin:descriptors_node_tree_level
        admin:descriptors_node_tree_menu admin:descriptors_node_tree_new admin:descriptors_node_tree_offers
        admin:descriptors_node_tree_outcome admin:descriptors_node_tree_panel admin:descriptors_node_tree_place
        admin:descriptors_node_tree_remove admin:descriptors_node_tree_rename admin:descriptors_node_tree_retry
        admin:descriptors_node_tree_search admin:descriptors_operation_change
        admin:descriptors_operation_changelist admin:descriptors_operation_history
        admin:descriptors_unowned_history admin:index admin:jsi18n admin:logout admin:password_change_done
        admin:view_on_site console:attention console:drift console:now console:recover
    """,
    "superuser": """
        admin:accounts_apitoken_add admin:accounts_apitoken_change admin:accounts_apitoken_changelist
        admin:accounts_apitoken_delete admin:accounts_apitoken_history admin:accounts_entry_add
        admin:accounts_entry_delete admin:accounts_user_add admin:accounts_user_change
        admin:accounts_user_changelist admin:accounts_user_delete admin:accounts_user_do
        admin:accounts_user_history admin:accounts_user_import admin:accounts_user_page admin:auth_group_add
        admin:auth_group_change admin:auth_group_changelist admin:auth_group_delete admin:auth_group_history
        admin:auth_group_page admin:auth_user_password_change admin:autocomplete admin:axes_accessattempt_add
        admin:axes_accessattempt_change admin:axes_accessattempt_changelist admin:axes_accessattempt_delete
        admin:descriptors_nic_add admin:descriptors_nic_delete admin:descriptors_node_add
        admin:descriptors_node_delete admin:descriptors_operation_add admin:descriptors_operation_delete
        admin:descriptors_unowned_add admin:descriptors_unowned_change admin:descriptors_unowned_changelist
        admin:descriptors_unowned_compare admin:descriptors_unowned_delete admin:hypervisors_hypervisor_add
        admin:hypervisors_hypervisor_change admin:hypervisors_hypervisor_changelist
        admin:hypervisors_hypervisor_delete admin:hypervisors_hypervisor_history
        admin:hypervisors_hypervisor_cloud admin:hypervisors_hypervisor_cloud_flavors
        admin:hypervisors_hypervisor_cloud_images admin:hypervisors_hypervisor_cloud_networks
        admin:hypervisors_hypervisor_cloud_images_tidy
        admin:hypervisors_hypervisor_cloud_part admin:hypervisors_hypervisor_cloud_remove
        admin:hypervisors_hypervisor_clouds
        admin:hypervisors_hypervisor_maintenance admin:hypervisors_hypervisor_page
        admin:hypervisors_hypervisor_test admin:hypervisors_hypervisor_try api/group-remove-member
        api/hypervisor-image api/hypervisor-images-tidy
        api/hypervisor-maintenance api/hypervisor-test api/hypervisor-tree-adopt api/hypervisor-tree-reconcile
        api/hypervisor-tree-unowned api/hypervisor-try-settings api/user-activate api/user-deactivate
        api/user-import-file api/user-invite api/user-unlock metrics api/ssh-tunnel-status api/ssh-tunnel-reconnect
        admin:hypervisors_hypervisor_tunnels admin:hypervisors_hypervisor_tunnels_now
        admin:hypervisors_hypervisor_tunnels_reconnect api/resources-status
        admin:hypervisors_hypervisor_resources admin:hypervisors_hypervisor_resources_now
        admin:slices_deployment_add admin:slices_deployment_change admin:slices_deployment_changelist
        admin:slices_deployment_delete admin:slices_deployment_history admin:slices_draft_add admin:slices_draft_change
        admin:slices_draft_changelist admin:slices_draft_delete admin:slices_draft_history
        admin:slices_namemapping_add admin:slices_namemapping_change admin:slices_namemapping_changelist
        admin:slices_namemapping_delete admin:slices_namemapping_history
    """,
}
RULE = {name: rule for rule, names in RULES.items() for name in names.split()}
#: Managers choose by name whom to give access to.
NAMES_PEOPLE = {"api/user-list", "api/group-list", "api/group-detail"}
ROLES = ("anonymous", "student", "manager", "staff")
SECRETS = ("zqhidden", "zqmachine", "zqowner", "zqgroup", "zqtoken")
#: Refuse a body of unknown size before they look for the token in it; see tests/hypervisors/test_admin_cloud.py.
SIZE_FIRST = ("admin:hypervisors_hypervisor_cloud_images",)
SIGN_OUT = ("logout", "admin:logout", "api/auth-logout")


def addresses(resolver: URLResolver, before: str = "", space: str = "") -> Iterator[tuple[str, str]]:
    """(name, pattern) of each address."""
    for found in resolver.url_patterns:
        pattern = before + str(found.pattern)
        if isinstance(found, URLResolver):
            yield from addresses(found, pattern, space + (f"{found.namespace}:" if found.namespace else ""))
        elif found.name or not pattern.startswith("admin/"):
            name = space + (found.name or pattern)
            yield (
                (f"api/{name.removeprefix('api/').partition('^')[0]}" if pattern.startswith("api/") else name),
                pattern,
            )


class Hidden:
    """A branch with all that belongs to it, which nobody of the four may see; `address` puts its ids into a pattern."""

    def __init__(self, world: Any) -> None:
        definition = {"hypervisor": world.hypervisor.name, "image": "debian-12", "flavor": "small"}
        inventory.read(world.hypervisor, "images")  # whoever looks first writes down what there is
        self.folder = factories.folder("/zqhidden", world.root, definition)
        self.machine = factories.machine("/zqhidden/zqmachine", world.root)
        owner, group = factories.user("zqowner"), Group.objects.create(name="zqgroup")
        actions.grant(self.folder, "user", user=owner, actor=world.root)
        token, _clear = ApiToken.issue(owner, "zqtoken")
        self.operation = world.do("create", self.machine)
        self.owner = owner
        self.ids = {
            "users": owner.pk,
            "accounts/user": owner.pk,
            "group": group.pk,
            "token": token.pk,
            "journal": Entry.objects.latest("id").pk,
            "entry": Entry.objects.latest("id").pk,
            "hypervisor": world.hypervisor.pk,
            "unowned": world.hypervisor.pk,
            "api/folders": self.folder.pk,
        }

    def address(self, pattern: str) -> str:
        """The pattern as an address."""
        pk = next(
            (pk for part, pk in self.ids.items() if part in pattern and "/nodes/" not in pattern), self.machine.pk
        )
        operation = "operation" in pattern or "uuid" in pattern
        known = {
            "pk": self.operation.pk if operation else pk,
            "object_id": self.operation.pk if operation else pk,
            "id": pk,
            "node_id": self.machine.pk,
            "folder_id": self.folder.pk,
            "user_id": self.owner.pk,
            "grant": f"user-{self.owner.pk}",
            "verb": "start",
            "kind": "folder",
            "path": self.machine.path.lstrip("/"),
            "uidb64": "MQ",
            "token": "abc-def",
            "content_type_id": 1,
            "app_label": "descriptors",
            "url": "nowhere",
        }
        plain = re.sub(r"\(\?P<(\w+)>(?:\[[^\]]*\]|\{[^}]*\}|\((?:\?:)?[^()]*\)|[^()])*\)", r"<\1>", pattern)
        plain = plain.replace("/?$", "").replace("^", "").replace("$", "").replace(r"[\s\S]*", "nowhere")
        return "/" + re.sub(r"<(?:\w+:)?(\w+)>", lambda found: str(known[found[1]]), plain)


@pytest.fixture
def hidden(world: Any) -> Hidden:
    """Beside what sam and mia have."""
    assert world.sam
    assert world.mia
    return Hidden(world)


@pytest.fixture
def browser(world: Any, request: pytest.FixtureRequest) -> Client:
    """The browser of one of the four."""
    made, role = Client(), request.param
    makers = {
        "student": lambda: world.sam.user,
        "manager": lambda: world.mia,
        "staff": lambda: factories.user("boss", kind="manager"),
    }
    if role in makers:
        made.force_login(makers[role]())
    made.role = role
    return made


def test_every_address_has_a_rule():
    named = {name for name, _pattern in addresses(get_resolver())}
    assert named - set(RULE) == set()
    assert set(RULE) - named == set(), "rules of addresses that there are no more"


@pytest.mark.parametrize("browser", ROLES, indirect=True)
def test_every_address_gives_each_no_more_than_his(world, hidden, browser):
    wrong = []
    for name, pattern in addresses(get_resolver()):
        for method in ("get", "post"):
            if name in SIGN_OUT:
                continue
            address = hidden.address(pattern)
            told, writes = asked(browser, method, address)
            status, text, place = told
            if not fits(RULE[name], browser.role, address.startswith(("/api/", "/metrics")), status, place):
                wrong.append((method, address, status, place))
            wrong += [(method, address, "names", word) for word in leaked(name, browser.role, text, address)]
            wrong += [(method, address, "writes", sql) for sql in writes if method == "get"]
    assert wrong == []


@pytest.mark.parametrize("browser", ["staff"], indirect=True)
def test_hidden_and_missing_are_told_alike(world, hidden, browser):
    missing = str(hidden.machine.pk + 10**6)
    different = []
    for name, pattern in addresses(get_resolver()):
        if RULE[name] != "hidden" or "operation" in pattern or f"/{hidden.machine.pk}" not in hidden.address(pattern):
            continue
        address = hidden.address(pattern)
        other = address.replace(f"/{hidden.machine.pk}", f"/{missing}", 1)
        for method in ("get", "post"):
            (status, text, _), (status_of_none, text_of_none, _) = (
                asked(browser, method, place)[0] for place in (address, other)
            )
            if (status, bare(text, address)) != (status_of_none, bare(text_of_none, other)):
                different.append((method, address))
    assert different == []


def test_no_form_is_believed_without_its_token(world, hidden):
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(world.root)
    done = []
    for name, pattern in addresses(get_resolver()):
        if name.startswith("api/auth-") or name in (*SIGN_OUT, *SIZE_FIRST) or RULE[name] == "open":
            continue
        (status, _text, _place), writes = asked(browser, "post", hidden.address(pattern))
        if status not in (403, 404, 405) or writes:
            done.append((hidden.address(pattern), status, writes))
    assert done == []


def asked(browser: Client, method: str, address: str) -> tuple[tuple[int, str, str], list[str]]:
    """Status, text and Location of the answer; the statements that wrote something."""
    writes: list[str] = []

    def watch(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        if sql.startswith(("INSERT", "UPDATE", "DELETE")) and "django_session" not in sql:
            writes.append(sql[:120])
        return execute(sql, params, many, context)

    kind = "application/json" if address.startswith("/api") else "application/x-www-form-urlencoded"
    with connection.execute_wrapper(watch):
        given = {"data": "{}" if kind.endswith("json") else "", "content_type": kind} if method == "post" else {}
        answer = getattr(browser, method)(address, **given)
        body = b"".join(answer.streaming_content) if answer.streaming else answer.content
    assert "Content-Security-Policy" in answer.headers, address
    assert "unsafe" not in answer["Content-Security-Policy"].partition("script-src")[2].partition(";")[0], address
    return (answer.status_code, body.decode("utf-8", "replace"), answer.headers.get("Location", "")), writes


def fits(rule: str, role: str, api: bool, status: int, place: str) -> bool:
    """Whether the answer is of the class that the rule promises."""
    if rule == "open":
        return status < 500 and status != 401
    if role == "anonymous" or (role == "student" and place.startswith("/admin/login")):
        return status == 401 if api else status == 302 and "login" in place
    if rule in ("own", "console"):
        return status < 500 and status != 401 and not (rule == "console" and role == "student")
    # What cannot be asked in this way tells nothing; the console leads back to lists that do not have it.
    return status in {"hidden": (404, 405), "superuser": (403, 405)}[rule] or place.startswith(("/admin/", "../"))


def leaked(name: str, role: str, text: str, address: str) -> list[str]:
    """Names of hidden things in an answer; what was asked for may be repeated."""
    if name in NAMES_PEOPLE and role in ("manager", "staff"):
        return []
    text = text.replace(address, "")
    return [word for word in SECRETS if word in text]


def bare(text: str, address: str) -> str:
    """The answer without what is of this one request: its address, the id in it (but not the 8 of utf-8), its token."""
    text = re.sub(rf"(?<![\w-]){re.findall('[0-9]+', address)[0]}\b", "", text.replace(address, ""))
    return re.sub(r'(csrfmiddlewaretoken" value=|"X-CSRFToken": )"[^"]*"', "", text)
