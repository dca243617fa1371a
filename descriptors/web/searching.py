"""Finding nodes: the page, and what is suggested as one types. Words in any order, whatever their case."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from django.core.paginator import Paginator
from django.db.models import Case, IntegerField, Q, QuerySet, Value, When
from django.db.models.functions import Length, Lower
from django.http import HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.utils.http import urlencode
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_GET

from accounts.models import User
from descriptors import feed, selectors
from descriptors.models import Kind, Node
from descriptors.states import CHOICES
from descriptors.templatetags.portal import tree_url
from descriptors.web.doors import SignedIn, door, page
from descriptors.web.rows import Row, rows_of
from olimpus.errors import NotFound

PAGE: Final = 50
SUGGESTIONS: Final = 8
MOST_CHARACTERS, MOST_WORDS = 200, 8
KINDS: Final = {Kind.DESCRIPTOR.value: _("Machines"), Kind.FOLDER.value: _("Folders")}


@dataclass(frozen=True)
class Query:
    """What is looked for. A text with slashes is a path, of whose segments only parts need be given: `tel/sam/we`."""

    text: str
    kind: str = ""
    states: tuple[str, ...] = ()

    @classmethod
    def read(cls, given: QueryDict) -> Query:
        """From a query string; what makes no sense is left out."""
        text = " ".join(given.get("q", "").split())[:MOST_CHARACTERS]
        kind = given.get("kind", "")
        states = tuple(state for state, _label in CHOICES if state in given.getlist("state"))
        return cls(text, kind if kind in KINDS else "", states)

    @property
    def words(self) -> list[str]:
        """What must all be found."""
        parts = self.text.split("/") if "/" in self.text else self.text.split()
        return [part.strip() for part in parts if part.strip()][:MOST_WORDS]

    def address(self, **changes: Any) -> str:
        """The search page's query string with some of it changed; `state` shows or hides one state."""
        kind, states = changes.get("kind", self.kind), set(self.states)
        if "state" in changes:
            states ^= {changes["state"]}
        pairs = [("q", self.text), ("kind", kind), *(("state", state) for state, _label in CHOICES if state in states)]
        return urlencode([(name, value) for name, value in pairs if value])


@door
@require_GET
def search(request: SignedIn) -> HttpResponse:
    """Nodes for a text; a whole path opens its page at once."""
    query = Query.read(request.GET)
    if query.text.startswith("/"):
        try:
            return redirect(tree_url(selectors.get(request.user, query.text).path))
        except NotFound:
            pass  # not a whole path: search for it as a part of one
    cursor = feed.last_id()
    found = Paginator(matching(request.user, query), PAGE).get_page(request.GET.get("page"))
    rows = rows_of(found.object_list, request.user)
    context = {
        "feed_cursor": cursor,
        "search_text": query.text,
        "marked_words": query.words,
        "query": query,
        "chips": chips(query),
        "found": found,
        "rows": rows,
        "show_path": True,
        "base": "",
        "feed_paths": [row.node.path for row in rows],
    }
    return page(request, "portal/search.html", context)


def chips(query: Query) -> list[dict[str, Any]]:
    """What narrows the search: {"label" or "state", "query", "active"}."""
    kinds = [{"label": _("All"), "query": query.address(kind=""), "active": not query.kind}]
    kinds += [
        {"label": label, "query": query.address(kind=kind), "active": query.kind == kind}
        for kind, label in KINDS.items()
    ]
    states = [
        {"state": state, "query": query.address(state=state), "active": state in query.states}
        for state, _label in CHOICES
    ]
    return kinds if query.kind == Kind.FOLDER else [*kinds, *states]


@door
@require_GET
def suggest(request: SignedIn) -> HttpResponse:
    """The first few nodes for a text, as options of a list box; the last one opens the page with all."""
    query = Query.read(request.GET)
    nodes = list(matching(request.user, query)[: SUGGESTIONS + 1])
    context = {"rows": plain_rows(nodes[:SUGGESTIONS]), "more": len(nodes) > SUGGESTIONS, "query": query}
    return render(request, "components/suggestions.html", context | {"marked_words": query.words})


def plain_rows(nodes: Sequence[Node]) -> list[Row]:
    """Rows of which only name, path and state are shown; no query."""
    return [Row(node, None if node.is_folder else node.descriptor) for node in nodes]


def matching(user: User, query: Query) -> QuerySet[Node]:
    """Visible nodes for a query, the likeliest first: the name itself, names that begin so, short paths. None for no text.

    Every word is in the path and at least one in the name, so that the name of a course does not find all its machines.
    """
    nodes, words = selectors.nodes(user), [word.lower() for word in query.words]
    if not words:
        return nodes.none()
    nodes = nodes.alias(lower_path=Lower("path"), lower_name=Lower("name")).filter(_fits(query, words))
    if query.states:
        nodes = nodes.filter(descriptor__state__in=query.states)
    if query.kind:
        nodes = nodes.filter(kind=query.kind)
    return nodes.annotate(rank=_rank(query.text.lower(), words[-1])).order_by("rank", Length("path"), "path")


def _fits(query: Query, words: Sequence[str]) -> Q:
    everywhere = Q(*(_contains("path", word) for word in words))
    if "/" not in query.text:
        return everywhere & Q(*(_contains("name", word) for word in words), _connector=Q.OR)
    if len(words) == 1:
        return _contains("path", query.text.lower())
    return everywhere if query.text.endswith("/") else everywhere & _contains("name", words[-1])


def _contains(column: str, word: str) -> Q:
    """A condition: the word is in the column. Accents typed are also found as plain letters."""
    if word.isascii():
        return Q((f"lower_{column}__contains", word))
    # Databases lower ASCII letters only, or none under a binary collation: each letter is looked for in both cases.
    return Q((f"{column}__regex", "".join(map(_either, word))))


def _either(letter: str) -> str:
    if not letter.isalpha():
        return re.escape(letter)
    plain = unicodedata.normalize("NFD", letter)[0]
    return (
        f"[{''.join(sorted({letter, letter.upper(), plain, plain.upper()}))}]" if len(letter.upper()) == 1 else letter
    )


def _rank(text: str, word: str) -> Case:
    """As typed in a path, then the name itself, then names that begin so."""
    ranks = [When(lower_name=word, then=Value(1)), When(lower_name__startswith=word, then=Value(2))]
    if "/" in text:
        ranks.insert(0, When(lower_path__contains=text, then=Value(0)))
    return Case(*ranks, default=Value(3), output_field=IntegerField())
