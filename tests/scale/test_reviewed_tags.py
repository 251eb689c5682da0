"""Label sets judged in a folder of parts: the pairs that `review_tags` finds of all rows at once."""

import csv
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.scale.conftest import WORDS, Answer, in_two_files, require_goes_on, rows_of, table_in

from limbeck.data.learned import digests_of, write_learned
from limbeck.evaluation.multi_predictions import MultiPredictions
from limbeck.inference.predictor import load
from limbeck.model.bundle import Bundle, save_bundle
from limbeck.reading.read import read
from limbeck.review.corrections import apply_corrections
from limbeck.review.sheet import keep_sheet, sheet_rows
from limbeck.review.tag_issues import TagIssues, review_tags
from limbeck.scale.reviewed_parts import review_parts
from limbeck.scale.reviewed_tags import PartsTags
from limbeck.scale.work import LabelAnswers
from limbeck.settings import HeadKind

SETS: tuple[list[str], ...] = (["joy"], ["joy", "sadness"], [], ["슬픔", "joy"], ["sadness"])
LEARNED = WORDS[:2]


def labelled(count: int, first: int = 0) -> pa.Table:
    """Return rows with any number of labels, also none."""
    sets = [SETS[number % len(SETS)] for number in range(first, first + count)]
    return rows_of(count, first).append_column("label", pa.array(sets, pa.list_(pa.string())))


@pytest.fixture
def several(make_bundle: Callable[[HeadKind], Bundle], tmp_path: Path) -> Path:
    """A run folder of a tiny model of any number of labels, which learned from two of the texts."""
    bundle, run = make_bundle("classification"), tmp_path / "SEVERAL"
    save_bundle(replace(bundle, facts=replace(bundle.facts, task="multi")), run / "bundle", card="")
    write_learned(run / "predictions" / "learned.npy", LEARNED)
    return run


@pytest.fixture
def judged(answer: Answer, several: Path) -> Answer:
    """Answer labelled files, in units of about 5 rows."""
    return partial(answer, work=LabelAnswers(), run=several)


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """A folder of two files with labels, 150 rows in all."""
    return in_two_files(labelled, tmp_path / "labelled", (53, 97))


def at_once(parts: Path, names: tuple[str, ...], *, incomplete: bool) -> TagIssues:
    """Review the rows of a folder of parts that were not learned from, all in memory."""
    made = table_in(parts)
    made = made.filter(pa.array(~np.isin(digests_of(made["text"].to_pylist()), digests_of(LEARNED))))
    return review_tags(
        MultiPredictions(
            row_ids=tuple(made["row_id"].to_pylist()),
            label_names=names,
            probabilities=np.array(made["probabilities"].to_pylist(), np.float32),
            true_labels=made["label"],
            tokens=np.ones(len(made), np.int64),
            truncated=np.zeros(len(made), bool),
            texts=tuple(made["text"].to_pylist()),
        ),
        incomplete=incomplete,
    )


@pytest.mark.parametrize("incomplete", [False, True])
@pytest.mark.parametrize("unit_tokens", [60, 100_000])
def test_pairs_are_those_of_rows_in_memory(
    judged: Answer, files: Path, several: Path, tmp_path: Path, unit_tokens: int, incomplete: bool
) -> None:
    """The model's answers, but for rounding; of the same answers the same pairs in the same order, and the same sheet.

    Rows that were learned from are left out.
    """
    judged(files, unit_tokens=unit_tokens)
    ours, made = review_parts(tmp_path / "PARTS", incomplete=incomplete), table_in(tmp_path / "PARTS")
    assert isinstance(ours, PartsTags)
    pq.write_table(labelled(150), tmp_path / "whole.parquet")
    dataset = read(tmp_path / "whole.parquet", task="multi")
    answers = load(several).predict(dataset)
    assert isinstance(answers, MultiPredictions)
    np.testing.assert_allclose(np.array(made["probabilities"].to_pylist()), answers.probabilities, atol=1e-6)
    assert made["label"].to_pylist() == answers.true_labels.to_pylist()
    theirs = at_once(tmp_path / "PARTS", answers.label_names, incomplete=incomplete)
    assert (len(ours), len(ours) + ours.learned_rows) == (len(theirs), 150)
    assert ours.learned_rows > 0
    count = ours.rows_to_review()
    assert count == theirs.rows_to_review() > 0
    told = ours.to_dict(count)
    assert told.pop("learned_rows") == ours.learned_rows
    assert {one.pop("out_of_fold") for list_ in ("missing", "superfluous") for one in told[list_]} == {False}
    whole = theirs.to_dict(count)
    assert {one.pop("out_of_fold") for list_ in ("missing", "superfluous") for one in whole[list_]} == {True}
    assert told == whole
    assert repr(ours) == repr(theirs)
    for one, other in zip(sheet_rows(ours, count), sheet_rows(theirs, count), strict=True):
        assert one == replace(other, reason=other.reason.replace("out of fold the model", "the model"))


def test_an_interrupted_run_goes_on(judged: Answer, files: Path, tmp_path: Path) -> None:
    """To the same bytes; before it is whole no label is judged."""
    require_goes_on(judged, files, tmp_path, review_parts)


def test_the_sheet_comes_back_into_the_rows(judged: Answer, tmp_path: Path) -> None:
    """Of one file: ok adds each label that is missing, and takes out each that is too many; nothing else changes."""
    source = tmp_path / "rows.parquet"
    pq.write_table(labelled(40), source)
    judged(source)
    found, sheet = review_parts(tmp_path / "PARTS", rows=12), tmp_path / "PARTS.csv"
    assert isinstance(found, PartsTags)
    assert keep_sheet(sheet, sheet_rows(found, 12))
    decide_ok(sheet)
    dataset = read(source, task="multi")
    corrected = apply_corrections(dataset, sheet)
    expected = dict(zip(dataset.row_ids, map(set, dataset.label_name_sets()), strict=True))
    for pair in found.worst_of_both(12):
        expected[pair.row_id] ^= {pair.label}
    assert [set(one) for one in corrected.dataset.label_name_sets()] == list(expected.values())
    assert {pair.mistake for pair in found.worst_of_both(12)} == {"missing", "superfluous"}


def decide_ok(sheet: Path) -> None:
    """Write ok into every cell of new_label."""
    with sheet.open(encoding="utf-8-sig", newline="") as file:
        rows: list[dict[str, Any]] = [row | {"new_label": "ok"} for row in csv.DictReader(file)]
    with sheet.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
