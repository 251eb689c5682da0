"""Locks: a folder held for one process.

In: a folder. Out: it is held until the block ends; the kernel lets go of it even after kill -9. It does not know what
is done in the folder.
"""

import os
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import IO

from limbeck import os_files
from limbeck.errors import LockedError, StorageError
from limbeck.storage import LOCK_NAME, explained, missing_folders, remove_empty


@contextmanager
def lock(folder: Path) -> Iterator[None]:
    """Hold a folder for this process; the kernel lets go of it even after kill -9.

    A folder that is made for this and in which nothing was written is removed again.

    Raises:
        LockedError: another process holds it.
        StorageError: the folder cannot be written, or its file system has no locks.
    """
    made = missing_folders(folder)
    with explained(folder, doing="write"):
        handle = _held(folder)
    with handle:
        try:
            yield
        except BaseException:
            with suppress(FileNotFoundError):  # somebody removed the folder meanwhile: that is not why it failed
                if made and [file.name for file in folder.iterdir()] == [LOCK_NAME]:
                    os_files.remove_held(handle, folder / LOCK_NAME)
                    remove_empty(made)
            raise


@contextmanager
def patient_lock(folder: Path, *, patience_s: float) -> Iterator[None]:
    """Hold a folder; wait for another process that holds it, as long as `patience_s`.

    Raises:
        LockedError: another process holds it still.
        StorageError: as `lock` says.
    """
    started = time.monotonic()
    with ExitStack() as stack:
        while True:
            try:
                stack.enter_context(lock(folder))
                break
            except LockedError:
                if time.monotonic() - started > patience_s:
                    raise
                time.sleep(0.05)
        yield


def _held(folder: Path) -> IO[str]:
    """Open the lock file of a folder and lock it; again where its last holder removed it meanwhile."""
    path = folder / LOCK_NAME
    while True:
        folder.mkdir(parents=True, exist_ok=True)
        handle = path.open("a", encoding="utf-8")
        try:
            _hold(handle, folder)
            if path.exists() and os.path.samestat(path.stat(), os.fstat(handle.fileno())):
                return handle
        except BaseException:
            handle.close()
            raise
        handle.close()


def _hold(handle: IO[str], folder: Path) -> None:
    try:
        os_files.hold(handle)
    except BlockingIOError as error:
        raise LockedError(
            f"{folder} is in use by another limbeck process: wait for it to end, or choose another folder"
        ) from error
    except OSError as error:
        if error.errno not in os_files.NO_LOCKS:
            raise
        raise StorageError(
            f"cannot write {folder}: its file system has no locks ({error.strerror}), so two processes could spoil "
            "each other's work there: choose a folder on another file system, such as a local disk"
        ) from error
