"""Token limits: what each candidate length limit cuts, what it costs, and which one to take.

In: tokens of each text, labels. Out: box figures and a table of limits, plain values for JSON.
It does not know tokenizers or texts.

Cost of one text of n tokens in one transformer layer of width D and feed-forward width F, in multiplications and
additions: linear maps 2n(4D^2 + 2DF) (query, key, value, output; two feed-forward maps), attention 4n^2 D (scores, and
the weighted sum of values). Layers are all alike, so their number drops out of the ratio. limbeck packs tokens, so
there is no padding to pay for.
Source: Kaplan et al. 2020, "Scaling laws for neural language models", table 1; Vaswani et al. 2017, section 3.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import get_args

import numpy as np

from limbeck.evaluation.counted import percent
from limbeck.settings import TOKEN_LIMITS, WindowName
from limbeck.tokens.windows import count_rows

REFERENCE_LIMIT = 512

MOST_LOST = 0.01
"""The recommended limit loses at most this share of all tokens …"""
MOST_LOST_BY_CLASS = 0.02
"""… and at most this share of any class's."""
NOT_READ: Mapping[WindowName, str] = {
    "head": "their ends",
    "tail": "their beginnings",
    "both": "their middles",
    "all": "nothing",
}
"""What is not read of texts that are too long, by window."""
NOTHING_SAVED = 0.98
"""A limit that leaves more of the compute than this saves nothing."""


@dataclass(frozen=True, kw_only=True)
class EncoderShape:
    """Sizes of an encoder that decide its cost: width of a hidden state and inside the feed-forward net."""

    width: int = 768
    feed_forward: int = 3072


@dataclass(frozen=True, kw_only=True)
class Box:
    """What a box plot shows, without outliers.

    Attributes:
        rows: how many texts.
        low, high: ends of the whiskers: the furthest values within 1.5 times the interquartile range.
        q1, median, q3: quartiles.
        least, most: the extremes.
        mean: the mean.
    """

    rows: int
    least: int
    low: int
    q1: float
    median: float
    q3: float
    high: int
    most: int
    mean: float


@dataclass(frozen=True, kw_only=True)
class TokenLimit:
    """What one limit means.

    Attributes:
        limit: tokens a text may have, [CLS] and [SEP] included.
        texts_cut: share of texts that are longer.
        tokens_lost: share of all tokens that are cut off.
        texts_cut_by_class: the same for each class.
        tokens_lost_by_class: the same for each class.
        compute: cost of encoding all texts relative to a limit of 512.
    """

    limit: int
    texts_cut: float
    tokens_lost: float
    texts_cut_by_class: dict[str, float]
    tokens_lost_by_class: dict[str, float]
    compute: float


@dataclass(frozen=True, kw_only=True)
class WindowCost:
    """What one choice of `--window` loses and costs at a limit.

    Attributes:
        window: "head", "tail", "both" or "all".
        limit: in tokens.
        not_read: what of a longer text, in words.
        tokens_lost: share of all tokens that are not read.
        compute: cost of encoding all texts relative to their heads.
    """

    window: WindowName
    limit: int
    not_read: str
    tokens_lost: float
    compute: float


@dataclass(frozen=True, kw_only=True)
class Recommendation:
    """The limit to take.

    Attributes:
        limit: in tokens.
        reason: why, a sentence without its beginning.
        needed: whether a limit cuts anything or saves anything: False where every text is short.
        advice: the whole of it in one sentence.
    """

    limit: int
    reason: str
    needed: bool
    advice: str


def box_of(values: np.ndarray) -> Box:
    """Return the figures of one box.

    Example:
        >>> box = box_of(np.array([1, 2, 3, 4, 100]))
        >>> (box.median, box.high, box.most)
        (3.0, 4, 100)
    """
    kinds, rows = np.unique(values, return_counts=True)
    return box_of_counts(dict(zip(kinds.tolist(), rows.tolist(), strict=True)))


def box_of_counts(rows_of: Mapping[int, int]) -> Box:
    """Return the figures of one box, of how many rows have each value."""
    values = np.array(sorted(rows_of), np.int64)
    counts = np.array([rows_of[value] for value in values.tolist()], np.int64)
    below = np.cumsum(counts)
    rows = int(below[-1])
    q1, median, q3 = (_quantile(values, below, share) for share in (0.25, 0.5, 0.75))
    reach = 1.5 * (q3 - q1)
    inside = values[(values >= q1 - reach) & (values <= q3 + reach)]
    return Box(
        rows=rows,
        least=int(values[0]),
        low=int(inside[0]),
        q1=q1,
        median=median,
        q3=q3,
        high=int(inside[-1]),
        most=int(values[-1]),
        mean=float((values * counts).sum() / rows),
    )


def _quantile(values: np.ndarray, below: np.ndarray, share: float) -> float:
    """Interpolate between the two nearest rows, as `np.percentile` does; `below` counts the rows up to each value."""
    place = share * (below[-1] - 1)
    lower = int(place)
    ends = np.searchsorted(below, [lower, min(lower + 1, below[-1] - 1)], side="right")
    low, high = (float(values[end]) for end in ends)
    return float(low + (high - low) * (place - lower))


