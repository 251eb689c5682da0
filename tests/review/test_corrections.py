"""Corrections: decisions that fit are put in, and any that does not stops all of them."""

import csv
import json
from dataclasses import replace
from itertools import permutations

import pyarrow as pa
import pytest

from limbeck import read
from limbeck.errors import DataError
from limbeck.reading.in_memory import from_arrow
from limbeck.review.corrections import apply_corrections, correct
from limbeck.review.sheet import Decision, Sheet

TEXTS = ["i feel fine", "so sad\r\ntoday", "=1+1 😀", "x" * 33_000]


@pytest.fixture
def dataset():
    table = pa.table(
        {"text": TEXTS, "label": ["joy", "joy", "sadness", "joy"], "split": ["train"] * 3 + ["validation"]}
    )
    return from_arrow(table)


def decided(row_id, new_label, *, label="joy", suggested="sadness", text=None, line=2):
    return Decision(
        line=line,
        row_id=row_id,
        text=text,
        label=label,
        suggested_label=suggested,
        new_label=new_label,
        label_quality="0.01",
    )


def sheet(*decisions, encoding="utf-8"):
    return Sheet(decisions=decisions, encoding=encoding)


def ids(dataset):
    return dataset.row_ids


def test_decided_labels_change_and_nothing_else(dataset):
    """One accepted, one typed in another case, one kept: the log says so, other columns and rows stay."""
    one, two, three, four = ids(dataset)
    found = correct(
        dataset,
        sheet(decided(one, "ok"), decided(two, None), decided(four, "SADNESS"), decided(three, "joy", label="sadness")),
    )
    assert found.dataset.label_name_list() == ["sadness", "joy", "joy", "sadness"]
    assert found.dataset.texts == dataset.texts
    assert found.dataset.row_ids == dataset.row_ids
    assert [(row["row_id"], row["label"], row["new_label"]) for row in found.changes.to_pylist()] == [
        (one, "joy", "sadness"),
        (three, "sadness", "joy"),
        (four, "joy", "sadness"),
    ]
    counts = found.to_dict()
    assert (counts["reviewed"], counts["changed"], counts["kept"], counts["suggestions_taken"]) == (4, 3, 1, 2)
    assert counts["changed_by_split"] == {"train": 2, "validation": 1}
    assert counts["changed_by_pair"] == {"joy → sadness": 2, "sadness → joy": 1}
    assert str(found.dataset.notes[-2]).startswith("labels corrected after review: 3")
    assert "'SADNESS'" in str(found.dataset.notes[-1])


def test_what_a_spreadsheet_does_to_a_text_is_forgiven(dataset):
    """Line ends, a cell cut at Excel's limit, characters that cp949 lacks."""
    _, two, three, four = ids(dataset)
    found = correct(
        dataset,
        sheet(
            decided(two, "ok", text="so sad\ntoday"),
            decided(three, "joy", label="sadness", text="=1+1 ??"),
            decided(four, "ok", text="x" * 32_767),
            encoding="cp949",
        ),
    )
    assert found.changes.num_rows == 3


def test_confirming_a_label_is_no_change(dataset):
    """A reviewer who writes the label that stands there keeps it."""
    found = correct(dataset, sheet(decided(ids(dataset)[0], "joy")))
    assert (found.changes.num_rows, found.kept) == (0, 1)
    assert found.dataset.fingerprint() == dataset.fingerprint()


@pytest.mark.parametrize("order", list(permutations(["joy", "ok", None])))
def test_a_contradiction_is_found_in_any_order(dataset, order):
    """A line that confirms the label and one that changes it cannot both hold, whichever comes first."""
    one = ids(dataset)[0]
    lines = [decided(one, new_label, line=place) for place, new_label in enumerate(order, 2)]
    with pytest.raises(DataError, match="decided twice"):
        correct(dataset, sheet(*lines))


@pytest.mark.parametrize("new_label", ["joy", "ok", "sadness"])
def test_the_same_decision_twice_is_no_contradiction(dataset, new_label):
    """A row that was copied in the sheet changes its label once."""
    one = ids(dataset)[0]
    found = correct(dataset, sheet(decided(one, new_label), decided(one, new_label, line=3)))
    assert found.changes.num_rows + found.kept == 2


