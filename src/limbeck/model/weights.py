"""Trained weights: safetensors only, by Hugging Face's names, DistilBERT's or BERT's.

In: a model folder. Out: an `Encoder` with its weights in float32, and the names of what was left out (heads).
It does not know tokenizers, presets or bundles. Pickled formats are never opened: reading one can run code.
"""

import hashlib
import json
import os
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from limbeck.errors import FaultLog, StorageError, WeightsError
from limbeck.model.config import EncoderConfig, parse_config
from limbeck.model.conversion import ENCODER_BUFFERS, HEADS, OLD_ENDINGS, convert_bert
from limbeck.model.encoder import Encoder, sinusoidal_positions
from limbeck.storage import GIT_LFS_ADVICE, explained, is_git_lfs_pointer, read_json, sha256_of

CONFIG_NAME = "config.json"
WEIGHTS_NAME = "model.safetensors"
SHARDS_NAME = "model.safetensors.index.json"
"""Which file holds which tensor, where the weights of one model are spread over several files."""
PREFIXES = ("distilbert.", "bert.")
"""What models with a head put before the encoder's names."""
POSITIONS = "embeddings.position_embeddings.weight"
FLOATS = {"F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16}
"""Types that become float32 without loss, as safetensors names them."""

_WRAPPERS = ("module.", "_orig_mod.", "model.")
"""What DataParallel, torch.compile and Lightning put before every name."""
_ADAPTER_NAMES = ("adapter_config.json", "adapter_model.safetensors")
_ADAPTER = re.compile(r"\.lora_|\.base_layer\.|^base_model\.")
"""In the names of tensors that PEFT wrote: an adapter, merged into nothing."""
_PICKLED = (".bin", ".pt", ".pth", ".pkl", ".pickle", ".ckpt", ".joblib", ".npy", ".npz")
_FOREIGN = (".h5", ".msgpack", ".onnx", ".gguf", ".ot", ".tflite")


_MERGE = (
    "it is an adapter (PEFT, LoRA) that needs its base model: merge both where you trained it, "
    "model.merge_and_unload().save_pretrained(folder)"
)


@dataclass(frozen=True, kw_only=True)
class LoadedWeights:
    """What a model folder held.

    Attributes:
        encoder: in evaluation mode, on the CPU, in float32.
        left_out: names of tensors that belong to a head, a pooler or a derived buffer, and were not used.
    """

    encoder: Encoder
    left_out: tuple[str, ...]


def load_weights(folder: Path) -> LoadedWeights:
    """Read the encoder of a model folder: `config.json` and `model.safetensors`.

    A BERT is converted to the DistilBERT that computes the same (see `limbeck.model.conversion`).

    Raises:
        WeightsError: a file is absent, pickled, truncated or damaged; gathers every tensor that is missing, unknown,
            of a wrong shape or type, or not finite.
    """
    require_model_folder(folder)
    values = read_config(folder)
    config = parse_config(values, where=str(folder / CONFIG_NAME))
    path = folder / WEIGHTS_NAME
    tensors = {_bare(name): tensor for name, tensor in read_weights(folder, unread=_is_buffer).items()}
    left_out = sorted(name for name in tensors if name.startswith(HEADS))
    kept = {name: tensor for name, tensor in tensors.items() if not name.startswith(HEADS)}
    if values["model_type"] == "bert":
        kept = convert_bert(kept, where=str(path))
    return LoadedWeights(encoder=build_encoder(config, kept, where=str(path)), left_out=tuple(left_out))


def read_config(folder: Path) -> Any:
    """Read `config.json` as it is.

    Raises:
        WeightsError: it is absent or not JSON.
    """
    try:
        return read_json(folder / CONFIG_NAME)
    except StorageError as error:
        raise WeightsError(f"{error}; an encoder's folder has {CONFIG_NAME} beside {WEIGHTS_NAME}") from error


def require_model_folder(folder: Path) -> None:
    """Refuse a path that is not a folder with `model.safetensors`, and say what it is instead.

    Raises:
        WeightsError: names the pickled or foreign files that were found in its place.
    """
    if not folder.is_dir():
        what = "is a file" if folder.exists() else "does not exist"
        raise WeightsError(f"{folder} {what}: give a folder with {CONFIG_NAME} and {WEIGHTS_NAME}")
    if (folder / WEIGHTS_NAME).is_file() or (folder / SHARDS_NAME).is_file():
        return
    names = sorted(file.name for file in folder.iterdir())
    convert = (
        "convert it where you trust it: transformers.AutoModel.from_pretrained(folder)"
        ".save_pretrained(folder, safe_serialization=True)"
    )
    if pickled := [name for name in names if name.endswith(_PICKLED)]:
        raise WeightsError(
            f"{folder} has {', '.join(pickled)} but no {WEIGHTS_NAME}: reading a pickled file can run code that is "
            f"hidden in it, so it is never opened here; {convert}"
        )
    if foreign := [name for name in names if name.endswith(_FOREIGN)]:
        raise WeightsError(
            f"{folder} has {', '.join(foreign)} but no {WEIGHTS_NAME}: only safetensors is read; {convert}"
        )
    if found := [name for name in names if name in _ADAPTER_NAMES]:
        raise WeightsError(f"{folder} has {', '.join(found)} but no {WEIGHTS_NAME}: {_MERGE}")
    if inner := [name for name in names if (folder / name / WEIGHTS_NAME).is_file()]:
        shown = " or ".join(str(folder / name) for name in inner[:3])
        raise WeightsError(f"{folder} has no {WEIGHTS_NAME}, but a folder inside it has: give {shown}")
    raise WeightsError(f"{folder} has no {WEIGHTS_NAME}: give a folder with {CONFIG_NAME} and {WEIGHTS_NAME}")


def read_weights(folder: Path, *, unread: Callable[[str], bool]) -> dict[str, Tensor]:
    """Read every tensor of a model folder that somebody else saved, as float32, be it one file or several.

    What DataParallel or torch.compile put before every name is taken off; gamma and beta are a norm's weight and bias.

    Args:
        folder: with `model.safetensors`, or with `model.safetensors.index.json` and the files that it names.
        unread: tells by name which tensors to leave in the file.

    Raises:
        WeightsError: a file is absent, damaged, or a Git LFS pointer; the weights are an adapter's; or a tensor cannot
            be used (see `read_tensors`).
    """
    tensors: dict[str, Tensor] = {}
    for path in _weight_files(folder):
        read = read_tensors(path, unread=lambda name: unread(_unwrapped(name)))
        if twice := sorted(read.keys() & tensors.keys()):
            raise WeightsError(f"{path} has {twice[0]} once more: copy or download the model again")
        tensors |= read
    if adapted := next((name for name in sorted(tensors) if _ADAPTER.search(name)), None):
        raise WeightsError(f"{folder} has a tensor {adapted}: {_MERGE}")
    if tensors and all(_unwrapped(name) != name for name in tensors):
        tensors = {_unwrapped(name): tensor for name, tensor in tensors.items()}
    return {_modern(name): tensor for name, tensor in tensors.items()}


def digest_of_weights(folder: Path) -> str:
    """Return the SHA-256 (hexadecimal) of a model folder's weights: of the file, or of its files one after another.

    Raises:
        WeightsError: there are none.
    """
    require_model_folder(folder)
    digests = [sha256_of(path) for path in _weight_files(folder)]
    return digests[0] if len(digests) == 1 else hashlib.sha256("".join(digests).encode()).hexdigest()


def _weight_files(folder: Path) -> list[Path]:
    """Return the files that hold a folder's weights, each once."""
    index = folder / SHARDS_NAME
    if (folder / WEIGHTS_NAME).is_file():
        return [folder / WEIGHTS_NAME]
    try:
        values = read_json(index)
    except StorageError as error:
        raise WeightsError(str(error)) from error
    names = values.get("weight_map") if isinstance(values, dict) else None
    if not isinstance(names, dict) or not names or not all(isinstance(name, str) for name in names.values()):
        raise WeightsError(f"{index} does not say which file holds which tensor: copy or download the model again")
    for name in sorted(set(names.values())):
        if Path(name).name != name or name in (".", ".."):
            raise WeightsError(f"{index} names the file {name!r}, which is not inside {folder}: get the model again")
        if not (folder / name).is_file():
            raise WeightsError(f"{folder} lacks {name}, which {SHARDS_NAME} names: copy or download the model again")
    return [folder / name for name in sorted(set(names.values()))]


def read_tensors(path: Path, *, unread: Callable[[str], bool] | None = None) -> dict[str, Tensor]:
    """Read every tensor of a safetensors file, as float32.

    Args:
        path: the file.
        unread: tells by name which tensors to leave in the file; none when not given.

    Raises:
        WeightsError: the file is truncated, its header lies about it, or (gathered) a tensor is of a type that does
            not become float32 without loss, or holds NaN or infinity.
    """
    if is_git_lfs_pointer(path):
        raise WeightsError(f"{path} is {GIT_LFS_ADVICE}")
    faults = FaultLog()
    tensors: dict[str, Tensor] = {}
    try:
        with explained(path, doing="read"), safe_open(path, framework="pt") as file:
            for name in sorted(file.keys()):
                if unread is not None and unread(name):
                    continue
                kind = file.get_slice(name).get_dtype()
                if kind not in FLOATS:
                    faults.add(f"{name} is of type {kind}; one of {', '.join(FLOATS)} was expected")
                    continue
                # A copy, so that the file may change or go away afterwards.
                tensors[name] = file.get_tensor(name).to(torch.float32, copy=True).contiguous()
                if bad := _count_not_finite(tensors[name]):
                    faults.add(f"{name} has {bad:,} values that are NaN or infinite")
    except (SafetensorError, StorageError, ValueError) as error:
        raise WeightsError(
            f"{path} is not a whole safetensors file ({error}): it was cut off or damaged; copy or download it again"
        ) from error
    faults.raise_as(
        WeightsError, what=f"{path} holds weights that cannot be used", todo="copy or download the model again"
    )
    return tensors


def write_tensors(tensors: Mapping[str, Tensor], path: Path) -> None:
    """Write a safetensors file that `transformers` reads too; use `storage.staged_folder` around this.

    Raises:
        StorageError: the disk is full, or the file cannot be written.
    """
    with explained(path, doing="write"):
        try:
            save_file(dict(tensors), path, metadata={"format": "pt"})
        except SafetensorError as error:
            # The library tells what the system said in words only, as "(os error 28)".
            if found := re.search(r"\(os error (\d+)\)", str(error)):
                raise OSError(int(found[1]), os.strerror(int(found[1]))) from error
            raise StorageError(f"cannot write {path}: {error}") from error


def build_encoder(config: EncoderConfig, tensors: Mapping[str, Tensor], *, where: str) -> Encoder:
    """Make an encoder of float32 tensors under DistilBERT's names, without a prefix.

    Positions that are fixed waves may be absent; they are computed.

    Raises:
        WeightsError: gathers every tensor that is missing, unknown or of a wrong shape.
    """
    tensors = dict(tensors)
    if config.sinusoidal_pos_embds and POSITIONS not in tensors:
        tensors[POSITIONS] = sinusoidal_positions(config.max_position_embeddings, config.dim)
    with torch.device("meta"):
        encoder = Encoder(config)
    check_shapes({name: tuple(weight.shape) for name, weight in encoder.state_dict().items()}, tensors, where=where)
    encoder.load_state_dict(tensors, assign=True)
    return encoder.eval()


def check_shapes(expected: Mapping[str, tuple[int, ...]], tensors: Mapping[str, Tensor], *, where: str) -> None:
    """Refuse tensors that are not exactly those expected, by name and shape.

    Raises:
        WeightsError: gathers every difference.
    """
    faults = FaultLog()
    for name, shape in expected.items():
        if name not in tensors:
            faults.add(f"{name} is missing; shape {_spoken(shape)} was expected")
        elif tuple(tensors[name].shape) != shape:
            faults.add(f"{name} has shape {_spoken(tensors[name].shape)}; {_spoken(shape)} was expected")
    faults.extend(f"{name} is not a weight of this model" for name in tensors if name not in expected)
    faults.raise_as(
        WeightsError,
        what=f"{where} does not fit the {CONFIG_NAME} beside it",
        todo="use the configuration and the weights of the same model",
    )


def fingerprint_of(encoder: Encoder) -> str:
    """Return the SHA-256 (hexadecimal) of everything that decides an encoder's output: sizes, names and float32 bytes.

    It is the same whatever layout or precision of file the weights came from, as long as the float32 values are.
    """
    return fingerprint_of_tensors(json.dumps(encoder.config.to_hugging_face(), sort_keys=True), encoder.state_dict())


def fingerprint_of_tensors(sizes: str, tensors: Mapping[str, Tensor]) -> str:
    """Return the SHA-256 (hexadecimal) of a description of a module and its weights, in float32."""
    digest = hashlib.sha256(sizes.encode())
    for name, weight in sorted(tensors.items()):
        digest.update(name.encode() + b"\0")
        digest.update(weight.detach().to("cpu", torch.float32).contiguous().numpy().data.cast("B"))
    return digest.hexdigest()


def _count_not_finite(tensor: Tensor) -> int:
    """Count NaN and infinities; a finite sum shows in one fast pass that there are none."""
    return 0 if tensor.sum().isfinite() else int(tensor.numel() - tensor.isfinite().sum())


def _unwrapped(name: str) -> str:
    """Take off what wrappers of a model put before its names."""
    for wrapper in _WRAPPERS:
        if name.startswith(wrapper):
            return _unwrapped(name.removeprefix(wrapper))
    return name


def _modern(name: str) -> str:
    """Return a tensor's name with the endings that a norm's parameters have today."""
    for old, new in OLD_ENDINGS.items():
        if name.endswith(old):
            return name.removesuffix(old) + new
    return name


def _bare(name: str) -> str:
    """Take the prefix of a model with a head off an encoder's name."""
    for prefix in PREFIXES:
        if name.startswith(prefix):
            return name.removeprefix(prefix)
    return name


def _is_buffer(name: str) -> bool:
    """Tell whether a tensor is no weight but follows from the configuration."""
    return _bare(name) in ENCODER_BUFFERS


def _spoken(shape: Iterable[int]) -> str:
    return "(" + ", ".join(map(str, shape)) + ")"
