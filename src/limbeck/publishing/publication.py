"""Publishing: a bundle and its card go to a repository of the hub, in one commit, whole or not at all.

In: a run or a bundle, and "owner/name". Out: a `Publication`, what would go; a `Published`, where it went.
It does not know the command line. The token is the client's business: nothing here reads it, keeps it or shows it.
"""

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from limbeck.errors import HubError, SettingsError, StorageError
from limbeck.hub.asking import ask
from limbeck.hub.client import page_of, require_client
from limbeck.hub.failures import Question
from limbeck.hub.ids import HUB_PREFIX, HubId, is_hub_id, parse_hub_id
from limbeck.inference.predictor import find_bundle
from limbeck.model.bundle import BUNDLE_NAME, CARD_NAME, load_bundle
from limbeck.model.facts import FACTS_NAME, BundleFacts
from limbeck.progress import SILENT, Progress, ProgressLike, as_progress
from limbeck.publishing.card import hub_card
from limbeck.publishing.discretion import public_record, public_text
from limbeck.runs.run_folder import RunFolder
from limbeck.storage import MANIFEST_NAME, explained, json_bytes, read_json, sha256_of


@dataclass(frozen=True, kw_only=True)
class PublishSettings:
    """How a model is published.

    Attributes:
        private: make a repository that only its owner sees. One that is there already is never made public or private.
        revision: branch that gets the commit, made where it is absent; the main branch when not given.
        license_id: the hub's word for a licence, such as "apache-2.0"; none is stated when not given.
    """

    private: bool = False
    revision: str | None = None
    license_id: str | None = None


@dataclass(frozen=True, kw_only=True)
class OutgoingFile:
    """A file that goes to the hub: a path, or bytes that stand in no file."""

    name: str
    content: Path | bytes

    @property
    def size_bytes(self) -> int:
        """Its size."""
        return len(self.content) if isinstance(self.content, bytes) else self.content.stat().st_size


@dataclass(frozen=True, kw_only=True)
class Publication:
    """What would go to the hub.

    Attributes:
        place: the repository and branch.
        files: in the order of their names.
        facts: what limbeck.json will say in public.
    """

    place: HubId
    files: tuple[OutgoingFile, ...]
    facts: BundleFacts

    @property
    def size_bytes(self) -> int:
        """Of all files."""
        return sum(file.size_bytes for file in self.files)

    @property
    def page(self) -> str:
        """Where it will be seen."""
        return page_of(self.place.repo, "model")


@dataclass(frozen=True, kw_only=True)
class Published:
    """Where a publication went.

    Attributes:
        publication: what went.
        commit: its id.
    """

    publication: Publication
    commit: str


def prepare(run: str | Path, repo: str, settings: PublishSettings = PublishSettings()) -> Publication:
    """Say what would be published, without asking anybody.

    The model is loaded once, so that none is published that cannot be. Folders of this machine and excerpts of data in
    its record become less: see `limbeck.publishing.discretion`.

    Args:
        run: a run folder, or a bundle.
        repo: "owner/name".
        settings: visibility, branch, licence.

    Raises:
        SettingsError: `repo` is not owner/name.
        BundleError: there is no model, or it was changed since it was written.
        MissingExtraError: the client library is not installed.
    """
    require_client()
    place = _place_of(repo, settings)
    folder = find_bundle(Path(run))
    facts = load_bundle(folder).facts
    record = dict(facts.provenance)
    facts = replace(facts, provenance=public_record(record))
    with explained(folder, doing="read"):
        body = (folder / CARD_NAME).read_text("utf-8")
        kept = [path for path in folder.iterdir() if path.is_file() and not path.name.startswith(".")]
    metrics = _metrics_of(folder)
    card = hub_card(facts, public_text(body, record), place, metrics=metrics, license_id=settings.license_id)
    own = (CARD_NAME, FACTS_NAME, MANIFEST_NAME)
    contents: dict[str, Path | bytes] = {path.name: path for path in kept if path.name not in own}
    contents[FACTS_NAME] = json_bytes(facts.to_json())
    # People edit a card on the hub, so the manifest does not vouch for it.
    contents[MANIFEST_NAME] = json_bytes({"files": {name: _listed(contents[name]) for name in sorted(contents)}})
    contents[CARD_NAME] = card.encode("utf-8")
    files = tuple(OutgoingFile(name=name, content=contents[name]) for name in sorted(contents))
    return Publication(place=place, files=files, facts=facts)


