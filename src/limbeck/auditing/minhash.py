"""MinHash sketches of shingle sets, and the pairs of texts that they propose.

In: shingles. Out: sketches (N, K) and candidate pairs. A candidate is a guess; `near` checks each against the truth.
It does not know texts, thresholds' meaning, or groups.

One-permutation hashing: a single hash of each shingle gives both the bin (K of them) and the value; each bin keeps its
smallest. A bin that stays empty borrows from a filled bin, in an order that is the same for every text. So for every
bin the chance that two texts agree is the Jaccard similarity of their shingle sets, as in MinHash with K permutations,
at the cost of one pass.

Source: Li, Owen & Zhang 2012, "One permutation hashing"; Shrivastava 2017, "Optimal densification for fast and
accurate minwise hashing"; banding: Leskovec, Rajaraman & Ullman, "Mining of massive datasets", chapter 3.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from limbeck.auditing.shingles import Shingles, mix

SKETCH_BINS = 240
ROWS_A_BAND = ((0.7, 6), (0.6, 5), (0.0, 4))
"""From this threshold on, bins a band: 240 bins are 40 bands of 6, 48 of 5, or 60 of 4. Two texts of similarity s share
a band of r with chance 1 - (1 - s^r)^bands: for 6, 0.993 at s = 0.7 and 0.99999 at 0.8, but 0.0001 at 0.12, which is
what two unrelated English film reviews have; for 5, 0.98 at 0.6; for 4, 0.98 at 0.5. Low thresholds cost more
candidates."""
BAND_BITS = np.uint64(24)
"""The bits of a key below those of its band: they say no more than the order inside a bucket."""

ALL_PAIRS_UP_TO = 12
"""A bucket of up to this many texts is compared pair by pair; in a larger one each text is compared with the first and
with the next `NEIGHBOURS`, which keeps the cost linear and still links them into one group. They stand in the order of
further bins, so that those that are alike are mostly neighbours: of pairs at 0.70 to 0.75 in such a bucket of film
reviews 78 % are compared, in the order of the file it would be 12 %."""
NEIGHBOURS = 4
_FURTHER_BINS = 3
"""Bins behind a band, 8 bits of each, that order a bucket."""

COMPARED_PAIRS = 1 << 14
"""Pairs whose sketches are compared in one go: few enough to stay in a core's cache."""
_SIGMAS = 3.0
"""A pair is checked when its estimate lies at most this many standard deviations below the threshold."""

_EMPTY = np.uint32(0xFFFFFFFF)


@dataclass(frozen=True, kw_only=True)
class Sketches:
    """What LSH needs of N texts.

    Shapes: N rows, K bins.

    Attributes:
        values: uint16 (N, K), folded from 32 bits: unequal ones agree by chance once in 65,536.
        shingles: int64 (N,), how many shingles a text has, repeats counted; 0 means that it has no sketch.
    """

    values: np.ndarray
    shingles: np.ndarray


def sketch(shingles: Shingles) -> np.ndarray:
    """Make the sketch of each text, uint16 (N, `BINS`); a text without shingles gets zeros."""
    rows = len(shingles.offsets) - 1
    counts = np.diff(shingles.offsets)
    row = np.repeat(np.arange(rows), counts)
    bins = ((shingles.hashes >> np.uint64(32)) * np.uint64(SKETCH_BINS)) >> np.uint64(32)
    smallest = np.full(rows * SKETCH_BINS, _EMPTY, dtype=np.uint32)
    np.minimum.at(smallest, row * SKETCH_BINS + bins.astype(np.int64), shingles.hashes.astype(np.uint32))
    values = smallest.reshape(rows, SKETCH_BINS)
    _fill_empty_bins(values, np.flatnonzero(counts))
    folded: np.ndarray = (values ^ (values >> np.uint32(16))).astype(np.uint16)
    return folded


