"""Predictions: one value a row, in order, with what is unknown left unknown."""

import numpy as np
import pyarrow as pa
import pytest

from limbeck.errors import DataError, SettingsError
from limbeck.evaluation.prediction_files import read_predictions, write_predictions
from limbeck.evaluation.predictions import Predictions


def made(**changes):
    """Three rows of three classes; the label of the second is not known."""
    facts = {
        "row_ids": ("a", "b", "c"),
        "label_names": ("sadness", "joy", "love"),
        "probabilities": np.array([[0.2, 0.7, 0.1], [0.4, 0.4, 0.2], [0.1, 0.1, 0.8]]),
        "true_labels": pa.array([1, None, 0], pa.int32()),
        "tokens": np.array([5, 6, 7]),
        "truncated": np.array([False, True, False]),
    }
    return Predictions(**(facts | changes))


def test_table_has_the_documented_columns():
    """Names, order and types of the columns are what `to_arrow` documents."""
    assert made(texts=("x", "y", "z")).to_arrow(top_k=2).schema == pa.schema(
        {
            "row_id": pa.large_string(),
            "text": pa.large_string(),
            "true_label": pa.string(),
            "prediction": pa.string(),
            "probability": pa.float32(),
            "probability.sadness": pa.float32(),
            "probability.joy": pa.float32(),
            "probability.love": pa.float32(),
            "loss": pa.float32(),
            "margin": pa.float32(),
            "tokens": pa.int32(),
            "truncated": pa.bool_(),
            "top_1.label": pa.string(),
            "top_1.probability": pa.float32(),
            "top_2.label": pa.string(),
            "top_2.probability": pa.float32(),
        }
    )


def test_unsure_rows_keep_their_label():
    """A model with thresholds has a column `unsure` after `prediction`; the most probable label stays beside it."""
    table = made(unsure=np.array([False, True, False])).to_arrow()
    assert table.column_names[1:5] == ["true_label", "prediction", "probability", "unsure"]
    assert table["unsure"].to_pylist() == [False, True, False]
    assert table["prediction"].to_pylist() == ["joy", "sadness", "love"]
    assert "unsure" not in made().to_arrow().column_names
    with pytest.raises(DataError, match="unsure have shape"):
        made(unsure=np.array([True]))


def test_an_unsure_row_has_no_answer():
    """`answers` is None where the model is unsure, else the name; `predicted_names` is never None."""
    unsure = made(unsure=np.array([False, True, False]))
    assert unsure.answers == ["joy", None, "love"]
    assert unsure.predicted_names == made().answers == ["joy", "sadness", "love"]


def test_unknown_labels_have_no_loss():
    """A row without a label has null for label and loss; the others have minus the logarithm."""
    table = made().to_arrow()
    assert table["true_label"].to_pylist() == ["joy", None, "sadness"]
    assert table["prediction"].to_pylist() == ["joy", "sadness", "love"]
    loss = table["loss"].to_pylist()
    assert loss[1] is None
    assert [loss[0], loss[2]] == pytest.approx([-np.log(0.7), -np.log(0.1)], rel=1e-6)
    margin = table["margin"].to_pylist()
    assert margin[1] is None
    assert [margin[0], margin[2]] == pytest.approx([0.5, -0.7], abs=1e-6)
    assert made().labelled_rows.tolist() == [0, 2]
    assert made().known_labels.tolist() == [1, 0]


def test_top_k_is_sorted_and_breaks_ties_by_label():
    """Most probable first; of equals the lower label, as `predicted` has it."""
    top = made().top_k(3)
    assert top.labels.tolist() == [[1, 0, 2], [0, 1, 2], [2, 0, 1]]
    assert top.probabilities[0] == pytest.approx([0.7, 0.2, 0.1])
    np.testing.assert_array_equal(made().top_k(1).labels[:, 0], made().predicted)


@pytest.mark.parametrize("k", [0, 4, -1])
def test_top_k_out_of_range_is_refused(k):
    """There are no more labels than classes."""
    with pytest.raises(SettingsError, match=f"top-k is {k}: expected 1 to 3"):
        made().top_k(k)


def test_column_of_a_dataset_is_taken_as_true_labels():
    """A chunked column, as `Dataset.table["label"]` is, fits."""
    column = pa.chunked_array([pa.array([1], pa.int32()), pa.array([None, 0], pa.int32())])
    assert made(true_labels=column).to_arrow().equals(made().to_arrow())


def test_no_rows_is_a_table_of_no_rows():
    """Predicting an empty file gives an empty table with all columns."""
    empty = Predictions(
        row_ids=(),
        label_names=("a", "b"),
        probabilities=np.zeros((0, 2)),
        true_labels=pa.array([], pa.int32()),
        tokens=np.zeros(0),
        truncated=np.zeros(0),
    )
    assert empty.to_arrow().num_rows == 0
    assert len(empty.to_arrow().column_names) == 7


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"row_ids": ("a", "b")}, r"probabilities have shape \(3, 3\), expected \(2, 3\)"),
        ({"tokens": np.array([1])}, r"tokens have shape \(1,\), expected \(3,\)"),
        ({"texts": ("x",)}, r"texts have shape \(1,\), expected \(3,\)"),
        ({"label_names": ("a", "b", "a")}, "a label name is given twice"),
        ({"true_labels": pa.array([0, 1, 3])}, "true label 3, expected 0 to 2"),
        ({"probabilities": np.ones((3, 3))}, "a row is no probability distribution"),
    ],
)
def test_parts_that_do_not_fit_are_refused(changes, message):
    """Predictions whose parts do not belong together cannot be made."""
    with pytest.raises(DataError, match=message):
        made(**changes)


def test_what_is_not_known_has_no_column():
    """Rows without labels have no `true_label`, `loss` or `margin`: nobody has to wonder at empty columns."""
    table = made(true_labels=pa.nulls(3, pa.int32())).to_arrow()
    assert table.column_names == [
        "row_id", "prediction", "probability", "probability.sadness", "probability.joy", "probability.love", "tokens",
        "truncated",
    ]  # fmt: skip
    assert table["probability"].to_pylist() == pytest.approx([0.7, 0.4, 0.8])


def test_the_columns_of_the_rows_come_first():
    """They stand before the answers, in their order; one that is named as an answer is gets a prefix, none is lost."""
    names = ["review id", "label", "probability.joy", "tokens", "input.tokens", "top_1.label", "text"]
    others = pa.table({name: ["1", "2", "3"] for name in names})
    table = made(others=others, texts=("x", "y", "z")).to_arrow(top_k=1)
    assert table.column_names[:9] == [
        "row_id", "text", "review id", "label", "input.probability.joy", "input.input.tokens", "input.tokens",
        "input.top_1.label", "input.text",
    ]  # fmt: skip
    assert len(set(table.column_names)) == len(table.column_names)
    with pytest.raises(DataError, match="other columns have shape"):
        made(others=others.slice(1))


@pytest.mark.parametrize("suffix", [".parquet", ".jsonl", ".csv"])
def test_texts_that_were_not_read_are_known_again(tmp_path, suffix):
    """A text of mostly unknown tokens, or of none, is unread; a file keeps the counts; without counts none is."""
    found = made(tokens=np.array([2, 4, 6]), unknown=np.array([0, 1, 1]))
    assert found.unread.tolist() == [True, True, False]
    write_predictions(tmp_path / f"a{suffix}", found)
    assert read_predictions(tmp_path / f"a{suffix}").unread.tolist() == [True, True, False]
    assert not made().unread.any()
