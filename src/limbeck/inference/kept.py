"""Small results of measuring, kept for the next process, and for this one where nothing can be written.

In: names and JSON values. Out: the same, or nothing. A place that cannot be written is said, and never ends the work.
It does not know what was measured.
"""

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

from platformdirs import user_cache_path

from limbeck import storage
from limbeck.errors import StorageError
from limbeck.folder_lock import patient_lock
from limbeck.progress import Progress

MOST_FILES = 200
"""More results than this are not kept: those that were not used for longest go."""
MEASURING_PATIENCE_S = 120.0
"""How long to wait for another process that is measuring the same."""
_IN_MEMORY: dict[Path, Any] = {}
_SAID: set[Path] = set()


class KeptResults:
    """A folder of results.

    Attributes:
        folder: where they are.
    """

    def __init__(self, cache_dir: Path | None = None) -> None:
        self.folder = (cache_dir or user_cache_path("limbeck")) / "calibrations"

    def read(self, name: str) -> Any:
        """Return what was kept, or None; a damaged file counts as absent."""
        path = self.folder / f"{name}.json"
        if path in _IN_MEMORY:
            return _IN_MEMORY[path]
        try:
            value = storage.read_json(path)
        except StorageError:
            return None
        with suppress(OSError):
            os.utime(path)
        return value

    def keep(self, name: str, value: Any, progress: Progress) -> None:
        """Keep a result on the disk, or in this process alone where that cannot be."""
        path = self.folder / f"{name}.json"
        try:
            storage.write_json(path, value)
            _IN_MEMORY.pop(path, None)
        except StorageError as error:
            _IN_MEMORY[path] = value
            if self.folder not in _SAID:
                _SAID.add(self.folder)
                progress.say(f"what was measured is known to this process only: {error}")
        with suppress(OSError):
            for old in sorted(self.folder.glob("*.json"), key=lambda file: -file.stat().st_mtime)[MOST_FILES:]:
                old.unlink()

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Let one process measure at a time, where there are locks; after some patience beside it."""
        with ExitStack() as stack:
            with suppress(StorageError):
                stack.enter_context(patient_lock(self.folder, patience_s=MEASURING_PATIENCE_S))
            yield

    def count(self) -> tuple[int, int]:
        """Return how many files there are, and their bytes."""
        sizes = []
        with suppress(OSError):
            sizes = [file.stat().st_size for file in self.folder.glob("*.json")]
        return len(sizes), sum(sizes)
