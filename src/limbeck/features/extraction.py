"""Texts become a feature array: a frozen encoder's pooled hidden states, computed once and kept.

In: texts, a loaded encoder, the blocks to pool. Out: `Features`. Each text is looked up in the cache by its own tokens;
only those that are not there are encoded, equal ones once, and kept every few seconds. So an interrupted extraction
goes on where it stopped, and ten new rows cost ten rows.
It does not know labels, nor what the features are for.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from limbeck.errors import StorageError
from limbeck.features.cache import FeatureCache, FeatureKey, keys_of
from limbeck.features.entry import PART_BYTES, Entry
from limbeck.inference.engine import Engine
from limbeck.model.blocks import Block
from limbeck.progress import SILENT, Progress, Within
from limbeck.runtime import allowed_threads
from limbeck.tokens import ReadTexts, Tokenized, Window

RUN_TOKENS = 8_192
"""Tokens per core that the engine is given at a time: a few seconds of work; an interruption loses no more."""
RUN_BATCHES = 2
"""At least so many batches of the engine's own: while a GPU computes one, the next is put together."""
KEEP_EVERY_S = 10.0
"""Seconds after which what was computed is written into the cache; sooner when it is as large as a part."""
MOST_ROWS_AT_ONCE = 16_384
"""Rows of texts that are read in several, which are held in memory before each text gets its mean."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Features:
    """The features of N texts.

    Attributes:
        values_NF: float32 (N, F).
        blocks: what the F columns are, in order; each is as wide as the encoder.
        lengths_N: tokens of each text that were read.
        cut_tokens_N: tokens of each text that were not.
        computed: texts that were encoded now; the others came from the cache.
    """

    values_NF: np.ndarray
    blocks: tuple[Block, ...]
    lengths_N: np.ndarray
    cut_tokens_N: np.ndarray
    computed: int


def extract_features(
    texts: Sequence[str],
    engine: Engine,
    blocks: Sequence[Block],
    *,
    window: Window | None = None,
    cache: FeatureCache | None = None,
    progress: Progress = SILENT,
) -> Features:
    """Return the pooled hidden states of every text; of one that is read in several rows, their mean.

    Shapes: N texts; F = blocks × width of the encoder.

    Args:
        texts: N strings.
        engine: computes hidden states.
        blocks: what to pool, side by side in this order.
        window: what is read of a text; what fits the encoder when not given.
        cache: where parts are kept; nothing is kept when not given.
        progress: is told of tokens done.
    """
    tokenizer = engine.loaded.tokenizer
    read = tokenizer.read(texts, window or tokenizer.window(), progress=progress)
    extraction = _Extraction(engine, blocks, cache, progress)
    if read.is_plain:
        values_NF, computed_N = extraction.encode(read.rows)
    else:
        values_NF, computed_N = _means(read, extraction)
    extraction.close()
    return Features(
        values_NF=values_NF,
        blocks=tuple(blocks),
        lengths_N=read.lengths,
        cut_tokens_N=read.cut_tokens,
        computed=int(computed_N.sum()),
    )


def _means(read: ReadTexts, extraction: "_Extraction") -> tuple[np.ndarray, np.ndarray]:
    """Return the mean of each text's rows, (N, F), and whether any of them was encoded now, (N,) bool."""
    means, computed = [], []
    for texts in read.groups(MOST_ROWS_AT_ONCE):
        part = read.take(np.arange(texts.start, texts.stop))
        values_RF, computed_R = extraction.encode(part.rows)
        means.append(part.mean(values_RF))
        computed.append(np.logical_or.reduceat(computed_R, part.first_N1[:-1]))
    return np.concatenate(means), np.concatenate(computed)


class _Extraction:
    """One call's way from rows of tokens to their features, with what the cache has of them.

    Args:
        engine: computes hidden states.
        blocks: what to pool.
        cache: where parts are kept.
        progress: is told of tokens done.
    """

    def __init__(self, engine: Engine, blocks: Sequence[Block], cache: FeatureCache | None, progress: Progress) -> None:
        self._engine, self._blocks, self._progress = engine, blocks, progress
        self._names = tuple(map(str, blocks))
        self._kept = _Kept(cache, engine, progress)
        self._run_tokens = max(RUN_TOKENS * allowed_threads(), RUN_BATCHES * engine.token_budget)

    def encode(self, tokenized: Tokenized) -> tuple[np.ndarray, np.ndarray]:
        """Return the features of each row, (N, F), and whether it was encoded now, (N,) bool."""
        keys_U2, first_U, rows_N = np.unique(
            keys_of(tokenized.ids, tokenized.offsets), axis=0, return_index=True, return_inverse=True
        )
        values_NF = np.empty((len(tokenized), len(self._blocks) * self._engine.width), np.float32)
        total = int(tokenized.lengths[first_U].sum())
        with self._progress.track("encoding", total=total, unit="tokens") as advance:
            found_U = self._kept.take(keys_U2, self._names, values_NF, first_U)
            advance(int(tokenized.lengths[first_U[found_U]].sum()))
            pending = _Pending(self._kept, self._names)
            try:
                for numbers in _runs(tokenized, first_U, np.flatnonzero(~found_U), self._run_tokens):
                    rows = first_U[numbers]
                    values = self._engine.features(_subset(tokenized, rows), self._blocks, progress=Within(advance))
                    values_NF[rows] = values
                    pending.add(keys_U2[numbers], values)
            finally:
                pending.write()
        rows_N = rows_N.reshape(-1)
        again_N = first_U[rows_N] != np.arange(len(tokenized))
        values_NF[again_N] = values_NF[first_U[rows_N[again_N]]]
        return values_NF, (~found_U)[rows_N]

    def close(self) -> None:
        """Let the cache put small parts together."""
        self._kept.close()


