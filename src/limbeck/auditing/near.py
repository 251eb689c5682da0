"""Near-duplicates: groups of texts whose shingle sets overlap by at least a threshold.

In: texts. Out: a group for each text, and the pairs that were checked and found alike.
Two texts are near-duplicates when the Jaccard similarity of their sets of five-character shingles (folded as
`shingles` says) is at least the threshold. MinHash only proposes pairs: every pair that is reported was computed
exactly, so none is below the threshold; a pair above it may be missed (the chance is in `minhash`, the measured recall
in benchmarks/results/audit_planted.json). Groups are what the pairs link together.
It does not know labels or splits.
"""

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from limbeck.auditing.characters import blocks, one_array
from limbeck.auditing.minhash import SKETCH_BINS, Sketches, agreement, candidate_pairs, distinct, sketch
from limbeck.auditing.shingles import shingle
from limbeck.progress import SILENT, Progress
from limbeck.settings import NEAR_THRESHOLD

SHINGLE_CHARACTERS = 5

MOST_COMPARED = 200
"""Different texts of a group up to which every pair is compared: 19,900 pairs."""
_SIGMAS = 3.0
"""A pair is checked when its estimate lies at most this many standard deviations below the threshold."""
_CHECK_SHINGLES = 1 << 21
"""Shingles held at a time while pairs are checked."""


@dataclass(frozen=True, kw_only=True)
class NearDuplicates:
    """Near-duplicates among N texts.

    Shapes: N rows, P pairs.

    Attributes:
        group: int64 (N,), a number for each row; rows with equal or nearly equal texts share one. Numbers rise with
            the first row of the group.
        pairs: int64 (P, 2), pairs of rows with *different* texts that were found alike; a text that occurs several
            times stands there by its first row.
        similarity: float64 (P,), their Jaccard similarity.
        threshold: the least similarity that counts.
        checked: number of pairs whose similarity was computed.
    """

    group: np.ndarray
    pairs: np.ndarray
    similarity: np.ndarray
    threshold: float
    checked: int


def find_near_duplicates(
    texts: pa.Array | pa.ChunkedArray, *, threshold: float = NEAR_THRESHOLD, progress: Progress = SILENT
) -> NearDuplicates:
    """Group texts that are equal or nearly so.

    Args:
        texts: N texts.
        threshold: least Jaccard similarity, above 0 up to 1.
        progress: follows the sketching.

    Example:
        >>> near = find_near_duplicates(pa.array(["a fine film, truly", "A fine film - truly!", "dull"]))
        >>> near.group.tolist()
        [0, 0, 2]
    """
    coded = one_array(texts).dictionary_encode()
    different, code = coded.dictionary, coded.indices.to_numpy(zero_copy_only=False).astype(np.int64)
    first_row = _first_rows(code, len(different))
    sketches = _sketch_all(different, progress)
    candidates = candidate_pairs(sketches, threshold)
    likely = candidates[_worth_checking(sketches, candidates, threshold)]
    similarity = _similarities(different, likely, progress)
    alike = similarity >= threshold
    pairs = likely[alike]
    component = _components(pairs, len(different))
    leader = np.full(len(different), len(code), dtype=np.int64)
    np.minimum.at(leader, component, first_row)
    return NearDuplicates(
        group=leader[component][code],
        pairs=first_row[pairs],
        similarity=similarity[alike],
        threshold=threshold,
        checked=len(likely),
    )


def all_pairs(texts: pa.Array | pa.ChunkedArray, near: NearDuplicates, progress: Progress = SILENT) -> np.ndarray:
    """Return the pairs of texts that reach the threshold, those included that the search did not propose.

    Inside a group the search proposes what links it together, not each pair. Here every pair of a group is looked at,
    as long as the group has at most `MOST_COMPARED` different texts; of a larger one the pairs found are returned.

    Args:
        texts: the N texts that `near` was made of.
        near: their groups.
        progress: follows the checking.

    Returns:
        int64 (P, 2), first rows of the two texts, the smaller first.
    """
    array = one_array(texts)
    coded = array.dictionary_encode()
    code = coded.indices.to_numpy(zero_copy_only=False).astype(np.int64)
    rows = _first_rows(code, len(coded.dictionary))
    _, group, sizes = np.unique(near.group[rows], return_inverse=True, return_counts=True)
    compared = rows[(sizes[group] > 2) & (sizes[group] <= MOST_COMPARED)]
    order = compared[np.argsort(near.group[compared], kind="stable")]
    parts = np.split(order, np.flatnonzero(np.diff(near.group[order])) + 1)
    pairs = np.concatenate([near.pairs, *(part[np.stack(np.triu_indices(len(part), 1), axis=1)] for part in parts)])
    pairs = np.unique(np.sort(pairs, axis=1), axis=0)
    some, place = np.unique(pairs, return_inverse=True)
    alike = _similarities(array.take(pa.array(some)), place.reshape(pairs.shape), progress) >= near.threshold
    return pairs[alike]


