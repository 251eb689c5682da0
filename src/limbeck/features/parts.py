"""A part of the feature cache: the pooled blocks of some texts in one safetensors file that is never changed.

In: the keys of some texts and an array a block. Out: the same, or nothing when the file is absent or damaged: its
name has the digest of its head, and its head the digest of each array. One block is read without the others.
It does not know texts or encoders.

Shapes: N texts, D columns of a block.
"""

import hashlib
import json
import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import numpy as np
from safetensors.numpy import save

from limbeck import storage

KEYS = "keys"
"""Name of the array of keys, beside those of the blocks."""
_PREFIX, _SUFFIX = "part-", ".safetensors"
_MOST_HEAD_BYTES = 2**20
_DIGEST_LETTERS = 16
_Place = tuple[int, int]


@dataclass(frozen=True, kw_only=True, eq=False)
class Part:
    """A part's head.

    Attributes:
        path: the file.
        keys_N2: of its texts, uint64 (N, 2).
        size_bytes: of the file.
        places: where each block's array begins and ends in the file.
        digests: SHA-256 of each block's bytes.
    """

    path: Path
    keys_N2: np.ndarray
    size_bytes: int
    places: Mapping[str, _Place]
    digests: Mapping[str, str]

    def read(self, block: str) -> np.ndarray | None:
        """Return the array of a block, (N, D), or None when it cannot be read or is not what was written."""
        begin, end = self.places[block]
        try:
            with self.path.open("rb") as file:
                file.seek(begin)
                content = file.read(end - begin)
        except OSError:
            return None
        if len(content) != end - begin or hashlib.sha256(content).hexdigest() != self.digests[block]:
            return None
        return np.frombuffer(content, np.float32).reshape(len(self.keys_N2), -1)

    def touch(self) -> None:
        """Note that it is in use; a cache that cannot be written does not keep the note."""
        with suppress(OSError):
            os.utime(self.path)


def is_part(name: str) -> bool:
    """Tell whether a file of this name is a part."""
    return name.startswith(_PREFIX) and name.endswith(_SUFFIX)


def write_part(folder: Path, keys_N2: np.ndarray, values: Mapping[str, np.ndarray]) -> Path:
    """Write a part, whole and durable, under a name that nobody else has.

    Args:
        folder: of the entry.
        keys_N2: of the texts, uint64.
        values: each block's array, float32 (N, D).

    Raises:
        StorageError: the folder cannot be written.
    """
    arrays = {name: np.ascontiguousarray(array) for name, array in ((KEYS, keys_N2), *values.items())}
    content = save(arrays, {name: hashlib.sha256(array.tobytes()).hexdigest() for name, array in arrays.items()})
    digest = hashlib.sha256(_head_of(content)).hexdigest()[:_DIGEST_LETTERS]
    path = folder / f"{_PREFIX}{uuid4().hex[:16]}-{digest}{_SUFFIX}"
    storage.write_bytes(path, content)
    return path


def read_head(path: Path) -> Part | None:
    """Return a part's head, or None when the file is absent, unreadable or not what was written."""
    try:
        with path.open("rb") as file:
            head = file.read(8)
            length = int.from_bytes(head, "little")
            if length > _MOST_HEAD_BYTES:
                return None
            head += file.read(length)
            if hashlib.sha256(head).hexdigest()[:_DIGEST_LETTERS] != path.stem.rsplit("-", 1)[-1]:
                return None
            # From here on the head is what we wrote ourselves.
            told = json.loads(head[8:])
            digests = told.pop("__metadata__")
            places = {
                name: (len(head) + one["data_offsets"][0], len(head) + one["data_offsets"][1])
                for name, one in told.items()
            }
            begin, end = places.pop(KEYS)
            file.seek(begin)
            keys = file.read(end - begin)
            size_bytes = os.fstat(file.fileno()).st_size
    except OSError:
        return None
    if hashlib.sha256(keys).hexdigest() != digests.pop(KEYS):
        return None
    keys_N2 = np.frombuffer(keys, np.uint64).reshape(-1, 2)
    return Part(path=path, keys_N2=keys_N2, size_bytes=size_bytes, places=places, digests=digests)


def _head_of(content: bytes) -> bytes:
    return content[: 8 + int.from_bytes(content[:8], "little")]
