"""The only place that writes: temporary file, fsync, rename; SHA-256 manifests.

In: bytes, or a function that fills a file or a folder. Out: a file or a folder that is either whole or absent.
It does not know what the bytes mean.
"""

import errno
import hashlib
import json
import os
import shutil
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path
from typing import Any
from uuid import uuid4

from limbeck import os_files
from limbeck.errors import BundleError, SettingsError, StorageError
from limbeck.remote_files import refuse_remote

MANIFEST_NAME = "manifest.json"
STAGED_PREFIX = ".staged-"
LOCK_NAME = ".lock"
"""File by which a process holds a folder (`folder_lock`); no part of what the folder holds."""
GIT_LFS_ADVICE = (
    "a Git LFS pointer, not the file itself: run git lfs install and git lfs pull in its folder, or download the file"
)
"""What to say about such a file, after its name and "is"."""
GIT_LFS_HEAD = b"version https://git-lfs"
"""How such a file begins."""
_HASH_BLOCK_BYTES = 1 << 20

_ADVICE = {
    errno.ENOSPC: "the disk is full: free some space and run the command again",
    errno.EDQUOT: "your disk quota is used up: free some space and run the command again",
    errno.EFBIG: "the file is larger than allowed here: raise the limit on a file's size (ulimit -f unlimited), or "
    "choose a folder on another file system",
    errno.EACCES: "permission denied: choose another folder or change its rights",
    errno.EPERM: "permission denied: choose another folder or change its rights",
    errno.EROFS: "the file system is read-only: choose another folder",
    errno.ENOENT: "no such file or folder: check the path",
    errno.EEXIST: "a file stands where a folder was expected",
    errno.EISDIR: "this is a folder; a file was expected",
    errno.ENOTDIR: "a file stands where a folder was expected",
    errno.ENAMETOOLONG: "the name is too long for this file system: choose a shorter one",
    errno.ELOOP: "its links lead round in a circle: choose another path",
    errno.EMFILE: "this process has too many files open: raise the limit (ulimit -n 4096)",
    errno.ENFILE: "this machine has too many files open: end other programs",
    errno.EIO: "the disk or the network failed (input/output error): check it, then run the command again",
    errno.ESTALE: "the network file system lost the file: check the connection, then run the command again",
}
"""What to do about what the system says."""
_WRITTEN_HERE = (
    "results are written to a folder of this machine, or of a network that it sees: give one, and copy it then"
)


@contextmanager
def explained(path: Path, *, doing: str) -> Iterator[None]:
    """Turn an `OSError` about `path` into a `StorageError` that says what to do.

    Args:
        path: the file or folder at hand.
        doing: the verb for the message ("write", "read").
    """
    try:
        yield
    except OSError as error:
        advice = _ADVICE.get(error.errno or 0, error.strerror or str(error))
        if getattr(error, "winerror", None) in os_files.IN_USE:
            advice = "another program has it open: close that program, then run the command again"
        if lost := _broken_link(path):
            advice = f"{lost} is a link to {lost.readlink()}, which does not exist: make that, or remove the link"
        raise StorageError(f"cannot {doing} {_final(path)}: {advice}") from error


def check_place(
    path: Path, suffixes: Collection[str], *, source: str | Path | None = None, overwrite: bool = True
) -> str:
    """Refuse a place where a result could not be written in the end; called before any work is done for it.

    Args:
        path: a file, which is replaced when it is there already; or a folder, which is not.
        suffixes: that the result can have, lower case, with the dot; "" for a folder.
        source: what the work reads; the result must not take its place.
        overwrite: a file that is there may be replaced.

    Returns:
        The suffix of `path`, in lower case.

    Raises:
        SettingsError: the suffix is none of these, `path` is `source` or in a store, or a file is there that must not
            be replaced.
        StorageError: a folder is there and not empty, or nothing can be written there.
    """
    refuse_remote(path, doing=_WRITTEN_HERE)
    suffix = path.suffix.lower()
    if suffix not in suffixes:
        files = ", ".join(known for known in suffixes if known)
        ways = [f"end its name with {files}"] * bool(files) + ["give a folder (no suffix)"] * ("" in suffixes)
        raise SettingsError(f"cannot tell the format of {path.name}: {', or '.join(ways)}")
    if not suffix:
        check_folder(path)
        return suffix
    with explained(path, doing="write"):
        if source is not None and path.exists() and Path(source).exists() and path.samefile(source):
            raise SettingsError(f"{path} is what is read: give another place, so that it stays as it is")
        if path.is_dir():
            raise StorageError(f"cannot write {path}: this is a folder; a file was expected")
        if path.exists() and not overwrite:
            raise SettingsError(f"{path} is there already: choose another place, or give --overwrite to replace it")
        _try_to_write(path)
    return suffix


