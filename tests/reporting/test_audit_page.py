import re
import struct
from collections.abc import Callable
from datetime import date
from html.parser import HTMLParser
from pathlib import Path

import pyarrow as pa
import pytest

import limbeck
from limbeck.auditing.audit import Audit, audit
from limbeck.data.dataset import CORE_SCHEMA, Dataset
from limbeck.reporting.audit_charts import audit_charts
from limbeck.reporting.audit_page import FAULT_NAMES, audit_page, write_audit
from limbeck.reporting.page import commands, inline_svg, seen
from limbeck.reporting.picture import Picture

PAYLOADS = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(2)>',
    "</style><script>alert(3)</script>",
    "javascript:alert(4)",
    "{{ 7 * 7 }}{% raw %}",
    "</title><svg onload=alert(5)>",
    "a\u202eb\x1b[31m",
)


class Tags(HTMLParser):
    """Collects what a browser would take for elements and attributes."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))


def hostile_dataset() -> Dataset:
    """Payloads in texts, labels, splits, row ids and the source."""
    texts = ["한국어 문장이 여기 있다", *PAYLOADS] * 2
    names = (*PAYLOADS[:5], "기쁨")
    table = pa.table(
        {
            "row_id": [f"{place}<script>" for place in range(len(texts))],
            "split": pa.array(["train"] * 8 + ["<b>test</b>"] * 8, pa.string()).dictionary_encode(),
            "text": texts,
            "label": [place % 6 for place in range(len(texts))],
        },
        schema=CORE_SCHEMA,
    )
    return Dataset(table=table, label_names=names, source="<script>alert('source')</script>.csv")


@pytest.fixture
def make_dataset_of() -> Callable[[list[str]], Dataset]:
    """Make a dataset of different short texts from its labels."""

    def make(labels: list[str]) -> Dataset:
        names = tuple(sorted(set(labels)))
        place = {name: number for number, name in enumerate(names)}
        table = pa.table(
            {
                "row_id": [str(number) for number in range(len(labels))],
                "split": pa.array(["train"] * len(labels)).dictionary_encode(),
                "text": [f"{number * 7919} is a number, {number * 104729} too" for number in range(len(labels))],
                "label": [place[label] for label in labels],
            },
            schema=CORE_SCHEMA,
        )
        return Dataset(table=table, label_names=names, source="memory")

    return make


@pytest.fixture(scope="module")
def hostile(tiny_tokenizer) -> Audit:
    return audit(hostile_dataset(), tokenizers={"<script>tiny": tiny_tokenizer})


@pytest.fixture(scope="module")
def charts(hostile: Audit) -> dict[str, Picture]:
    """Its charts, drawn once."""
    return audit_charts(hostile)


@pytest.mark.slow
def test_payloads_stay_text(hostile: Audit, charts: dict[str, Picture]) -> None:
    """No script, no handler, no element of the data's making; the words themselves are shown."""
    page = audit_page(hostile, charts, absent_tokenizers=("<script>absent",))
    parser = Tags()
    parser.feed(page)
    names = {tag for tag, _ in parser.tags}
    assert "script" not in names
    assert "img" not in names
    assert "b" not in {tag for tag, attributes in parser.tags if attributes} - {"b"}
    assert not [name for _, attributes in parser.tags for name in attributes if name.startswith("on")]
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "{{ 7 * 7 }}" in page
    assert "49{%" not in page
    assert "\u202e" not in page
    assert "\x1b" not in page


def test_page_asks_for_nothing(hostile: Audit, charts: dict[str, Picture]) -> None:
    """Every address in the page is a fragment of itself, and the page forbids itself to load or run."""
    page = audit_page(hostile, charts)
    parser = Tags()
    parser.feed(page)
    addresses = [
        value or ""
        for _, attributes in parser.tags
        for name, value in attributes.items()
        if name in ("href", "src", "xlink:href", "srcset", "action", "data")
    ]
    assert addresses
    assert all(address.startswith("#") or address == "data:," for address in addresses)
    assert "default-src 'none'" in page
    assert "url(http" not in page
    assert "@import" not in page


