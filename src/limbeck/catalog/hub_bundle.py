"""Trained models of the Hugging Face hub: published bundles, and classifiers that `transformers` saved.

In: a `hub:` id. Out: a folder that opens as a local one does.
It does not read weights. The client's cache may hold more of a repository; a bundle's folder is links to what its
manifest names.
"""

from pathlib import Path

from platformdirs import user_cache_path

from limbeck.catalog.hub_encoder import fetch_encoder
from limbeck.errors import BundleError, StorageError
from limbeck.hub.download import fetch
from limbeck.hub.ids import parse_hub_id
from limbeck.hub.repository import Repository, find_repository
from limbeck.model.facts import FACTS_NAME
from limbeck.progress import SILENT, Progress
from limbeck.storage import MANIFEST_NAME, read_json, staged_folder


def fetch_model(hub_id: str, progress: Progress = SILENT) -> Path:
    """Fetch a bundle that was published with limbeck, or the files of a classifier that `transformers` saved.

    Raises:
        SettingsError: the id is written in another way.
        HubError: the hub or the network said no.
        BundleError: the repository holds not the whole of a bundle.
        ModelError: it is no BERT or DistilBERT, or has no safetensors.
    """
    place = parse_hub_id(hub_id, has_data=False)
    repository = find_repository(place, "model", progress)
    if FACTS_NAME in repository.files:
        return _fetch_bundle(repository, progress)
    return fetch_encoder(str(repository.pinned), network=not repository.is_cached, progress=progress).folder


def _fetch_bundle(repository: Repository, progress: Progress) -> Path:
    """Fetch what the manifest names."""
    place = repository.place
    try:
        manifest = [MANIFEST_NAME] if MANIFEST_NAME in repository.files else []
        listed = read_json(fetch(repository, manifest, progress) / MANIFEST_NAME)["files"]
        names = [MANIFEST_NAME, *listed]
    except (StorageError, KeyError, TypeError) as error:
        raise BundleError(f"{MANIFEST_NAME} of {place} is missing or damaged: it has to be published again") from error
    if absent := [name for name in names if name not in repository.files]:
        raise BundleError(f"{place} lacks {absent[0]}, which its manifest names: it has to be published again")
    fetched = fetch(repository, names, progress)
    folder = user_cache_path("limbeck") / "hub" / "bundles" / place.repo.replace("/", "--") / repository.commit
    if any(not (folder / name).exists() for name in names):
        _link(fetched, names, folder)
    return folder


def _link(fetched: Path, names: list[str], folder: Path) -> None:
    """Make a folder of links; one that is there leads to files that are gone."""
    if folder.is_dir():
        for path in folder.iterdir():
            path.unlink()
    with staged_folder(folder) as staged:
        for name in names:
            link = staged / name
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to((fetched / name).resolve())
