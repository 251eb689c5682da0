"""Texts become a feature array: a frozen encoder's pooled hidden states, computed once and kept.

In: texts, a loaded encoder, the blocks to pool. Out: `Features`. Work is cut into parts of similar texts; each finished
part is in the cache, so an interrupted extraction goes on where it stopped.
It does not know labels, nor what the features are for.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from limbeck.features.cache import FeatureCache, FeatureKey, fingerprint_texts
from limbeck.inference.engine import Engine
from limbeck.model.pooling import Block
from limbeck.progress import SILENT, Progress, Within
from limbeck.tokens import Tokenized

PART_TOKENS = 65_536
"""Tokens a part: a few seconds of work on a CPU, so that little is lost by an interruption."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Features:
    """The features of N texts.

    Attributes:
        values_NF: float32 (N, F).
        blocks: what the F columns are, in order; each is as wide as the encoder.
        lengths_N: tokens of each text after truncation.
        cut_tokens_N: tokens that truncation took from each text.
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
    max_tokens: int | None = None,
    cache: FeatureCache | None = None,
    progress: Progress = SILENT,
) -> Features:
    """Return the pooled hidden states of every text.

    Shapes: N texts; F = blocks × width of the encoder.

    Args:
        texts: N strings.
        engine: computes hidden states.
        blocks: what to pool, side by side in this order.
        max_tokens: longer texts are cut; the encoder's maximum when not given.
        cache: where parts are kept; nothing is kept when not given.
        progress: is told of tokens done.
    """
    tokenizer = engine.loaded.tokenizer
    limit = tokenizer.max_tokens if max_tokens is None else max_tokens
    tokenized = tokenizer.encode(texts, max_tokens=limit, progress=progress)
    parts = _parts(tokenized)
    entry = None
    if cache is not None:
        key = FeatureKey(
            weights=engine.loaded.fingerprint,
            tokenizer=tokenizer.fingerprint,
            texts=fingerprint_texts(texts),
            blocks=tuple(map(str, blocks)),
            max_tokens=limit,
            numerics=engine.numerics,
        )
        entry = cache.entry(key)
        entry.describe(what=_description(engine, blocks, len(texts)), parts=len(parts))

    values_NF = np.empty((len(texts), len(blocks) * engine.width), np.float32)
    computed = 0
    with progress.track("encoding", total=int(tokenized.offsets[-1]), unit="tokens") as advance:
        for number, rows in enumerate(parts):
            part = _subset(tokenized, rows)
            values = None if entry is None else entry.read_part(number)
            if values is None:
                values = engine.features(part, blocks, progress=Within(advance))
                computed += len(rows)
                if entry is not None:
                    entry.write_part(number, values)
            else:
                advance(int(part.offsets[-1]))
            values_NF[rows] = values
    if cache is not None and entry is not None:
        for removed in cache.trim(keep=entry):
            progress.say(f"feature cache: removed {removed.what} ({removed.size_bytes / 2**20:,.0f} MiB) to make room")
    return Features(
        values_NF=values_NF,
        blocks=tuple(blocks),
        lengths_N=tokenized.lengths,
        cut_tokens_N=tokenized.cut_tokens,
        computed=computed,
    )


def _parts(tokenized: Tokenized) -> list[np.ndarray]:
    """Cut the rows, longest texts first, into runs of about `PART_TOKENS` tokens; the same texts, the same parts."""
    order = np.argsort(-tokenized.lengths, kind="stable")
    ends = np.cumsum(tokenized.lengths[order])
    if not len(order):
        return []
    cuts = np.searchsorted(ends, np.arange(PART_TOKENS, ends[-1], PART_TOKENS), side="left") + 1
    return [rows for rows in np.split(order, np.unique(cuts)) if len(rows)]


def _subset(tokenized: Tokenized, rows: np.ndarray) -> Tokenized:
    batch = tokenized.take(rows)
    return Tokenized(ids=batch.ids, offsets=batch.offsets.astype(np.int64), cut_tokens=tokenized.cut_tokens[rows])


def _description(engine: Engine, blocks: Sequence[Block], texts: int) -> str:
    pooled = str(blocks[0]) if len(blocks) == 1 else f"{len(blocks)} blocks"
    return f"{engine.loaded.name}, {pooled}, {texts:,} texts, {engine.numerics}"