def test_ids_are_unique(hostile: Audit, charts: dict[str, Picture]) -> None:
    """Four charts on one page share no id, and every reference inside finds its own."""
    page = audit_page(hostile, charts)
    parser = Tags()
    parser.feed(page)
    ids = [attributes["id"] for _, attributes in parser.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    references = set(re.findall(r'href="#([^"]+)"|url\(#([^)]+)\)', page))
    assert {one or other for one, other in references} <= set(ids)


def test_charts_follow_the_pages_theme(hostile: Audit, charts: dict[str, Picture]) -> None:
    """No colour of the light theme is left in an inlined chart."""
    from limbeck.reporting.themes import LIGHT

    for name, picture in charts.items():
        svg = str(inline_svg(picture, name))
        assert LIGHT.ink not in svg
        assert "var(--chart-ink)" in svg
        assert 'role="img"' in svg


@pytest.mark.slow
def test_a_page_of_thousands_of_classes_stays_small(make_dataset_of) -> None:
    """The largest classes are shown and the others counted; audit.json has them all."""
    found = audit(make_dataset_of([f"class {place // 2}" for place in range(4000)]))
    page = audit_page(found, {})
    assert "And 1,960 more classes with 3,920 rows together" in page
    assert len(page) < 150_000
    assert len(found.to_json()["shape"]["classes"]) == 2000


def test_a_page_names_its_day_and_links_findings_to_sections(hostile: Audit) -> None:
    """Which of two audits is newer can be seen; each finding leads to the section that tells more."""
    page = audit_page(hostile, {}, made_on=date(2026, 3, 9))
    assert "2026-03-09" in page
    assert limbeck.__version__ in page
    assert "Made by limbeck" in audit_page(hostile, {})
    targets = re.findall(r'<h3><a href="#(\w+)">', page)
    assert len(targets) == len(hostile.findings)
    assert all(f'id="{target}"' in page for target in targets if target != "reading")


def test_every_fault_has_a_name(hostile: Audit) -> None:
    """The page's table names each kind that the audit counts."""
    assert list(FAULT_NAMES) == list(hostile.faults)


def test_korean_is_written_as_it_is(hostile: Audit, charts: dict[str, Picture]) -> None:
    """Hangul stands in page and chart description."""
    page = audit_page(hostile, charts)
    assert "기쁨" in page
    assert "한국어 문장이" in page


def test_a_page_without_charts_tokens_or_labels(tmp_path: Path) -> None:
    """The least there is: one row, no label, no tokenizer."""
    table = pa.table(
        {"row_id": ["1"], "split": pa.array(["train"]).dictionary_encode(), "text": [""], "label": [None]},
        schema=CORE_SCHEMA,
    )
    found = audit(Dataset(table=table, label_names=(), source="memory"))
    files = write_audit(found, tmp_path)
    assert [file.name for file in files] == ["audit.html", "audit.json"]
    assert [file.name for file in write_audit(found, tmp_path / "bare", page=False)] == ["audit.json"]


@pytest.mark.slow
def test_charts_are_written_as_svg_and_png(hostile: Audit, tmp_path: Path) -> None:
    """Each chart as two files of its kind, large enough to read."""
    write_audit(hostile, tmp_path)
    names = {file.name for file in (tmp_path / "charts").iterdir()}
    stems = ("class_frequency", "words", "tokens")
    assert names == {f"{stem}.{kind}" for stem in stems for kind in ("svg", "png")}
    for stem in stems:
        content = (tmp_path / "charts" / f"{stem}.png").read_bytes()
        assert content.startswith(b"\x89PNG")
        width, height = struct.unpack(">II", content[16:24])
        assert width > 600
        assert height > 200


def test_seen_shows_what_cannot_be_seen() -> None:
    """Controls and direction marks by number; markup and backticks stay text."""
    assert str(seen("a\u200b<b>")) == 'a<span class="code">U+200B</span>&lt;b&gt;'
    assert str(commands("run `limbeck <x>` now")) == "run <code>limbeck &lt;x&gt;</code> now"
    assert str(seen(None)) == '<span class="none">(none)</span>'