@pytest.mark.parametrize(
    ("stands", "other", "written"),
    [("true", "false", "TRUE"), ("café", "tea", "cafe\u0301"), ("joy", "sad", "ｊｏｙ"), ("joy", "sad", "joy\u200b")],
)
def test_labels_that_a_spreadsheet_respelled_still_fit(stands, other, written):
    """The label that stood, the suggested and the new one: each is met by name, and a note says so."""
    data = from_arrow(pa.table({"text": ["a", "b"], "label": [stands, other]}))
    first, second = data.row_ids
    new = correct(data, sheet(decided(second, written, label=other, suggested=None)))
    accepted = correct(data, sheet(decided(second, "ok", label=other, suggested=written)))
    old = correct(data, sheet(decided(first, other, label=written, suggested=None)))
    assert new.dataset.label_name_list() == accepted.dataset.label_name_list() == [stands, stands]
    assert old.dataset.label_name_list() == [other, other]
    assert "spelled in another way" in str(new.dataset.notes[-1])
    assert "spelled in another way" in str(old.dataset.notes[-1])


def test_the_very_name_goes_before_one_that_is_like_it():
    """Two classes that differ in case only are both reached, and a third spelling is refused: nobody knows which."""
    data = from_arrow(pa.table({"text": ["a", "b", "c"], "label": ["Joy", "joy", "sad"]}))
    first, _, third = data.row_ids
    for name in ("Joy", "joy"):
        found = correct(data, sheet(decided(third, name, label="sad")))
        assert found.dataset.label_name_list()[2] == name
    with pytest.raises(DataError, match="is no class"):
        correct(data, sheet(decided(third, "JOY", label="sad")))
    with pytest.raises(DataError, match="when the label was 'joy'"):
        correct(data, sheet(decided(first, "sad", label="joy")))


def test_a_class_named_ok_is_a_class():
    """A label map's own names go before the words of acceptance."""
    named = from_arrow(pa.table({"text": ["a", "b", "c"], "label": ["ok", "bad", "odd"]}))
    found = correct(named, sheet(decided(named.row_ids[1], "ok", label="bad", suggested="odd")))
    assert found.dataset.label_name_list() == ["ok", "ok", "odd"]


def test_every_decision_that_does_not_fit_is_told_and_nothing_changes(dataset):
    """Ids, texts, labels, classes, contradictions: all of them in one error."""
    one, two, three, _ = ids(dataset)
    with pytest.raises(DataError) as caught:
        correct(
            dataset,
            sheet(
                decided("train:99", None),
                decided(one, "sad"),
                decided(two, "ok", text="another text", line=7),
                decided(three, "joy", label="joy"),
                decided(three, "ok", label="sadness", suggested=None),
                decided(one, "ok"),
                decided(one, "joy"),
            ),
        )
    message = str(caught.value)
    assert "(6 faults)" in message
    assert "nothing was changed" in message
    assert "'train:99': no row has this id" in message
    assert "did you mean 'sadness'?" in message
    assert "line 7" in message
    assert "the label was 'joy'; it is 'sadness'" in message
    assert "the row has no suggested_label" in message
    assert "decided twice" in message


@pytest.mark.parametrize(("real", "written"), [("0012", "12"), ("7", "7.0")])
def test_ids_that_a_spreadsheet_changed_are_guessed_at_but_not_taken(real, written):
    """The message names the id that was probably meant."""
    table = pa.table({"row_id": [real, "x"], "text": ["a", "b"], "label": ["joy", "sadness"]})
    with pytest.raises(DataError, match=f"{real!r}"):
        correct(from_arrow(table), sheet(decided(written, "ok")))


def test_the_folder_reads_back_as_the_corrected_data(dataset, tmp_path):
    """Data, the log for a spreadsheet, the counts; formula injection is neutralised in the log."""
    one, _, three, _ = ids(dataset)
    reviewed = replace(
        sheet(decided(one, "ok"), decided(three, "joy", label="sadness")), origin={"sheet": "review.csv"}
    )
    found = apply_corrections(dataset, reviewed, tmp_path / "out")
    again = read(tmp_path / "out" / "data")
    assert again.fingerprint() == found.dataset.fingerprint()
    counts = json.loads((tmp_path / "out" / "labels.json").read_text("utf-8"))
    assert (counts["sheet"], counts["changed"], counts["fingerprint"]) == ("review.csv", 2, again.fingerprint())
    with (tmp_path / "out" / "changes.csv").open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["new_label"] for row in rows] == ["sadness", "joy"]
    assert rows[1]["text"] == "'=1+1 😀"
