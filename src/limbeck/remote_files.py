"""Remote files: those of an object store or of Hadoop, as paths that are only read.

In: a name such as s3://bucket/texts/part-1.parquet. Out: a `RemotePath`. Readers open it, seek in it and ask for its
size as they do with a file of this machine; each read is one request for a range of its bytes. What a store says when
it says no becomes one sentence with what to do.

Endpoints and credentials come from the environment, as the programs of each store read them, and are refused in a name:
names stand in plans, manifests and messages. It does not know what the bytes mean, and it never writes.
"""

import fnmatch
import glob
import hashlib
import io
import os
import re
import stat
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit
from urllib.request import url2pathname

from limbeck.errors import LimbeckError, SettingsError, StorageError, StoreUnreachableError

if sys.platform == "win32":
    from pathlib import WindowsPath as _SystemPath
else:
    from pathlib import PosixPath as _SystemPath

SCHEMES = ("s3", "gs", "hdfs")
"""What the names of remote files begin with, before ://."""
_REMOTE = re.compile(rf"({'|'.join(SCHEMES)}):[\\/]+")
_NAMED = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+)://")
_OPTIONS = re.compile(r"\?.*\b(?:endpoint_override|region|scheme|anonymous)\b")
_BUFFER_BYTES = 1 << 22
"""Bytes per request of who reads line by line."""

_STORE_SAYS: tuple[tuple[re.Pattern[str], type[LimbeckError], str], ...] = (
    (
        re.compile("no.?such.?bucket|bucket.{0,80}(does not exist|not found)", re.IGNORECASE),
        StorageError,
        "there is no such bucket: check its name, and the region or endpoint that the environment says",
    ),
    (
        re.compile(
            "access.?denied|forbidden|credential|permission|unauthenti|unauthori|invalid.?access.?key|signature|"
            r"expired.?token|http response code 40[13]",
            re.IGNORECASE,
        ),
        StorageError,
        "the store refuses to show it: set credentials that may read it (for s3 AWS_ACCESS_KEY_ID and "
        "AWS_SECRET_ACCESS_KEY, AWS_PROFILE, or a role of this machine; for gs GOOGLE_APPLICATION_CREDENTIALS)",
    ),
    (
        re.compile("libhdfs|libjvm|classpath", re.IGNORECASE),
        StorageError,
        "Hadoop's own library is needed and was not found: set JAVA_HOME, HADOOP_HOME and CLASSPATH (hadoop classpath "
        "--glob)",
    ),
    (
        re.compile(
            "network|curlcode|connect|timed? ?out|resolve host|slow.?down|throttl|service.?unavailable|internal.?"
            r"(failure|error)|reset by peer|broken pipe|end of file|short read|http response code (429|5\d\d)",
            re.IGNORECASE,
        ),
        StoreUnreachableError,
        "the store gave no answer, or broke off in the middle of one: check the network, then run the command again",
    ),
)
"""What stores say, in their many words → the error, and what to do about it."""


def is_remote(name: str | Path) -> bool:
    """Tell whether a name is that of something in a store, also one whose slashes a path has joined."""
    return _REMOTE.match(str(name)) is not None


def path_of(name: str | Path) -> Path:
    """Return the path that a name means: of a store, or of this machine, as file://… too.

    Raises:
        SettingsError: it names another kind of store, or holds secrets or settings.

    Example:
        >>> str(path_of("s3://bucket/a.csv")), path_of("s3://bucket/a.csv").suffix
        ('s3://bucket/a.csv', '.csv')
    """
    words = str(name)
    scheme = _NAMED.match(words)
    if scheme is None:
        return name if isinstance(name, Path) else Path(words)
    if scheme[1] == "file":
        return Path(url2pathname(urlsplit(words, allow_fragments=False).path))
    if scheme[1] not in SCHEMES:
        raise SettingsError(
            f"{_without_secrets(words)}: names may begin with file://, {', '.join(f'{one}://' for one in SCHEMES)}; "
            "copy the file to this machine first"
        )
    rest = words[scheme.end() :]
    if rest.startswith("/"):
        rest = f"default{rest}"  # of Hadoop: the file system that its settings name
    host = rest.partition("/")[0]
    if ":" in host.partition("@")[0] and "@" in host:
        raise SettingsError(
            f"{_without_secrets(words)} has a password in its name, which would stand in files and messages: set it "
            "in the environment (AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE)"
        )
    if _OPTIONS.search(words):
        raise SettingsError(
            f"{words} has settings behind a question mark, which means any one sign in a pattern: set AWS_ENDPOINT_URL "
            "and AWS_REGION in the environment"
        )
    return RemotePath(f"{scheme[1]}://{rest}")


