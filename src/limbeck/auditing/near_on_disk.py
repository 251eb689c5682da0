"""Near-duplicates among more texts than memory holds the sketches of: each step of the search is kept in a folder.

In: different texts, a folder for work. Out: the pairs that are alike, bit for bit those that `near` finds in memory:
the same functions sketch, propose and check. Every file is whole or absent and named for its place in the work, and
the folder is named for the texts and the search: one that was killed goes on where it was, to the same bytes.

1. sketches: of every `MOST_PART_TEXTS` texts; of each band the keys, sorted, with the texts that have them.
2. runs: of each band and range of keys, the pairs whose texts share a key, sorted. The keys of all parts rise, so that
   one range is held at a time.
3. alike: of each range of first texts, the pairs of all runs, each once, that sketches do not rule out, computed
   exactly. Texts and sketches of second texts are read part by part.

It does not know rows, labels or splits. Shapes: D different texts, M of a part that have shingles, K bins, P pairs.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from limbeck.auditing.characters import cuts
from limbeck.auditing.distinct_texts import DistinctTexts
from limbeck.auditing.kept_searches import remove_abandoned
from limbeck.auditing.minhash import (
    BAND_BITS,
    COMPARED_PAIRS,
    SKETCH_BINS,
    agreement,
    band_count,
    band_keys,
    band_width,
    buckets_of,
    distinct,
    pairs_within,
    worth_checking,
)
from limbeck.auditing.near_files import SketchPart, mapped_array, pairs_of_run, read_alike, read_found, write_arrays
from limbeck.auditing.similarity import AlikePairs, similarities, sketch_all
from limbeck.errors import StorageError
from limbeck.folder_lock import lock
from limbeck.progress import SILENT, Advance, Progress
from limbeck.storage import LOCK_NAME, explained

NEAR_FORMAT = 2
"""Version of the files and of what is computed; part of every folder's name."""
MOST_PART_TEXTS = 1 << 16
"""Texts of a part, at most: a text's place in its part is kept in 16 bits."""
NEAR_MEMORY_BYTES = 1 << 30
"""About how much is held, beside a few numbers for each text."""
WORKERS = 4
"""Threads at most: what one of them holds is a share of memory that does not depend on the machine, so that the files
are the same everywhere."""

_KEY_BYTES = 220
"""What a key costs while pairs are made: itself, its order and bucket, and the pairs of a bucket of twelve."""
_PAIR_BYTES = 64
"""What a proposed pair costs while runs are merged."""
_PAIRS_BYTES = 64
"""What the pairs of a text take on disk: a guess, eight of them."""


