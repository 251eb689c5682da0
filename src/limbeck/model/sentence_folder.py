"""Folders of sentence-transformers: where in them the encoder lies.

In: a folder. Out: the folder of its transformer, which is the folder itself or one inside it. What comes after the
transformer there (pooling, dense layers, scaling to length 1) is not read: limbeck pools by itself.
It does not know weights, nor which transformers can be computed.
"""

from pathlib import Path, PurePosixPath
from typing import Any

from limbeck.errors import StorageError, WeightsError
from limbeck.storage import read_json
from limbeck.tokens import Tokenizer

MODULES_NAME = "modules.json"
SETTINGS_NAME = "sentence_bert_config.json"


def transformer_folder(folder: Path) -> Path:
    """Return the folder of the transformer that `modules.json` names first; without such a file, `folder` itself.

    Raises:
        WeightsError: the file is damaged, names a place that is not inside the folder, or begins with something else.
    """
    inner = folder / transformer_place(folder)
    if inner != folder and not inner.is_dir():
        raise WeightsError(
            f"{folder / MODULES_NAME} names the folder {inner.relative_to(folder).as_posix()!r}, which is not there: "
            "copy the whole model again"
        )
    return inner


def transformer_place(folder: Path) -> PurePosixPath:
    """Return where inside `folder` the transformer should lie, be it there or not; "." without a `modules.json`.

    Raises:
        WeightsError: the file is damaged, names a place outside the folder, or begins with something else.
    """
    path = folder / MODULES_NAME
    if not path.is_file():
        return PurePosixPath()
    first = _first_module(path)
    kind, place = first["type"], PurePosixPath(first["path"])
    if kind.rpartition(".")[2] != "Transformer":
        raise WeightsError(
            f"{folder} is a sentence-transformers model that begins with {kind}: limbeck opens those that begin with "
            "a Transformer, a BERT or a DistilBERT"
        )
    if place.is_absolute() or ".." in place.parts:
        raise WeightsError(
            f"{path} names the folder {first['path']!r}, which is not inside {folder}: get the model again"
        )
    return place


def require_same_case(folder: Path, tokenizer: Tokenizer) -> None:
    """Refuse a model whose texts sentence-transformers lower-cases before a tokenizer that would not.

    Raises:
        WeightsError: says how to have the tokenizer do it.
    """
    path = folder / SETTINGS_NAME
    if not path.is_file():
        return
    try:
        settings = read_json(path)
    except StorageError as error:
        raise WeightsError(str(error)) from error
    asks = isinstance(settings, dict) and settings.get("do_lower_case") is True
    if asks and tokenizer.encode(["ABC"]).ids.tolist() != tokenizer.encode(["abc"]).ids.tolist():
        raise WeightsError(
            f"{path} says do_lower_case, and the tokenizer beside it keeps capitals: save the model again with a "
            "recent sentence-transformers, SentenceTransformer(folder).save(other), which puts it into the tokenizer"
        )


def _first_module(path: Path) -> dict[str, Any]:
    try:
        modules = read_json(path)
    except StorageError as error:
        raise WeightsError(str(error)) from error
    first = modules[0] if isinstance(modules, list) and modules else None
    if not isinstance(first, dict) or not all(isinstance(first.get(key), str) for key in ("type", "path")):
        raise WeightsError(f"{path} does not list modules, each with its type and path: copy the model again")
    return first