class _Kept:
    """The cache's side of an extraction. What cannot be kept is said once; it never ends the work."""

    def __init__(self, cache: FeatureCache | None, engine: Engine, progress: Progress) -> None:
        self._cache, self._progress = cache, progress
        self._entry: Entry | None = None
        if cache is not None:
            key = FeatureKey(weights=engine.loaded.fingerprint, numerics=engine.numerics, build=engine.build)
            self._entry = cache.entry(key, what=f"{engine.loaded.name}, {engine.numerics}")

    @property
    def is_open(self) -> bool:
        """Whether anything can be kept."""
        return self._entry is not None

    def take(self, keys_U2: np.ndarray, names: Sequence[str], into_NF: np.ndarray, rows_U: np.ndarray) -> np.ndarray:
        """Copy what is kept into the array; return which texts were found."""
        if self._entry is None:
            return np.zeros(len(keys_U2), bool)
        return self._entry.take(keys_U2, names, into_NF, rows_U)

    def keep(self, keys_N2: np.ndarray, names: Sequence[str], values_NF: np.ndarray) -> None:
        """Write a part."""
        if self._cache is None or self._entry is None:
            return
        try:
            self._entry.keep(keys_N2, names, values_NF)
        except StorageError as error:
            if not self._cache.was_refused:
                self._progress.say(f"features are not kept, and are computed again the next time: {error}")
            self._cache.was_refused = True
            self._entry = None

    def close(self) -> None:
        """Put small parts together, and make room."""
        if self._cache is None or self._entry is None:
            return
        try:
            self._entry.tidy()
            if removed_bytes := self._cache.trim(in_use=self._entry.in_use):
                self._progress.say(
                    f"feature cache: removed {removed_bytes / 2**20:,.0f} MiB that were not used for longest, to stay "
                    f"below {self._cache.max_bytes / 2**20:,.0f} MiB"
                )
        except StorageError as error:
            self._progress.say(f"feature cache: cannot make room: {error}")


class _Pending:
    """What was computed since the last part was written."""

    def __init__(self, kept: _Kept, names: Sequence[str]) -> None:
        self._kept, self._names = kept, names
        self._keys: list[np.ndarray] = []
        self._values: list[np.ndarray] = []
        self._since_s = time.monotonic()

    def add(self, keys_N2: np.ndarray, values_NF: np.ndarray) -> None:
        """Take over a run; write a part when it is time."""
        if not self._kept.is_open:
            return
        self._keys.append(keys_N2)
        self._values.append(values_NF)
        is_large = sum(values.nbytes for values in self._values) >= PART_BYTES
        if is_large or time.monotonic() - self._since_s >= KEEP_EVERY_S:
            self.write()

    def write(self) -> None:
        """Write what there is."""
        keys, values = self._keys, self._values
        self._keys, self._values = [], []
        if keys:
            self._kept.keep(np.concatenate(keys), self._names, np.concatenate(values))
        self._since_s = time.monotonic()


def _runs(tokenized: Tokenized, first_U: np.ndarray, missing: np.ndarray, run_tokens: int) -> list[np.ndarray]:
    """Cut the missing ones of the different texts, longest first, into runs of so many tokens for the engine.

    A run begins where the one before it ended, so an extraction that goes on computes the same runs.
    """
    # Of equal length in the order of the texts: numbers of different texts are in the order of their keys.
    order = missing[np.lexsort((first_U[missing], -tokenized.lengths[first_U[missing]]))]
    ends = np.cumsum(tokenized.lengths[first_U[order]])
    runs, start, used = [], 0, 0
    while start < len(order):
        stop = max(start + 1, int(np.searchsorted(ends, used + run_tokens, side="right")))
        runs.append(order[start:stop])
        start, used = stop, int(ends[stop - 1])
    return runs


def _subset(tokenized: Tokenized, rows: np.ndarray) -> Tokenized:
    batch = tokenized.take(rows)
    return Tokenized(ids=batch.ids, offsets=batch.offsets.astype(np.int64), cut_tokens=tokenized.cut_tokens[rows])
