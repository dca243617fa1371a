"""`python -m tests.docs`: writes the generated sections of the documentation."""

from __future__ import annotations

import os

import django

os.environ["DJANGO_SETTINGS_MODULE"] = "olimpus.settings.test"
django.setup()

from tests.docs.generated import ROOT, pages, refreshed  # noqa: E402 - models load after Django is set up


def main() -> None:
    """Refresh every page that has generated sections; says which ones changed."""
    for page in pages():
        before = page.read_text()
        after = refreshed(before)
        if after != before:
            page.write_text(after)
            print(f"{page.relative_to(ROOT)} written")


if __name__ == "__main__":
    main()