def refuse_remote(path: str | Path, *, doing: str) -> None:
    """Refuse a name in a store where only a place of this machine will do.

    Args:
        path: that was given.
        doing: what cannot be done there, and what to do.

    Raises:
        SettingsError: it is in a store.
    """
    if is_remote(path):
        name = _without_secrets(_REMOTE.sub(r"\1://", str(path)))
        raise SettingsError(f"{name} is in a store: {doing}")


class RemotePath(_SystemPath):
    """Where a file or folder of a store is; what paths of this machine do, as far as reading goes."""

    __slots__ = ()

    def __str__(self) -> str:
        return _REMOTE.sub(r"\1://", super().__str__().replace("\\", "/"))

    def absolute(self) -> "RemotePath":
        """Return this path: it means the same from everywhere."""
        return self

    def resolve(self, strict: bool = False) -> "RemotePath":
        """Return this path: stores have no links."""
        return self

    def is_symlink(self) -> bool:
        """Tell that this is no link."""
        return False

    def exists(self, **_: Any) -> bool:
        """Tell whether something is there."""
        return bool(_info_of(self).type.value)

    def is_file(self, **_: Any) -> bool:
        """Tell whether a file is there."""
        return bool(_info_of(self).is_file)

    def is_dir(self, **_: Any) -> bool:
        """Tell whether files are below it."""
        from pyarrow.fs import FileType

        return bool(_info_of(self).type == FileType.Directory)

    def stat(self, **_: Any) -> os.stat_result:
        """Return size and time of writing.

        Raises:
            StorageError: nothing is there, or the store says no.
        """
        found = _info_of(self)
        if not found.type.value:
            raise _absent(self)
        kind, written_ns = stat.S_IFREG if found.is_file else stat.S_IFDIR, found.mtime_ns or 0
        numbers = (kind | 0o444, 0, 0, 1, 0, 0, found.size or 0, 0, written_ns // 10**9, 0)
        return os.stat_result(numbers, {"st_mtime_ns": written_ns})

    def open(self, mode: str = "rb", buffering: int = -1, **_: Any) -> Any:  # type: ignore[override]  # reads bytes, nothing else
        """Open the file for reading bytes; without buffering each read is one request.

        Raises:
            StorageError: it is not there, or the store says no; so do all reads.
        """
        if mode != "rb":
            raise ValueError(f"{self} is only read, as bytes")
        opened = _RangeReader(self)
        return io.BufferedReader(opened, _BUFFER_BYTES) if buffering else opened

    def fingerprint(self) -> str:
        """Return a SHA-256 of what the store says of the file, so that nobody reads all of it to know it again.

        That is its name, its size, and the tag or generation that the store gives each writing of it; of a store
        without such (Hadoop) the time of writing.

        Raises:
            StorageError: it is not there, or the store says no.
        """
        with _RangeReader(self) as opened:
            tags = opened.tags()
            told = [str(self), str(opened.size), *(tags or [str(_info_of(self).mtime_ns)])]
        return hashlib.sha256("\n".join(told).encode()).hexdigest()


def files_in(folder: RemotePath, pattern: Sequence[str] = ("**", "*")) -> list[RemotePath]:
    """List the files below a folder of a store.

    Args:
        folder: where they are.
        pattern: what the names below it look like, folder by folder; "**" is any number of folders.

    Raises:
        StorageError: the store says no, or a name cannot be said as a path.
    """
    from pyarrow.fs import FileSelector

    system, inner = _place_of(folder)
    deep = len(pattern) > 1 or "**" in pattern
    with _explained_store(folder):
        found = system.get_file_info(FileSelector(inner, recursive=deep, allow_not_found=True))
    files = []
    for one in found:
        below = one.path[len(inner) :].lstrip("/")
        if one.is_file and matches(below.split("/"), pattern):
            path = folder / below
            if not str(path).endswith(f"/{below}"):
                raise StorageError(
                    f"cannot read {folder}/{below}: empty or dotted parts of a name are not read; copy it"
                )
            files.append(path)
    return files


def files_like(pattern: str) -> list[RemotePath]:
    """List the files of a store whose names are like a pattern, as `glob` does those of this machine.

    Raises:
        StorageError: the store says no.
        SettingsError: the bucket or host itself is a pattern.
    """
    parts = RemotePath(pattern).parts
    first = next(place for place, part in enumerate(parts) if glob.has_magic(part))
    if first < 2:
        raise SettingsError(f"{pattern} has a pattern in the name of its bucket: name one bucket")
    return files_in(RemotePath(*parts[:first]), parts[first:])


def matches(parts: Sequence[str], pattern: Sequence[str]) -> bool:
    """Tell whether a name, folder by folder, is like a pattern; as with `glob`, a star means no leading dot.

    Example:
        >>> matches(["a", "b.csv"], ["**", "*.csv"]), matches([".a", "b.csv"], ["**", "*.csv"])
        (True, False)
    """
    if not pattern:
        return not parts
    first, rest = pattern[0], pattern[1:]
    if first == "**" and (matches(parts, rest or ("*",))):
        return True
    if not parts or (parts[0].startswith(".") and not first.startswith(".")):
        return False
    return (
        matches(parts[1:], pattern)
        if first == "**"
        else fnmatch.fnmatchcase(parts[0], first) and matches(parts[1:], rest)
    )


class _RangeReader(io.RawIOBase):
    """The bytes of a remote file, a range at a time.

    Attributes:
        size: in bytes.
    """

    def __init__(self, path: RemotePath) -> None:
        super().__init__()
        self._path, self._position = path, 0
        system, inner = _place_of(path)
        with _explained_store(path):
            self._file = system.open_input_file(inner)
            self.size: int = self._file.size()

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self.size}[whence]
        self._position = max(0, start + offset)
        return self._position

    def readinto(self, buffer: "memoryview[int]") -> int:  # type: ignore[override]  # any buffer that is asked for
        wanted = max(0, min(len(buffer), self.size - self._position))
        if not wanted:
            return 0
        with _explained_store(self._path):
            content = self._file.read_at(wanted, self._position)
        if len(content) < wanted:
            raise StoreUnreachableError(f"cannot read {self._path}: the store broke off; run the command again")
        buffer[:wanted] = content
        self._position += wanted
        return wanted

    def tags(self) -> list[str]:
        """Return what the store calls this writing of the file; nothing where it has no name for it."""
        with _explained_store(self._path):
            told = self._file.metadata()
        named = {name.lower(): value for name, value in told.items()}
        return [f"{name} {named[name]!r}" for name in ("etag", "generation", "versionid") if named.get(name)]

    def close(self) -> None:
        if not self.closed:
            self._file.close()
        super().close()


