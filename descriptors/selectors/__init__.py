"""Reads: what a person sees of the tree, computed definitions, pending changes, drift, the verbs offered now."""

from descriptors.selectors.definitions import chain, computed, computed_many, folders_above, parents, pending
from descriptors.selectors.drift import drift, expectation, up_to_date
from descriptors.selectors.nodes import (
    RELATED,
    ancestors,
    counts,
    filtered,
    folder_path,
    get,
    get_many,
    inheriting,
    inside,
    listing,
    my_machines,
    nodes,
)
from descriptors.selectors.offers import allowed_from, available, not_from_here, open_operation, sources
from descriptors.selectors.records import grants_of, history, open_operations, operations, outcome, results
from descriptors.selectors.walks import matching, walk

__all__ = [
    "RELATED",
    "allowed_from",
    "ancestors",
    "available",
    "chain",
    "computed",
    "computed_many",
    "counts",
    "drift",
    "expectation",
    "filtered",
    "folder_path",
    "folders_above",
    "get",
    "get_many",
    "grants_of",
    "history",
    "inheriting",
    "inside",
    "listing",
    "matching",
    "my_machines",
    "nodes",
    "not_from_here",
    "open_operation",
    "open_operations",
    "operations",
    "outcome",
    "parents",
    "pending",
    "results",
    "sources",
    "up_to_date",
    "walk",
]
