"""Labels together: counted by hand, and never more than a page holds."""

import numpy as np
import pyarrow as pa
from tests.evaluation.shaped import shaped

from limbeck.evaluation.labels_together import MOST_TOGETHER, PAIRS_TOLD, find_labels_together
from limbeck.evaluation.multi_predictions import MultiPredictions


def test_pairs_are_counted_by_hand():
    """Two of three red rows are round; the model gives both to one of them, and to the row that is neither."""
    found = find_labels_together(
        MultiPredictions(
            row_ids=("1", "2", "3", "4"),
            label_names=("red", "round"),
            probabilities=np.array([[0.9, 0.9], [0.9, 0.1], [0.9, 0.1], [0.9, 0.9]]),
            true_labels=pa.array([[0, 1], [0, 1], [0], []], pa.large_list(pa.int32())),
            tokens=np.ones(4),
            truncated=np.zeros(4, bool),
        )
    )
    (pair,) = found.pairs
    assert (pair.one, pair.other, pair.rows, pair.given) == ("round", "red", 2, 2)
    assert (pair.share, pair.given_share) == (1.0, 1.0)
    np.testing.assert_allclose(found.shares_KK, [[1, 2 / 3], [1, 1]])
    assert found.rows_K.tolist() == [3, 2]


def test_many_labels_stay_a_table():
    """Of 60 labels those that share the most rows are looked at, and the pairs with the most rows are told."""
    generator = np.random.default_rng(0)
    has_NC = generator.random((80, 60)) < np.linspace(0.02, 0.5, 60)
    found = find_labels_together(
        MultiPredictions(
            row_ids=tuple(map(str, range(80))),
            label_names=tuple(f"label {label}" for label in range(60)),
            probabilities=np.where(has_NC, 0.9, 0.1),
            true_labels=pa.array([np.flatnonzero(row).tolist() for row in has_NC], pa.large_list(pa.int32())),
            tokens=np.ones(80),
            truncated=np.zeros(80, bool),
        )
    )
    assert (len(found.names), len(found.pairs), found.of) == (MOST_TOGETHER, PAIRS_TOLD, 60)
    assert found.names[-1] == "label 59"
    assert [one.rows for one in found.pairs] == sorted((one.rows for one in found.pairs), reverse=True)
    assert all(one.rows == one.given for one in found.pairs)


def test_shares_are_those_of_rows():
    """Of every pair the share is that of the rows with the first label, whichever stands where."""
    answers = shaped("multi", rows=90)
    true_NC = answers.known_targets
    for pair in find_labels_together(answers).pairs:
        one, other = (true_NC[:, answers.label_names.index(name)] for name in (pair.one, pair.other))
        assert pair.share == (one & other).sum() / one.sum()
        assert one.sum() <= other.sum()