def boxes_by_class(values: np.ndarray, classes: Mapping[str, np.ndarray]) -> dict[str, Box]:
    """Return a box for each class, given its rows."""
    return {name: box_of(values[rows]) for name, rows in classes.items()}


def limit_table(
    tokens: np.ndarray,
    classes: Mapping[str, np.ndarray],
    *,
    limits: Iterable[int] = TOKEN_LIMITS,
    shape: EncoderShape,
) -> tuple[TokenLimit, ...]:
    """Describe each candidate limit.

    Args:
        tokens: int64 (N,), tokens of each text, nothing cut.
        classes: rows of each class that has any.
        limits: candidates.
        shape: sizes of the encoder whose cost is asked.
    """
    reference = _cost(tokens, REFERENCE_LIMIT, shape)
    return tuple(
        TokenLimit(
            limit=limit,
            texts_cut=float((tokens > limit).mean()),
            tokens_lost=_lost(tokens, limit),
            texts_cut_by_class={name: float((tokens[rows] > limit).mean()) for name, rows in classes.items()},
            tokens_lost_by_class={name: _lost(tokens[rows], limit) for name, rows in classes.items()},
            compute=_cost(tokens, limit, shape) / reference,
        )
        for limit in limits
    )


def window_table(tokens: np.ndarray, limit: int, shape: EncoderShape) -> tuple[WindowCost, ...]:
    """Describe what may be read of texts that are longer than a limit; nothing where none is.

    Args:
        tokens: int64 (N,), tokens of each text, nothing cut.
        limit: in tokens.
        shape: sizes of the encoder whose cost is asked.
    """
    if not (tokens > limit).any():
        return ()
    lost, cost = _lost(tokens, limit), _cost(tokens, limit, shape)
    rows = count_rows(tokens, limit)
    whole = _cost(np.repeat(np.minimum(tokens, limit), rows), limit, shape)
    return tuple(
        WindowCost(
            window=window,
            limit=limit,
            not_read=NOT_READ[window],
            tokens_lost=0.0 if window == "all" else lost,
            compute=whole / cost if window == "all" else 1.0,
        )
        for window in get_args(WindowName)
    )


def recommend(table: tuple[TokenLimit, ...], longest: int, model_limit: int) -> Recommendation:
    """Choose the smallest limit that loses next to nothing, or say what the largest one costs.

    Args:
        table: candidates, rising.
        longest: tokens of the longest text.
        model_limit: the most tokens that the model reads.
    """
    possible = [row for row in table if row.limit <= model_limit] or [table[0]]
    whole = next((row for row in possible if longest <= min(row.limit, model_limit)), None)
    most = possible[-1]
    lossless = [row for row in possible if not _loses_much(row)]
    if lossless and lossless[0].compute > NOTHING_SAVED * most.compute:
        longer = f"{percent(most.texts_cut)} of the texts are longer"
        return Recommendation(
            limit=whole.limit if whole else most.limit,
            reason=f"no text is longer (the longest has {longest:,} tokens)" if whole else longer,
            needed=False,
            advice=f"No limit needed; the longest text has {longest:,} tokens."
            if whole
            else f"No limit below {most.limit} needed; {longer}.",
        )
    for row in possible:
        if not _loses_much(row):
            if longest <= row.limit:
                kept = f"no text is longer (the longest has {longest:,} tokens)"
            else:
                kept = (
                    f"it cuts {percent(row.texts_cut)} of the texts and loses {percent(row.tokens_lost)} of the tokens"
                )
            return _recommended(
                row.limit,
                f"the smallest limit that loses at most {percent(MOST_LOST)} of the tokens (and "
                f"{percent(MOST_LOST_BY_CLASS)} of any class's): {kept}, for {percent(row.compute)} of the compute "
                f"of {REFERENCE_LIMIT}",
            )
    reason = (
        f"no limit up to {most.limit} keeps {percent(1 - MOST_LOST)} of the tokens; this one cuts "
        f"{percent(most.texts_cut)} of the texts and loses {percent(most.tokens_lost)} of the tokens"
    )
    if len(possible) > 1:
        less = possible[-2]
        cost = less.compute / most.compute
        reason += f"; {less.limit} would cost {percent(cost)} of its compute and lose {percent(less.tokens_lost)}"
    return _recommended(most.limit, reason)


def _recommended(limit: int, reason: str) -> Recommendation:
    return Recommendation(limit=limit, reason=reason, needed=True, advice=f"Recommended: {limit} tokens, {reason}.")


def _loses_much(row: TokenLimit) -> bool:
    worst = max(row.tokens_lost_by_class.values(), default=row.tokens_lost)
    return row.tokens_lost > MOST_LOST or worst > MOST_LOST_BY_CLASS


def _lost(tokens: np.ndarray, limit: int) -> float:
    return float(np.maximum(tokens - limit, 0).sum() / tokens.sum())


def _cost(tokens: np.ndarray, limit: int, shape: EncoderShape) -> float:
    """Return the operations of one layer over all texts."""
    kept = np.minimum(tokens, limit).astype(np.float64)
    linear = 2 * kept * (4 * shape.width**2 + 2 * shape.width * shape.feed_forward)
    attention = 4 * kept**2 * shape.width
    return float((linear + attention).sum())
