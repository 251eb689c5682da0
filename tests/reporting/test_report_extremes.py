"""Reports of runs at the edges: nothing wrong, all wrong, three rows, one class, twelve hundred classes."""

import re
import shlex
from datetime import date
from html import unescape
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import typer
from tests.reporting.report_runs import evidence_of, write_run

from limbeck import storage
from limbeck.auditing.audit import audit
from limbeck.cli.app import app
from limbeck.evaluation.predictions import Predictions
from limbeck.reading.in_memory import from_arrow
from limbeck.reporting.report import make_report
from limbeck.reporting.report_words import words_in
from limbeck.reporting.run_facts import read_run

NOTHING = (
    r"(?<![\d.,])0 of ", r"\b0 tests", r"\bnan\b", r"[{}]", r"\b1 (rows|tests|classes|labels|parts)\b",
    r"개 중 0개", r"0 % of these are wrong", r"<tbody>\s*</tbody>", r"<ul>\s*</ul>", r"None\b(?! of)",
)  # fmt: skip
"""What must stand on no page, where the eye reads it."""


def answered(labels: list[int], said: list[int], names: tuple[str, ...] = ("no", "yes")) -> Predictions:
    """Sure answers to rows."""
    rows = len(labels)
    shares = np.full((rows, len(names)), 0.1 / max(1, len(names) - 1))
    shares[np.arange(rows), said] = 0.9 if len(names) > 1 else 1.0
    return Predictions(
        row_ids=tuple(f"validation:{row}" for row in range(rows)),
        label_names=names,
        probabilities=shares,
        true_labels=pa.array(labels, pa.int32()),
        tokens=np.full(rows, 5),
        truncated=np.zeros(rows, bool),
        texts=tuple(f"text number {row}" for row in range(rows)),
    )


RUNS = {
    "nothing wrong": answered([0, 1] * 40, [0, 1] * 40),
    "all wrong": answered([0, 1] * 40, [1, 0] * 40),
    "one class": answered([1] * 12, [1] * 11 + [0]),
    "three rows": answered([0, 1, 1], [0, 1, 0]),
    "one row": answered([1], [1]),
    "one wrong": answered([0, 1] * 30, [0, 1] * 29 + [0, 0]),
}


@pytest.fixture(autouse=True)
def only_drawn_if_named_so(request: pytest.FixtureRequest) -> None:
    """A test that draws says so by its name."""
    if "drawn" not in request.node.name:
        request.getfixturevalue("undrawn")


@pytest.mark.slow
def test_charts_of_a_single_row_are_drawn(tmp_path: Path) -> None:
    """One row is no reason to fail: every chart that there are figures for is there."""
    run = read_run(write_run(tmp_path / "r", answers=RUNS["one row"]))
    assert {"confusion", "reliability", "risk_coverage"} <= make_report(
        run, evidence_of(run), words_in("en")
    ).charts.keys()


def seen_of(html: str) -> str:
    """What the eye reads: no style, no script, no picture, and tags without what stands in them."""
    shown = re.sub(r"<(style|script|svg)\b.*?</\1>", "", html, flags=re.DOTALL)
    return unescape(re.sub(r"<(/?\w+)[^>]*>", r"<\1>", shown))


@pytest.mark.slow
@pytest.mark.parametrize("language", ["en", "ko"])
@pytest.mark.parametrize("name", RUNS)
def test_a_page_of_an_extreme_run_says_nothing_empty(tmp_path: Path, name: str, language: str) -> None:
    """No "0 of", no "1 rows", no empty table or list, no brace of a template, no nan."""
    run = read_run(write_run(tmp_path / "r", answers=RUNS[name]))
    page = seen_of(make_report(run, evidence_of(run), words_in(language)).html)
    for pattern in (*NOTHING, r"1\.000 \(1\.000–1\.000\)", r"0\.000 \(0\.000–0\.000\)"):
        found = [match.group() for match in re.finditer(f".{{0,80}}{pattern}.{{0,80}}", page)]
        assert found == []


@pytest.mark.slow
@pytest.mark.parametrize("splits", [{"train": 9, "validation": 9}, {"train": 9, "validation": 9, "test": 9}])
@pytest.mark.parametrize("name", ["nothing wrong", "three rows"])
def test_commands_on_the_page_are_commands(tmp_path: Path, name: str, splits: dict[str, int]) -> None:
    """Each is parsed by the command line itself; the test split is scored only where there is one."""
    folder = write_run(tmp_path / "a run", answers=RUNS[name])
    record = storage.read_json(folder / "run.json")
    record["data"] |= {"source": "my data.csv", "rows": splits}
    record["settings"]["read"] = {"text_column": "the text", "label_names": ["no", "yes"], "on_bad_row": "error"}
    storage.write_json(folder / "run.json", record)
    run = read_run(folder)
    page = "".join(
        make_report(run, evidence_of(run, issues=is_there), words_in("en")).html for is_there in (True, False)
    )
    commands = {unescape(found) for found in re.findall(r"<code>(limbeck [a-z].*?)</code>", page)}
    names = {shlex.split(command)[1] for command in commands}
    assert {"labels", "report", "predict"} <= names
    assert ("evaluate" in names) == ("test" in splits)
    assert ("split" in names) == ("test" not in splits)
    assert ("threshold" in names) == (name == "nothing wrong")  # of three rows nothing can be promised
    group = typer.main.get_command(app)
    for command in commands:
        words = shlex.split(command)[1:]
        with group.make_context("limbeck", list(words), resilient_parsing=False) as context:
            found = group.get_command(context, words[0])
            assert found is not None
            if not hasattr(found, "commands"):
                found.make_context(words[0], words[1:], parent=context)
        if words[0] in ("evaluate", "audit", "split"):
            assert words[1] in ("my data.csv", str(folder))
            assert words[-2:] == ["--label-names", "no,yes"]


