"""Label votes: which labels the equal and the nearly equal texts of each row carry.

In: texts and labels. Out: `evaluation.label_votes.LabelVotes`. It does not know which label is right.
"""

import numpy as np
import pyarrow as pa

from limbeck.audit.characters import one_array
from limbeck.audit.grouping import group_equal
from limbeck.audit.near import DEFAULT_THRESHOLD, find_near_duplicates
from limbeck.evaluation.label_votes import LabelVotes
from limbeck.progress import SILENT, Progress


def count_votes(
    texts: pa.Array | pa.ChunkedArray,
    labels_N: np.ndarray,
    classes: int,
    *,
    near_threshold: float = DEFAULT_THRESHOLD,
    progress: Progress = SILENT,
) -> LabelVotes:
    """Count for each row the labels of the other rows that say the same.

    Args:
        texts: N texts.
        labels_N: their labels, 0 … C-1.
        classes: C.
        near_threshold: least similarity of near-duplicates, see `near`.
        progress: follows the search for near-duplicates.

    Example:
        >>> count_votes(pa.array(["so it is", "so it is", "no"]), np.array([0, 1, 1]), 2).equal_NC.tolist()
        [[0, 1], [1, 0], [0, 0]]
    """
    near = find_near_duplicates(texts, threshold=near_threshold, progress=progress)
    first_N = group_equal(one_array(texts))
    rows = len(labels_N)
    # By text, each told by its first row.
    by_text_NC = np.zeros((rows, classes), dtype=np.int64)
    np.add.at(by_text_NC, (first_N, labels_N), 1)
    near_NC, near_rows_NC = np.zeros((rows, classes)), np.zeros((rows, classes), dtype=np.int64)
    one, other = near.pairs[:, 0], near.pairs[:, 1]
    for here, there in ((one, other), (other, one)):
        np.add.at(near_NC, here, near.similarity[:, None] * by_text_NC[there])
        np.add.at(near_rows_NC, here, by_text_NC[there])
    own_NC = np.zeros((rows, classes), dtype=np.int64)
    own_NC[np.arange(rows), labels_N] = 1
    pairs_P = near.similarity * by_text_NC[one].sum(axis=1) * by_text_NC[other].sum(axis=1)
    agreeing_P = near.similarity * (by_text_NC[one] * by_text_NC[other]).sum(axis=1)
    return LabelVotes(
        equal_NC=by_text_NC[first_N] - own_NC,
        near_NC=near_NC[first_N],
        near_rows_NC=near_rows_NC[first_N],
        group_N=near.group,
        agreement=float((agreeing_P.sum() + 1) / (pairs_P.sum() + 2)),
    )
