"""The console: the tree level by level, verbs as actions, definitions, grants, operations, drift, strays, network cards.

Nothing here saves a model: every change goes through `descriptors.actions`, and lists show what the person may see.
"""

from __future__ import annotations

from descriptors.admin import hosting, operations, strays, tree

__all__ = ["hosting", "operations", "strays", "tree"]
