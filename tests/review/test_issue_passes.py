"""Label issues found in passes over batches: those of all rows at once."""

import numpy as np
import pyarrow as pa
import pytest

from limbeck.errors import DataError
from limbeck.evaluation.predictions import Predictions
from limbeck.review.issue_passes import pass_over_labels
from limbeck.review.issues import find_label_issues


def drawn(rows: int, classes: int, seed: int, steps: int) -> tuple[np.ndarray, np.ndarray]:
    """Return probabilities, many of them equal where there are few steps, and labels of which a tenth is wrong."""
    generator = np.random.default_rng(seed)
    shares_NC = generator.dirichlet(np.full(classes, 0.4), size=rows)
    shares_NC = np.round(shares_NC * steps) + 0.5
    labels_N = np.where(generator.random(rows) < 0.1, generator.integers(classes, size=rows), shares_NC.argmax(1))
    return (shares_NC / shares_NC.sum(axis=1, keepdims=True)).astype(np.float32), labels_N


@pytest.mark.parametrize(
    ("rows", "classes", "steps", "batch"), [(1, 2, 3, 1), (37, 3, 4, 5), (900, 5, 6, 128), (900, 4, 10_000, 1_000)]
)
def test_batches_find_what_all_rows_at_once_do(rows, classes, steps, batch):
    """The same rows in the same order with the same words, and the same estimates to the last bit; ties included."""
    shares_NC, labels_N = drawn(rows, classes, rows, steps)
    labels_N[labels_N == classes - 1] = 0  # a class that no row has
    names = tuple("abcdef"[:classes])
    whole = find_label_issues(
        Predictions(
            row_ids=tuple(map(str, range(rows))),
            label_names=names,
            probabilities=shares_NC,
            true_labels=pa.array(labels_N, pa.int32()),
            tokens=np.ones(rows, np.int64),
            truncated=np.zeros(rows, bool),
        )
    )

    def batches():
        for start in range(0, rows, batch):
            yield shares_NC[start : start + batch], labels_N[start : start + batch]

    most = min(rows, 50)
    found = pass_over_labels(batches, classes, most=most)
    assert (found.rows, found.right, found.probably_wrong) == (rows, whole.right, whole.probably_wrong)
    assert found.noise.rate == whole.noise.rate
    assert found.noise.given_CC.tolist() == whole.noise.given_CC.tolist()
    assert found.learning.to_dict(names) == whole.learning.to_dict(names)
    assert [one.place for one in found.worst] == whole.order_N[:most].tolist()
    for ours, theirs in zip(found.worst, whole.worst(most), strict=True):
        assert (names[ours.label], names[ours.suggested]) == (theirs.label, theirs.suggested_label)
        assert (ours.quality, ours.flagged) == (theirs.label_quality, theirs.flagged)


def test_one_class_is_refused():
    """Nothing can be mistaken for anything."""
    with pytest.raises(DataError, match="one class"):
        pass_over_labels(lambda: iter(()), 1, most=3)
