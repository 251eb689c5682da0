"""The feature cache: arrays on disk under a key of everything that they depend on.

In: a key and parts of an array. Out: the same parts, or nothing when they are absent or damaged.
It does not know how features are computed. There is no way to be stale: another weight, token, text, pooling, layer,
limit or precision is another key. Parts are written whole, so an interrupted extraction goes on where it stopped.
"""

import hashlib
import io
import json
import os
import re
import shutil
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import platformdirs

from limbeck import storage
from limbeck.errors import StorageError

FORMAT = 1
"""Version of the layout on disk and of the way rows are divided into parts; part of every key."""

DEFAULT_MAX_BYTES = 10 * 2**30
"""Size at which the least recently used entries make room: 10 GiB."""

_FACTS_NAME = "facts.json"
_DIGEST_LETTERS = 16
_ENTRY_NAME = re.compile("[0-9a-f]{64}")


@dataclass(frozen=True, kw_only=True)
class FeatureKey:
    """Everything that a feature array depends on.

    Attributes:
        weights: SHA-256 of the encoder's weights.
        tokenizer: SHA-256 of the tokenizer.
        texts: SHA-256 of the texts, in order.
        blocks: names of the pooled blocks, in order ("mean@6").
        max_tokens: limit in tokens a text.
        numerics: engine and precision ("torch float32").
    """

    weights: str
    tokenizer: str
    texts: str
    blocks: tuple[str, ...]
    max_tokens: int
    numerics: str

    def digest(self) -> str:
        """Return the SHA-256 of the key, in hexadecimal: the name of the entry's folder."""
        content = json.dumps({"format": FORMAT, **asdict(self)}, sort_keys=True)
        return hashlib.sha256(content.encode()).hexdigest()


@dataclass(frozen=True, kw_only=True)
class Listing:
    """One entry as `limbeck cache list` shows it.

    Attributes:
        name: the key's digest.
        what: what the entry holds, in words.
        size_bytes: bytes on disk.
        last_used_s: seconds since the epoch.
        complete: whether every part is there.
    """

    name: str
    what: str
    size_bytes: int
    last_used_s: float
    complete: bool


class Entry:
    """The parts of one array."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def read_part(self, number: int) -> np.ndarray | None:
        """Return a part, or None when it is absent or its bytes are not those that were written."""
        found = sorted(self.folder.glob(f"part-{number:05d}-*.npy"))
        if not found:
            return None
        try:
            with storage.explained(found[0], doing="read"):
                content = found[0].read_bytes()
        except StorageError:
            # Another process made room or cleared the cache meanwhile, or the disk cannot give it back: compute it.
            return None
        if hashlib.sha256(content).hexdigest()[:_DIGEST_LETTERS] != found[0].stem.rsplit("-", 1)[1]:
            return None
        return np.lib.format.read_array(io.BytesIO(content), allow_pickle=False)

    def write_part(self, number: int, values: np.ndarray) -> None:
        """Write a part, whole and durable; a damaged one of the same number is removed."""
        buffer = io.BytesIO()
        np.save(buffer, values, allow_pickle=False)
        content = buffer.getvalue()
        for damaged in self.folder.glob(f"part-{number:05d}-*.npy"):
            damaged.unlink(missing_ok=True)
        digest = hashlib.sha256(content).hexdigest()[:_DIGEST_LETTERS]
        storage.write_bytes(self.folder / f"part-{number:05d}-{digest}.npy", content)

    def describe(self, *, what: str, parts: int) -> None:
        """Note what the entry holds and of how many parts it consists; marks it as used now."""
        facts = self.folder / _FACTS_NAME
        if facts.is_file():
            os.utime(facts)
        else:
            storage.write_json(facts, {"what": what, "parts": parts})


class FeatureCache:
    """A folder of entries with a size limit."""

    def __init__(self, folder: Path | None = None, *, max_bytes: int = DEFAULT_MAX_BYTES) -> None:
        self.folder = folder or platformdirs.user_cache_path("limbeck") / "features"
        self.max_bytes = max_bytes

    def entry(self, key: FeatureKey) -> Entry:
        """Return the place of a key, whether it holds anything yet or not."""
        return Entry(self.folder / key.digest())

    def listings(self) -> list[Listing]:
        """Return the entries, most recently used first."""
        if not self.folder.is_dir():
            return []
        found = (_listing(folder) for folder in self._folders())
        return sorted((entry for entry in found if entry), key=lambda entry: -entry.last_used_s)

    def trim(self, *, keep: Entry) -> list[Listing]:
        """Remove the least recently used entries until the rest fits the limit; never the one in use.

        Returns:
            What was removed.
        """
        entries = self.listings()
        total_bytes = sum(entry.size_bytes for entry in entries)
        removed = []
        for entry in reversed(entries):
            if total_bytes <= self.max_bytes:
                break
            if keep.folder.name != entry.name:
                self._remove(entry)
                removed.append(entry)
                total_bytes -= entry.size_bytes
        return removed

    def clear(self) -> list[Listing]:
        """Remove every entry.

        Returns:
            What was removed.
        """
        entries = self.listings()
        for entry in entries:
            self._remove(entry)
        return entries

    def _folders(self) -> list[Path]:
        """List the entries' folders; what else lies in the folder is not the cache's, and never removed."""
        with storage.explained(self.folder, doing="read"):
            return [
                folder for folder in self.folder.iterdir() if _ENTRY_NAME.fullmatch(folder.name) and folder.is_dir()
            ]

    def _remove(self, entry: Listing) -> None:
        folder = self.folder / entry.name
        # Another process may be removing it at the same time.
        with storage.explained(folder, doing="remove"), suppress(FileNotFoundError):
            shutil.rmtree(folder)


def fingerprint_texts(texts: Iterable[str]) -> str:
    """Return the SHA-256 (hexadecimal) of texts in order; boundaries count, so no two lists share one by shifting."""
    digest = hashlib.sha256()
    for text in texts:
        encoded = text.encode("utf-8", "surrogatepass")
        digest.update(len(encoded).to_bytes(8, "little") + encoded)
    return digest.hexdigest()


def _listing(folder: Path) -> Listing | None:
    """Describe an entry's folder, or None when another process removes it meanwhile.

    One that was interrupted before its first fact counts as incomplete.
    """
    try:
        return _described(folder)
    except FileNotFoundError:
        return None


def _described(folder: Path) -> Listing:
    files = [file for file in folder.iterdir() if file.is_file()]
    parts = sum(file.name.startswith("part-") for file in files)
    facts_file = folder / _FACTS_NAME
    try:
        facts = storage.read_json(facts_file)
        what, expected, used_s = str(facts["what"]), int(facts["parts"]), facts_file.stat().st_mtime
    except (StorageError, KeyError, TypeError, ValueError):
        what, expected, used_s = "an interrupted extraction", parts + 1, min([time.time(), folder.stat().st_mtime])
    return Listing(
        name=folder.name,
        what=what,
        size_bytes=sum(file.stat().st_size for file in files),
        last_used_s=used_s,
        complete=parts == expected,
    )
