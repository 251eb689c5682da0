"""The only place that writes: temporary file, fsync, rename; SHA-256 manifests; locks.

In: bytes, or a function that fills a file or a folder. Out: a file or a folder that is either whole or absent.
It does not know what the bytes mean.
"""

import errno
import fcntl
import hashlib
import json
import os
import shutil
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

from limbeck.errors import BundleError, LockedError, StorageError

MANIFEST_NAME = "manifest.json"
STAGED_PREFIX = ".staged-"
LOCK_NAME = ".lock"
_HASH_BLOCK_BYTES = 1 << 20


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
        advice = {
            errno.ENOSPC: "the disk is full: free some space and run the command again",
            errno.EDQUOT: "your disk quota is used up: free some space and run the command again",
            errno.EACCES: "permission denied: choose another folder or change its rights",
            errno.EPERM: "permission denied: choose another folder or change its rights",
            errno.EROFS: "the file system is read-only: choose another folder",
            errno.ENOENT: "no such file or folder: check the path",
            errno.EEXIST: "a file stands where a folder was expected",
            errno.EISDIR: "this is a folder; a file was expected",
            errno.ENOTDIR: "a file stands where a folder was expected",
        }.get(error.errno or 0, error.strerror or str(error))
        raise StorageError(f"cannot {doing} {path}: {advice}") from error


@contextmanager
def staged_file(path: Path) -> Iterator[Path]:
    """Give a temporary path beside `path`; on success make it durable and rename it over `path`.

    After a kill at any moment `path` holds either its old bytes or all of the new ones.

    Raises:
        StorageError: the disk is full, or the folder cannot be written.
    """
    with explained(path, doing="write"):
        path.parent.mkdir(parents=True, exist_ok=True)
        staged = path.parent / f"{STAGED_PREFIX}{uuid4().hex}-{path.name}"
        try:
            yield staged
            _fsync(staged)
            staged.replace(path)
            _fsync(path.parent)
        finally:
            staged.unlink(missing_ok=True)


@contextmanager
def staged_folder(path: Path) -> Iterator[Path]:
    """Give a temporary folder beside `path`; on success make its files durable and rename it to `path`.

    Raises:
        StorageError: `path` exists and is not an empty folder, or writing failed.
    """
    with explained(path, doing="write"):
        if path.exists() and (not path.is_dir() or any(path.iterdir())):
            raise StorageError(f"cannot write {path}: it exists already; choose another folder or remove it first")
        path.parent.mkdir(parents=True, exist_ok=True)
        staged = path.parent / f"{STAGED_PREFIX}{uuid4().hex}-{path.name}"
        staged.mkdir()
        try:
            yield staged
            for file in sorted(staged.rglob("*")):
                _fsync(file)
            _fsync(staged)
            staged.replace(path)
            _fsync(path.parent)
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
    try:
        return json.loads(content)
    except (ValueError, RecursionError) as error:
        raise StorageError(f"cannot read {path}: it is not valid JSON ({error})") from error


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


def replace_listed(folder: Path, name: str, content: bytes) -> None:
    """Replace a file of a folder that has a manifest; after a kill at any moment the folder is whole, old or new.

    While the file is replaced its manifest lists both: `replaces` has the size and hash of the old bytes.

    Raises:
        BundleError: the folder is not what its manifest lists.
        StorageError: the disk is full, or the folder cannot be written.
    """
    check_manifest(folder)
    files = read_json(folder / MANIFEST_NAME)["files"]
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


@contextmanager
def lock(folder: Path) -> Iterator[None]:
    """Hold a folder for this process; the kernel lets go of it even after kill -9.

    Raises:
        LockedError: another process holds it.
    """
    with explained(folder, doing="write"):
        folder.mkdir(parents=True, exist_ok=True)
        handle = (folder / LOCK_NAME).open("w")
    with handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise LockedError(
                f"{folder} is in use by another limbeck process: wait for it to end, or choose another folder"
            ) from error
        yield


def _names(folder: Path) -> list[str]:
    """Relative names of a folder's files, sorted; the manifest itself and lock or staged files do not count."""
    files = (file for file in folder.rglob("*") if file.is_file())
    names = sorted(file.relative_to(folder).as_posix() for file in files)
    return [name for name in names if name not in (MANIFEST_NAME, LOCK_NAME) and not name.startswith(STAGED_PREFIX)]


def _fsync(path: Path) -> None:
    """Flush a file or a folder to the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