def _first_rows(code: np.ndarray, codes: int) -> np.ndarray:
    """Return the first row at which each code stands; dictionary encoding gives codes in order of appearance."""
    first = np.full(codes, len(code), dtype=np.int64)
    np.minimum.at(first, code, np.arange(len(code)))
    return first


def _components(pairs: np.ndarray, texts: int) -> np.ndarray:
    """Return the number of the connected component of each text, int64 (N,)."""
    graph = coo_array((np.ones(len(pairs), dtype=bool), (pairs[:, 0], pairs[:, 1])), shape=(texts, texts))
    component: np.ndarray = connected_components(graph, directed=False)[1]
    return component


def _sketch_all(texts: pa.LargeStringArray, progress: Progress) -> Sketches:
    """Sketch every text, a block at a time, on all cores; the result does not depend on their number."""
    values = np.zeros((len(texts), SKETCH_BINS), dtype=np.uint16)
    counts = np.zeros(len(texts), dtype=np.int64)

    def work(rows: slice) -> int:
        shingles = shingle(texts[rows], SHINGLE_CHARACTERS)
        values[rows] = sketch(shingles)
        counts[rows] = np.diff(shingles.offsets)
        return int(rows.stop - rows.start)

    with (
        ThreadPoolExecutor(os.cpu_count()) as pool,
        progress.track("Looking for near-duplicates", total=len(texts), unit="texts") as advance,
    ):
        for done in pool.map(work, blocks(texts)):
            advance(done)
    return Sketches(values=values, shingles=counts)


def _worth_checking(sketches: Sketches, pairs: np.ndarray, threshold: float) -> np.ndarray:
    """Drop pairs that cannot reach the threshold, or that the sketches say are far below it."""
    fewer = np.minimum(sketches.shingles[pairs[:, 0]], sketches.shingles[pairs[:, 1]])
    samples = np.minimum(fewer, SKETCH_BINS)
    slack = _SIGMAS * np.sqrt(threshold * (1 - threshold) / np.maximum(samples, 1))
    worth: np.ndarray = agreement(sketches, pairs) >= threshold - slack
    return worth


def _similarities(texts: pa.LargeStringArray, pairs: np.ndarray, progress: Progress) -> np.ndarray:
    """Compute the Jaccard similarity of each pair's shingle sets, float64 (P,)."""
    similarity = np.zeros(len(pairs))
    lengths = pc.utf8_length(texts).to_numpy(zero_copy_only=False).astype(np.int64)
    load = np.cumsum(lengths[pairs].sum(axis=1)) if len(pairs) else np.zeros(0, dtype=np.int64)
    start = 0
    with progress.track("Checking near-duplicates", total=len(pairs), unit="pairs") as advance:
        while start < len(pairs):
            done = load[start - 1] if start else 0
            stop = max(start + 1, int(np.searchsorted(load, done + _CHECK_SHINGLES, side="right")))
            similarity[start:stop] = _jaccard(texts, pairs[start:stop])
            advance(stop - start)
            start = stop
    return similarity


def _jaccard(texts: pa.LargeStringArray, pairs: np.ndarray) -> np.ndarray:
    """Compute the similarity of some pairs at once: sort (pair, text's side, hash), and count hashes on both sides.

    A hash is cut to 40 bits to make room for the pair's number; two of the few thousand shingles of one pair are
    confused about once in a hundred thousand pairs, and shift its similarity by less than a thousandth then.
    """
    used, position = np.unique(pairs, return_inverse=True)
    position = position.reshape(pairs.shape)
    shingles = shingle(texts.take(pa.array(used)), SHINGLE_CHARACTERS)
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
