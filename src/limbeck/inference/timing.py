"""How much faster one model answers than others, measured on this machine.

In: predictors and texts. Out: a `Speedup`, end to end: text in, probabilities out. It does not know why.
Rounds alternate, so that a busy moment hits all alike; the medians are compared.
"""

import math
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from limbeck.inference.predictor import Predictor

ROUNDS = 5
MOST_TOKENS = 100_000
"""Texts are drawn until they have this many tokens: seconds a round, whatever the data."""
FEWEST_TOKENS = 10_000
"""Fewer texts are answered again and again in a round: one of a few milliseconds says nothing on a busy machine."""


@dataclass(frozen=True, kw_only=True)
class Speedup:
    """What was measured.

    Attributes:
        speedup: seconds of the slow side over those of the fast one, medians over the rounds.
        lowest: the same of the round where it was lowest.
        highest: the same of the round where it was highest.
        slow_texts_per_s: of the slow side, one model after the other when there are several.
        fast_texts_per_s: of the fast side.
        texts: answered in a round, repeated ones too.
        rounds: of each.
        slow_engines: what computed each model of the slow side.
        fast_engine: what computed the fast side.
    """

    speedup: float
    lowest: float
    highest: float
    slow_texts_per_s: float
    fast_texts_per_s: float
    texts: int
    rounds: int
    slow_engines: tuple[str, ...]
    fast_engine: str


def measure_speedup(
    slow: Sequence[Predictor], fast: Predictor, texts: Sequence[str], *, rounds: int = ROUNDS, seed: int = 0
) -> Speedup:
    """Let both sides answer the same texts, in turn; the first round of each warms up and does not count.

    Args:
        slow: models that answer together, an ensemble or one.
        fast: the model that is compared with them.
        texts: to draw from.
        rounds: that count.
        seed: of the draw.
    """
    drawn = _draw(fast, texts, seed)
    slow_s, fast_s = [], []
    for _ in range(rounds + 1):
        slow_s.append(_seconds(slow, drawn))
        fast_s.append(_seconds([fast], drawn))
    ratios = [slow / fast for slow, fast in zip(slow_s[1:], fast_s[1:], strict=True)]
    slow_median_s, fast_median_s = statistics.median(slow_s[1:]), statistics.median(fast_s[1:])
    return Speedup(
        speedup=slow_median_s / fast_median_s,
        lowest=min(ratios),
        highest=max(ratios),
        slow_texts_per_s=len(drawn) / slow_median_s,
        fast_texts_per_s=len(drawn) / fast_median_s,
        texts=len(drawn),
        rounds=rounds,
        slow_engines=tuple(predictor.numerics for predictor in slow),
        fast_engine=fast.numerics,
    )


def _draw(predictor: Predictor, texts: Sequence[str], seed: int) -> list[str]:
    order = np.random.default_rng(seed).permutation(len(texts))
    bundle = predictor.bundle
    lengths_N = bundle.loaded.tokenizer.read([texts[row] for row in order], bundle.window).lengths
    count = max(1, int(np.searchsorted(np.cumsum(lengths_N), MOST_TOKENS)))
    times = max(1, math.ceil(FEWEST_TOKENS / int(lengths_N[:count].sum())))
    return [texts[row] for row in order[:count]] * times


def _seconds(predictors: Sequence[Predictor], texts: list[str]) -> float:
    began_s = time.perf_counter()
    for predictor in predictors:
        predictor.predict(texts)
    return time.perf_counter() - began_s
