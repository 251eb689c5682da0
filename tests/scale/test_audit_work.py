"""Counts of an audit in a folder of parts: those of all rows at once."""

from functools import partial
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.scale.conftest import Answer, bytes_in, in_two_files, require_goes_on, rows_of

from limbeck.auditing.audit import audit
from limbeck.errors import DataError, SettingsError
from limbeck.reading.read import read
from limbeck.scale.audited_parts import audit_parts
from limbeck.scale.parts_answers import predict_to_parts
from limbeck.scale.parts_request import PartsRequest
from limbeck.scale.scale_settings import ScaleSettings
from limbeck.scale.work import Answers, AuditCounts
from limbeck.settings import AuditSettings

LABELS = ("joy", "sadness", "슬픔", None, "joy")


def labelled(count: int, first: int = 0) -> pa.Table:
    """Return rows with labels, some without one, and one without a text."""
    rows = rows_of(count, first)
    texts = ["" if first + place == 17 else text for place, text in enumerate(rows["text"].to_pylist())]
    names = [LABELS[number % len(LABELS)] for number in range(first, first + count)]
    return rows.set_column(1, "text", pa.array(texts)).append_column("label", pa.array(names, pa.string()))


@pytest.fixture
def count(answer: Answer) -> Answer:
    """Count files, in this process, in units of a few rows; there is no model."""
    return partial(answer, work=AuditCounts(), run="", unit_tokens=1_200)


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """A folder of two files, 150 rows in all; many texts stand in both."""
    return in_two_files(labelled, tmp_path / "labelled", (53, 97))


@pytest.mark.parametrize(("unit_tokens", "keys_at_once"), [(1_200, 7), (1_000_000, 1_000)])
def test_counts_are_those_of_one_file(
    count: Answer, files: Path, tmp_path: Path, unit_tokens: int, keys_at_once: int
) -> None:
    """Across files, whatever the size of units, and however few keys are held at a time."""
    made = count(files, unit_tokens=unit_tokens)
    ours = audit_parts(tmp_path / "PARTS", keys_at_once=keys_at_once)
    pq.write_table(labelled(150), tmp_path / "whole.parquet")
    rows = read(tmp_path / "whole.parquet", task="single", on_bad_row="mend", labels="optional")
    theirs = audit(rows, AuditSettings(near=False))
    assert (made.rows, ours.rows, ours.texts) == (150, 150, len(set(rows.texts)))
    assert ours.classes == dict(sorted(theirs.shape.classes.items()))
    assert ours.unlabelled_rows == theirs.shape.unlabelled_rows
    assert ours.words.overall == theirs.words.overall
    for one, other in (
        (ours.duplicates, theirs.duplicates.exact),
        (ours.conflicts, theirs.conflicts.exact),
        (ours.leaks, theirs.leaks.exact),
    ):
        assert vars(one) == {name: value for name, value in vars(other).items() if name != "examples"}
    assert (ours.faults["empty"].rows, theirs.faults["empty"].rows) == (1, 1)


def test_splits_are_told_apart(count: Answer, tmp_path: Path) -> None:
    """A text in two of them is a leak, also where they stand in two files."""
    rows = labelled(30).append_column("split", pa.array(["train"] * 20 + ["test"] * 10))
    pq.write_table(rows.slice(0, 20), tmp_path / "part-1.parquet")
    pq.write_table(rows.slice(20), tmp_path / "part-2.parquet")
    count(tmp_path / "part-*.parquet")
    found = audit_parts(tmp_path / "PARTS")
    assert {name: split.rows for name, split in found.splits.items()} == {"train": 20, "test": 10}
    assert found.leaks.texts == found.leaks.pairs["train/test"] > 0


def test_sets_of_labels_are_told_apart_across_files(count: Answer, tmp_path: Path) -> None:
    """Where rows have any number of labels: a set is the same in files that have other labels beside it."""
    sets = (["joy"], ["sadness", "joy"], [], None, ["슬픔"], ["joy", "sadness"])
    rows = rows_of(60)
    cells = [sets[(number // 6 + number) % (3 if number < 30 else 6)] for number in range(60)]
    rows = rows.append_column("label", pa.array(cells, pa.list_(pa.string())))
    pq.write_table(rows.slice(0, 30), tmp_path / "part-1.parquet", row_group_size=6)
    pq.write_table(rows.slice(30), tmp_path / "part-2.parquet", row_group_size=6)
    count(tmp_path / "part-*.parquet", task="multi")
    ours = audit_parts(tmp_path / "PARTS")
    pq.write_table(rows, tmp_path / "whole.parquet")
    whole = read(tmp_path / "whole.parquet", task="multi", on_bad_row="mend", labels="optional")
    theirs = audit(whole, AuditSettings(near=False))
    assert ours.classes == dict(sorted(theirs.shape.classes.items()))
    assert ours.labels_per_row == theirs.shape.labels_per_row
    exact = theirs.conflicts.exact
    assert (ours.conflicts.texts, ours.conflicts.rows) == (exact.texts, exact.rows)
    assert ours.conflicts.label_pairs == exact.label_pairs
    assert set(exact.label_pairs) == {"joy", "sadness", "슬픔"}


def test_an_interrupted_run_goes_on(count: Answer, files: Path, tmp_path: Path) -> None:
    """To the same bytes; before it is whole nothing is told."""
    require_goes_on(count, files, tmp_path, audit_parts)


def test_other_labels_and_other_parts_are_refused(answer: Answer, files: Path, tmp_path: Path) -> None:
    """Numbers before anything is computed; parts of answers hold no counts."""
    request = PartsRequest(
        source=str(files),
        run="",
        out=tmp_path / "PARTS",
        scale=ScaleSettings(on="here"),
        reading={"task": "regression"},
        work=AuditCounts(),
    )
    with pytest.raises(SettingsError, match="limbeck audit into a folder of parts is for one label"):
        predict_to_parts(request)
    assert not bytes_in(tmp_path / "PARTS")
    pq.write_table(rows_of(3), tmp_path / "few.parquet")
    answer(tmp_path / "few.parquet", tmp_path / "ANSWERS", work=Answers())
    with pytest.raises(DataError, match="holds no counts of an audit"):
        audit_parts(tmp_path / "ANSWERS")