def _fill_empty_bins(values: np.ndarray, rows: np.ndarray) -> None:
    """Let each empty bin borrow from the filled bin that comes first in that bin's own fixed order."""
    filled = values != _EMPTY
    for row_block in np.array_split(rows, max(1, len(rows) // 4096)):
        row, column = np.nonzero(~filled[row_block])
        row = row_block[row]
        for place in range(SKETCH_BINS):
            if not len(row):
                break
            lender = _LENDING_ORDER[column, place]
            found = filled[row, lender]
            # A different value for each borrowing bin would be as good; the same value keeps equal texts equal.
            values[row[found], column[found]] = values[row[found], lender[found]]
            row, column = row[~found], column[~found]


def _lending_order() -> np.ndarray:
    """Return for each bin its own random order of all bins, the same on every machine; int64 (K, K)."""
    numbers = np.arange(1, SKETCH_BINS * SKETCH_BINS + 1, dtype=np.uint64)
    keys = mix(numbers * np.uint64(0x9E3779B97F4A7C15)).reshape(SKETCH_BINS, SKETCH_BINS)
    return np.argsort(keys, axis=1, kind="stable")


_LENDING_ORDER = _lending_order()


@dataclass(frozen=True, kw_only=True)
class Buckets:
    """Texts in the order of one band's key: those that agree on the band stand side by side.

    Shapes: M texts.

    Attributes:
        members: int64 (M,), numbers of the texts.
        place: int64 (M,), the place of each text in its bucket.
        size: int64 (M,), how many texts its bucket has.
    """

    members: np.ndarray
    place: np.ndarray
    size: np.ndarray

    @property
    def chained(self) -> int:
        """Number of buckets that are too large for every pair of them to be looked at."""
        return int(np.count_nonzero((self.place == 0) & (self.size > ALL_PAIRS_UP_TO)))


def candidate_pairs(sketches: Sketches, threshold: float) -> tuple[np.ndarray, int]:
    """Return the pairs of texts that agree on a whole band, each pair once.

    Args:
        sketches: N texts.
        threshold: least similarity that is looked for; decides the width of a band.

    Returns:
        int64 (P, 2), rows in rising order, the smaller first; and the number of buckets that were chained.
    """
    texts = len(sketches.values)
    present = np.flatnonzero(sketches.shingles)
    found, chained = [np.zeros(0, dtype=np.int64)], 0
    for key in band_keys(sketches.values, present, band_width(threshold)):
        buckets = buckets_of(key, present)
        chained += buckets.chained
        found += [first * texts + second for first, second in pairs_within(buckets)]
    keys = distinct(np.concatenate(found))
    return np.stack([keys // max(texts, 1), keys % max(texts, 1)], axis=1), chained


def band_width(threshold: float) -> int:
    """Return how many bins a band has for this threshold."""
    return next(rows for least, rows in ROWS_A_BAND if threshold >= least)


def band_count(width: int) -> int:
    """Return how many bands of this width a sketch has."""
    return SKETCH_BINS // width


def band_keys(values: np.ndarray, present: np.ndarray, width: int) -> Iterator[np.ndarray]:
    """Yield for each band a number for each text, whose bits above `BAND_BITS` are equal where all values of it are.

    The bits below are those of the next bins, so that texts of one bucket, in the order of their keys, stand beside
    those that they are alike on further. Forty bits for a band bring unlike texts together once in 1e12 pairs.

    Args:
        values: uint16 (N, K), sketches.
        present: int64 (M,), the texts that have shingles.
        width: bins a band.

    Yields:
        uint64 (M,).
    """
    for start in range(0, SKETCH_BINS - width + 1, width):
        key = np.zeros(len(present), dtype=np.uint64)
        for column in range(start, start + width):
            key = mix((key << np.uint64(16)) ^ (key >> np.uint64(48)) ^ values[present, column].astype(np.uint64))
        key >>= BAND_BITS
        for column in range(start + width, start + width + _FURTHER_BINS):
            further = values[present, column % SKETCH_BINS].astype(np.uint64)
            key = (key << np.uint64(8)) | (further & np.uint64(0xFF))
        yield key


def buckets_of(key: np.ndarray, texts: np.ndarray) -> Buckets:
    """Bring texts that agree on a band together.

    Args:
        key: uint64 (M,), of one band.
        texts: int64 (M,), their numbers; among equal keys they rise.
    """
    order = np.argsort(key, kind="stable")
    band = key[order] >> BAND_BITS
    starts = np.flatnonzero(np.concatenate([[True], band[1:] != band[:-1]])) if len(key) else key[:0]
    sizes = np.diff(np.concatenate([starts, [len(key)]])).astype(np.int64)
    place = np.arange(len(key)) - np.repeat(starts, sizes).astype(np.int64)
    return Buckets(members=texts[order], place=place, size=np.repeat(sizes, sizes))


def pairs_within(buckets: Buckets) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield pairs of texts of one bucket, as two arrays with the smaller number first."""
    members, place, size = buckets.members, buckets.place, buckets.size
    small = size <= ALL_PAIRS_UP_TO
    for step in range(1, ALL_PAIRS_UP_TO):
        linked = np.flatnonzero((place + step < size) & (small | (step <= NEIGHBOURS)))
        if not len(linked):
            break
        yield _in_order(members[linked], members[linked + step])
    later = np.flatnonzero(~small & (place > NEIGHBOURS))
    yield _in_order(members[later - place[later]], members[later])


def _in_order(one: np.ndarray, other: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return np.minimum(one, other), np.maximum(one, other)


def distinct(values: np.ndarray) -> np.ndarray:
    """Return the different values, sorted; by sorting, as numpy's own hashing takes several times longer."""
    ordered = np.sort(values)
    return ordered[np.concatenate([[True], ordered[1:] != ordered[:-1]])] if len(ordered) else ordered


def agreement(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Return the share of bins on which two texts agree: an estimate of their similarity.

    Args:
        one: uint16 (P, K), sketches of the first texts.
        other: uint16 (P, K), those of the second ones.

    Returns:
        float64 (P,).
    """
    shares: np.ndarray = (one == other).mean(axis=1)
    return shares


def worth_checking(shares: np.ndarray, fewer: np.ndarray, threshold: float) -> np.ndarray:
    """Tell which pairs may reach the threshold; of the others the sketches say that they are far below it.

    Args:
        shares: float64 (P,), of bins on which the two texts agree.
        fewer: int64 (P,), shingles of the text that has fewer.
        threshold: least similarity that counts.

    Returns:
        bool (P,).
    """
    samples = np.minimum(fewer, SKETCH_BINS)
    slack = _SIGMAS * np.sqrt(threshold * (1 - threshold) / np.maximum(samples, 1))
    worth: np.ndarray = shares >= threshold - slack
    return worth
