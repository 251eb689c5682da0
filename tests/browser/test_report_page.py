"""The report as a browser shows it."""

from pathlib import Path
from typing import Any

import pytest
from tests.browser.windows import WIDE, ZOOMED, judged
from tests.reporting.report_runs import report_of, write_run
from tests.reporting.shape_runs import shape_report_of, write_shape_run

pytestmark = pytest.mark.slow
MOST_BYTES = 5_000_000
MOST_S = 2.0


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The English page of 25,000 hostile rows, and the Korean one of a small distillation."""
    folder = tmp_path_factory.mktemp("report")
    pages = {
        "en": report_of(write_run(folder / "large", 25_000)).html,
        "ko": report_of(write_run(folder / "small", 60, method="distil"), "ko").html,
    }
    for language, html in pages.items():
        (folder / f"{language}.html").write_text(html, "utf-8")
    return {language: folder / f"{language}.html" for language in pages}


@pytest.mark.parametrize(("language", "scheme"), [("en", "light"), ("ko", "dark")])
def test_report_in_a_browser(browser: Any, files: dict[str, Path], language: str, scheme: str) -> None:
    """No console message, no request, no payload that ran, nothing that sticks out, no accessibility violation."""
    unfold = "document.querySelectorAll('main > section > details, details.twin').forEach(one => one.open = true)"
    with judged(browser, files[language], scheme) as page:
        assert "owned" not in page.title()
        assert page.locator("table.rows button").count()
        page.evaluate(unfold)


def test_a_large_report_is_small_and_soon_there(browser: Any, files: dict[str, Path]) -> None:
    """25,000 rows: under 5 MB, and loaded by less than 2 s of the processor, whatever else the machine does."""
    assert files["en"].stat().st_size < MOST_BYTES
    page = browser.new_page(viewport={"width": WIDE, "height": 800})
    counted = page.context.new_cdp_session(page)
    counted.send("Performance.enable", {"timeDomain": "threadTicks"})
    page.goto(files["en"].as_uri())
    found = {one["name"]: one["value"] for one in counted.send("Performance.getMetrics")["metrics"]}
    page.close()
    assert 0 < found["TaskDuration"] < MOST_S


def test_tables_filter_and_sort(browser: Any, files: dict[str, Path]) -> None:
    """A word, a class and a heading do what they say, and the count is told to those who cannot see."""
    page = browser.new_page(viewport={"width": WIDE, "height": 800})
    page.goto(files["en"].as_uri())
    table, tools = page.locator("table.rows").first, page.locator(".tools").first
    before = table.locator("tbody tr:visible").count()
    tools.locator("select").first.select_option(index=1)
    chosen = tools.locator("select").first.input_value()
    labels = table.locator("tbody tr:visible td:nth-child(2)").all_inner_texts()
    assert 0 < len(labels) < before
    assert {label.strip() for label in labels} == {chosen}
    assert tools.locator("[role=status]").inner_text() == f"{len(labels)} of {before} rows"
    head = table.locator("th").nth(3)
    head.locator("button").click()
    assert head.get_attribute("aria-sort") == "ascending"
    losses = [float(text) for text in table.locator("tbody tr:visible td:nth-child(4)").all_inner_texts()]
    assert losses == sorted(losses)
    page.close()


def test_everything_is_there_without_scripts(browser: Any, files: dict[str, Path]) -> None:
    """Rows, whole texts and tables can be read; there are no controls that would do nothing."""
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(files["en"].as_uri())
    assert page.locator("table.rows tbody tr").count() == 100 + 50 + 50
    assert page.locator(".tools, .rows button").count() == 0
    page.locator("details.more summary").first.click()
    assert page.locator("details.more[open] > .quoted").first.is_visible()
    context.close()


def test_it_prints(browser: Any, files: dict[str, Path]) -> None:
    """On paper: light, no controls, nothing cut off at the side, and it is said which rows are left out."""
    context = browser.new_context(viewport={"width": ZOOMED, "height": 900}, color_scheme="dark")
    page = context.new_page()
    page.goto(files["ko"].as_uri())
    page.emulate_media(media="print", color_scheme="dark")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert page.locator(".tools:visible, nav:visible, .on-dark:visible").count() == 0
    assert page.locator("table.rows").first.locator("tbody tr:visible").count() == 20
    assert "20행만" in page.locator(".paper-only:visible").first.inner_text()
    assert len(page.pdf()) > 10_000
    context.close()


@pytest.mark.parametrize(("kind", "language", "scheme"), [
    ("multi", "en", "light"), ("multi", "ko", "dark"), ("ordinal", "en", "dark"), ("ordinal", "ko", "light"),
    ("regression", "en", "light"), ("regression", "ko", "dark"),
])  # fmt: skip
def test_report_of_a_shape_in_a_browser(browser: Any, tmp_path: Path, kind: str, language: str, scheme: str) -> None:
    """The pages of labels, ordered classes and numbers, with hostile labels and texts: as that of one label per row."""
    page_file = tmp_path / "report.html"
    page_file.write_text(shape_report_of(write_shape_run(tmp_path / "run", kind), language).html, "utf-8")
    with judged(browser, page_file, scheme, asks_axe=language == "en") as page:
        assert "owned" not in page.title()
        page.evaluate("document.querySelectorAll('main > section > details, details.twin').forEach(o => o.open = true)")
