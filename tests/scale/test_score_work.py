"""Scores in a folder of parts: the figures of `limbeck evaluate`, from counts."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.scale.conftest import Answer, bytes_in, interrupted_after, rows_of

from limbeck.errors import DataError, SettingsError, StorageError
from limbeck.inference.predictor import load
from limbeck.inference.scoring import score
from limbeck.model.bundle import Bundle, save_bundle, set_thresholds
from limbeck.reading.read import read
from limbeck.scale.scored_parts import score_parts
from limbeck.scale.work import Answers, ScoreCounts
from limbeck.settings import HeadKind

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
    folder = tmp_path / "labelled"
    folder.mkdir()
    pq.write_table(labelled(13), folder / "part-1.parquet", row_group_size=6)
    pq.write_table(labelled(27, 13), folder / "part-2.parquet", row_group_size=6)
    return folder


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
    scored(files, tmp_path / "WHOLE")
    with interrupted_after(2, tmp_path / "PARTS"):
        scored(files)
    with pytest.raises(StorageError, match="manifest"):
        score_parts(tmp_path / "PARTS")
    scored(files)
    assert bytes_in(tmp_path / "PARTS") == bytes_in(tmp_path / "WHOLE")


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


def test_a_model_that_answers_otherwise_is_refused(
    scored: Answer, files: Path, make_bundle: Callable[[HeadKind], Bundle], tmp_path: Path
) -> None:
    """Before anything is computed, with what to do instead."""
    bundle = make_bundle("classification")
    save_bundle(replace(bundle, facts=replace(bundle.facts, task="multi")), tmp_path / "OTHER", card="")
    with pytest.raises(SettingsError, match=r"into a folder of parts is for one label.*limbeck predict"):
        scored(files, run=tmp_path / "OTHER")
    assert not bytes_in(tmp_path / "PARTS")
