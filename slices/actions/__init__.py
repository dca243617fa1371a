"""Everything that can be done to slices. Each action checks rights, changes all or nothing, and writes the journal."""

from slices.actions.deploying import deploy, resume, teardown, undo
from slices.actions.drafting import save_draft
from slices.actions.making import create, describe
from slices.actions.planning import Asked, plan, shown
from slices.actions.remembering import remember
from slices.actions.visiting import enter, leave, renew

__all__ = [
    "Asked",
    "create",
    "deploy",
    "describe",
    "enter",
    "leave",
    "plan",
    "remember",
    "renew",
    "resume",
    "save_draft",
    "shown",
    "teardown",
    "undo",
]
