"""The report where the answer is not one label per row: everything is there, payloads stay text, both languages."""

import re
from pathlib import Path

import pytest
from tests.evaluation.shaped import SHAPES
from tests.reporting.report_runs import write_run
from tests.reporting.shape_runs import one_row, shape_report_of, write_shape_run
from tests.reporting.test_report import ALLOWED, OF_THE_DATA, Seen

from limbeck import storage
from limbeck.evaluation.multi_evaluation import MULTI_FIGURES
from limbeck.evaluation.ordinal_evaluation import ORDINAL_FIGURES
from limbeck.evaluation.value_evaluation import VALUE_FIGURES
from limbeck.reporting.report_words import words_in
from limbeck.reporting.run_facts import read_run, read_shape_run
from limbeck.reporting.shape_report import thresholds_of

CHARTS = {"multi": {"label_pairs"}, "ordinal": {"confusion"}, "regression": {"value_scatter", "residuals"}}
KINDS = ["multi", *(pytest.param(kind, marks=pytest.mark.slow) for kind in SHAPES if kind != "multi")]
FIGURES = {"multi": MULTI_FIGURES, "ordinal": ORDINAL_FIGURES, "regression": VALUE_FIGURES}


@pytest.mark.usefixtures("unsaved")
@pytest.mark.parametrize("method", ["probe", pytest.param("finetune", marks=pytest.mark.slow)])
@pytest.mark.parametrize("kind", KINDS)
def test_every_figure_and_chart_is_there(tmp_path: Path, kind: str, method: str) -> None:
    """Each figure of the shape by its name and value, each chart with a table beside it, each part with its heading."""
    folder = write_shape_run(tmp_path / "run", kind, method=method)
    made, run, words = shape_report_of(folder), read_shape_run(folder), words_in("en")
    assert run is not None
    curves = {"learning_curves"} if method == "finetune" else set()
    assert set(made.charts) == CHARTS[kind] | curves
    for name, one in run.validation.figures.items():
        key = "mae_steps" if (kind, name) == ("ordinal", "mae") else name
        assert words["figure_names"][key].replace("'", "&#39;") in made.html
        assert f"{one.value:.4f}".replace("-", "−") in made.html
    assert set(FIGURES[kind]) == set(run.validation.figures)
    sections = made.html.split("<h2 id=")[1:]
    assert len(sections) == len(re.findall(r"<li><a href=\"#", made.html))
    assert all("<figure>" not in html or "<table" in html for html in sections)


@pytest.mark.usefixtures("unsaved")
@pytest.mark.parametrize("kind", KINDS)
def test_payloads_of_a_shape_stay_text(tmp_path: Path, kind: str) -> None:
    """One script, ours; no handler, no element of the data's making, whatever labels and texts are called."""
    seen = Seen()
    seen.feed(shape_report_of(write_shape_run(tmp_path / "run", kind)).html)
    tags = [tag for tag, _ in seen.tags]
    assert tags.count("script") == 1
    assert "img" not in tags
    assert not [name for _, attrs in seen.tags for name in attrs if name.startswith("on")]


@pytest.mark.slow
@pytest.mark.usefixtures("unsaved")
@pytest.mark.parametrize("method", ["probe", "finetune"])
@pytest.mark.parametrize("kind", SHAPES)
def test_no_english_is_left_on_the_korean_page_of_a_shape(tmp_path: Path, kind: str, method: str) -> None:
    """Outside of data and commands, no Latin word but those of the field."""
    folder = write_shape_run(tmp_path / "run", kind, method=method)
    page, run = shape_report_of(folder, "ko"), read_shape_run(folder)
    assert run is not None
    seen = Seen()
    seen.feed(page.html)
    said = " ".join(seen.words)
    names = getattr(run.answers, "label_names", ())
    for name in (str(folder), *names, "train", "validation"):
        said = said.replace(" ".join(name.split()), " ").replace(name, " ")
    own = {"lrap", "auc", "pr"}
    assert {word.lower() for word in re.findall(r"[A-Za-z]{2,}|[A-Z]\d", said)} - ALLOWED - OF_THE_DATA - own == set()


@pytest.mark.slow
@pytest.mark.usefixtures("unsaved")
@pytest.mark.parametrize("language", ["en", "ko"])
@pytest.mark.parametrize("kind", SHAPES)
def test_a_page_of_a_single_row_says_nothing_empty(tmp_path: Path, kind: str, language: str) -> None:
    """Where nearly nothing is known there are dashes, and no nan, None or empty braces."""
    html = shape_report_of(write_shape_run(tmp_path / "run", kind, answers=one_row(kind)), language).html
    said = re.sub(r"<svg.*?</svg>|<script.*?</script>|<style.*?</style>", "", html, flags=re.DOTALL)
    assert not re.search(r"\bnan\b|\bNone\b|\binf\b", said)


def test_thresholds_that_were_chosen_later_are_told(tmp_path: Path) -> None:
    """The page says what the model does now, and that its figures are of the thresholds before."""
    later = {"label_thresholds": {"precision": 0.9, "confidence": 0.95, "rows": 77}}
    run = read_shape_run(write_shape_run(tmp_path / "run", "multi", model={"provenance": later}))
    assert run is not None
    told = thresholds_of(run)
    assert told is not None
    assert (told["low"], told["high"], told["never"]) == (0.4, 0.6, 1)
    assert told["chosen"] == {"precision": 0.9, "confidence": 0.95, "rows": 77, "since": True}


def test_a_run_of_one_label_is_another_page(tmp_path: Path) -> None:
    """`read_shape_run` leaves it to `read_run`."""
    assert read_shape_run(write_run(tmp_path / "run", 40)) is None


@pytest.mark.parametrize("kind", ["single", *SHAPES])
def test_a_run_of_several_seeds_has_the_encoder_of_the_seed_that_was_kept(tmp_path: Path, kind: str) -> None:
    """The record of such a run says what the seeds share, and the encoder stands in each seed's own."""
    folder = tmp_path / "run"
    if kind == "single":
        write_run(folder, 40, method="finetune")
    else:
        write_shape_run(folder, kind, 40, method="finetune")
    record = storage.read_json(folder / "run.json")
    storage.write_json(folder / "seeds" / "1" / "run.json", {**record, "encoder": {"name": "mine"}})
    storage.write_json(folder / "run.json", {key: value for key, value in record.items() if key != "encoder"})
    run = read_run(folder) if kind == "single" else read_shape_run(folder)
    assert run is not None
    assert run.record["encoder"] == {"name": "mine"}