@pytest.mark.slow
def test_what_the_audit_calls_high_stands_in_the_summary_and_in_the_limits(tmp_path: Path) -> None:
    """One text in two splits with two labels is high: both languages say so at the top and at the end, and the card."""
    run = read_run(write_run(tmp_path / "r", answers=RUNS["one wrong"]))
    table = pa.table({"text": ["same text here", "same text here", "other one", "a third"], "label": [*"abba"],
                      "split": ["train", "validation", "train", "validation"]})  # fmt: skip
    found = audit(from_arrow(table))
    high = [one for one in found.findings if one.severity == "high"]
    assert high
    evidence = evidence_of(run)
    object.__setattr__(evidence, "audit", found)
    for language, says in (("en", "In the data, of high severity"), ("ko", "데이터의 심각한 문제")):
        made = make_report(run, evidence, words_in(language))
        parts = {
            part: seen_of(made.html.split(f'id="{part}">')[1].split("</section>")[0]) for part in ("short", "limits")
        }
        title = words_in(language)["findings"].get(high[0].kind, high[0].title)
        assert [part.count(says) for part in parts.values()] == [len(high)] * 2
        assert [title in part for part in parts.values()] == [True, True]
        assert [str(one) for one in made.limits if one.kind.startswith("data_")]


@pytest.mark.slow
def test_what_training_warned_of_stands_in_the_summary(tmp_path: Path) -> None:
    """What training's own kinds of warnings mean is said in either language; one that is not known, in its words."""
    line = {"train_loss": 0.5, "accuracy": 0.7, "f1_weighted": 0.7, "f1_macro": 0.6}
    epochs = [{"epoch": 1, "validation_loss": 0.9, **line}, {"epoch": 2, "validation_loss": 0.6, **line}]
    kinds = ("never_answered", "still_falling", "few_updates", "vocabulary")
    warnings = [{"kind": kind, "text": "said elsewhere"} for kind in kinds]
    warnings.append({"kind": "of_tomorrow", "text": "Only 8 updates <b>were</b> made."})
    answers = answered([0, 1, 2] * 30, [0, 1, 0] * 30, ("a", "b", "c"))
    folder = write_run(
        tmp_path / "r", answers=answers, method="finetune", more={"epochs": epochs, "warnings": warnings}
    )
    run = read_run(folder)
    english, korean = (make_report(run, evidence_of(run), words_in(language)).html for language in ("en", "ko"))
    for page, words in (
        (english, ("still falling", "It never answers", "few optimizer steps", "vocabulary of its encoder")),
        (korean, ("줄고 있었다", "한 번도 예측하지 않은", "스텝 수가 적었다", "인코더의 어휘가")),
    ):
        short = page.split('id="short">')[1].split("</section>")[0]
        assert [word in short for word in ("Only 8 updates &lt;b&gt;were", *words)] == [True] * 5
        assert page.count("said elsewhere") == 0


def test_a_page_says_its_day_and_version(tmp_path: Path) -> None:
    """Of two reports the newer one can be told."""
    run = read_run(write_run(tmp_path / "r", answers=RUNS["three rows"]))
    for language in ("en", "ko"):
        page = make_report(run, evidence_of(run), words_in(language), made_on=date(2031, 2, 3)).html
        assert page.count("2031-02-03")
        assert bool(re.search(r"limbeck \d+\.\d+", page))


@pytest.mark.slow
def test_twelve_hundred_classes_are_a_page_of_bounded_size(tmp_path: Path) -> None:
    """Sixty classes have a line of their own, the others are counted; the figures file has no matrix of a million."""
    names = tuple(f"item {number:04d}" for number in range(1200))
    generator = np.random.default_rng(0)
    labels = list(np.arange(2400) % 1200)
    said = list(np.where(generator.random(2400) < 0.5, labels, generator.integers(1200, size=2400)))
    folder = write_run(tmp_path / "r", answers=answered(labels, said, names), resamples=20)
    run = read_run(folder)
    html = make_report(run, evidence_of(run, issues=False), words_in("en")).html
    assert len(html.encode()) < 4_000_000
    assert (folder / "metrics.json").stat().st_size < 4_000_000
    assert seen_of(html).count("1,140 more classes with fewer rows") >= 1
    assert max(part.count("<tr") for part in html.split("<table")[1:]) <= 102
