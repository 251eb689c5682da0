"""Texts as sets of hashed shingles: runs of characters of the folded text.

In: an Arrow array of texts. Out: 64-bit hashes with row offsets.
Folding means: Unicode NFD (Hangul falls apart into its letters, so that five characters mean about as much in Korean
as in English), lower case, and every run of white space, punctuation and signs becomes one space.
It does not know which texts are compared with which.
"""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from limbeck.auditing.characters import code_points, is_letter_or_digit, normalised

_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)
_SPACE = 0x20


@dataclass(frozen=True, kw_only=True)
class Shingles:
    """Hashed shingles of texts, in the order in which they stand; a shingle may occur twice.

    Shapes: N rows, S shingles.

    Attributes:
        hashes: uint64 (S,).
        offsets: int64 (N+1,); row i is `hashes[offsets[i]:offsets[i + 1]]`.
    """

    hashes: np.ndarray
    offsets: np.ndarray


@dataclass(frozen=True, kw_only=True)
class _Folded:
    """Folded texts, each followed by `gap` zeros; lengths int64 (N,) without the gap, starts int64 (N,)."""

    points: np.ndarray
    starts: np.ndarray
    lengths: np.ndarray


def shingle(texts: pa.Array, size: int) -> Shingles:
    """Hash every run of `size` characters of each folded text.

    A text shorter than `size` is one shingle; a text without any letter or digit has none.

    Example:
        >>> a, b = (shingle(pa.array([text]), 5).hashes.tolist() for text in ("Good  film!", "good film"))
        >>> a == b
        True
    """
    folded = _fold(texts, gap=size - 1)
    wide = folded.points.astype(np.uint64)
    hashes = np.zeros(max(0, len(wide) - size + 1), dtype=np.uint64)
    for place in range(size):
        hashes *= _MULTIPLIER
        hashes += wide[place : place + len(hashes)]
    counts = np.where(folded.lengths > 0, np.maximum(folded.lengths - size + 1, 1), 0)
    offsets = np.concatenate([[0], np.cumsum(counts)])
    where = np.arange(offsets[-1]) + np.repeat(folded.starts - offsets[:-1], counts)
    return Shingles(hashes=mix(hashes[where]), offsets=offsets)


def mix(values: np.ndarray) -> np.ndarray:
    """Scramble 64-bit values in place so that every bit depends on every bit.

    Source: Steele, Lea & Flood 2014, "Fast splittable pseudorandom number generators", the finaliser of SplitMix64.
    """
    values ^= values >> np.uint64(30)
    values *= np.uint64(0xBF58476D1CE4E5B9)
    values ^= values >> np.uint64(27)
    values *= np.uint64(0x94D049BB133111EB)
    values ^= values >> np.uint64(31)
    return values


def _fold(texts: pa.Array, gap: int) -> _Folded:
    """Fold texts and lay them end to end with `gap` zeros after each, so that no shingle reaches into the next text."""
    raw = code_points(pc.utf8_lower(normalised(texts, "NFD")))
    word = is_letter_or_digit(raw.points)
    row = raw.row_of_point()
    rows = len(raw.offsets) - 1
    # A separator is kept as one space where it follows a word character of the same row; a trailing one goes below.
    after_word = np.zeros(len(word), dtype=bool)
    after_word[1:] = word[:-1] & (row[1:] == row[:-1])
    kept = word | after_word
    lengths = np.bincount(row[kept], minlength=rows)
    starts = np.cumsum(lengths + gap) - lengths - gap
    laid = np.zeros(int(lengths.sum()) + rows * gap, dtype=np.uint32)
    kept_row = row[kept]
    before = np.cumsum(lengths) - lengths
    laid[np.arange(len(kept_row)) + (starts - before)[kept_row]] = np.where(word, raw.points, _SPACE)[kept]
    filled = np.flatnonzero(lengths)
    ends = starts[filled] + lengths[filled] - 1
    trailing = filled[laid[ends] == _SPACE]
    laid[starts[trailing] + lengths[trailing] - 1] = 0
    lengths[trailing] -= 1
    return _Folded(points=laid, starts=starts, lengths=lengths)
