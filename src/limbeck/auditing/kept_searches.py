"""Kept searches: what searches for near-duplicates on disk left in the cache, and how it is removed.

In: the folder of all searches. Out: how many there are, and their bytes. It does not know what stands in their files.
"""

import shutil
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import platformdirs

from limbeck.errors import LockedError, StorageError
from limbeck.folder_lock import lock
from limbeck.storage import explained

ABANDONED_S = 7 * 24 * 3600
"""A search that was broken off, or whose result was not asked for, so long ago makes room."""


@dataclass(frozen=True, kw_only=True)
class KeptSearch:
    """The folder of one search.

    Attributes:
        folder: of its files.
        size_bytes: bytes on disk.
        last_used_s: seconds since the epoch.
        is_done: true where its result is kept, false where it was broken off or works.
    """

    folder: Path
    size_bytes: int
    last_used_s: float
    is_done: bool


def searches_folder() -> Path:
    """Return the folder of all searches, in the user's cache."""
    return platformdirs.user_cache_path("limbeck") / "near"


def kept_searches(root: Path) -> list[KeptSearch]:
    """Return the searches of a folder, most recently used first."""
    return sorted(_kept(root), key=lambda kept: -kept.last_used_s)


def clear_searches(root: Path) -> tuple[list[KeptSearch], list[KeptSearch]]:
    """Remove every search but those that a process works on; return what was removed, and what is in use.

    Raises:
        StorageError: a folder cannot be removed.
    """
    removed, in_use = [], []
    for kept in kept_searches(root):
        try:
            with lock(kept.folder), explained(kept.folder, doing="remove"):
                shutil.rmtree(kept.folder)
            removed.append(kept)
        except LockedError:
            in_use.append(kept)
    return removed, in_use


def remove_abandoned(root: Path) -> None:
    """Remove the searches that nobody went on with; those in use stay, and what cannot be removed is left."""
    for kept in _kept(root):
        with suppress(OSError, StorageError):
            if time.time() - kept.last_used_s > ABANDONED_S:
                with lock(kept.folder):
                    shutil.rmtree(kept.folder)


def _kept(root: Path) -> Iterator[KeptSearch]:
    for folder in root.iterdir() if root.is_dir() else ():
        with suppress(OSError):  # another process may remove it meanwhile
            files = list(folder.iterdir())
            facts = [file.stat() for file in files]
            yield KeptSearch(
                folder=folder,
                size_bytes=sum(one.st_size for one in facts),
                last_used_s=max(one.st_mtime for one in (folder.stat(), *facts)),
                is_done=any(file.name == "found" for file in files),
            )
