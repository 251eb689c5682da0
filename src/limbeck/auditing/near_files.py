"""Files of a search for near-duplicates: what stands where in them. Each is written whole or absent.

In: a path, arrays. Out: arrays, of which only what is touched is read. It does not know in which order they are made.

    sketches    shingles of each text | of each band the keys | of each band the texts | the sketches themselves
    run         chained buckets | pairs
    alike       checked pairs | pairs | similarity
    found       checked pairs, chained buckets | pairs | similarity

A pair is one number: its first text times D, and its second. Shapes: D different texts, M of a part that have shingles,
P pairs.
"""

from dataclasses import dataclass
from functools import cached_property
from mmap import ACCESS_READ, mmap
from pathlib import Path

import numpy as np

from limbeck.auditing.minhash import SKETCH_BINS
from limbeck.auditing.similarity import AlikePairs
from limbeck.storage import explained, staged_file


@dataclass(frozen=True, kw_only=True, eq=False)
class SketchPart:
    """A file of sketches: shingles of each text; of each band M keys; of each band M texts; the sketches themselves."""

    path: Path
    first: int
    texts: int
    bands: int

    @cached_property
    def shingles(self) -> np.ndarray:
        """How many shingles each text has, int32."""
        return np.array(mapped_array(self.path, "<i8", 0, self.texts)).astype(np.int32)

    @cached_property
    def present(self) -> int:
        """M: how many texts have shingles."""
        return int(np.count_nonzero(self.shingles))

    def keys(self, band: int) -> np.ndarray:
        """Return the keys of a band, uint64 (M,), rising."""
        return mapped_array(self.path, "<u8", 8 * (self.texts + band * self.present), self.present)

    def places(self, band: int) -> np.ndarray:
        """Return whose keys these are, by their places in the part, uint16 (M,)."""
        before = 8 * (self.texts + self.bands * self.present)
        return mapped_array(self.path, "<u2", before + 2 * band * self.present, self.present)

    def values(self) -> np.ndarray:
        """Return the sketches, uint16 (texts, bins)."""
        before = 8 * self.texts + 10 * self.bands * self.present
        return mapped_array(self.path, "<u2", before, self.texts * SKETCH_BINS).reshape(self.texts, SKETCH_BINS)


def pairs_of_run(run: Path) -> np.ndarray:
    """Return the pairs of a run, int64 (P,), rising."""
    return mapped_array(run, "<i8", 8, run.stat().st_size // 8 - 1)


def read_alike(path: Path) -> tuple[int, np.ndarray, np.ndarray]:
    """Return how many pairs were checked, those that are alike (P,), and their similarity (P,)."""
    pairs = (path.stat().st_size // 8 - 1) // 2
    return (
        int(mapped_array(path, "<i8", 0, 1)[0]),
        np.array(mapped_array(path, "<i8", 8, pairs)),
        np.array(mapped_array(path, "<f8", 8 + 8 * pairs, pairs)),
    )


def read_found(path: Path, texts: int) -> AlikePairs:
    """Return the result of a search among so many texts."""
    pairs = (path.stat().st_size // 8 - 2) // 2
    checked, chained = mapped_array(path, "<i8", 0, 2).tolist()
    keys_P = np.array(mapped_array(path, "<i8", 16, pairs))
    return AlikePairs(
        pairs=np.stack([keys_P // max(1, texts), keys_P % max(1, texts)], axis=1),
        similarity=np.array(mapped_array(path, "<f8", 16 + 8 * pairs, pairs)),
        checked=checked,
        chained=chained,
    )


def mapped_array(path: Path, kind: str, offset: int, count: int) -> np.ndarray:
    """Return a piece of a file as an array; only what is touched of it is read, and it is let go of with the array."""
    if not count:
        return np.zeros(0, kind)
    # Not numpy's memmap, which takes ten times as long to be made: there are some for each part of each run.
    with explained(path, doing="read"), path.open("rb") as file:
        whole = mmap(file.fileno(), 0, access=ACCESS_READ)
    return np.frombuffer(whole, kind, count, offset)


def write_arrays(path: Path, *arrays: np.ndarray) -> None:
    """Write arrays end to end.

    Raises:
        StorageError: the disk is full, or nothing can be written there.
    """
    with staged_file(path) as staged, staged.open("wb") as file:
        for array in arrays:
            file.write(array.tobytes())
