"""Near-duplicates: groups of texts whose shingle sets overlap by at least a threshold.

In: texts. Out: a group for each text, and the pairs that were checked and found alike.
Two texts are near-duplicates when the Jaccard similarity of their sets of five-character shingles (folded as
`shingles` says) is at least the threshold. MinHash only proposes pairs: every pair that is reported was computed
exactly, so none is below the threshold; a pair above it may be missed (the chance is in `minhash`, the measured recall
in benchmarks/results/audit_planted.json). Groups are what the pairs link together.
Up to `MOST_IN_MEMORY` texts are searched in memory, more of them on disk (`near_on_disk`): the pairs are the same.
It does not know labels or splits.
"""

from contextlib import ExitStack
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from limbeck.auditing.characters import one_array
from limbeck.auditing.distinct_texts import distinct_texts
from limbeck.auditing.kept_searches import searches_folder
from limbeck.auditing.minhash import COMPARED_PAIRS, Sketches, agreement, candidate_pairs, worth_checking
from limbeck.auditing.near_on_disk import find_on_disk, opened_search
from limbeck.auditing.similarity import AlikePairs, similarities, sketch_all
from limbeck.errors import LockedError, StorageError
from limbeck.progress import SILENT, Progress
from limbeck.settings import NEAR_THRESHOLD

MOST_IN_MEMORY = 1_000_000
"""Texts up to which the search holds everything in memory, about 1 KB for each."""
MOST_COMPARED = 200
"""Different texts of a group up to which every pair is compared: 19,900 pairs."""


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
        chained: number of buckets of texts too large for every pair of them to be looked at (`minhash.NEIGHBOURS`).
    """

    group: np.ndarray
    pairs: np.ndarray
    similarity: np.ndarray
    threshold: float
    checked: int
    chained: int


def find_near_duplicates(
    texts: pa.Array | pa.ChunkedArray, *, threshold: float = NEAR_THRESHOLD, progress: Progress = SILENT
) -> NearDuplicates:
    """Group texts that are equal or nearly so.

    Args:
        texts: N texts.
        threshold: least Jaccard similarity, above 0 up to 1.
        progress: follows the sketching.

    Raises:
        LockedError: more texts than are searched in memory, and another process is searching them.
        StorageError: the disk became full meanwhile.

    Example:
        >>> near = find_near_duplicates(pa.array(["a fine film, truly", "A fine film - truly!", "dull"]))
        >>> near.group.tolist()
        [0, 0, 2]
    """
    if len(texts) > MOST_IN_MEMORY:
        on_disk = _on_disk(texts, threshold, progress)
        if on_disk is not None:
            return on_disk
    coded = one_array(texts).dictionary_encode()
    different, code = coded.dictionary, coded.indices.to_numpy(zero_copy_only=False).astype(np.int64)
    found = _in_memory(different, threshold, progress)
    return _grouped(found, _first_rows(code, len(different)), code, threshold)


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
    alike = _checked(array.take(pa.array(some)), place.reshape(pairs.shape), progress) >= near.threshold
    return pairs[alike]


def _on_disk(texts: pa.Array | pa.ChunkedArray, threshold: float, progress: Progress) -> NearDuplicates | None:
    """Search many texts on disk, and say so; None, and why, where that cannot be."""
    different = distinct_texts(texts if isinstance(texts, pa.ChunkedArray) else pa.chunked_array([texts]))
    root = searches_folder()
    with ExitStack() as stack:
        try:
            search = stack.enter_context(opened_search(different, root, threshold=threshold))
        except LockedError:
            raise
        except StorageError as error:
            progress.say(f"Near-duplicates are searched in memory, because on disk they cannot be: {error}")
            return None
        progress.say(
            f"Near-duplicates among {len(texts):,} rows are searched on disk: up to {search.most_bytes / 1e9:.1f} GB "
            f"in {root} until the search has ended. If it is broken off, the same command goes on where it was."
        )
        found = find_on_disk(search, progress)
    return _grouped(found, different.rows_D, different.number_N, threshold)


def _grouped(found: AlikePairs, first_row: np.ndarray, code: np.ndarray, threshold: float) -> NearDuplicates:
    """Say of rows what was found of their different texts: the first row and the number of each are given."""
    component = _components(found.pairs, len(first_row))
    leader = np.full(len(first_row), len(code), dtype=np.int64)
    np.minimum.at(leader, component, first_row)
    return NearDuplicates(
        group=leader[component][code],
        pairs=first_row[found.pairs],
        similarity=found.similarity,
        threshold=threshold,
        checked=found.checked,
        chained=found.chained,
    )


def _in_memory(texts: pa.LargeStringArray, threshold: float, progress: Progress) -> AlikePairs:
    with progress.track("Looking for near-duplicates", total=len(texts), unit="texts") as advance:
        sketches = sketch_all(texts, advance)
    candidates, chained = candidate_pairs(sketches, threshold)
    likely = candidates[_worth_checking(sketches, candidates, threshold)]
    similarity = _checked(texts, likely, progress)
    alike = similarity >= threshold
    return AlikePairs(pairs=likely[alike], similarity=similarity[alike], checked=len(likely), chained=chained)


def _worth_checking(sketches: Sketches, pairs: np.ndarray, threshold: float) -> np.ndarray:
    worth = np.zeros(len(pairs), dtype=bool)
    for start in range(0, len(pairs), COMPARED_PAIRS):
        one, other = pairs[start : start + COMPARED_PAIRS].T
        shares = agreement(sketches.values[one], sketches.values[other])
        fewer = np.minimum(sketches.shingles[one], sketches.shingles[other])
        worth[start : start + COMPARED_PAIRS] = worth_checking(shares, fewer, threshold)
    return worth


def _checked(texts: pa.LargeStringArray, pairs: np.ndarray, progress: Progress) -> np.ndarray:
    """Compute the similarity of pairs of texts that are at hand."""
    lengths = pc.utf8_length(texts).to_numpy(zero_copy_only=False).astype(np.int64)
    with progress.track("Checking near-duplicates", total=len(pairs), unit="pairs") as advance:
        return similarities(lambda numbers: texts.take(pa.array(numbers)), lengths, pairs, advance)


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
