"""The feature cache: pooled blocks on disk, each text's under the key of its own tokens.

In: what computes, and keys of texts. Out: an `Entry` to take from and to keep in; the room that all of them take.
It does not know how features are computed. There is no way to be stale: other weights, another arithmetic or other
kernels are another entry, other tokens another key, another pooling or layer another block.
"""

import hashlib
import json
import re
import shutil
from collections.abc import Collection, Iterable
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from uuid import uuid4

import numpy as np
import platformdirs

from limbeck import storage
from limbeck.errors import StorageError
from limbeck.features.entry import ENTRY_FACTS_NAME, Entry
from limbeck.features.parts import is_part

CACHE_FORMAT = 2
"""Version of the layout on disk; part of every entry's name."""

DEFAULT_MAX_BYTES = 10 * 2**30
"""Size at which the least recently used parts make room: 10 GiB."""

_ENTRY_NAME = re.compile("[0-9a-f]{64}")
_REMOVED_PREFIX = ".removed-"


@dataclass(frozen=True, kw_only=True)
class FeatureKey:
    """Everything beside its tokens that a text's features depend on.

    Attributes:
        weights: SHA-256 of the encoder's weights.
        numerics: engine and precision ("torch float32 cpu").
        build: which version of the engine: of torch, or of the compiled kernels.
    """

    weights: str
    numerics: str
    build: str

    def digest(self) -> str:
        """Return the SHA-256 of the key, in hexadecimal: the name of the entry's folder."""
        content = json.dumps({"format": CACHE_FORMAT, **asdict(self)}, sort_keys=True)
        return hashlib.sha256(content.encode()).hexdigest()


@dataclass(frozen=True, kw_only=True)
class Listing:
    """One entry as `limbeck cache list` shows it.

    Attributes:
        name: the key's digest.
        what: what the entry holds, in words.
        texts: how many different ones.
        size_bytes: bytes on disk.
        last_used_s: seconds since the epoch.
    """

    name: str
    what: str
    texts: int
    size_bytes: int
    last_used_s: float


class FeatureCache:
    """A folder of entries with a size limit.

    Attributes:
        folder: of the entries.
        max_bytes: parts that were not used for longest go beyond this.
        was_refused: something could not be kept, and this was said.
    """

    def __init__(self, folder: Path | None = None, *, max_bytes: int = DEFAULT_MAX_BYTES) -> None:
        self.folder = folder or platformdirs.user_cache_path("limbeck") / "features"
        self.max_bytes = max_bytes
        self.was_refused = False

    def entry(self, key: FeatureKey, *, what: str) -> Entry:
        """Return the place of a key, whether it holds anything yet or not; `what` says in words what it holds."""
        return Entry(self.folder / key.digest(), what)

    def listings(self) -> list[Listing]:
        """Return the entries, most recently used first."""
        found = (_listing(folder) for folder in self._folders())
        return sorted((entry for entry in found if entry), key=lambda entry: -entry.last_used_s)

    def trim(self, *, in_use: Collection[Path] = ()) -> int:
        """Remove the parts that were not used for longest until the rest fits the limit; never one in use.

        Returns:
            Bytes that were removed.

        Raises:
            StorageError: a part cannot be removed.
        """
        parts = sorted(part for folder in self._folders() for part in _sized_parts(folder))
        total_bytes = sum(size for _, size, _ in parts)
        removed_bytes = 0
        for _, size_bytes, file in parts:
            if total_bytes - removed_bytes <= self.max_bytes:
                break
            if file not in in_use:
                with storage.explained(file, doing="remove"):
                    file.unlink(missing_ok=True)
                removed_bytes += size_bytes
        for folder in self._folders() if removed_bytes else ():
            if not _sized_parts(folder):
                _remove(folder)
        return removed_bytes

    def clear(self) -> list[Listing]:
        """Remove every entry. A process that is writing into one begins it anew.

        Returns:
            What was removed.

        Raises:
            StorageError: an entry cannot be removed.
        """
        entries = self.listings()
        for entry in entries:
            _remove(self.folder / entry.name)
        if self.folder.is_dir():
            for left in self.folder.glob(f"{_REMOVED_PREFIX}*"):
                shutil.rmtree(left, ignore_errors=True)
        return entries

    def _folders(self) -> list[Path]:
        """List the entries' folders; what else lies in the folder is not the cache's, and never removed."""
        if not self.folder.is_dir():
            return []
        with storage.explained(self.folder, doing="read"):
            return [
                folder for folder in self.folder.iterdir() if _ENTRY_NAME.fullmatch(folder.name) and folder.is_dir()
            ]


def fingerprint_texts(texts: Iterable[str]) -> str:
    """Return the SHA-256 (hexadecimal) of texts in order; boundaries count, so no two lists share one by shifting."""
    digest = hashlib.sha256()
    for text in texts:
        encoded = text.encode("utf-8", "surrogatepass")
        digest.update(len(encoded).to_bytes(8, "little") + encoded)
    return digest.hexdigest()


def keys_of(ids: np.ndarray, offsets: np.ndarray) -> np.ndarray:
    """Return a key of each text's tokens, uint64 (N, 2): the same tokens, the same key.

    Args:
        ids: tokens of all texts, end to end.
        offsets: (N+1,) where each begins and ends.
    """
    content = memoryview(np.ascontiguousarray(ids, "<i4").tobytes())
    bounds = (4 * np.asarray(offsets, np.int64)).tolist()
    digests = (hashlib.blake2b(content[begin:end], digest_size=16).digest() for begin, end in pairwise(bounds))
    return np.frombuffer(b"".join(digests), np.uint64).reshape(-1, 2)


def _remove(folder: Path) -> None:
    """Take an entry away in one step, then delete it: whoever writes into it finds no folder, not half of one."""
    aside = folder.with_name(f"{_REMOVED_PREFIX}{uuid4().hex}")
    try:
        folder.rename(aside)
    except FileNotFoundError:
        return  # another process removed it at the same time
    except OSError as error:
        raise StorageError(f"cannot remove {folder}: {error.strerror or error}") from error
    shutil.rmtree(aside, ignore_errors=True)


def _sized_parts(folder: Path) -> list[tuple[float, int, Path]]:
    """List the parts of an entry with the time of their last use and their size, those of older layouts too."""
    found = []
    try:
        for file in folder.iterdir():
            if is_part(file.name) or file.suffix == ".npy":
                facts = file.stat()
                found.append((facts.st_mtime, facts.st_size, file))
    except OSError:
        pass  # another process is removing it
    return found


def _listing(folder: Path) -> Listing | None:
    """Describe an entry's folder, or None when another process removes it meanwhile."""
    try:
        what = str(storage.read_json(folder / ENTRY_FACTS_NAME)["what"])
    except (StorageError, KeyError, TypeError):
        what = "features"
    sized = _sized_parts(folder)
    heads = Entry(folder, what).parts()
    if sized and not heads:
        what += ", by an older limbeck"
    keys = [part.keys_N2 for part in heads]
    try:
        return Listing(
            name=folder.name,
            what=what,
            texts=len(np.unique(np.concatenate(keys), axis=0)) if keys else 0,
            size_bytes=sum(size for _, size, _ in sized),
            last_used_s=max([used_s for used_s, _, _ in sized], default=folder.stat().st_mtime),
        )
    except FileNotFoundError:
        return None
