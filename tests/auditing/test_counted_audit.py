"""Audits of counts: what an audit tells of rows that it holds."""

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from limbeck.auditing.audit import audit
from limbeck.auditing.counted_audit import audit_of_counts
from limbeck.auditing.row_counts import TEXT_KEYS, RowCounts, counts_of_json, counts_of_rows, joined_keys, text_keys
from limbeck.auditing.rows import row_columns_of
from limbeck.data.dataset import Dataset
from limbeck.data.label_sets import LABEL_SETS
from limbeck.errors import DataError
from limbeck.settings import AuditSettings
from limbeck.task import MULTI

TEXTS = (
    "so it is",
    "no",
    "",
    "  ",
    "joy",
    "<p>fine</p>",
    "비가 온다",
    "so it is",
    "so  it is",
    "@you see http://x.y",
    "one",
)


@pytest.fixture
def rows(make_dataset) -> Dataset:
    """Two hundred rows of few texts, three labels or none, three splits."""
    drawing = np.random.default_rng(3)
    texts = [TEXTS[place] for place in drawing.integers(len(TEXTS), size=160)] + [f"text {n}" for n in range(40)]
    labels = [("joy", "sadness", "슬픔", None)[place] for place in drawing.integers(4, size=200)]
    splits = [("train", "test", "own")[place] for place in drawing.integers(3, size=200)]
    return make_dataset(texts, labels, splits)


def counted(rows: Dataset, batch: int, ranges: int):
    """Count rows in batches, and look at their keys in ranges."""
    counts, tables = RowCounts(), []
    for start in range(0, len(rows), batch):
        columns = row_columns_of(rows.select(range(start, min(start + batch, len(rows)))))
        counts.add(counts_of_json(counts_of_rows(columns).to_json()))
        tables.append(joined_keys([text_keys(columns)]))
    keys = joined_keys(tables)
    range_N = keys["high"].to_numpy() % np.uint64(ranges)  # any that hold all rows of a text
    return audit_of_counts(counts, [keys.filter(pa.array(range_N == number)) for number in range(ranges)])


def with_sets(rows: Dataset) -> Dataset:
    """Return the same rows with any number of labels each."""
    sets = {None: None, 0: [0], 1: [1, 2], 2: []}
    label = pa.array([sets[one] for one in rows.table["label"].to_pylist()], LABEL_SETS)
    return replace(rows, table=rows.table.set_column(3, "label", label), task=MULTI)


@pytest.mark.parametrize("several", [False, True])
@pytest.mark.parametrize(("batch", "ranges"), [(200, 1), (29, 5)])
def test_counts_are_those_of_an_audit(rows, batch, ranges, several):
    """Rows, classes, lengths, faults, equal texts, conflicts and leaks, of one label per row or any number."""
    rows = with_sets(rows) if several else rows
    ours, theirs = counted(rows, batch, ranges), audit(rows, AuditSettings(near=False))
    shape = theirs.shape
    assert (ours.rows, ours.splits, ours.unlabelled_rows) == (shape.rows, shape.splits, shape.unlabelled_rows)
    assert ours.classes == dict(sorted(shape.classes.items()))
    assert ours.labels_per_row == shape.labels_per_row
    assert bool(ours.labels_per_row) == several
    assert ours.words.overall == theirs.words.overall
    assert ours.words.by_class == dict(sorted(theirs.words.by_class.items()))
    assert ours.texts == len(set(rows.texts))
    exact = theirs.duplicates.exact
    assert vars(ours.duplicates) == {name: value for name, value in vars(exact).items() if name != "examples"}
    for one, other in ((ours.conflicts, theirs.conflicts.exact), (ours.leaks, theirs.leaks.exact)):
        assert vars(one) == {name: value for name, value in vars(other).items() if name != "examples"}
    assert ours.conflicts.texts > 0
    assert ours.leaks.texts > 0
    faults = {kind: (one.rows, one.share, one.by_split) for kind, one in theirs.faults.items() if kind != "no_token"}
    assert {kind: (one.rows, one.share, one.by_split) for kind, one in ours.faults.items()} == faults
    assert ours.faults["empty"].rows > 0
    assert ours.has_leaks_or_conflicts


def test_what_was_not_counted_is_named(rows):
    """In the object and in its two lines."""
    found = counted(rows, 50, 1)
    assert "nearly equal texts" in found.to_json()["not_counted"]
    assert "not counted: nearly equal texts" in repr(found)


def test_rows_that_are_none_and_labels_that_are_ids_are_refused():
    """With what to do."""
    with pytest.raises(DataError, match="no row was counted"):
        audit_of_counts(RowCounts(), [])
    ids = [["split", "train", "", 100_001], *(["class", f"{n}", "train", 1] for n in range(100_001))]
    with pytest.raises(DataError, match="must be ids"):
        audit_of_counts(counts_of_json(ids), [TEXT_KEYS.empty_table()])
