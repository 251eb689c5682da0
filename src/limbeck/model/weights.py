"""Trained weights: safetensors only, by Hugging Face's names, DistilBERT's or BERT's.

In: a model folder. Out: an `Encoder` with its weights in float32, and the names of what was left out (heads).
It does not know tokenizers, presets or bundles. Pickled formats are never opened: reading one can run code.
"""

import hashlib
import json
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from limbeck.errors import FaultLog, StorageError, WeightsError
from limbeck.model.config import EncoderConfig, parse_config
from limbeck.model.conversion import ENCODER_BUFFERS, HEADS, convert_bert
from limbeck.model.encoder import Encoder, sinusoidal_positions
from limbeck.storage import explained, read_json

CONFIG_NAME = "config.json"
WEIGHTS_NAME = "model.safetensors"
PREFIXES = ("distilbert.", "bert.")
"""What models with a head put before the encoder's names."""
POSITIONS = "embeddings.position_embeddings.weight"
FLOATS = {"F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16}
"""Types that become float32 without loss, as safetensors names them."""

_PICKLED = (".bin", ".pt", ".pth", ".pkl", ".pickle", ".ckpt", ".joblib", ".npy", ".npz")
_FOREIGN = (".h5", ".msgpack", ".onnx", ".gguf", ".ot", ".tflite")


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
    tensors = {_bare(name): tensor for name, tensor in read_tensors(path, unread=_is_buffer).items()}
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
    if (folder / WEIGHTS_NAME).is_file():
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
    if any(name.endswith(".safetensors.index.json") for name in names):
        raise WeightsError(
            f"{folder} keeps its weights in several files: one {WEIGHTS_NAME} was expected; save it again with "
            'save_pretrained(folder, max_shard_size="100GB")'
        )
    raise WeightsError(f"{folder} has no {WEIGHTS_NAME}: give a folder with {CONFIG_NAME} and {WEIGHTS_NAME}")


def read_tensors(path: Path, *, unread: Any = None) -> dict[str, Tensor]:
    """Read every tensor of a safetensors file, as float32.

    Args:
        path: the file.
        unread: tells by name which tensors to leave in the file; none when not given.

    Raises:
        WeightsError: the file is truncated, its header lies about it, or (gathered) a tensor is of a type that does
            not become float32 without loss, or holds NaN or infinity.
    """
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
