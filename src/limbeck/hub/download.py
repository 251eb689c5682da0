"""Files of a repository, fetched into the client's own cache and checked against the hub's hashes.

In: a `Repository` and names. Out: the folder in which they lie.
It does not know what is in them. Each file is whole or absent; one that differs from its hash is never used.
"""

import hashlib
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from limbeck.errors import HubError, HubUnreachableError, StorageError
from limbeck.hub.asking import ask
from limbeck.hub.client import cache_folder
from limbeck.hub.repository import RepoFile, Repository, remember
from limbeck.progress import SILENT, Advance, Progress
from limbeck.storage import explained, sha256_of


def fetch(repository: Repository, names: Iterable[str], progress: Progress = SILENT) -> Path:
    """Fetch files, those that are not in the cache yet, and check all of them.

    A broken connection is taken up again where it broke, while the command runs; a command that is run again fetches
    the files that are not whole yet.

    Raises:
        HubError: the network broke, or a file is damaged.
        HubUnreachableError: nobody can be asked and a file is not in the cache.
        StorageError: the disk is too full for what is to come, or cannot be written.
    """
    files = [repository.files[name] for name in dict.fromkeys(names)]
    missing = [file for file in files if not _is_whole(repository, file, progress)]
    if missing:
        _require_network(repository, missing)
        total = sum(file.size_bytes or 0 for file in missing)
        _require_space(total)
        with progress.track(f"Downloading {repository.place.repo}", total=total, unit="bytes") as advance:
            for file in missing:
                _fetch_one(repository, file, advance, progress)
    remember(repository)
    return repository.folder


def _is_whole(repository: Repository, file: RepoFile, progress: Progress) -> bool:
    """Tell whether a file is in the cache as the hub has it; take a damaged one away if it can be fetched again."""
    path = repository.folder / file.name
    if not path.is_file():
        return False
    if _is_right(path, file):
        return True
    if repository.is_cached:
        raise HubError(
            f"{path} is damaged: it differs from its hash on the hub. Delete it, and run the command again with a "
            "network"
        )
    progress.say(f"{repository.place}: {file.name} in the cache is damaged, so it is downloaded again")
    _remove(path)
    return False


def _fetch_one(repository: Repository, file: RepoFile, advance: Advance, progress: Progress) -> None:
    """Fetch a file and check it; once more where it arrived damaged."""
    from huggingface_hub import hf_hub_download

    bar = _bar_class(advance)
    for _ in range(2):
        arrived = ask(
            lambda: hf_hub_download(
                repository.place.repo,
                file.name,
                repo_type=repository.kind,
                revision=repository.commit,
                tqdm_class=bar,
            ),
            repository.question,
            progress,
        )
        path = Path(arrived)
        if _is_right(path, file):
            return
        _remove(path)
        progress.say(f"{repository.place}: {file.name} arrived damaged and was thrown away")
    raise HubError(
        f"{repository.place}: {file.name} arrived twice with other bytes than the hub's hash of it says, and was "
        "thrown away: something on the way changes it (a proxy, a mirror); try again, or over another network"
    )


def _is_right(path: Path, file: RepoFile) -> bool:
    """Tell whether a file's bytes are those that the hub knows; true where it gives no hash."""
    size_bytes = path.stat().st_size
    if file.size_bytes is not None and size_bytes != file.size_bytes:
        return False
    if file.sha256 is not None:
        return sha256_of(path) == file.sha256
    if file.git_sha1 is not None:
        with explained(path, doing="read"):
            content = path.read_bytes()
        return hashlib.sha1(b"blob %d\0" % size_bytes + content, usedforsecurity=False).hexdigest() == file.git_sha1
    return True


def _remove(path: Path) -> None:
    """Remove a file of the cache: the link and what it leads to."""
    with explained(path, doing="remove"):
        if path.is_symlink():
            path.resolve().unlink(missing_ok=True)
        path.unlink(missing_ok=True)


def _require_network(repository: Repository, missing: list[RepoFile]) -> None:
    if repository.is_cached:
        names = ", ".join(file.name for file in missing[:3])
        raise HubUnreachableError(
            f"{repository.place} is not wholly in the cache ({names} missing) and the hub cannot be asked: run the "
            "command once with a network"
        )


def _require_space(total_bytes: int) -> None:
    """Refuse a download that cannot fit, before it begins."""
    folder = cache_folder()
    there = next((place for place in (folder, *folder.parents) if place.exists()), Path("/"))
    free_bytes = shutil.disk_usage(there).free
    if free_bytes < total_bytes:
        raise StorageError(
            f"{folder} has {free_bytes / 1e6:,.0f} MB free and the download needs {total_bytes / 1e6:,.0f} MB: free "
            "some space, or choose another place with HF_HOME=FOLDER"
        )


def _bar_class(advance: Advance) -> Any:
    """Return what the client takes for a progress bar: it moves ours."""
    from tqdm import tqdm

    class Bar(tqdm):  # type: ignore[misc]  # the library is not typed
        """Shows nothing itself."""

        monitor_interval = 0  # no thread beside it

        def __init__(self, *_args: Any, desc: str | None = None, total: float | None = None, **_options: Any) -> None:
            super().__init__(disable=True, total=total)
            # The Xet storage counts a file twice: what comes over the wire, and what is put together of it.
            self._counts = "downloading bytes" not in (desc or "")

        def update(self, n: float | None = 1) -> bool | None:
            """Forward bytes."""
            if self._counts:
                advance(int(n or 0))
            return None

    return Bar
