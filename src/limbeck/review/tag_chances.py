"""Tag chances: how probable it is that rows were given labels, found in passes over blocks of rows.

In: probabilities and targets, block by block, which can be had again as often as they are asked for. Out: `TagChances`:
the chance that each row was given each label, also block by block, and how often labels are missing or too many. No
more than a block and sums for each pair of labels are held. It does not know texts or files, nor which pairs are worst
(see `tag_issues` and `tag_passes`).

1. The probabilities of each label are calibrated on its own column (Platt), since labels are compared with each other.
2. The row's other labels are looked at, too: a program with no `role` at all lacks one, whatever the text says. Each
   label is predicted, linearly and by other rows, from the calibrated probabilities of all labels and from the other
   labels that the row was given; calibrated again, this is q, the chance that the row *was given* the label.
3. Rates. Missing: of the rows where a label's q is highest, its anchors, the share that was not given it. Too many: of
   the lower quarter of the rows by q, the share that was. Each is taken over all labels together: a rate for each label
   by itself found fewer planted mistakes, since a label that is hard to tell looks like one that is often wrong.
4. Bayes: with the rates, and q for the chance that the label is true, how probable it is that the pair is wrong. Where
   labels are missing q is rather too low for that, so no more is called missing than the model gives reason for.

**Incomplete tags** ("a missing tag is not a no"): where people added the tags they thought of, what is given is mostly
right and what is missing says little. Then nothing is taken as given without being true, and the missing rate is that
of Elkan and Noto: one minus the mean q of the rows that have the label.

Sums are made block by block, so the last digits are those of the blocks: of `block_rows` rows each, they are the same
whether rows lie in memory or not.

Source: Platt, Probabilistic Outputs for Support Vector Machines (1999); Lauritzen, Graphical Models (1996), section
5.1, for all regressions of each column on all others by one inverse; Patrini et al., Making Deep Neural Networks
Robust to Label Noise (2017), section 3.3, for anchors; Elkan & Noto, Learning Classifiers from Only Positive and
Unlabeled Data (2008), sections 2 and 3.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from limbeck.review.surest_rows import SurestRows

Blocks = Callable[[], Iterator[tuple[np.ndarray, np.ndarray]]]
"""Gives numbers of each row and label, floats (B, C), and targets, bool (B, C); the same ones in each call."""
ANCHORS_PER_LABEL = 0.1
"""Anchors of a label, as a share of the rows that have it."""
FEWEST_ANCHORS = 20
"""Anchors of a label at least."""
LEAST_RATE = 1e-4
MOST_RATE = 0.5
ROW_PARTS = 5
"""Parts of the rows, of which each is looked at with what the others say of labels that go together."""
RIDGE = 0.3
"""Added to each column's correlation with itself (chosen on Debian's packages with planted mistakes: docs/log.md)."""
FEWEST_ROWS_PER_LABEL = 20
"""Of fewer rows per label nobody can tell which labels go together: the text alone speaks."""
_LOGITS = 8.0
"""Logits per unit of a line from 0 to 1, to begin with."""
_NEWTON_STEPS = 25
_BLOCK_CELLS = 1 << 20
_DEALT_ROWS = 1 << 20
"""Rows that are dealt to the parts at a time."""


def block_rows(classes: int) -> int:
    """Return how many rows a block has, of so many labels."""
    return max(1, _BLOCK_CELLS // classes)


@dataclass(frozen=True, kw_only=True, eq=False)
class TagChances:
    """The chance that rows were given labels, and how labels go wrong.

    Attributes:
        blocks: gives q, float32 (B, C), and targets, in the blocks and the order that the probabilities came in.
        rows: how many there are.
        has_C: rows that have each label, int64.
        missing: estimated share of the pairs where a label is true that were not given it.
        superfluous: estimated share of the pairs where it is not true that were given it.
        in_context: whether a row's other labels were looked at; there are too few rows where not.
    """

    blocks: Blocks
    rows: int
    has_C: np.ndarray
    missing: float
    superfluous: float
    in_context: bool

    def wrong(self, given_BC: np.ndarray, targets_BC: np.ndarray) -> np.ndarray:
        """Return how probably each pair of a block is wrong, float32 (B, C)."""
        true_BC = np.clip(given_BC.astype(np.float64), 1e-9, 1 - 1e-9)
        wrong_BC = np.where(targets_BC, (1 - true_BC) * self.superfluous, true_BC * self.missing)
        right_BC = np.where(targets_BC, true_BC * (1 - self.missing), (1 - true_BC) * (1 - self.superfluous))
        return np.asarray(wrong_BC / (wrong_BC + right_BC), np.float32)


def find_tag_chances(blocks: Blocks, classes: int, *, incomplete: bool, kept: bool) -> TagChances:
    """Find how probable it is that rows were given labels.

    Args:
        blocks: probabilities by a model that did not see the rows, 0 to 1, and targets; of one row at least.
        classes: C.
        incomplete: a missing label says little; what is given is mostly right.
        kept: whether what is found of each block is kept in memory, three arrays as large as the probabilities; else
            each pass computes it again.
    """
    rows, has_C = 0, np.zeros(classes, np.int64)
    for _, targets_BC in blocks():
        rows += len(targets_BC)
        has_C += np.count_nonzero(targets_BC, axis=0)
    keep = _kept if kept else _computed_again
    alone = keep(_calibrated(lambda: ((_logits(shares_BC), has_BC) for shares_BC, has_BC in blocks()), classes))
    given = alone
    if in_context := rows >= FEWEST_ROWS_PER_LABEL * classes:
        lines = keep(_in_context(alone, rows, classes))
        given = keep(
            _calibrated(
                lambda: ((_LOGITS * (line_BC.astype(np.float64) - 0.5), has_BC) for line_BC, has_BC in lines()), classes
            )
        )
    missing, superfluous = _rates(given, rows, has_C, incomplete=incomplete)
    return TagChances(
        blocks=given, rows=rows, has_C=has_C, missing=missing, superfluous=superfluous, in_context=in_context
    )


def _kept(blocks: Blocks) -> Blocks:
    found = list(blocks())
    return lambda: iter(found)


def _computed_again(blocks: Blocks) -> Blocks:
    return blocks


def _logits(probabilities_BC: np.ndarray) -> np.ndarray:
    """Return the logits of probabilities, float64, none of them endless."""
    inside_BC = np.clip(probabilities_BC.astype(np.float64), 1e-6, 1 - 1e-6)
    return np.asarray(np.log(inside_BC / (1 - inside_BC)))


def _sigmoid(logits_BC: np.ndarray) -> np.ndarray:
    return np.asarray(1 / (1 + np.exp(-np.clip(logits_BC, -40, 40))))


def _calibrated(logits: Blocks, classes: int) -> Blocks:
    """Fit a and b of each label to its column, drawn towards 1 and 0; give sigmoid(a · logit + b), float32 (B, C)."""
    slope_C, offset_C = np.ones(classes), np.zeros(classes)
    for _ in range(_NEWTON_STEPS):
        sums_5C = np.zeros((5, classes))
        for logits_BC, targets_BC in logits():
            shares_BC = _sigmoid(slope_C * logits_BC + offset_C)
            over_BC, bend_BC = shares_BC - targets_BC, shares_BC * (1 - shares_BC)
            found = (over_BC * logits_BC, over_BC, bend_BC * logits_BC**2, bend_BC * logits_BC, bend_BC)
            sums_5C += np.stack([one_BC.sum(axis=0) for one_BC in found])
        slope_by, offset_by = sums_5C[0] + slope_C - 1, sums_5C[1] + offset_C
        xx, x, one = sums_5C[2] + 1, sums_5C[3], sums_5C[4] + 1
        size = xx * one - x * x
        step_slope, step_offset = (one * slope_by - x * offset_by) / size, (xx * offset_by - x * slope_by) / size
        # Far from the end a whole step may overshoot.
        slope_C, offset_C = slope_C - np.clip(step_slope, -1, 1), offset_C - np.clip(step_offset, -2, 2)
        if max(np.abs(step_slope).max(), np.abs(step_offset).max()) < 1e-6:
            break

    def calibrated() -> Iterator[tuple[np.ndarray, np.ndarray]]:
        for logits_BC, targets_BC in logits():
            yield _sigmoid(slope_C * logits_BC + offset_C).astype(np.float32), targets_BC

    return calibrated


@dataclass(frozen=True, kw_only=True, eq=False)
class _Lines:
    """How far rows have each label by a line through their chances and their other labels; K = 2 C columns.

    Attributes:
        mean_K, unit_K: what is taken off each column, and what it is multiplied by.
        slope_KC: of the columns so made.
        deviation_C: by which the labels' own columns were divided.
    """

    mean_K: np.ndarray
    unit_K: np.ndarray
    slope_KC: np.ndarray
    deviation_C: np.ndarray

    def of(self, columns_MK: np.ndarray) -> np.ndarray:
        """Return the lines of some rows, float64 (M, C)."""
        standard_MK = (columns_MK - self.mean_K) * self.unit_K
        return np.asarray(standard_MK @ self.slope_KC * self.deviation_C + self.mean_K[: len(self.deviation_C)])


def _in_context(alone: Blocks, rows: int, classes: int) -> Blocks:
    """Give how far each row has each label by a line through its chances and its other labels, float32 (B, C).

    All lines come from one inverse of the columns' correlations, with a ridge; each row's from those of the other
    parts of the rows.
    """
    counts_P = np.zeros(ROW_PARTS, np.int64)
    sums_PK = np.zeros((ROW_PARTS, 2 * classes))
    products_PKK = np.zeros((ROW_PARTS, 2 * classes, 2 * classes))
    dealt = _DealtRows(rows)
    for first, alone_BC, targets_BC in _numbered(alone):
        columns_BK, part_B = _columns(alone_BC, targets_BC), dealt.parts(first, len(alone_BC))
        for part in range(ROW_PARTS):
            own_MK = columns_BK[part_B == part]
            counts_P[part] += len(own_MK)
            sums_PK[part] += own_MK.sum(axis=0)
            products_PKK[part] += own_MK.T @ own_MK
    lines = [
        _lines_of(
            int(counts_P.sum() - counts_P[part]),
            sums_PK.sum(axis=0) - sums_PK[part],
            products_PKK.sum(axis=0) - products_PKK[part],
        )
        for part in range(ROW_PARTS)
    ]

    def in_context() -> Iterator[tuple[np.ndarray, np.ndarray]]:
        for first, alone_BC, targets_BC in _numbered(alone):
            columns_BK, part_B = _columns(alone_BC, targets_BC), dealt.parts(first, len(alone_BC))
            line_BC = np.empty(alone_BC.shape, np.float32)
            for part in range(ROW_PARTS):
                is_own_B = part_B == part
                line_BC[is_own_B] = lines[part].of(columns_BK[is_own_B])
            yield line_BC, targets_BC

    return in_context


def _lines_of(rows: int, sums_K: np.ndarray, products_KK: np.ndarray) -> _Lines:
    """Return the lines of all labels, by sums over some rows."""
    classes = len(sums_K) // 2
    mean_K = sums_K / rows
    covariance_KK = products_KK / rows - np.outer(mean_K, mean_K)
    deviation_K = np.sqrt(np.maximum(covariance_KK.diagonal(), 0))
    # A column that is the same in all these rows says nothing.
    unit_K = np.divide(1, deviation_K, out=np.zeros_like(deviation_K), where=deviation_K > 1e-9)
    inverse_KK = np.linalg.inv(covariance_KK * np.outer(unit_K, unit_K) + RIDGE * np.eye(len(mean_K)))
    slope_KC = -inverse_KK[:, :classes] / inverse_KK.diagonal()[:classes]
    slope_KC[np.arange(classes), np.arange(classes)] = 0.0
    return _Lines(mean_K=mean_K, unit_K=unit_K, slope_KC=slope_KC, deviation_C=deviation_K[:classes])


def _columns(alone_BC: np.ndarray, targets_BC: np.ndarray) -> np.ndarray:
    """Return what is known of some rows, float64 (B, K): the labels that they have, and the chance of each."""
    return np.column_stack([targets_BC, alone_BC.astype(np.float64)])


def _numbered(blocks: Blocks) -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
    """Give blocks with the number of their first row."""
    first = 0
    for numbers_BC, targets_BC in blocks():
        yield first, numbers_BC, targets_BC
        first += len(targets_BC)


class _DealtRows:
    """Rows dealt at random to parts of one size, many at a time: a row's part depends on its number alone.

    Args:
        rows: how many there are.
    """

    def __init__(self, rows: int) -> None:
        self._rows = rows
        self._deal, self._part_N = -1, np.zeros(0, np.int8)

    def parts(self, first: int, count: int) -> np.ndarray:
        """Return the parts of rows that follow each other, int8."""
        found = np.zeros(0, np.int8)
        while len(found) < count:
            deal, place = divmod(first + len(found), _DEALT_ROWS)
            if deal != self._deal:
                numbers = np.arange(deal * _DEALT_ROWS, min(self._rows, (deal + 1) * _DEALT_ROWS))
                dealt = np.random.default_rng(deal).permutation(numbers % ROW_PARTS)
                self._deal, self._part_N = deal, dealt.astype(np.int8)
            found = np.concatenate([found, self._part_N[place : place + count - len(found)]])
        return found


def _rates(given: Blocks, rows: int, has_C: np.ndarray, *, incomplete: bool) -> tuple[float, float]:
    """Return how often labels are missing, and how often they are too many, over all labels together."""
    if incomplete:
        missed = sum(float((1 - given_BC[has_BC]).sum(dtype=np.float64)) for given_BC, has_BC in given())
        return float(np.clip(missed / max(1, int(has_C.sum())), LEAST_RATE, MOST_RATE)), LEAST_RATE
    classes, quarter = len(has_C), max(1, rows // 4)
    shares_C = np.rint(ANCHORS_PER_LABEL * has_C).astype(np.int64)
    anchors_C = np.minimum(has_C, np.maximum(FEWEST_ANCHORS, shares_C))
    # The lower quarter is what is left by the others; both are searched in the same passes.
    numbers = np.concatenate([anchors_C, np.full(classes, rows - quarter)])
    surest = SurestRows(lambda: (np.tile(given_BC, 2) for given_BC, _ in given()), numbers)
    have = np.zeros(2 * classes, np.int64)
    for given_BC, has_BC in given():
        have += np.count_nonzero(surest.among(np.tile(given_BC, 2)) & np.tile(has_BC, 2), axis=0)
    anchored_C, upper_C = np.split(have, 2)
    missing = int((anchors_C - anchored_C).sum()) / max(1, int(anchors_C.sum()))
    superfluous = int((has_C - upper_C).sum()) / (quarter * classes)
    return float(np.clip(missing, LEAST_RATE, MOST_RATE)), float(np.clip(superfluous, LEAST_RATE, MOST_RATE))
