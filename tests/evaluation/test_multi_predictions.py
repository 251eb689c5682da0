"""Predictions of several labels a row: what is decided, what is known, what the table says."""

import numpy as np
import pyarrow as pa
import pytest

from limbeck.data.label_sets import sets_of_indicators
from limbeck.errors import DataError, SettingsError
from limbeck.evaluation.label_thresholds import NEVER_GIVEN
from limbeck.evaluation.multi_predictions import MultiPredictions, targets_of

NAMES = ("joy", "love", "슬픔")


def made(**more):
    """Four rows: two labels, one, none, and labels that are not known."""
    facts = {
        "row_ids": ("a", "b", "c", "d"),
        "label_names": NAMES,
        "probabilities": np.array([[0.9, 0.6, 0.1], [0.2, 0.5, 0.1], [0.1, 0.2, 0.3], [0.4, 0.4, 0.4]]),
        "true_labels": pa.array([[0, 1], [2], [], None], pa.large_list(pa.int32())),
        "tokens": np.arange(4) + 3,
        "truncated": np.zeros(4, bool),
        "texts": ("i feel fine", "so so", "no", "?"),
    }
    return MultiPredictions(**(facts | more))


def test_without_thresholds_a_half_decides_and_with_them_they_do():
    """At or above: 0.5 is given at 0.5; a label that is never given is not given at 1."""
    assert made().answers == [("joy", "love"), ("love",), (), ()]
    low = made(thresholds=[0.15, 0.55, 0.3])
    assert low.answers == [("joy", "love"), ("joy",), ("슬픔",), ("joy", "슬픔")]
    assert made(thresholds=[0.5, 0.5, NEVER_GIVEN], probabilities=np.ones((4, 3))).answers == [("joy", "love")] * 4


def test_decisions_that_are_given_stand_whatever_the_thresholds():
    """As where a parent is implied by its child; and they follow the rows."""
    decided = np.array([[1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 1, 1]], bool)
    found = made(decided=decided, thresholds=[0.5] * 3)
    assert found.answers == [("joy",), ("love",), ("슬픔",), NAMES]
    assert found.first(2).answers == [("joy",), ("love",)]


def test_a_row_with_no_labels_is_known_and_a_missing_one_is_not():
    """[] is a row with none and is judged; null is not known and is left out."""
    found = made()
    assert found.labelled_rows.tolist() == [0, 1, 2]
    assert found.known_targets.tolist() == [[True, True, False], [False, False, True], [False, False, False]]
    assert found.true_names == [("joy", "love"), ("슬픔",), (), None]
    assert "3 with known labels, 2 of them wholly right" in repr(found)


def test_table_has_lists_of_names_and_counts_what_is_wrong():
    """One line a row; null where the true labels are not known."""
    table = made(others=pa.table({"tokens": ["x"] * 4, "page": [1, 2, 3, 4]})).to_arrow(top_k=1)
    assert table.column_names[:6] == ["row_id", "text", "input.tokens", "page", "true_labels", "predictions"]
    assert table["true_labels"].to_pylist() == [["joy", "love"], ["슬픔"], [], None]
    assert table["predictions"].to_pylist() == [["joy", "love"], ["love"], [], []]
    assert table["wrong_labels"].to_pylist() == [0, 2, 0, None]
    assert table["top_1.label"].to_pylist() == ["joy", "love", "슬픔", "joy"]
    unknown = made(true_labels=pa.nulls(4, pa.large_list(pa.int32()))).to_arrow()
    assert "true_labels" not in unknown.column_names


def test_lists_and_truths_are_the_same():
    """There and back, sliced ones too."""
    truths = np.random.default_rng(0).random((50, 7)) < 0.3
    lists = sets_of_indicators(truths)
    np.testing.assert_array_equal(targets_of(lists, 7), truths)
    np.testing.assert_array_equal(targets_of(lists[13:31], 7), truths[13:31])
    assert sets_of_indicators(np.zeros((2, 3), bool)).to_pylist() == [[], []]


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"probabilities": np.full((4, 3), 1.5)}, "not logits"),
        ({"probabilities": np.zeros((4, 2))}, "3 thresholds for 2 labels|probabilities have shape"),
        ({"thresholds": [0.5]}, "1 thresholds for 3 labels|thresholds have shape"),
        ({"true_labels": pa.array([[3], [], [], []], pa.large_list(pa.int32()))}, "a true label is 3, expected 0 to 2"),
        ({"label_names": ("a", "a", "b")}, "given twice"),
        ({"tokens": [1]}, "tokens have shape"),
    ],
)
def test_what_does_not_fit_is_refused(wrong, message):
    """Other shapes, logits and unknown labels are errors that say what was expected."""
    with pytest.raises(DataError, match=message):
        made(**wrong)


def test_top_k_is_of_all_labels():
    """Given or not, the most probable first; more than there are is refused."""
    assert made().top_k(2).labels.tolist() == [[0, 1], [1, 0], [2, 1], [0, 1]]
    with pytest.raises(SettingsError, match="top-k is 4"):
        made().top_k(4)


def test_no_row_shows_itself():
    """An empty answer has lines too."""
    empty = made().first(0)
    assert "Predictions of 0 rows" in repr(empty)
