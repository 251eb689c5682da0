"""Encoders and trained models of the Hugging Face hub: their files, in the client's own cache.

In: a `hub:` id. Out: a folder that opens as a local one does, and its exact name. It does not read weights. Only
safetensors and JSON are ever fetched. The client's cache may hold more of a repository; a published bundle's folder is
links to what its manifest names.
"""

from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from platformdirs import user_cache_path

from limbeck import os_files
from limbeck.errors import BundleError, StorageError, TokenizerError, WeightsError
from limbeck.hub.download import fetch
from limbeck.hub.ids import parse_hub_id
from limbeck.hub.repository import Repository, find_cached, find_repository
from limbeck.model.config import parse_config
from limbeck.model.facts import FACTS_NAME
from limbeck.model.sentence_folder import MODULES_NAME, SETTINGS_NAME, transformer_place
from limbeck.model.weights import CONFIG_NAME, WEIGHTS_NAME, read_config
from limbeck.progress import SILENT, Progress
from limbeck.storage import MANIFEST_NAME, read_json, staged_folder
from limbeck.tokens import TOKENIZER_CONFIG_NAME, TOKENIZER_NAME

_SMALL = (CONFIG_NAME, TOKENIZER_NAME, TOKENIZER_CONFIG_NAME, SETTINGS_NAME)
_WEIGHTS = (".safetensors", ".bin", ".h5", ".msgpack", ".onnx", ".ot", ".ckpt", ".safetensors.index.json")


@dataclass(frozen=True, kw_only=True)
class HubEncoder:
    """An encoder's files.

    Attributes:
        folder: where they lie.
        name: "hub:owner/name@commit".
    """

    folder: Path
    name: str


def fetch_encoder(
    hub_id: str, *, weights: bool = True, network: bool = True, progress: Progress = SILENT
) -> HubEncoder:
    """Fetch an encoder, or without its weights only what its tokenizer needs.

    The configuration is looked at first, so that no weights are downloaded that cannot be used.

    Args:
        hub_id: "hub:OWNER/NAME@REVISION".
        weights: whether the weights are needed.
        network: whether the hub may be asked; without it only what is in the cache is found.
        progress: follows the download.

    Raises:
        SettingsError: the id is written in another way.
        MissingExtraError: the client library is not installed.
        HubError: the hub or the network said no.
        WeightsError: it is no BERT or DistilBERT, or has no safetensors.
        TokenizerError: it has no tokenizer.json.
    """
    place = parse_hub_id(hub_id, has_data=False)
    repository = find_repository(place, "model", progress) if network else find_cached(place, "model")
    inside = _place_inside(repository, progress)
    _require_files(repository, inside, weights=weights)
    small = [name for name in (str(inside / name) for name in _SMALL) if name in repository.files]
    folder = fetch(repository, small, progress) / inside
    parse_config(read_config(folder), where=f"{CONFIG_NAME} of {place}")
    if weights:
        fetch(repository, [str(inside / WEIGHTS_NAME)], progress)
    return HubEncoder(folder=folder, name=str(repository.pinned))


def _place_inside(repository: Repository, progress: Progress) -> PurePosixPath:
    """Return the folder of the encoder: "." but for some models of sentence-transformers."""
    if MODULES_NAME not in repository.files:
        return PurePosixPath()
    return transformer_place(fetch(repository, [MODULES_NAME], progress))


def _require_files(repository: Repository, inside: PurePosixPath, *, weights: bool) -> None:
    """Refuse a repository that lacks a file, and say what it has instead."""
    place = repository.place
    there = {name.name for name in map(PurePosixPath, repository.files) if name.parent == inside}
    if CONFIG_NAME not in there:
        raise WeightsError(
            f"{place} has no {CONFIG_NAME}, so it is no model that can be read: see {repository.question.page}"
        )
    if weights and WEIGHTS_NAME not in there:
        found = ", ".join(name for name in sorted(there) if name.endswith(_WEIGHTS)) or "no weights"
        raise WeightsError(
            f"{place} has no {WEIGHTS_NAME} (it has {found}). Pickled files are never opened here, for reading one can "
            f"run code; look for a revision with safetensors at {repository.question.page}/discussions and write "
            f"{place}@refs/pr/NUMBER"
        )
    if TOKENIZER_NAME not in there:
        raise TokenizerError(
            f"{place} has no {TOKENIZER_NAME}: save one where the model is at home, "
            "transformers.AutoTokenizer.from_pretrained(name).save_pretrained(folder), and give that folder"
        )


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
            os_files.link((fetched / name).resolve(), link)
