"""Pages of lists. Apart from `olimpus.api`: DRF reads this setting while it is still being imported itself."""

from __future__ import annotations

from rest_framework.pagination import PageNumberPagination


class Pagination(PageNumberPagination):
    """`?page=` and `?page_size=` (50 by default, 500 at most)."""

    page_size = 50
    page_size_query_param = "page_size"
    max_page_size = 500
