"""Labels together: which labels the rows have side by side, and whether a model gives them side by side as often.

In: predictions of any number of labels with known truths. Out: shares of rows, and pairs.
It does not know texts. What a data set says of its pairs beyond chance is the audit's (`auditing.co_occurrence`).
"""

from dataclasses import dataclass

import numpy as np

from limbeck.evaluation.multi_predictions import MultiPredictions

MOST_TOGETHER = 24
"""Labels that are set side by side: those that share the most rows with others."""
PAIRS_TOLD = 30
"""Pairs of these that are told, those with the most rows."""


@dataclass(frozen=True, kw_only=True)
class PairTogether:
    """Two labels.

    Attributes:
        one: the label of fewer rows.
        other: the label of more rows.
        rows: that have both.
        given: rows that are given both.
        share: rows with both, of those with `one`.
        given_share: rows that are given both, of those that are given `one`; None where none is.
    """

    one: str
    other: str
    rows: int
    given: int
    share: float
    given_share: float | None


@dataclass(frozen=True, kw_only=True, eq=False)
class LabelsTogether:
    """Labels side by side.

    Shapes: K labels.

    Attributes:
        names: of the labels that are looked at, in their own order.
        rows_K: rows with each.
        shares_KK: of the rows with the label of this line, the share that also have that of the column; 1 along the
            diagonal, 0 of labels without a row.
        pairs: of these labels, those with the most rows first; only such as share a row or are given to one together.
        of: labels that there are.
    """

    names: tuple[str, ...]
    rows_K: np.ndarray
    shares_KK: np.ndarray
    pairs: tuple[PairTogether, ...]
    of: int


def find_labels_together(found: MultiPredictions) -> LabelsTogether:
    """Return which labels the rows with known labels have side by side.

    Example: of 10 rows with "red" 4 also have "round": the share of "red" with "round" is 0.4.
    """
    true_NC, given_NC = found.known_targets, found.decided_NC[found.labelled_rows]
    shared_C = (true_NC.sum(axis=1) - 1) @ true_NC
    order = np.lexsort((np.arange(len(shared_C)), -true_NC.sum(axis=0), -shared_C))
    shown = np.sort(order[:MOST_TOGETHER])
    true_KK, given_KK = _together(true_NC[:, shown]), _together(given_NC[:, shown])
    names = tuple(found.label_names[label] for label in shown)
    rows_K, given_K = true_KK.diagonal(), given_KK.diagonal()
    pairs = []
    for one, other in zip(*np.triu_indices(len(shown), 1), strict=True):
        few, many = (one, other) if rows_K[one] <= rows_K[other] else (other, one)
        rows, given = int(true_KK[few, many]), int(given_KK[few, many])
        if rows or given:
            pairs.append(
                PairTogether(
                    one=names[few],
                    other=names[many],
                    rows=rows,
                    given=given,
                    share=rows / max(1, int(rows_K[few])),
                    given_share=given / int(given_K[few]) if given_K[few] else None,
                )
            )
    pairs.sort(key=lambda one: (-one.rows, -one.given))
    return LabelsTogether(
        names=names,
        rows_K=rows_K,
        shares_KK=true_KK / np.maximum(rows_K, 1)[:, None],
        pairs=tuple(pairs[:PAIRS_TOLD]),
        of=len(found.label_names),
    )


def _together(has_NK: np.ndarray) -> np.ndarray:
    """Return the rows that have both labels, int64 (K, K); along the diagonal those of each."""
    counted_NK = has_NK.astype(np.float32)  # exact up to 2^24 rows, and the product is a BLAS call
    return np.asarray((counted_NK.T @ counted_NK).round(), dtype=np.int64)
