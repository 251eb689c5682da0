"""Scores in a folder of parts: the figures of `limbeck evaluate`, from counts."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.scale.conftest import Answer, bytes_in, in_two_files, require_goes_on, rows_of

from limbeck.errors import DataError, SettingsError
from limbeck.inference.predictor import load
from limbeck.inference.scoring import score
from limbeck.model.bundle import Bundle, save_bundle, set_thresholds
from limbeck.model.heads import ClassificationHead
from limbeck.reading.read import read
from limbeck.scale.scored_parts import score_parts
from limbeck.scale.work import Answers, ScoreCounts
from limbeck.settings import HeadKind, TaskKind

LABELS = ("joy", "sadness", "슬픔", "joy", "joy", "sadness", "joy")


def labelled(count: int, first: int = 0) -> pa.Table:
    """Return rows with labels; of some units all rows have one."""
    names = [LABELS[number % len(LABELS)] for number in range(first, first + count)]
    return rows_of(count, first).append_column("label", pa.array(names))


@pytest.fixture
def scored(answer: Answer) -> Answer:
    """Count files, in this process, in units of about 5 rows."""
    return partial(answer, work=ScoreCounts())


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """A folder of two files with labels, 40 rows in all."""
    return in_two_files(labelled, tmp_path / "labelled", (13, 27))


@pytest.mark.parametrize("unit_tokens", [1, 40, 100_000])
def test_figures_are_those_of_evaluate(
    scored: Answer, files: Path, model: Path, tmp_path: Path, unit_tokens: int
) -> None:
    """For the same rows, whatever the size of units."""
    set_thresholds(model / "bundle", (0.4, 0.35, 0.4), chosen=None)
    found = scored(files, unit_tokens=unit_tokens)
    ours = score_parts(tmp_path / "PARTS")
    pq.write_table(labelled(40), tmp_path / "whole.parquet")
    theirs = score(load(model), read(tmp_path / "whole.parquet", task="single"))
    assert found.rows == ours.evaluation.rows == 40
    np.testing.assert_array_equal(ours.evaluation.confusion_counts, theirs.evaluation.confusion_counts)
    assert str(ours.evaluation.per_class) == str(theirs.evaluation.per_class)  # NaN is never equal
    assert ours.evaluation.f1_macro == theirs.evaluation.f1_macro
    assert ours.evaluation.baseline == theirs.evaluation.baseline
    assert ours.evaluation.log_loss.value == pytest.approx(theirs.evaluation.log_loss.value, abs=1e-6)
    assert ours.evaluation.calibration.ece.value == pytest.approx(theirs.evaluation.calibration.ece.value, abs=1e-6)
    assert ours.answered is not None
    assert ours.answered == theirs.answered


def test_an_interrupted_run_goes_on(scored: Answer, files: Path, tmp_path: Path) -> None:
    """To the same bytes; before it is whole there is no figure."""
    require_goes_on(scored, files, tmp_path, score_parts)


def test_a_label_that_the_model_does_not_know_sets_its_unit_aside(scored: Answer, tmp_path: Path) -> None:
    """With its name; a file that changed is refused, as ever."""
    table = labelled(20)
    names = [*table["label"].to_pylist()[:10], "fury", *table["label"].to_pylist()[11:]]
    source = tmp_path / "texts.parquet"
    pq.write_table(table.set_column(3, "label", pa.array(names)), source, row_group_size=6)
    found = scored(source)
    with pytest.raises(DataError, match="fury"):
        found.require_whole(tmp_path / "PARTS")
    pq.write_table(table, source, row_group_size=6)
    with pytest.raises(DataError, match="was changed"):
        scored(source)


def test_rows_of_one_split_are_scored(scored: Answer, tmp_path: Path) -> None:
    """The one that is named; where rows have splits, one must be."""
    table = labelled(20).append_column("split", pa.array(["train"] * 12 + ["test"] * 8))
    pq.write_table(table, tmp_path / "texts.parquet", row_group_size=6)
    with pytest.raises(SettingsError, match="--split"):
        scored(tmp_path / "texts.parquet")
    scored(tmp_path / "texts.parquet", tmp_path / "TEST", work=ScoreCounts(split="test"))
    assert score_parts(tmp_path / "TEST").evaluation.rows == 8
    scored(tmp_path / "texts.parquet", tmp_path / "NONE", work=ScoreCounts(split="dev"))
    with pytest.raises(DataError, match="no row was counted"):
        score_parts(tmp_path / "NONE")


def test_parts_of_answers_hold_no_counts(answer: Answer, files: Path, tmp_path: Path) -> None:
    """And are not taken for such."""
    answer(files, work=Answers())
    with pytest.raises(DataError, match="holds no counts"):
        score_parts(tmp_path / "PARTS")


SHAPES: dict[TaskKind, tuple[dict[str, Any], list[Any]]] = {
    "ordinal": ({"median_label": "2"}, ["1", "2", "3", "1"]),
    "multi": ({"label_shares": [0.5, 0.3, 0.2]}, [["1"], ["2", "3"], [], ["1", "2"]]),
    "regression": ({"mean_number": 2.0}, [1.0, 2.5, 3.0, 0.5]),
}


@pytest.mark.parametrize("task", list(SHAPES))
def test_figures_of_other_shapes_are_those_of_evaluate(
    scored: Answer, make_bundle: Callable[[HeadKind], Bundle], tmp_path: Path, task: TaskKind
) -> None:
    """Ordered classes, several labels and numbers, but for the figures that are named as not counted."""
    provenance, truths = SHAPES[task]
    bundle = make_bundle("classification")
    names = {"regression": (), "multi": ("1", "2", "3")}.get(task, ("1", "2", "3", "4"))
    facts = replace(bundle.facts, task=task, label_names=names, provenance={**bundle.facts.provenance, **provenance})
    if task == "regression":
        head = ClassificationHead(dim=bundle.loaded.config.dim, n_labels=1, initializer_range=0.5)
        bundle = replace(bundle, head=head.eval())
    save_bundle(replace(bundle, facts=facts), tmp_path / "OTHER", card="")
    folder = tmp_path / "labelled"
    folder.mkdir()
    table = rows_of(40).append_column("label", pa.array([truths[number % len(truths)] for number in range(40)]))
    pq.write_table(table, tmp_path / "whole.parquet")
    pq.write_table(table.slice(0, 13), folder / "part-1.parquet", row_group_size=6)
    pq.write_table(table.slice(13), folder / "part-2.parquet", row_group_size=6)
    scored(folder, run=tmp_path / "OTHER")
    found = score_parts(tmp_path / "PARTS")
    how = {"label_order": names} if task == "ordinal" else {}
    theirs = score(load(tmp_path / "OTHER"), read(tmp_path / "whole.parquet", task=task, **how)).evaluation
    assert type(found.evaluation) is type(theirs)
    assert bool(found.not_counted) == (task != "ordinal")
    left_out = {"spearman", "auc_pr"}
    ours, whole = found.evaluation.to_dict(), theirs.to_dict()
    figures = [name for name in theirs.figures if name not in left_out]  # type: ignore[union-attr]
    assert {name: ours[name] for name in figures} == pytest.approx({name: whole[name] for name in figures}, abs=1e-5)
    assert {ours.get(name) for name in left_out} == {None}


def test_a_model_that_does_not_state_its_baseline_is_refused(
    scored: Answer, files: Path, make_bundle: Callable[[HeadKind], Bundle], tmp_path: Path
) -> None:
    """Before anything is computed, with what to do instead."""
    bundle = make_bundle("classification")
    save_bundle(replace(bundle, facts=replace(bundle.facts, task="multi")), tmp_path / "OTHER", card="")
    with pytest.raises(SettingsError, match=r"does not state the label_shares.*without --out"):
        scored(files, run=tmp_path / "OTHER")
    assert not bytes_in(tmp_path / "PARTS")
