"""docs/index.md leads to every page, and no link of a page leads nowhere."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
LINK = re.compile(r"\]\(([^)#\s]+)[^)]*\)")
PAGES = [*sorted(ROOT.glob("*.md")), *sorted(DOCS.rglob("*.md"))]


def links_of(page):
    return [link for link in LINK.findall(page.read_text("utf-8")) if "://" not in link]


def test_the_index_lists_every_page():
    """A new page in docs/ needs its line there; decisions have a line together."""
    index = DOCS / "index.md"
    listed = {(DOCS / link).resolve() for link in links_of(index)} | {index}
    assert [page.name for page in sorted(DOCS.glob("*.md")) if page.resolve() not in listed] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(page):
    """Every relative link names a file of the project."""
    assert [link for link in links_of(page) if not (page.parent / link).exists()] == []