@dataclass(frozen=True, kw_only=True, eq=False)
class DiskSearch:
    """A search: what is looked for, where its files are, and how much it holds at a time.

    Attributes:
        texts: the D different texts.
        folder: of this search alone.
        threshold: least Jaccard similarity.
        part_texts: texts of a part.
        memory_bytes: about how much all `WORKERS` hold together.
    """

    texts: DistinctTexts
    folder: Path
    threshold: float
    part_texts: int
    memory_bytes: int

    @property
    def found(self) -> Path:
        """The file of the result."""
        return self.folder / "found"

    @property
    def most_bytes(self) -> int:
        """About how much is kept on disk while the search works."""
        return len(self.texts.rows_D) * (8 + self.bands * (8 + 2) + 2 * SKETCH_BINS + _PAIRS_BYTES)

    @property
    def bands(self) -> int:
        """The bands of a sketch."""
        return band_count(band_width(self.threshold))

    @property
    def unit_bytes(self) -> int:
        """About how much one worker holds."""
        return max(1, self.memory_bytes // WORKERS)

    @cached_property
    def parts(self) -> list["SketchPart"]:
        """The files of sketches."""
        size, count = self.part_texts, len(self.texts.rows_D)
        return [
            SketchPart(path=self.path("sketches", place), first=start, texts=min(size, count - start), bands=self.bands)
            for place, start in enumerate(range(0, count, size))
        ]

    def path(self, kind: str, *places: int) -> Path:
        """Return the file of a kind and its place in the work."""
        return self.folder / "-".join([kind, *(f"{place:06d}" for place in places)])


@contextmanager
def opened_search(
    texts: DistinctTexts, root: Path, *, threshold: float, memory_bytes: int = NEAR_MEMORY_BYTES
) -> Iterator[DiskSearch]:
    """Hold the folder of a search for this process; searches that nobody went on with are removed.

    Args:
        texts: D different texts.
        root: folder of the folders of all searches.
        threshold: least Jaccard similarity.
        memory_bytes: about how much to hold, beside some 50 bytes for each text.

    Raises:
        LockedError: another process searches the same texts.
        StorageError: nothing can be written there, or there is too little room.
    """
    work = _work_of(texts, root, threshold, memory_bytes)
    remove_abandoned(root)
    with lock(work.folder):
        if not work.found.exists():
            _check_room(work)
        yield work


def find_on_disk(work: DiskSearch, progress: Progress = SILENT) -> AlikePairs:
    """Find the pairs of texts that are alike; what was found stays in the folder, and everything else goes.

    Raises:
        StorageError: the disk became full; what is done by then is kept.
    """
    is_done = work.found.exists()
    with progress.track("Looking for near-duplicates", total=2 * len(work.texts.rows_D), unit="texts") as advance:
        runs = [] if is_done else _proposed(work, advance)
    merged = _Merged(work, runs)
    with progress.track("Checking near-duplicates", total=merged.proposed, unit="pairs") as advance:
        if not is_done:
            write_arrays(work.found, *merged.checked(advance))
    for file in work.folder.iterdir():
        if file.name not in (work.found.name, LOCK_NAME):
            with explained(file, doing="remove"):
                file.unlink()
    return read_found(work.found, len(work.texts.rows_D))


def _check_room(work: DiskSearch) -> None:
    """Refuse a folder on a disk that has too little room for what is not there yet."""
    with explained(work.folder, doing="read"):
        needed = work.most_bytes - sum(file.stat().st_size for file in work.folder.iterdir())
        free = shutil.disk_usage(work.folder).free
    if needed > free:
        raise StorageError(
            f"they need about {needed / 1e9:.1f} GB in {work.folder.parent}, and {free / 1e9:.1f} GB are free: free "
            "some space, or set XDG_CACHE_HOME to a folder on a larger disk"
        )


def _work_of(texts: DistinctTexts, root: Path, threshold: float, memory_bytes: int) -> DiskSearch:
    mean_bytes = texts.texts.nbytes // max(1, len(texts.texts)) + 1
    part_texts = int(np.clip(memory_bytes // WORKERS // 4 // mean_bytes, 16, MOST_PART_TEXTS))
    facts = {
        "format": NEAR_FORMAT,
        "texts": texts.digest,
        "threshold": threshold,
        "part_texts": part_texts,
        "memory_bytes": memory_bytes,
    }
    name = hashlib.sha256(json.dumps(facts).encode()).hexdigest()
    return DiskSearch(
        texts=texts, folder=root / name, threshold=threshold, part_texts=part_texts, memory_bytes=memory_bytes
    )


def _proposed(work: DiskSearch, advance: Advance) -> list[Path]:
    """Sketch the texts and write down which pairs share a key; return the files of pairs."""

    def sketch(part: SketchPart) -> int:
        if not part.path.exists():
            write_arrays(part.path, *_sketched(work, part))
        return part.texts

    with ThreadPoolExecutor(min(WORKERS, os.cpu_count() or 1)) as pool:
        for texts in pool.map(sketch, work.parts):
            advance(texts)
        present = sum(part.present for part in work.parts)
        ranges = max(1, -(-present * _KEY_BYTES // work.unit_bytes))

        def run(number: int) -> Path:
            path = work.path("run", *divmod(number, ranges))
            if not path.exists():
                write_arrays(path, *_pairs_of_range(work, number // ranges, number % ranges, ranges))
            return path

        runs: list[Path] = []
        for path in pool.map(run, range(work.bands * ranges)):
            done, texts = len(runs), len(work.texts.rows_D)
            runs.append(path)
            advance(texts * (done + 1) // (work.bands * ranges) - texts * done // (work.bands * ranges), "comparing")
    return runs


def _sketched(work: DiskSearch, part: SketchPart) -> Sequence[np.ndarray]:
    texts = work.texts.take(np.arange(part.first, part.first + part.texts))
    sketches = sketch_all(texts, threads=1)
    present_M = np.flatnonzero(sketches.shingles)
    keys, places = [], []
    for key_M in band_keys(sketches.values, present_M, band_width(work.threshold)):
        order_M = np.argsort(key_M, kind="stable")
        keys.append(key_M[order_M].astype("<u8"))
        places.append(present_M[order_M].astype("<u2"))
    return sketches.shingles.astype("<i8"), *keys, *places, sketches.values.astype("<u2")


def _pairs_of_range(work: DiskSearch, band: int, place: int, ranges: int) -> tuple[np.ndarray, np.ndarray]:
    """Return how many buckets were chained, (1,), and the pairs, each as one number, int64 (P,), rising."""
    keys, texts = [np.zeros(0, np.uint64)], [np.zeros(0, np.int64)]
    for part in work.parts:
        keys_M = part.keys(band)
        start, stop = (_first_of_range(keys_M, number, ranges) for number in (place, place + 1))
        keys.append(np.array(keys_M[start:stop]))
        texts.append(part.places(band)[start:stop].astype(np.int64) + part.first)
    buckets = buckets_of(np.concatenate(keys), np.concatenate(texts))
    pairs = [first * len(work.texts.rows_D) + second for first, second in pairs_within(buckets)]
    return np.array([buckets.chained], "<i8"), distinct(np.concatenate(pairs)).astype("<i8")


def _first_of_range(keys_M: np.ndarray, place: int, ranges: int) -> int:
    """Return where a range of keys begins; no bucket is cut."""
    if place == ranges:
        return len(keys_M)
    return int(np.searchsorted(keys_M, np.uint64((place << (64 - int(BAND_BITS))) // ranges) << BAND_BITS))


class _Merged:
    """The pairs of all runs, each once, in order; worked off by ranges of their first texts.

    Attributes:
        proposed: pairs of the runs, those counted again that several of them have.
    """

    def __init__(self, work: DiskSearch, runs: Sequence[Path]) -> None:
        self._work = work
        self._runs = runs
        self._texts = len(work.texts.rows_D)
        edges = np.array([part.first for part in work.parts] + [self._texts], np.int64) * self._texts
        starts = [np.searchsorted(pairs_of_run(run), edges) for run in runs]
        self._starts_RP = np.stack(starts) if starts else np.zeros((0, len(edges)), np.int64)
        self.proposed = int(self._starts_RP[:, -1].sum())

    def checked(self, advance: Advance) -> Sequence[np.ndarray]:
        """Check them; return the numbers of checked pairs and chained buckets, (2,), pairs (P,) and similarity (P,)."""
        parts = self._work.parts
        sizes = np.diff(self._starts_RP, axis=1).sum(axis=0)
        load = sizes * _PAIR_BYTES + np.array([part.texts for part in parts], np.int64) * 2 * SKETCH_BINS
        spans = list(cuts(load, self._work.unit_bytes))

        def check(place: int) -> Path:
            path = self._work.path("alike", place)
            if not path.exists():
                write_arrays(path, *self._alike_in(spans[place]))
            return path

        counts = np.array([0, sum(int(mapped_array(run, "<i8", 0, 1)[0]) for run in self._runs)], "<i8")
        pairs, similarity = [np.zeros(0, "<i8")], [np.zeros(0, "<f8")]
        with ThreadPoolExecutor(min(WORKERS, os.cpu_count() or 1)) as pool:
            for span, path in zip(spans, pool.map(check, range(len(spans))), strict=True):
                checked, pairs_P, similarity_P = read_alike(path)
                counts[0] += checked
                pairs.append(pairs_P)
                similarity.append(similarity_P)
                advance(int(sizes[span].sum()))
        return counts, np.concatenate(pairs), np.concatenate(similarity)

    @cached_property
    def _shingles(self) -> np.ndarray:
        return np.concatenate([part.shingles for part in self._work.parts])

    def _alike_in(self, span: slice) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        keys_P = distinct(
            np.concatenate(
                [
                    pairs_of_run(run)[starts_P[span.start] : starts_P[span.stop]]
                    for run, starts_P in zip(self._runs, self._starts_RP, strict=True)
                ]
            )
        )
        likely_P = keys_P[self._worth_checking(keys_P, span)]
        pairs_P2 = np.stack([likely_P // self._texts, likely_P % self._texts], axis=1)
        similarity_P = similarities(self._work.texts.take, self._shingles, pairs_P2)
        alike_P = similarity_P >= self._work.threshold
        return np.array([len(likely_P)], "<i8"), likely_P[alike_P], similarity_P[alike_P]

    def _worth_checking(self, keys_P: np.ndarray, span: slice) -> np.ndarray:
        """Compare the sketches of pairs whose first texts are in some parts, one part of second texts at a time."""
        parts = self._work.parts
        begin = parts[span.start].first
        values_DK = np.concatenate([part.values() for part in parts[span]])
        worth_P = np.zeros(len(keys_P), bool)
        second_P = keys_P % self._texts
        order_P = np.argsort(second_P // self._work.part_texts, kind="stable")
        ends = np.searchsorted(second_P[order_P] // self._work.part_texts, np.arange(len(parts)), side="right")
        for part, here in zip(parts, np.split(order_P, ends[:-1]), strict=True):
            for start in range(0, len(here), COMPARED_PAIRS):
                some = here[start : start + COMPARED_PAIRS]
                first, second = keys_P[some] // self._texts, second_P[some]
                shares = agreement(values_DK[first - begin], part.values()[second - part.first])
                fewer = np.minimum(self._shingles[first], self._shingles[second])
                worth_P[some] = worth_checking(shares, fewer, self._work.threshold)
        return worth_P
