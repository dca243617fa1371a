"""Everything that can be done to the tree and its machines. Every door calls these and nothing below.

Each action checks the actor's rights, changes rows in one transaction, writes the journal in it, and raises
`olimpus.errors` without having changed anything.
"""

from descriptors.actions.adoption import adopt, preview_adoption
from descriptors.actions.applying import ApplyPlan, apply, export, plan_apply
from descriptors.actions.cancelling import cancel, retry_failed
from descriptors.actions.consoles import Ticket, ask_console
from descriptors.actions.deploying import deploy_machine, deploy_slice, require_place
from descriptors.actions.editing import EditPlan, Preview, edit, plan_edit, preview_edit
from descriptors.actions.granting import grant, grant_many, revoke, set_inherit_grants
from descriptors.actions.making import MOST_AT_ONCE, create_descriptors
from descriptors.actions.planning import ShapePlan, plan_copy, plan_move
from descriptors.actions.rehearsing import BREAK, break_machine
from descriptors.actions.requesting import request, request_many
from descriptors.actions.shaping import copy, create_descriptor, create_folder, duplicate, move, remove, rename

__all__ = [
    "BREAK",
    "MOST_AT_ONCE",
    "ApplyPlan",
    "EditPlan",
    "Preview",
    "ShapePlan",
    "Ticket",
    "adopt",
    "apply",
    "ask_console",
    "break_machine",
    "cancel",
    "copy",
    "create_descriptor",
    "create_descriptors",
    "create_folder",
    "deploy_machine",
    "deploy_slice",
    "duplicate",
    "edit",
    "export",
    "grant",
    "grant_many",
    "move",
    "plan_apply",
    "plan_copy",
    "plan_edit",
    "plan_move",
    "preview_adoption",
    "preview_edit",
    "remove",
    "rename",
    "request",
    "request_many",
    "require_place",
    "retry_failed",
    "revoke",
    "set_inherit_grants",
]
