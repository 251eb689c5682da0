"""Windows's rules for files, as far as they concern limbeck, laid over the system that the tests run on.

What it forbids that others allow: opening a folder, flushing what is open for reading only, renaming over a folder,
removing or replacing a file that somebody has open, links without a privilege. Locks are of bytes, by `msvcrt`.
"""

import errno
import fcntl
import os
import platform
import shutil
import sys
from pathlib import Path
from types import ModuleType

import pytest


def windows_error(number: int, winerror: int, path: object) -> OSError:
    error = OSError(number, "as Windows says it", str(path))
    error.winerror = winerror
    return error


def is_open(path: Path) -> bool:
    """Tell whether this process has a file open."""
    try:
        wanted = Path(path).stat()
    except FileNotFoundError:
        return False
    for file in Path("/proc/self/fd").iterdir():
        try:
            if os.path.samestat(file.stat(), wanted):
                return True
        except OSError:
            continue
    return False


class Msvcrt(ModuleType):
    """Windows's module of locks: of bytes, where the file's position is."""

    LK_NBLCK = 2

    def __init__(self) -> None:
        super().__init__("msvcrt")
        self.refuses: int | None = None

    def locking(self, descriptor: int, mode: int, count: int) -> None:
        """Lock, or say EACCES where somebody else has."""
        assert (mode, count, os.lseek(descriptor, 0, os.SEEK_CUR)) == (self.LK_NBLCK, 1, 0)
        if self.refuses is not None:
            raise OSError(self.refuses, "refused")
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise PermissionError(errno.EACCES, "Permission denied") from None


def pretend_windows(monkeypatch: pytest.MonkeyPatch) -> Msvcrt:
    """Lay Windows's rules over this process; return its module of locks."""
    honest = {name: getattr(os, name) for name in ("open", "fsync", "replace", "unlink", "rename")}

    def opened(path, flags, mode=0o777, **options):
        if Path(path).is_dir():
            raise windows_error(errno.EACCES, 5, path)
        return honest["open"](path, flags, mode, **options)

    def fsync(descriptor):
        if fcntl.fcntl(descriptor, fcntl.F_GETFL) & os.O_ACCMODE == os.O_RDONLY:
            raise OSError(errno.EBADF, "Bad file descriptor")
        honest["fsync"](descriptor)

    def unlink(path, **options):
        if is_open(path):
            raise windows_error(errno.EACCES, 32, path)
        honest["unlink"](path, **options)

    def replace(source, target, **options):
        if Path(target).is_dir() or is_open(target) or is_open(source):
            raise windows_error(errno.EACCES, 5, target)
        honest["replace"](source, target, **options)

    def rename(source, target, **options):
        if Path(target).exists():
            raise windows_error(errno.EEXIST, 183, target)
        honest["rename"](source, target, **options)

    def symlink(source, place, target_is_directory=False):
        raise windows_error(errno.EPERM, 1314, place)

    module = Msvcrt()
    monkeypatch.setattr(platform, "system", lambda: "Windows")
    monkeypatch.setattr(shutil, "_use_fd_functions", False)
    monkeypatch.setitem(sys.modules, "fcntl", None)
    monkeypatch.setitem(sys.modules, "msvcrt", module)
    for name, rule in {
        "open": opened,
        "fsync": fsync,
        "unlink": unlink,
        "remove": unlink,
        "replace": replace,
        "rename": rename,
        "symlink": symlink,
    }.items():
        monkeypatch.setattr(os, name, rule)
    return module
