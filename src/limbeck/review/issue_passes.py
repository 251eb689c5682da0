"""Issue passes: label issues of more rows than memory holds, found in a few passes over their probabilities.

In: batches of probabilities and labels, which can be had again as often as they are asked for. Out: `PassedLabels`: the
noise, confident learning, and the places of the worst rows. Each is what `find_label_issues` finds of the same rows at
once, to the last bit, and no more than a batch and the worst rows is held. It does not know texts or files.

The anchors of a class are its surest rows, a tenth of all: they are found without sorting (see `surest_rows`).
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from limbeck.evaluation import metrics
from limbeck.review.issues import LabelOdds, odds_of_labels
from limbeck.review.noise import (
    ConfidentJoint,
    LabelNoise,
    anchor_numbers,
    confident_joint,
    count_confident,
    mean_thresholds,
    noise_of_anchors,
    require_two_classes,
    weigh_labels,
)
from limbeck.review.surest_rows import SurestRows

Batches = Callable[[], Iterator[tuple[np.ndarray, np.ndarray]]]
"""Gives probabilities, float32 (B, C), and labels, int64 (B,), batch by batch; the same ones in each call."""


@dataclass(frozen=True, kw_only=True)
class RankedRow:
    """One of the worst rows.

    Attributes:
        place: its number among all rows, from 0.
        label: the label it has.
        suggested: the most probable other label.
        quality: probability that the label is right, 0 to 1.
        share, suggested_share: what the model gives to the one and to the other, 0 to 1.
        flagged: whether confident learning points at it.
    """

    place: int
    label: int
    suggested: int
    quality: float
    share: float
    suggested_share: float
    flagged: bool


@dataclass(frozen=True, kw_only=True, eq=False)
class PassedLabels:
    """What passes over all rows found.

    Attributes:
        rows: that were judged.
        right: rows whose label is the model's most probable one.
        probably_wrong: rows of which another label is more probable than the given one.
        noise: how labels go wrong.
        learning: what confident learning says.
        worst: the rows of the least quality, least first; of equals, the first row first.
    """

    rows: int
    right: int
    probably_wrong: int
    noise: LabelNoise
    learning: ConfidentJoint
    worst: tuple[RankedRow, ...]


def pass_over_labels(batches: Batches, classes: int, *, most: int) -> PassedLabels:
    """Judge labels by the answers of a model that did not learn from the rows.

    Args:
        batches: of all rows, in order.
        classes: C.
        most: worst rows to keep.

    Raises:
        DataError: there is one class, a label is out of range, or a row is no distribution.
    """
    require_two_classes(classes)
    given_C, own_C, right = np.zeros(classes, np.int64), np.zeros(classes), 0
    for shares_BC, labels_B in batches():
        metrics.row_losses(shares_BC, labels_B)  # refuses what cannot be scored
        given_C += np.bincount(labels_B, minlength=classes)
        # One after the other, as `np.bincount` adds: the same digits as of all rows at once.
        np.add.at(own_C, labels_B, shares_BC[np.arange(len(labels_B)), labels_B].astype(np.float64))
        right += int((shares_BC.argmax(axis=1) == labels_B).sum())
    thresholds_C = mean_thresholds(own_C, given_C)
    anchors = SurestRows(lambda: (shares_BC for shares_BC, _ in batches()), anchor_numbers(given_C))
    carried_CC = np.zeros((classes, classes), np.int64)
    confident_CC, issues = np.zeros((classes, classes), np.int64), 0
    for shares_BC, labels_B in batches():
        for true, is_anchor_B in enumerate(anchors.among(shares_BC).T):
            carried_CC[:, true] += np.bincount(labels_B[is_anchor_B], minlength=classes)
        counts_CC, flagged_B = count_confident(shares_BC.astype(np.float64), labels_B, thresholds_C)
        confident_CC += counts_CC
        issues += int(flagged_B.sum())
    noise = noise_of_anchors(carried_CC, given_C)
    worst, rows, wrong = _Worst(most), 0, 0
    for shares_BC, labels_B in batches():
        posterior_BC = weigh_labels(shares_BC, labels_B, noise)
        wrong += int((posterior_BC.argmax(axis=1) != labels_B).sum())
        worst.look_at(shares_BC, labels_B, odds_of_labels(posterior_BC, labels_B), thresholds_C, first=rows)
        rows += len(labels_B)
    return PassedLabels(
        rows=rows,
        right=right,
        probably_wrong=wrong,
        noise=noise,
        learning=confident_joint(confident_CC, given_C, thresholds_C, issues=issues),
        worst=tuple(worst.rows),
    )


class _Worst:
    """The rows of the highest odds against their label.

    Args:
        most: how many.
    """

    def __init__(self, most: int) -> None:
        self.rows: list[RankedRow] = []
        self._most = most
        self._odds = np.zeros(0)

    def look_at(
        self, shares_BC: np.ndarray, labels_B: np.ndarray, odds: LabelOdds, thresholds_C: np.ndarray, *, first: int
    ) -> None:
        """Take the worst rows of the next batch."""
        full = len(self.rows) == self._most
        bar = self._odds[-1] if full and self._most else -np.inf
        # Of equals the first row stays, so a later one must be worse.
        chosen = np.flatnonzero(odds.odds_N > bar)
        chosen = chosen[np.argsort(-odds.odds_N[chosen], kind="stable")][: self._most]
        _, flagged = count_confident(shares_BC[chosen].astype(np.float64), labels_B[chosen], thresholds_C)
        found = [
            RankedRow(
                place=first + int(row),
                label=int(labels_B[row]),
                suggested=int(odds.suggested_N[row]),
                quality=float(odds.quality_N[row]),
                share=float(shares_BC[row, labels_B[row]]),
                suggested_share=float(shares_BC[row, odds.suggested_N[row]]),
                flagged=bool(is_flagged),
            )
            for row, is_flagged in zip(chosen, flagged, strict=True)
        ]
        both = np.concatenate([self._odds, odds.odds_N[chosen]])
        order = np.argsort(-both, kind="stable")[: self._most]
        together = self.rows + found
        self.rows, self._odds = [together[place] for place in order], both[order]
