"""Votes: what rows with the same text, or nearly the same, are labelled.

In: texts and labels; what the label noise is. Out: `LabelVotes`, the labels of each row's equal and near-duplicate
texts; probabilities of the true label with those votes taken into account; the votes in words.
It does not know models, nor which label is right.

Each vote is one more label that somebody gave to the text. An equal text has the same true label, so its label is as
good a witness as the row's own: P(vote | k) as in `noise`. A near-duplicate may truly be of another class ("i
feel happy", "i feel unhappy"), so its vote counts as much as such pairs are seen to agree in these very data.

    log posterior(k) = log p(k) + log P(given | k) + Σ equal votes log P(vote | k) + Σ near votes log A(vote | k)

A has the agreement `a` on its diagonal and (1 - a) / (C - 1) off it; a near vote weighs its similarity. Rows without
votes keep the order that they had.
"""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from limbeck.auditing.characters import one_array
from limbeck.auditing.grouping import group_equal
from limbeck.auditing.near import find_near_duplicates
from limbeck.progress import SILENT, Progress
from limbeck.review.noise import LabelNoise
from limbeck.settings import NEAR_THRESHOLD

MOST_VOTES = 3.0
"""What all equal, or all near, votes of a row weigh together at most: a hundred copies of one boilerplate, labelled in
one go, are no hundred witnesses."""


@dataclass(frozen=True, kw_only=True, eq=False)
class LabelVotes:
    """Labels of the other rows that say the same.

    Shapes: N rows, C classes.

    Attributes:
        equal_NC: other rows with the very same text, by their label, int64.
        near_NC: rows with a nearly equal text, by their label, each counted by its similarity, float64.
        near_rows_NC: the same, each counted as one, int64.
        group_N: rows with equal or nearly equal texts share a number, int64.
        agreement: share of near pairs whose labels agree, weighed by similarity, 0 to 1; 0.5 of nothing.
    """

    equal_NC: np.ndarray
    near_NC: np.ndarray
    near_rows_NC: np.ndarray
    group_N: np.ndarray
    agreement: float

    def disagree(self, labels_N: np.ndarray) -> np.ndarray:
        """Tell which rows have an equal or a near-duplicate text with another label, bool (N,)."""
        others_NC = self.equal_NC + self.near_rows_NC
        others_NC[np.arange(len(labels_N)), labels_N] = 0
        return np.asarray(others_NC.sum(axis=1) > 0)

    def say(self, row: int, label: int, label_names: tuple[str, ...]) -> tuple[str, ...]:
        """Say the votes against a row's label: "an equal text is labelled sadness"."""
        said = []
        for votes_NC, one, many in (
            (self.equal_NC, "an equal text is", "{count} equal texts are"),
            (self.near_rows_NC, "a nearly equal text is", "nearly equal texts are"),
        ):
            for other in np.argsort(-votes_NC[row], kind="stable"):
                if other != label and votes_NC[row, other] > 0:
                    several = votes_NC[row, other] > 1
                    words = many.format(count=f"{votes_NC[row, other]:,}") if several else one
                    said.append(f"{words} labelled {label_names[other]}")
        return tuple(said)


def weigh_votes(posterior_NC: np.ndarray, votes: LabelVotes, noise: LabelNoise) -> np.ndarray:
    """Take the votes into account; see the module's formula.

    Args:
        posterior_NC: probabilities of the true label from the text and the given label (`noise.weigh_labels`).
        votes: of the same rows.
        noise: of the labels.

    Returns:
        Probabilities of the true label, float64 (N, C).
    """
    classes = posterior_NC.shape[1]
    # Pairs that agree less than chance witness nothing against a label; nor are they better than equal texts.
    agreement = float(np.clip(votes.agreement, 1.0 / classes, 1.0 - noise.rate))
    even_CC = np.full((classes, classes), (1.0 - agreement) / max(1, classes - 1))
    np.fill_diagonal(even_CC, agreement)
    tiny = np.finfo(np.float64).tiny
    log_NC = np.log(np.clip(posterior_NC, tiny, None))
    log_NC = log_NC + _capped(votes.equal_NC) @ np.log(np.clip(noise.given_CC, tiny, None))
    log_NC = log_NC + _capped(votes.near_NC) @ np.log(np.clip(even_CC, tiny, None))
    log_NC -= log_NC.max(axis=1, keepdims=True)
    weighed_NC = np.exp(log_NC)
    return np.asarray(weighed_NC / weighed_NC.sum(axis=1, keepdims=True))


def _capped(votes_NC: np.ndarray) -> np.ndarray:
    total_N1 = votes_NC.sum(axis=1, keepdims=True)
    return np.asarray(votes_NC * np.minimum(1.0, MOST_VOTES / np.maximum(total_N1, MOST_VOTES)))


def count_votes(
    texts: pa.Array | pa.ChunkedArray,
    labels_N: np.ndarray,
    classes: int,
    *,
    near_threshold: float = NEAR_THRESHOLD,
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
