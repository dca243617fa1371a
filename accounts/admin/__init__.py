"""The console's pages for people, groups, tokens, failed sign-ins and the journal.

Nothing here saves a model: every change goes through `accounts.actions`.
"""

from __future__ import annotations

from accounts.admin import groups, people, records, sign_ins, tokens

__all__ = ["groups", "people", "records", "sign_ins", "tokens"]