def check_folder(path: Path, *, new: bool = True) -> None:
    """Refuse a folder that could not be written in the end; called before any work is done for it.

    Args:
        path: the folder.
        new: it must not be there yet, or be empty.

    Raises:
        SettingsError: it is in a store.
        StorageError: it is there already and not empty, a file stands there, or nothing can be written there.
    """
    refuse_remote(path, doing=_WRITTEN_HERE)
    with explained(path, doing="write"):
        if new or not path.is_dir():
            _check_free(path)
        _try_to_write(path / "any")


def _try_to_write(path: Path) -> None:
    """Write beside a path, or above it where its folders are yet to be made: so rights and full disks are asked for."""
    above = next(folder for folder in _real(path).parents if folder.exists())
    probe = above / f"{STAGED_PREFIX}{uuid4().hex}"
    probe.touch()
    probe.unlink()


def _check_free(folder: Path) -> None:
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise StorageError(f"cannot write {folder}: it exists already; choose another folder or remove it first")


@contextmanager
def staged_file(path: Path) -> Iterator[Path]:
    """Give a temporary path beside `path`; on success make it durable and rename it over `path`.

    After a kill at any moment `path` holds either its old bytes or all of the new ones. A link stays a link: what it
    leads to is written. Folders that were made for a file that could not be written are removed again.

    Raises:
        StorageError: the disk is full, or the folder cannot be written.
    """
    with explained(path, doing="write"), _parents_of(_real(path)) as target:
        staged = target.parent / f"{STAGED_PREFIX}{uuid4().hex}-{target.name}"
        try:
            staged.touch()
            rights = staged.stat().st_mode & 0o777
            yield staged
            _share(staged, rights)
            os_files.flush_path(staged)
            os_files.replace(staged, target)
            os_files.flush_path(target.parent)
        finally:
            staged.unlink(missing_ok=True)


@contextmanager
def staged_folder(path: Path) -> Iterator[Path]:
    """Give a temporary folder beside `path`; on success make its files durable and rename it to `path`.

    Raises:
        StorageError: `path` exists and is not an empty folder, or writing failed.
    """
    with explained(path, doing="write"), _parents_of(_real(path)) as target:
        _check_free(path)
        staged = target.parent / f"{STAGED_PREFIX}{uuid4().hex}-{target.name}"
        staged.mkdir()
        rights = staged.stat().st_mode & 0o777
        try:
            yield staged
            for file in sorted(staged.rglob("*")):
                _share(file, rights if file.is_dir() else rights & 0o666)
                os_files.flush_path(file)
            os_files.flush_path(staged)
            os_files.replace(staged, target)
            os_files.flush_path(target.parent)
        finally:
            shutil.rmtree(staged, ignore_errors=True)


def write_bytes(path: Path, content: bytes) -> None:
    """Write a whole file, atomically."""
    with staged_file(path) as staged:
        staged.write_bytes(content)


def write_text(path: Path, content: str) -> None:
    """Write a whole UTF-8 file, atomically, its line ends as given."""
    write_bytes(path, content.encode("utf-8"))


def write_json(path: Path, value: Any) -> None:
    """Write a JSON file, atomically: two spaces, keys in the order given, Hangul as Hangul, no NaN."""
    write_bytes(path, json_bytes(value))


