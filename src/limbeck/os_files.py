"""What each system wants of files and processes; Linux, macOS and Windows differ here.

Locks, flushes to the disk, renames, links, children that end with their parents. In: open files, paths, processes. Out:
the same, done; an `OSError` where the system refuses. It does not know what they are for, nor words for people.
"""

import errno
import os
import platform
import shutil
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

NO_LOCKS = (errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOTSUP, errno.ENOSYS, errno.EINVAL)
"""What file systems without locks say: some network folders, FUSE, 9p."""
IN_USE = (32, 33)
"""What Windows says when another program has a file open, or a part of it locked (`OSError.winerror`)."""
_NO_FOLDER_SYNC = (errno.EINVAL, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EBADF, errno.ENOSYS)
"""What file systems say that make the names in a folder durable by themselves, or not at all."""
_NO_FULL_SYNC = (errno.EINVAL, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOTTY, errno.ENOSYS)
"""What macOS's file systems say that cannot empty the disk's own cache, such as network folders."""
_PR_SET_PDEATHSIG = 1
_PATIENCE_S, _PAUSE_S = 2.0, 0.02
"""How long Windows's programs that look at every new file (virus scanners, indexers) are waited for."""


def is_windows() -> bool:
    """Tell whether this is Windows."""
    return platform.system() == "Windows"


def hold(file: IO[str]) -> None:
    """Lock an open file for this process; the system lets go of it when the process ends, however it does.

    Raises:
        BlockingIOError: another process holds it.
        OSError: with one of `NO_LOCKS`, where the file system has no locks.
    """
    if not is_windows():
        import fcntl

        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return
    msvcrt = _msvcrt()
    file.seek(0)  # locks are of bytes, from here on; they may lie beyond the end
    try:
        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
    except OSError as error:
        if error.errno in (errno.EACCES, errno.EDEADLK):
            raise BlockingIOError(errno.EAGAIN, "another process holds it") from error
        raise


def remove_held(file: IO[str], path: Path) -> None:
    """Remove a file that this process holds.

    Windows removes no open file, so it is closed first there; where another process takes it in that moment, it stays.
    """
    if is_windows():
        file.close()
        with suppress(PermissionError):
            path.unlink(missing_ok=True)
    else:
        path.unlink()


def flush(descriptor: int) -> None:
    """Make a file's bytes survive a loss of power; on macOS the disk's own cache is emptied too, which fsync leaves."""
    if platform.system() == "Darwin":
        import fcntl

        try:
            fcntl.fcntl(descriptor, getattr(fcntl, "F_FULLFSYNC"))  # noqa: B009 - other systems' fcntl has no such name
            return
        except OSError as error:
            if error.errno not in _NO_FULL_SYNC:
                raise
    os.fsync(descriptor)


def flush_path(path: Path) -> None:
    """Make a file's bytes, or the names in a folder, survive a loss of power.

    Windows opens no folders, keeps names durable by itself, and flushes only what is open for writing.
    """
    is_folder = path.is_dir()
    if is_folder and is_windows():
        return
    descriptor = os.open(path, os.O_RDWR if is_windows() else os.O_RDONLY)
    try:
        flush(descriptor)
    except OSError as error:
        if not (is_folder and error.errno in _NO_FOLDER_SYNC):
            raise
    finally:
        os.close(descriptor)


def replace(staged: Path, target: Path) -> None:
    """Rename a file over another, or a folder over an empty one; whoever looks finds the old or the new.

    Windows replaces no folder, and no file that a program has open without sharing it; scanners do so for a moment.
    """
    if not is_windows():
        staged.replace(target)
        return
    if staged.is_dir():
        with suppress(FileNotFoundError):
            target.rmdir()
    started = time.monotonic()
    while True:
        try:
            staged.replace(target)
            return
        except PermissionError:
            if time.monotonic() - started > _PATIENCE_S:
                raise
            time.sleep(_PAUSE_S)


def link(source: Path, place: Path) -> None:
    """Make a place lead to a file; where the system grants no links (Windows, most often), to a copy of it."""
    try:
        place.symlink_to(source)
    except OSError:
        if not is_windows():
            raise
        try:
            os.link(source, place)
        except OSError:
            shutil.copyfile(source, place)


def end_with_parent(parent: int) -> None:
    """Let this process end when the one that started it is killed, which alone decides when it ends otherwise.

    Ctrl-C in a terminal and a service manager's SIGTERM reach every process. Where the system tells no child of its
    parent's end, whoever reads from the parent reads the end of the line.
    """
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)
    if platform.system() == "Linux":
        import ctypes

        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        sys.exit()


def allow_open_files(wanted: int) -> int:
    """Let this process have so many files open, as far as the system lets it; return how many it may have."""
    if is_windows():
        return wanted
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return wanted
    most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
    except (OSError, ValueError):  # macOS has a second limit, which it does not tell
        return soft
    return most


def _msvcrt() -> Any:
    """Return Windows's own module; other systems have none, and know no types of it."""
    from importlib import import_module

    return import_module("msvcrt")
