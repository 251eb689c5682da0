"""A repository of the hub at one commit: which files it has, how large they are, what their hashes are.

In: a `HubId`. Out: a `Repository`, asked of the hub, or out of the cache where the hub cannot be reached.
It does not fetch files, nor know what they are for.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import quote

from platformdirs import user_cache_path

from limbeck.errors import HubError, HubUnreachableError, StorageError
from limbeck.hub.asking import ask
from limbeck.hub.client import Kind, is_offline, repository_folder, require_client
from limbeck.hub.failures import Question
from limbeck.hub.ids import HubId, is_commit
from limbeck.progress import SILENT, Progress
from limbeck.storage import read_json, write_json, write_text

MAIN = "main"
TIMEOUT_S = 10.0
"""How long to wait for the hub's first word."""


@dataclass(frozen=True, kw_only=True)
class RepoFile:
    """A file of a repository.

    Attributes:
        name: its path inside, with "/".
        size_bytes: None where it is not known.
        sha256: of its bytes (large files), or None.
        git_sha1: git's own hash of it (small files), or None.
    """

    name: str
    size_bytes: int | None = None
    sha256: str | None = None
    git_sha1: str | None = None


@dataclass(frozen=True, kw_only=True)
class Repository:
    """A repository at one commit.

    Attributes:
        place: as it was asked for.
        kind: "model" or "dataset".
        commit: what its revision is now.
        files: all that it has; of the cache, all that is there.
        is_cached: whether it came out of the cache because nobody could be asked.
    """

    place: HubId
    kind: Kind
    commit: str
    files: Mapping[str, RepoFile]
    is_cached: bool = False

    @property
    def pinned(self) -> HubId:
        """The same place at this commit: what runs record."""
        return self.place.at(self.commit)

    @property
    def question(self) -> Question:
        """What errors call it."""
        return Question(place=self.place, kind=self.kind)

    @property
    def folder(self) -> Path:
        """Where the client's cache keeps its files."""
        return repository_folder(self.place.repo, self.kind) / "snapshots" / self.commit


def find_repository(place: HubId, kind: Kind, progress: Progress = SILENT) -> Repository:
    """Ask the hub for a repository; without a network take it from the cache, and say so.

    A place that is pinned to a commit and was fetched before is not asked for again.

    Raises:
        MissingExtraError: the client library is not installed.
        HubError: there is no such repository or revision, it is private, or neither hub nor cache has it.
    """
    require_client()
    if place.is_pinned and (files := _kept_files(place.repo, kind, place.revision or "")):
        return Repository(place=place, kind=kind, commit=place.revision or "", files=files)
    cached = _look_up(place, kind)
    if is_offline() and cached is not None:
        progress.say(f"{place}: offline (HF_HUB_OFFLINE), so the cached revision {cached.commit[:12]} is used")
        return cached
    try:
        found = _asked(place, kind, progress)
    except HubUnreachableError as error:
        if cached is None:
            raise
        progress.say(f"{error}. The cached revision {cached.commit[:12]} is used instead")
        return cached
    if cached is not None and cached.commit != found.commit:
        progress.say(
            f"{place} has changed on the hub since it was last used here: {cached.commit[:12]} is now "
            f"{found.commit[:12]}; to keep the earlier one write {place.at(cached.commit)}"
        )
    return found


def find_cached(place: HubId, kind: Kind) -> Repository:
    """Take a repository from the cache without asking anybody.

    Raises:
        MissingExtraError: the client library is not installed.
        HubUnreachableError: it is not there.
    """
    require_client()
    cached = _look_up(place, kind)
    if cached is None:
        raise HubUnreachableError(f"{place} is not in the cache: name it to have it downloaded")
    return cached


def remember(repository: Repository) -> None:
    """Note which commit a revision was, and which files it has, so that the same works without a network."""
    if repository.is_cached:
        return
    place = repository.place
    if not place.is_pinned:
        write_text(_ref_file(place, repository.kind), repository.commit)
    kept = _kept_file(place.repo, repository.kind, repository.commit)
    if not kept.exists():
        write_json(kept, {"files": [asdict(file) for file in repository.files.values()]})


def _asked(place: HubId, kind: Kind, progress: Progress) -> Repository:
    from huggingface_hub import HfApi

    question = Question(place=place, kind=kind)

    def call() -> tuple[str, list[RepoFile]]:
        try:
            info: Any = HfApi().repo_info(
                place.repo, repo_type=kind, revision=place.revision, files_metadata=True, timeout=TIMEOUT_S
            )
        except (KeyError, TypeError) as error:
            raise ValueError("JSON, but no repository's") from error
        return str(info.sha), [_file_of(sibling) for sibling in info.siblings or []]

    commit, files = ask(call, question, progress)
    if not is_commit(commit):
        raise HubError(f"{place}: the hub names a commit {commit[:60]!r}, which is none: the answer is not used")
    for file in files:
        if file.name.startswith("/") or ".." in PurePosixPath(file.name).parts:
            raise HubError(f"{place} names a file {file.name!r}, outside itself: it is not used")
    return Repository(place=place, kind=kind, commit=commit, files={file.name: file for file in files})


def _file_of(sibling: Any) -> RepoFile:
    sha256 = None if sibling.lfs is None else sibling.lfs.sha256
    git_sha1 = sibling.blob_id if sibling.lfs is None else None
    return RepoFile(name=sibling.rfilename, size_bytes=sibling.size, sha256=sha256, git_sha1=git_sha1)


def _look_up(place: HubId, kind: Kind) -> Repository | None:
    """Return what the cache has of a place: as it was noted here, or as the client keeps it."""
    commit = place.revision if place.is_pinned else None
    reference = _ref_file(place, kind)
    if commit is None and reference.is_file():
        commit = reference.read_text("utf-8", errors="replace").strip()
    # The file may hold anything, and its words become a folder's name.
    if commit is None or not is_commit(commit):
        return None
    folder = repository_folder(place.repo, kind) / "snapshots" / commit
    files = _kept_files(place.repo, kind, commit) or _linked_files(folder)
    return Repository(place=place, kind=kind, commit=commit, files=files, is_cached=True) if files else None


def _linked_files(folder: Path) -> dict[str, RepoFile]:
    """Return the files of a snapshot; each is a link to a file whose name is its hash."""
    found = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            name = path.relative_to(folder).as_posix()
            digest = path.readlink().name if path.is_symlink() else ""
            found[name] = RepoFile(
                name=name,
                size_bytes=path.stat().st_size,
                sha256=digest if len(digest) == 64 else None,
                git_sha1=digest if len(digest) == 40 else None,
            )
    return found


def _ref_file(place: HubId, kind: Kind) -> Path:
    return repository_folder(place.repo, kind) / "refs" / (place.revision or MAIN)


def _kept_file(repo: str, kind: Kind, commit: str) -> Path:
    return user_cache_path("limbeck") / "hub" / f"{kind}-{quote(repo, safe='')}-{commit}.json"


def _kept_files(repo: str, kind: Kind, commit: str) -> dict[str, RepoFile]:
    """Return the files that were noted of a commit; none where nothing was noted, or it is damaged."""
    try:
        noted = read_json(_kept_file(repo, kind, commit))["files"]
        files = [RepoFile(**file) for file in noted]
    except (StorageError, KeyError, TypeError):
        return {}
    return {file.name: file for file in files}