def json_bytes(value: Any) -> bytes:
    """Return what `write_json` writes."""
    return (json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n").encode("utf-8")


def read_json(path: Path) -> Any:
    """Read a JSON file.

    Raises:
        StorageError: the file is absent, unreadable or not JSON.
    """
    with explained(path, doing="read"):
        content = path.read_bytes()
    if content.startswith(GIT_LFS_HEAD):
        raise StorageError(f"cannot read {path}: it is {GIT_LFS_ADVICE}")
    try:
        return json.loads(content)
    except (ValueError, RecursionError) as error:
        raise StorageError(f"cannot read {path}: it is not valid JSON ({error})") from error


def is_git_lfs_pointer(path: Path) -> bool:
    """Tell whether a file is the few lines that Git keeps in the place of a large one.

    Raises:
        StorageError: the file is absent or cannot be read.
    """
    with explained(path, doing="read"), path.open("rb") as file:
        return file.read(len(GIT_LFS_HEAD)) == GIT_LFS_HEAD


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file's bytes, in hexadecimal."""
    digest = hashlib.sha256()
    with explained(path, doing="read"), path.open("rb") as file:
        while block := file.read(_HASH_BLOCK_BYTES):
            digest.update(block)
    return digest.hexdigest()


def write_manifest(folder: Path) -> None:
    """Write `manifest.json`: the SHA-256 and size in bytes of every other file in the folder."""
    files = {
        name: {"sha256": sha256_of(folder / name), "bytes": (folder / name).stat().st_size} for name in _names(folder)
    }
    write_json(folder / MANIFEST_NAME, {"files": files})


def replace_listed(folder: Path, name: str, content: bytes, *, may_be_added: Collection[str] = ()) -> None:
    """Replace a file of a folder that has a manifest; after a kill at any moment the folder is whole, old or new.

    While the file is replaced its manifest lists both: `replaces` has the size and hash of the old bytes. A file that
    may be added is not listed where it was.

    Args:
        folder: with a manifest.
        name: of the file, within the folder.
        content: its new bytes.
        may_be_added: as in `check_manifest`.

    Raises:
        BundleError: the folder is not what its manifest lists.
        StorageError: the disk is full, or the folder cannot be written.
    """
    check_manifest(folder, may_be_added=may_be_added)
    files = read_json(folder / MANIFEST_NAME)["files"]
    if name not in files:
        write_bytes(folder / name, content)
        return
    old = {"sha256": sha256_of(folder / name), "bytes": (folder / name).stat().st_size}
    new = {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}
    write_json(folder / MANIFEST_NAME, {"files": {**files, name: {**new, "replaces": old}}})
    write_bytes(folder / name, content)
    write_json(folder / MANIFEST_NAME, {"files": {**files, name: new}})


def check_manifest(folder: Path, *, may_be_added: Collection[str] = ()) -> None:
    """Refuse a folder in which any file was changed, removed or added since its manifest was written.

    Args:
        folder: with a manifest.
        may_be_added: files and folders that others put beside the listed ones, such as git's own.

    Raises:
        BundleError: names the first file that differs and how.
    """
    if not (folder / MANIFEST_NAME).is_file():
        raise BundleError(f"{folder} has no {MANIFEST_NAME}: it is not a folder that limbeck wrote, or is incomplete")
    try:
        listed = read_json(folder / MANIFEST_NAME)["files"]
        recorded = {
            name: [(one["bytes"], one["sha256"]) for one in (facts, facts.get("replaces", facts))]
            for name, facts in listed.items()
        }
    except (StorageError, KeyError, TypeError, AttributeError) as error:
        raise BundleError(f"{folder / MANIFEST_NAME} is damaged: copy or make the folder again") from error
    advice = "the folder was changed or damaged after it was written; copy or make it again"
    present = set(_names(folder))
    if missing := sorted(recorded.keys() - present):
        raise BundleError(f"{folder / missing[0]} is missing: {advice}")
    if added := sorted(name for name in present - recorded.keys() if name.split("/")[0] not in may_be_added):
        raise BundleError(f"{folder / added[0]} is not in the manifest: {advice}")
    for name, allowed in recorded.items():
        file = folder / name
        size_bytes = file.stat().st_size
        if size_bytes not in [size for size, _ in allowed] or (size_bytes, sha256_of(file)) not in allowed:
            raise BundleError(f"{file} differs from its SHA-256 in {MANIFEST_NAME}: {advice}")


def free_folder(path: Path) -> Path:
    """Make an empty folder for this caller alone: `path`, or where that is taken, the first of `path`-2, `path`-3, ….

    Raises:
        StorageError: `path` is a file, or cannot be made.
    """
    with explained(path, doing="make"):
        for number in count(1):
            place = path if number == 1 else path.with_name(f"{path.name}-{number}")
            try:
                place.mkdir(parents=True)
                break
            except FileExistsError:
                if number == 1 and not path.is_dir():
                    raise
                if number == 1 and not any(path.iterdir()):
                    break
    return place


@contextmanager
def _parents_of(path: Path) -> Iterator[Path]:
    """Make the folders above a path; when what follows fails, remove those of them that stayed empty."""
    made = missing_folders(path.parent)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield path
    except BaseException:
        remove_empty(made)
        raise


def _final(path: Path) -> Path:
    """Return the path that a staged one will be renamed to, for messages."""
    staged = len(STAGED_PREFIX) + 33  # the prefix, a UUID in hexadecimal and a hyphen
    return Path(*(part[staged:] if part.startswith(STAGED_PREFIX) else part for part in path.parts))


def missing_folders(folder: Path) -> list[Path]:
    """Return the folders that are not there yet, the innermost first."""
    return [one for one in (folder, *folder.parents) if not one.exists()]


def remove_empty(folders: list[Path]) -> None:
    """Remove folders, the innermost first, up to one that is not empty."""
    with suppress(OSError):
        for folder in folders:
            folder.rmdir()


def _real(path: Path) -> Path:
    """Return what a path leads to; a link to nothing is no place to write: a disk may be missing there."""
    real = Path(os.path.realpath(path))
    lost = _broken_link(path)
    if lost is not None and not (lost == path and real.parent.is_dir()):
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(lost))
    return real


def _broken_link(path: Path) -> Path | None:
    """Return the link to nothing on the way to a path."""
    return next((one for one in (path, *path.parents) if one.is_symlink() and not one.exists()), None)


def _share(path: Path, rights: int) -> None:
    """Give a file the rights that the umask grants, whatever the library that wrote it thought of them."""
    with suppress(OSError):  # file systems without rights, such as FAT, refuse the call
        path.chmod(rights)


def _names(folder: Path) -> list[str]:
    """Relative names of a folder's files, sorted; the manifest itself and lock or staged files do not count."""
    files = (file for file in folder.rglob("*") if file.is_file())
    names = sorted(file.relative_to(folder).as_posix() for file in files)
    return [name for name in names if name not in (MANIFEST_NAME, LOCK_NAME) and not name.startswith(STAGED_PREFIX)]