def publish(
    run: str | Path, repo: str, settings: PublishSettings = PublishSettings(), *, progress: ProgressLike = SILENT
) -> Published:
    """Upload a model and its card to the hub, as one commit.

    The token is the one of `hf auth login` or HF_TOKEN.

    Raises:
        HubError: there is no token, or it may not write there; the repository is public where a private one was asked
            for; the hub or the network said no. Nothing is half published: the commit is made last.

    Example:
        >>> published = publish("RUN", "kim/emotions", PublishSettings(private=True))
        >>> published.publication.place.repo
        'kim/emotions'
    """
    progress = as_progress(progress)
    publication = prepare(run, repo, settings)
    question = Question(place=publication.place, kind="model", writes=True)
    _require_token(question)
    _require_repository(publication, settings, question, progress)
    size = publication.size_bytes / 1e6
    progress.say(f"Uploading {len(publication.files)} files, {size:,.1f} MB, to {publication.page}")
    commit = ask(lambda: _commit(publication), question, progress)
    return Published(publication=publication, commit=commit)


def _place_of(repo: str, settings: PublishSettings) -> HubId:
    place = parse_hub_id(repo if is_hub_id(repo) else f"{HUB_PREFIX}{repo}", has_data=False)
    if "/" not in place.repo:
        raise SettingsError(f"{repo!r} names no owner: write owner/name, with your user name or an organisation's")
    if place.revision and settings.revision and place.revision != settings.revision:
        raise SettingsError(f"{repo!r} names one branch and --revision {settings.revision!r} another: give one of them")
    if settings.revision:
        place = parse_hub_id(f"{HUB_PREFIX}{place.repo}@{settings.revision}", has_data=False)
    return place


def _metrics_of(bundle: Path) -> Any:
    """Return the figures of the run that a bundle stands in; None where there is no finished run around it."""
    metrics = RunFolder(bundle.parent).metrics
    if bundle.name != BUNDLE_NAME or not metrics.is_file():
        return None
    try:
        return read_json(metrics)
    except StorageError as error:
        raise StorageError(f"{error}; copy the bundle elsewhere to publish it without the run's figures") from error


def _listed(content: Path | bytes) -> dict[str, Any]:
    """Return a file's entry in the manifest."""
    if isinstance(content, bytes):
        return {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}
    return {"sha256": sha256_of(content), "bytes": content.stat().st_size}


def _require_token(question: Question) -> None:
    from huggingface_hub import get_token

    if get_token() is None:
        raise HubError(
            f"{question}: to publish, log in with a token that may write (hf auth login), or put one in HF_TOKEN; "
            "tokens are made at https://huggingface.co/settings/tokens"
        )


def _require_repository(
    publication: Publication, settings: PublishSettings, question: Question, progress: Progress
) -> None:
    """Make repository and branch where they are absent; refuse a public one where a private one is asked for."""
    from huggingface_hub import HfApi

    api = HfApi()
    repo, branch = publication.place.repo, publication.place.revision
    if not ask(lambda: api.repo_exists(repo), question, progress):
        ask(lambda: api.create_repo(repo, private=settings.private, exist_ok=True), question, progress)
    elif settings.private and not ask(lambda: api.repo_info(repo).private, question, progress):
        raise HubError(
            f"{question} is there already, and everybody can see it: nothing was uploaded. Choose another name, or "
            f"make it private at {publication.page}/settings first"
        )
    if branch is not None:
        ask(lambda: api.create_branch(repo, branch=branch, exist_ok=True), question, progress)


def _commit(publication: Publication) -> str:
    from huggingface_hub import CommitOperationAdd, HfApi

    commit = HfApi().create_commit(
        publication.place.repo,
        [CommitOperationAdd(path_in_repo=file.name, path_or_fileobj=file.content) for file in publication.files],
        commit_message="A text classifier made with limbeck",
        revision=publication.place.revision,
    )
    return str(commit.oid)
