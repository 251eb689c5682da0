"""Labels judged in a folder of parts: the rows that `find_label_issues` finds of all rows at once."""

import csv
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.scale.conftest import WORDS, Answer, bytes_in, in_two_files, require_goes_on, rows_of, table_in

from limbeck.data.learned import digests_of, write_learned
from limbeck.errors import DataError, SettingsError
from limbeck.evaluation.predictions import Predictions
from limbeck.inference.answers import classes_of
from limbeck.inference.predictor import load
from limbeck.model.bundle import Bundle, save_bundle
from limbeck.model.heads import ClassificationHead
from limbeck.reading.read import read
from limbeck.review.issues import LabelIssues, find_label_issues
from limbeck.review.sheet import keep_sheet
from limbeck.scale.reviewed_parts import review_parts
from limbeck.scale.work import LabelAnswers, ScoreCounts
from limbeck.settings import HeadKind

LABELS = ("joy", "sadness", "슬픔", "joy", "sadness")
LEARNED = WORDS[:2]


def labelled(count: int, first: int = 0) -> pa.Table:
    """Return rows with labels."""
    names = [LABELS[number % len(LABELS)] for number in range(first, first + count)]
    return rows_of(count, first).append_column("label", pa.array(names))


@pytest.fixture
def judged(answer: Answer, model: Path) -> Answer:
    """Answer labelled files, in units of about 5 rows, by a model that learned from two of the texts."""
    write_learned(model / "predictions" / "learned.npy", LEARNED)
    return partial(answer, work=LabelAnswers())


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """A folder of two files with labels, 150 rows in all; the first rows alone were learned from, a piece of them."""
    return in_two_files(labelled, tmp_path / "labelled", (53, 97))


def at_once(made: pa.Table, names: tuple[str, ...]) -> LabelIssues:
    """Judge the rows of parts, all in memory."""
    return find_label_issues(
        Predictions(
            row_ids=made["row_id"].to_pylist(),
            label_names=names,
            probabilities=np.array(made["probabilities"].to_pylist(), np.float32),
            true_labels=made["label"],
            tokens=np.ones(len(made), np.int64),
            truncated=np.zeros(len(made), bool),
            texts=made["text"].to_pylist(),
        )
    )


@pytest.mark.parametrize("unit_tokens", [60, 100_000])
def test_rows_are_those_of_one_file(judged: Answer, files: Path, model: Path, tmp_path: Path, unit_tokens: int) -> None:
    """Answers are those of the model, but for rounding; of the same answers the same rows are found in the same order.

    Rows that were learned from are left out.
    """
    judged(files, unit_tokens=unit_tokens)
    ours, made = review_parts(tmp_path / "PARTS"), table_in(tmp_path / "PARTS")
    pq.write_table(labelled(150), tmp_path / "whole.parquet")
    dataset = read(tmp_path / "whole.parquet", task="single")
    answers = classes_of(load(model).predict(dataset))
    np.testing.assert_allclose(np.array(made["probabilities"].to_pylist()), answers.probabilities, atol=1e-6)
    kept = np.flatnonzero(~np.isin(digests_of(dataset.texts), digests_of(LEARNED)))
    assert (len(ours), ours.learned_rows) == (len(kept), 150 - len(kept))
    assert ours.learned_rows > 0
    theirs = at_once(made.take(kept), answers.label_names)
    assert theirs.predictions.texts == tuple(dataset.texts[row] for row in kept)
    for one, other in zip(ours.worst(99), theirs.worst(99), strict=True):
        assert vars(one) | {"reason": ""} == vars(other) | {"reason": ""}
    assert {one.row_id.split(":")[0] for one in ours.worst(99)} == {"part-1.parquet", "part-2.parquet"}
    assert ours.rows_to_review() == theirs.rows_to_review()
    assert str(ours.to_dict(0) | {"learned_rows": 0}) == str(theirs.to_dict(0) | {"learned_rows": 0})


