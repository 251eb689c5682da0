"""How a place on the hub is written: `hub:OWNER/NAME[@REVISION][#[CONFIG][/SPLIT,…]]`.

In: what a person wrote. Out: a `HubId`, or an error that says how it is written.
It does not know whether the place is there.
"""

import re
from dataclasses import dataclass, replace
from pathlib import Path

from limbeck.errors import SettingsError

HUB_PREFIX = "hub:"
GRAMMAR = "hub:OWNER/NAME, with @REVISION (branch, tag or commit) and for data #CONFIG/SPLIT,SPLIT if wanted"

_PART = r"[A-Za-z0-9_](?:[A-Za-z0-9_.-]{0,94}[A-Za-z0-9_])?"
_REPO = re.compile(rf"{_PART}(?:/{_PART})?")
_REVISION = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+-]*(?:/[A-Za-z0-9_][A-Za-z0-9_.+-]*)*")
_COMMIT = re.compile(r"[0-9a-f]{40}")
_NAME = re.compile(r"[^\s/@#,]+(?: [^\s/@#,]+)*")
_ADDRESS = re.compile(r"(?:https?:/{1,2}[^/]+/)?(?:datasets/|models/)?(?P<repo>[^/@#]+/[^/@#]+)")


@dataclass(frozen=True, kw_only=True)
class HubId:
    """A place on the hub.

    Attributes:
        repo: "owner/name"; very old repositories have no owner.
        revision: branch, tag or commit; the main branch when not given.
        config: which of a data set's configurations; its default when not given.
        splits: which of its splits; all when empty.
    """

    repo: str
    revision: str | None = None
    config: str | None = None
    splits: tuple[str, ...] = ()

    def __str__(self) -> str:
        revision = f"@{self.revision}" if self.revision else ""
        splits = f"/{','.join(self.splits)}" if self.splits else ""
        return f"{HUB_PREFIX}{self.repo}{revision}{'#' if self.config or splits else ''}{self.config or ''}{splits}"

    @property
    def is_pinned(self) -> bool:
        """True when the revision is a whole commit id, so that the files can never be others."""
        return self.revision is not None and is_commit(self.revision)

    def at(self, commit: str) -> "HubId":
        """Return the same place pinned to a commit."""
        return replace(self, revision=commit)


def is_commit(written: str) -> bool:
    """Tell whether something is a whole commit id: 40 hexadecimal digits and nothing else, so it can name a folder."""
    return _COMMIT.fullmatch(written) is not None


def is_hub_id(name: str | Path) -> bool:
    """Tell whether a name asks for the hub; a file of such a name is written `./hub:…`."""
    return str(name).startswith(HUB_PREFIX)


def parse_hub_id(written: str | Path, *, has_data: bool) -> HubId:
    """Read a hub id.

    Args:
        written: "hub:…".
        has_data: whether it may say a configuration and splits, which only data sets have.

    Raises:
        SettingsError: it is written in another way, or has parts that do not belong there.

    Example:
        >>> parse_hub_id("hub:cardiffnlp/tweet_eval@main#emotion/train,test", has_data=True).splits
        ('train', 'test')
    """
    rest, sharp, data = str(written).removeprefix(HUB_PREFIX).partition("#")
    repo, at, revision = rest.partition("@")
    if not _REPO.fullmatch(repo) or "--" in repo or ".." in repo:
        address = _ADDRESS.fullmatch(repo)
        hint = f"; did you mean {HUB_PREFIX}{address['repo']}?" if address and _REPO.fullmatch(address["repo"]) else ""
        raise SettingsError(f"{str(written)!r} is not a place on the hub: write {GRAMMAR}{hint}")
    if at and (not _REVISION.fullmatch(revision) or ".." in revision):
        raise SettingsError(f"{str(written)!r}: {revision!r} is no branch, tag or commit: write {GRAMMAR}")
    if sharp and not has_data:
        raise SettingsError(f"{str(written)!r}: #{data} belongs to data sets only: a model is {HUB_PREFIX}{rest}")
    config, slash, splits = data.partition("/")
    names = [*([config] if config else []), *(splits.split(",") if slash else [])]
    if sharp and (not names or not all(_NAME.fullmatch(name) for name in names)):
        raise SettingsError(f"{str(written)!r}: #{data} is no configuration with splits: write {GRAMMAR}")
    return HubId(
        repo=repo,
        revision=revision or None,
        config=config or None,
        splits=tuple(dict.fromkeys(splits.split(","))) if slash else (),
    )
