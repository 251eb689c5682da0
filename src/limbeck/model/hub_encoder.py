"""Encoders of the Hugging Face hub: their files, in the client's own cache.

In: a `hub:` id. Out: the folder of its files, and its exact name.
It does not read weights. Only safetensors and JSON are ever fetched.
"""

from dataclasses import dataclass
from pathlib import Path

from limbeck.errors import TokenizerError, WeightsError
from limbeck.hub.download import fetch
from limbeck.hub.ids import parse_hub_id
from limbeck.hub.repository import Repository, find_cached, find_repository
from limbeck.model.config import parse_config
from limbeck.model.weights import CONFIG_NAME, WEIGHTS_NAME, read_config
from limbeck.progress import SILENT, Progress
from limbeck.tokens import TOKENIZER_CONFIG_NAME, TOKENIZER_NAME

_SMALL = (CONFIG_NAME, TOKENIZER_NAME, TOKENIZER_CONFIG_NAME, "modules.json", "sentence_bert_config.json")
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
    _require_files(repository, weights=weights)
    small = [name for name in _SMALL if name in repository.files]
    folder = fetch(repository, small, progress)
    parse_config(read_config(folder), where=f"{CONFIG_NAME} of {place}")
    if weights:
        fetch(repository, [WEIGHTS_NAME], progress)
    return HubEncoder(folder=folder, name=str(repository.pinned))


def _require_files(repository: Repository, *, weights: bool) -> None:
    """Refuse a repository that lacks a file, and say what it has instead."""
    place, there = repository.place, repository.files
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