def _info_of(path: RemotePath) -> Any:
    system, inner = _place_of(path)
    with _explained_store(path):
        return system.get_file_info(inner)


def _place_of(path: RemotePath) -> tuple[Any, str]:
    """Return the file system that holds a path, and the path within it."""
    scheme, host, *below = path.parts
    with _explained_store(path):
        system, base = system_of(scheme.rstrip(":"), host)
    return system, "/".join([base.rstrip("/"), *below])


@lru_cache(maxsize=16)
def system_of(scheme: str, host: str) -> tuple[Any, str]:
    """Return Arrow's file system for a bucket or a host, and what stands before the paths in it.

    Raises:
        OSError: as Arrow says it.
    """
    from pyarrow.fs import FileSystem

    endpoint = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")
    options = ""
    if scheme == "s3" and endpoint:
        kind, _, place = endpoint.rpartition("://")
        region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or "us-east-1"
        options = f"?scheme={kind or 'https'}&endpoint_override={quote(place.rstrip('/'), safe=':')}&region={region}"
    found: tuple[Any, str] = FileSystem.from_uri(f"{scheme}://{host}/{options}")
    return found


@contextmanager
def _explained_store(path: RemotePath) -> Iterator[None]:
    """Turn what a store says into a `StorageError` with what to do."""
    try:
        yield
    except FileNotFoundError as error:
        raise _absent(path) from error
    except OSError as error:
        said = " ".join(str(error).split())
        kind, advice = next(
            ((kind, f"{advice} ({said[:200]})") for sign, kind, advice in _STORE_SAYS if sign.search(said)),
            (StorageError, said),
        )
        raise kind(f"cannot read {path}: {advice}") from error


def _absent(path: RemotePath) -> StorageError:
    return StorageError(f"cannot read {path}: there is no such file or folder: check the name")


def _without_secrets(words: str) -> str:
    return re.sub(r"://[^/@]*:[^/@]*@", "://", words)
