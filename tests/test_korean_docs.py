"""The Korean pages say what the English ones say: the same commands, figures, names in code and links.

Prose and comments are free; sections stand in the same order.
"""

import re
import sys
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAIRS = [
    ("README.md", "README.ko.md"),
    *(
        (f"docs/{page}.md", f"docs/{page}.ko.md")
        for page in ("tutorial", "recipes", "long_texts", "shapes", "serving", "scale")
    ),
]
SECTIONS_APART = re.compile(r"^#{1,3} .*$", re.MULTILINE)
BLOCK = re.compile(r"^```[^\n]*\n(.*?)^```$", re.DOTALL | re.MULTILINE)
TABLE = re.compile(r"<!-- ([\w-]+) -->\n(.*?)<!-- /\1 -->", re.DOTALL)
LINK = re.compile(r"\]\(([^)]+)\)")
CODE = re.compile(r"`([^`]+)`")
FIGURE = re.compile(r"(?<![A-Za-z\d.,])\d+(?:[.,]\d+)*")
HANGUL = re.compile(r"[가-힣]")
COMMENT = re.compile(r"\s+#\s.*$|^#\s.*$")
GAP = re.compile(r"\s{2,}")


@pytest.fixture(params=PAIRS, ids=lambda pair: pair[0])
def pages(request):
    """An English page and its Korean one."""
    return tuple((ROOT / name).read_text("utf-8") for name in request.param)


def prose_sections(text):
    """What stands under each heading, without code blocks and filled tables."""
    return SECTIONS_APART.split(TABLE.sub("", BLOCK.sub("", text)))


def test_code_blocks_hold_the_same_commands(pages):
    """Block by block and line by line; what follows a command, or a # sign, may be in either language."""
    english, korean = (BLOCK.findall(text) for text in pages)
    assert len(english) == len(korean), "another number of code blocks"
    for number, (ours, theirs) in enumerate(zip(english, korean, strict=True), start=1):
        ours_lines, theirs_lines = ours.splitlines(), theirs.splitlines()
        assert len(ours_lines) == len(theirs_lines), f"block {number} has another number of lines: {ours}"
        for one, other in zip(ours_lines, theirs_lines, strict=True):
            assert same_command(one, other), f"block {number}:\n  {one}\n  {other}"


def same_command(english, korean):
    """Whether two lines are the same but for what is said about them."""
    english, korean = COMMENT.sub("", english).rstrip(), COMMENT.sub("", korean).rstrip()
    if english == korean:
        return True
    parts = GAP.split(korean)
    said = next((place for place, part in enumerate(parts) if HANGUL.search(part)), None)
    return bool(said) and GAP.split(english)[:said] == parts[:said]


def test_sections_hold_the_same_figures(pages):
    """Every number of the prose, section by section."""
    compare_sections(pages, lambda section: FIGURE.findall(LINK.sub("", section)))


def test_sections_hold_the_same_names_in_code(pages):
    """Every `name` of the prose, section by section."""
    compare_sections(pages, CODE.findall)


def test_sections_link_to_the_same_places(pages):
    """Links lead to the same pages, or to their Korean twins."""
    own = {name for pair in PAIRS for name in (Path(pair[0]).name, Path(pair[1]).name)}
    compare_sections(
        pages, lambda section: [link.replace(".ko.md", ".md") for link in LINK.findall(section) if link not in own]
    )


def compare_sections(pages, find):
    english, korean = (prose_sections(text) for text in pages)
    assert len(english) == len(korean), "another number of headings"
    titles = ["before the first heading", *SECTIONS_APART.findall(TABLE.sub("", BLOCK.sub("", pages[0])))]
    for title, ours, theirs in zip(titles, english, korean, strict=True):
        found, other = Counter(find(ours)), Counter(find(theirs))
        assert found == other, f"{title}: only in English {found - other}, only in Korean {other - found}"


@pytest.fixture
def in_korean(monkeypatch):
    """How benchmarks/readme.py puts a cell into Korean."""
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    monkeypatch.delitem(sys.modules, "readme_korean", raising=False)
    from readme_korean import in_korean

    return in_korean


def test_filled_tables_are_the_same_in_korean(pages, in_korean):
    """`python benchmarks/readme.py` fills both; a table that one page lacks, or that is older, is found here."""
    english, korean = (dict(TABLE.findall(text)) for text in pages)
    assert list(english) == list(korean)
    for name, rows in english.items():
        assert in_korean(rows) == korean[name], name


def test_no_head_of_a_table_is_left_in_english(in_korean):
    """A new table's head needs its Korean words in benchmarks/readme_korean.py."""
    text = (ROOT / "README.ko.md").read_text("utf-8")
    heads = [rows.splitlines()[0] for _, rows in TABLE.findall(text) if rows.strip()]
    cells = [cell.strip() for head in heads for cell in head.strip("|").split("|")]
    names = {"`--balance`"}
    assert [cell for cell in cells if cell and cell not in names and not HANGUL.search(cell)] == []
