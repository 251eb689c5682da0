"""What `tokenizer_config.json` says beside `tokenizer.json`, and which of the two counts where they disagree.

In: a model's folder. Out: `Stated`, and the tokenizer as `transformers` would build it: classes of the BERT
family take lower case, accents and Chinese characters from `tokenizer_config.json`, whatever `tokenizer.json` says.
It does not tokenize.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from limbeck.errors import FaultLog, StorageError, TokenizerError
from limbeck.storage import read_json

TOKENIZER_NAME = "tokenizer.json"
TOKENIZER_CONFIG_NAME = "tokenizer_config.json"
SMALLEST_LIMIT = 3
"""The smallest useful `max_tokens`: [CLS], one token, [SEP]."""
TruncationSide = Literal["right", "left"]
_UNLIMITED = 10**9
"""Hugging Face writes 1e30 for "no limit"; anything this large means the same."""
_BERT_CLASSES = ("BertTokenizer", "DistilBertTokenizer", "ElectraTokenizer", "MPNetTokenizer")
"""Classes whose normalizer `transformers` builds anew from `tokenizer_config.json`, or (4.x) corrects by it."""
_BERT_KEYS = {"do_lower_case": True, "strip_accents": None, "tokenize_chinese_chars": True}
"""What decides the normalizer there → its default in `transformers`."""


@dataclass(frozen=True, kw_only=True)
class Stated:
    """What a `tokenizer_config.json` says.

    Attributes:
        path: the file.
        exists: whether it is there.
        max_tokens: longest text in tokens, [CLS] and [SEP] included; None where there is no limit or no file.
        truncation_side: where a longer text loses its tokens; None where it is not said.
        tokenizer_class: of `transformers`, without "Fast"; None where it is not said.
        normalizer: what it says of lower case, accents and Chinese characters, by its own keys.
    """

    path: Path
    exists: bool
    max_tokens: int | None = None
    truncation_side: TruncationSide | None = None
    tokenizer_class: str | None = None
    normalizer: Mapping[str, bool | None] = field(default_factory=dict)


def read_stated(folder: Path) -> Stated:
    """Read the `tokenizer_config.json` of a model's folder, which may be absent.

    Raises:
        TokenizerError: it is damaged, or (gathered) a value is of a wrong type.
    """
    path = folder / TOKENIZER_CONFIG_NAME
    if not path.exists():
        return Stated(path=path, exists=False)
    try:
        values = read_json(path)
    except StorageError as error:
        raise TokenizerError(str(error)) from error
    if not isinstance(values, dict):
        return Stated(path=path, exists=True)
    faults = FaultLog()
    longest, side, kind = values.get("model_max_length"), values.get("truncation_side"), values.get("tokenizer_class")
    if longest is not None and (
        isinstance(longest, bool) or not isinstance(longest, int | float) or not longest >= SMALLEST_LIMIT
    ):
        faults.add(f"model_max_length = {longest!r} is not a number of at least {SMALLEST_LIMIT} tokens")
    if side not in (None, "right", "left"):
        faults.add(f"truncation_side = {side!r} is neither 'right' nor 'left'")
    if not isinstance(kind, str | None):
        faults.add(f"tokenizer_class = {kind!r} is not a name")
    normalizer = {key: values[key] for key in _BERT_KEYS if key in values}
    for key, value in normalizer.items():
        if not isinstance(value, bool) and not (value is None and key == "strip_accents"):
            faults.add(f"{key} = {value!r} is neither true nor false")
    faults.raise_as(
        TokenizerError, what=f"{path} is wrong", todo="correct it, or take the key out to use the model's own value"
    )
    return Stated(
        path=path,
        exists=True,
        max_tokens=None if longest is None or longest >= _UNLIMITED else int(longest),
        truncation_side=side,
        tokenizer_class=None if kind is None else kind.removesuffix("Fast"),
        normalizer=normalizer,
    )


def as_transformers_builds(definition: dict[str, Any], stated: Stated) -> dict[str, Any]:
    """Return the definition of a `tokenizer.json` with the normalizer that `transformers` would put into it.

    Raises:
        TokenizerError: there is no `tokenizer_config.json`, and without one `transformers` would lower-case what this
            `tokenizer.json` keeps.
    """
    model = definition.get("model")
    bert = stated.tokenizer_class is None or stated.tokenizer_class in _BERT_CLASSES
    if not bert or not isinstance(model, dict) or model.get("type") != "WordPiece":
        return definition
    given = {**_BERT_KEYS, **stated.normalizer}
    normalizer = {
        "type": "BertNormalizer",
        "clean_text": True,
        "handle_chinese_chars": given["tokenize_chinese_chars"],
        "strip_accents": given["strip_accents"],
        "lowercase": given["do_lower_case"],
    }
    if definition.get("normalizer") == normalizer:
        return definition
    if not stated.exists:
        written = definition.get("normalizer")
        if not isinstance(written, dict) or written.get("lowercase") is not False:
            return definition
        raise TokenizerError(
            f"{stated.path.with_name(TOKENIZER_NAME)} keeps capitals, but there is no {TOKENIZER_CONFIG_NAME} beside "
            f'it, and transformers would lower-case every text: write {{"do_lower_case": false}} (or true) into '
            f"{stated.path}"
        )
    return {**definition, "normalizer": normalizer}


def side_of(definition: Mapping[str, Any], stated: Stated) -> TruncationSide:
    """Return where a text that is too long loses its tokens; `tokenizer_config.json` counts before `tokenizer.json`."""
    if stated.truncation_side is not None:
        return stated.truncation_side
    truncation = definition.get("truncation")
    direction = truncation.get("direction") if isinstance(truncation, dict) else None
    return "left" if isinstance(direction, str) and direction.lower() == "left" else "right"