def test_ordered_classes_are_judged_as_others(
    judged: Answer, files: Path, make_bundle: Callable[[HeadKind], Bundle], tmp_path: Path
) -> None:
    """By the probabilities that a model of ordered classes gives; --incomplete has no meaning for one label per row."""
    bundle, run = make_bundle("classification"), tmp_path / "ORDERED"
    names = ("joy", "calm", "sadness", "슬픔")  # a head of three logits has four ordered classes
    facts = replace(bundle.facts, task="ordinal", label_names=names)
    save_bundle(replace(bundle, facts=facts), run / "bundle", card="")
    write_learned(run / "predictions" / "learned.npy", LEARNED)
    judged(files, run=run)
    ours, made = review_parts(tmp_path / "PARTS"), table_in(tmp_path / "PARTS")
    kept = np.flatnonzero(~made["learned"].to_numpy())
    theirs = at_once(made.take(kept), names)
    assert len(ours) == len(kept) < 150
    for one, other in zip(ours.worst(99), theirs.worst(99), strict=True):
        assert vars(one) | {"reason": ""} == vars(other) | {"reason": ""}
    with pytest.raises(SettingsError, match=r"--incomplete is for any number of labels per row; here it is"):
        review_parts(tmp_path / "PARTS", incomplete=True)


def test_an_interrupted_run_goes_on(judged: Answer, files: Path, tmp_path: Path) -> None:
    """To the same bytes; before it is whole no label is judged."""
    require_goes_on(judged, files, tmp_path, review_parts)


def test_rows_that_were_all_learned_from_are_not_judged(judged: Answer, tmp_path: Path) -> None:
    """Their labels are what the model learned, right or wrong."""
    pq.write_table(pa.table({"text": LEARNED, "label": LABELS[:2]}), tmp_path / "learned.parquet")
    judged(tmp_path / "learned.parquet")
    with pytest.raises(DataError, match="learned from every row"):
        review_parts(tmp_path / "PARTS")


def test_models_that_cannot_judge_are_refused(
    judged: Answer, files: Path, model: Path, make_bundle: Callable[[HeadKind], Bundle], tmp_path: Path
) -> None:
    """One that does not know what it learned from, and one of numbers; before anything is computed."""
    with pytest.raises(SettingsError, match=r"which texts it learned from.*run folder"):
        judged(files, run=model / "bundle")
    bundle = make_bundle("classification")
    head = ClassificationHead(dim=bundle.loaded.config.dim, n_labels=1, initializer_range=0.5)
    facts = replace(bundle.facts, task="regression", label_names=())
    save_bundle(replace(bundle, head=head.eval(), facts=facts), tmp_path / "OTHER", card="")
    with pytest.raises(SettingsError, match=r"limbeck labels is for .*here it is a number.*limbeck report"):
        judged(files, run=tmp_path / "OTHER")
    assert not bytes_in(tmp_path / "PARTS")


def test_parts_of_other_work_hold_no_labels_to_judge(judged: Answer, files: Path, tmp_path: Path) -> None:
    """And are not taken for such."""
    judged(files, work=ScoreCounts())
    with pytest.raises(DataError, match="holds no labels with their probabilities"):
        review_parts(tmp_path / "PARTS")


def test_a_sheet_that_somebody_wrote_into_is_kept(judged: Answer, files: Path, tmp_path: Path) -> None:
    """The sheet is written where none is; one with decisions stays."""
    judged(files)
    rows, sheet = review_parts(tmp_path / "PARTS", rows=3).worst(3), tmp_path / "PARTS.csv"
    assert keep_sheet(sheet, rows)
    assert keep_sheet(sheet, rows)
    with sheet.open(encoding="utf-8-sig", newline="") as file:
        assert [row["row_id"] for row in csv.DictReader(file)] == [one.row_id for one in rows]
    sheet.write_text("decided", encoding="utf-8")
    assert not keep_sheet(sheet, rows)
    assert sheet.read_text(encoding="utf-8") == "decided"
