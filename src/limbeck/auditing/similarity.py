"""Texts compared by their shingles: sketches of all of them, and the exact similarity of some pairs.

In: texts; pairs of them. Out: `Sketches`, Jaccard similarities, and `AlikePairs`, what a search comes to.
It does not know which pairs are compared, nor where the texts are kept.
"""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from limbeck.auditing.characters import blocks, cuts
from limbeck.auditing.minhash import SKETCH_BINS, Sketches, distinct, sketch
from limbeck.auditing.shingles import shingle
from limbeck.progress import Advance, untold

SHINGLE_CHARACTERS = 5

_CHECK_SHINGLES = 1 << 19
"""Shingles held at a time while pairs are checked."""

TakeTexts = Callable[[np.ndarray], pa.LargeStringArray]
"""Gives the texts of these numbers, which rise."""


@dataclass(frozen=True, kw_only=True)
class AlikePairs:
    """What a search among N different texts found.

    Shapes: P pairs.

    Attributes:
        pairs: int64 (P, 2), numbers of two texts that are alike, the smaller first; in rising order.
        similarity: float64 (P,), their Jaccard similarity.
        checked: number of pairs whose similarity was computed.
        chained: number of buckets too large for every pair of them to be looked at.
    """

    pairs: np.ndarray
    similarity: np.ndarray
    checked: int
    chained: int


def sketch_all(texts: pa.LargeStringArray, advance: Advance = untold, threads: int | None = None) -> Sketches:
    """Sketch every text, a block at a time, on all cores or so many threads; the result does not depend on them."""
    values = np.zeros((len(texts), SKETCH_BINS), dtype=np.uint16)
    counts = np.zeros(len(texts), dtype=np.int64)

    def work(rows: slice) -> int:
        shingles = shingle(texts[rows], SHINGLE_CHARACTERS)
        values[rows] = sketch(shingles)
        counts[rows] = np.diff(shingles.offsets)
        return int(rows.stop - rows.start)

    with ThreadPoolExecutor(threads or os.cpu_count()) as pool:
        for done in pool.map(work, blocks(texts)):
            advance(done)
    return Sketches(values=values, shingles=counts)


def similarities(take: TakeTexts, sizes_N: np.ndarray, pairs_P2: np.ndarray, advance: Advance = untold) -> np.ndarray:
    """Compute the Jaccard similarity of each pair's shingle sets.

    Args:
        take: gives texts by their numbers.
        sizes_N: int64 (N,), about how many shingles each text has; decides how many pairs are held at a time.
        pairs_P2: int64 (P, 2), numbers of texts.
        advance: is told of the pairs.

    Returns:
        float64 (P,).
    """
    similarity_P = np.zeros(len(pairs_P2))
    for some in cuts(sizes_N[pairs_P2].sum(axis=1), _CHECK_SHINGLES):
        similarity_P[some] = _jaccard(take, pairs_P2[some])
        advance(some.stop - some.start)
    return similarity_P


def _jaccard(take: TakeTexts, pairs: np.ndarray) -> np.ndarray:
    """Compute the similarity of some pairs at once: sort (pair, text's side, hash), and count hashes on both sides.

    A hash is cut to 40 bits to make room for the pair's number; two of the few thousand shingles of one pair are
    confused about once in a hundred thousand pairs, and shift its similarity by less than a thousandth then.
    """
    used, position = np.unique(pairs, return_inverse=True)
    position = position.reshape(pairs.shape)
    shingles = shingle(take(used), SHINGLE_CHARACTERS)
    hashes = shingles.hashes >> np.uint64(24)
    sides = [_keys(hashes, shingles.offsets, position[:, side]) for side in (0, 1)]
    both = np.sort(np.concatenate(sides))
    shared = both[1:][both[1:] == both[:-1]]
    intersection = np.bincount((shared >> np.uint64(40)).astype(np.int64), minlength=len(pairs))
    sizes = sum(np.bincount((side >> np.uint64(40)).astype(np.int64), minlength=len(pairs)) for side in sides)
    similarity: np.ndarray = intersection / np.maximum(sizes - intersection, 1)
    return similarity


def _keys(hashes: np.ndarray, offsets: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Return the distinct (pair number, hash) keys of one side of the pairs, uint64, sorted."""
    counts = np.diff(offsets)[rows]
    where = np.arange(counts.sum()) + np.repeat(offsets[rows] - (np.cumsum(counts) - counts), counts)
    pair = np.repeat(np.arange(len(rows), dtype=np.uint64), counts)
    return distinct((pair << np.uint64(40)) | hashes[where])
