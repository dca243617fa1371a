"""Pages of the portal. `/tree/<path>` is every node's address; `/-/` holds forms and fragments."""

from __future__ import annotations

from django.urls import path

from descriptors.web import changes, creating, doing, guest, home, importing, nodes, operations, shaping

urlpatterns = [
    path("", home.home, name="home"),
    path("tree/", nodes.node, name="root"),
    path("tree/<path:path>", nodes.node, name="node"),
    path("search/", home.search, name="search"),
    path("operations/", operations.operations, name="operations"),
    path("operations/<uuid:pk>", operations.operation, name="operation"),
    path("operations/<uuid:pk>/line", operations.line, name="operation-line"),
    path("operations/<uuid:pk>/cancel", operations.cancel, name="operation-cancel"),
    path("operations/<uuid:pk>/retry", operations.retry, name="operation-retry"),
    path("apply/", importing.apply, name="apply"),
    path("-/operations", home.last_operations, name="last-operations"),
    path("-/open", home.open_count, name="open-count"),
    path("-/folders", home.folders, name="folder-options"),
    path("-/tree/<int:node_id>", home.tree_level, name="tree-level"),
    path("-/rows", nodes.fresh_rows, name="node-rows"),
    path("-/nodes/<int:node_id>/row", nodes.row, name="node-row"),
    path("-/nodes/<int:node_id>/panel", nodes.panel, name="node-panel"),
    path("-/nodes/<int:node_id>/snapshots", guest.snapshots, name="node-snapshots"),
    path("-/nodes/<int:node_id>/console", guest.console, name="node-console"),
    path("-/nodes/<int:node_id>/counts", nodes.counts, name="node-counts"),
    path("-/nodes/<int:node_id>/ask", doing.bulk, name="ask-bulk"),
    path("-/nodes/<int:node_id>/ask/<slug:verb>", doing.ask, name="ask"),
    path("-/nodes/<int:node_id>/do/<slug:verb>", doing.do, name="do"),
    path("-/nodes/<int:node_id>/edit", changes.edit, name="node-edit"),
    path("-/nodes/<int:node_id>/new-folder", creating.new, {"kind": "folder"}, name="new-folder"),
    path("-/nodes/<int:node_id>/new-machine", creating.new, {"kind": "machine"}, name="new-machine"),
    path("-/nodes/<int:node_id>/move", shaping.move, name="node-move"),
    path("-/nodes/<int:node_id>/rename", shaping.rename, name="node-rename"),
    path("-/nodes/<int:node_id>/copy", shaping.copy, name="node-copy"),
    path("-/nodes/<int:node_id>/duplicate", shaping.duplicate, name="node-duplicate"),
    path("-/nodes/<int:node_id>/delete", shaping.remove, name="node-delete"),
    path("-/nodes/<int:node_id>/export", importing.export, name="node-export"),
    path("-/nodes/<int:node_id>/grant", changes.grant, name="node-grant"),
    path("-/nodes/<int:node_id>/revoke", changes.revoke, name="node-revoke"),
    path("-/nodes/<int:node_id>/inherit", changes.inherit, name="node-inherit"),
]
