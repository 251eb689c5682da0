"""A model folder's tokenizer: texts in, packed ids out.

In: a folder with `tokenizer.json`, and texts or pairs of them. Out: `Tokenized`. Truncation is counted, never silent.
Ids are made in C++ where that serves the tokenizer (`wordpiece.py`), and by the library `tokenizers` elsewhere.
It does not know what an encoder does with the ids.
"""

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer as RawTokenizer

from limbeck.data.text_pairs import TextPair, are_pairs
from limbeck.errors import DataError, FaultLog, SettingsError, StorageError, TokenizerError
from limbeck.native.kernels import NoKernels
from limbeck.progress import SILENT, Progress
from limbeck.settings import WindowName
from limbeck.storage import read_json
from limbeck.tokens.batch import Tokenized
from limbeck.tokens.pair_ids import SMALLEST_PAIR_LIMIT, PairFrame, join_pairs
from limbeck.tokens.stated import (
    SMALLEST_LIMIT,
    TOKENIZER_CONFIG_NAME,
    TOKENIZER_NAME,
    Stated,
    TruncationSide,
    as_transformers_builds,
    read_stated,
    side_of,
)
from limbeck.tokens.windows import ReadTexts, Window, cut_texts, in_one_row, joined_texts
from limbeck.tokens.wordpiece import NativeWordPiece, open_wordpiece

MODEL_MAX_TOKENS = 512
"""Tokens that BERT and DistilBERT can read at a time, [CLS] and [SEP] included."""
SPECIAL_TOKENS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
INPUT_NAMES = ("input_ids", "attention_mask")
_CHUNK_TEXTS = 4096
"""Of the library `tokenizers`, whose encodings are large."""
_CHUNK_CHARACTERS = 2_000_000


@dataclass(frozen=True, kw_only=True)
class Token:
    """One token of a text: what it looks like and its id."""

    token: str
    id: int


class Tokenizer:
    """A `tokenizer.json` with its own padding and truncation switched off: truncation here is counted, never silent.

    Attributes:
        vocabulary_size: number of tokens, the special ones included.
        max_tokens: the most tokens of one text that the model can read.
        highest_id: the largest id that a text can give; a vocabulary may have gaps.
        special_ids: id of each special token by name.
        truncation_side: a text that is too long loses its last tokens ("right") or its first ("left").
        fingerprint: SHA-256 (hexadecimal) of what decides the ids: `tokenizer.json` without its padding and truncation
            sections, and the side where texts are cut if it is the left.
    """

    input_names = INPUT_NAMES

    def __init__(
        self, definition: dict[str, Any], *, max_tokens: int, where: str, truncation_side: TruncationSide = "right"
    ) -> None:
        definition = {**definition, "truncation": None, "padding": None}
        self.content = json.dumps(definition, ensure_ascii=False, separators=(",", ":"))
        decides = self.content + ("" if truncation_side == "right" else f"\ntruncation_side={truncation_side}")
        self.fingerprint = hashlib.sha256(decides.encode("utf-8", "surrogatepass")).hexdigest()
        self.max_tokens = max_tokens
        self.truncation_side = truncation_side
        _refuse_dangling_names(definition.get("post_processor"), where=where)
        try:
            self._raw = RawTokenizer.from_str(self.content)
            wrapped = self._raw.encode("").ids
            # A hieroglyph: some faults of a file show at the first unknown word only.
            self._raw.encode("\U00013000")
        except Exception as error:  # the library raises bare Exception for every fault of the file
            raise TokenizerError(f"{where} is not a usable tokenizer ({error}): copy the model folder again") from error
        self._native: NativeWordPiece | NoKernels | None = None
        self.vocabulary_size: int = self._raw.get_vocab_size(with_added_tokens=True)
        words = self.vocabulary()
        if missing := [name for name in SPECIAL_TOKENS if name not in words]:
            raise TokenizerError(
                f"{where} lacks the special tokens {', '.join(missing)}: DistilBERT's and BERT's tokenizers have "
                f"{', '.join(SPECIAL_TOKENS)}; use the tokenizer that belongs to the encoder"
            )
        self.highest_id = max(words.values())
        self.special_ids = {name: words[name] for name in SPECIAL_TOKENS}
        if wrapped != [self.cls_id, self.sep_id]:
            raise TokenizerError(
                f"{where} does not wrap a text as [CLS] … [SEP] (its post-processor is missing or another one): "
                "use the tokenizer that belongs to the encoder"
            )

    @classmethod
    def from_file(cls, path: Path, *, max_tokens: int = MODEL_MAX_TOKENS) -> "Tokenizer":
        """Read a `tokenizer.json` alone, as it is.

        Args:
            path: the file.
            max_tokens: the most tokens of one text that the model can read.

        Raises:
            TokenizerError: the file is absent, damaged, or not a tokenizer of the BERT family.
        """
        definition = _read_definition(path)
        alone = Stated(path=path.with_name(TOKENIZER_CONFIG_NAME), exists=False)
        return cls(definition, max_tokens=max_tokens, where=str(path), truncation_side=side_of(definition, alone))

    @classmethod
    def from_folder(cls, folder: Path, *, positions: int | None = None) -> "Tokenizer":
        """Read the `tokenizer.json` of a model folder, and what `tokenizer_config.json` beside it says.

        Ids are those of `transformers.AutoTokenizer`: where the two files disagree on lower case, accents or Chinese
        characters, or on the side where texts are cut, the second counts (see `limbeck.tokens.stated`).

        Args:
            folder: the model's folder.
            positions: positions of the encoder; the maximum length is never above it.

        Raises:
            TokenizerError: a file is absent or damaged, or no maximum length is known.
        """
        path = folder / TOKENIZER_NAME
        if not path.is_file():
            old = ", ".join(name for name in ("vocab.txt", "tokenizer.model") if (folder / name).exists())
            had = f" (it has {old}, the older form)" if old else ""
            raise TokenizerError(
                f"{folder} has no {TOKENIZER_NAME}{had}: save it there with "
                "transformers.AutoTokenizer.from_pretrained(folder).save_pretrained(folder)"
            )
        stated = read_stated(folder)
        known = [limit for limit in (stated.max_tokens, positions) if limit is not None]
        if not known:
            raise TokenizerError(
                f"{stated.path} states no model_max_length and the number of positions is not "
                'known: write "model_max_length": 512 into it'
            )
        definition = _read_definition(path)
        return cls(
            as_transformers_builds(definition, stated),
            max_tokens=min(known),
            where=str(path),
            truncation_side=side_of(definition, stated),
        )

    @property
    def pad_id(self) -> int:
        """Id of [PAD]."""
        return self.special_ids["[PAD]"]

    @property
    def cls_id(self) -> int:
        """Id of [CLS]."""
        return self.special_ids["[CLS]"]

    @property
    def sep_id(self) -> int:
        """Id of [SEP]."""
        return self.special_ids["[SEP]"]

    def encode(self, texts: Sequence[str], *, max_tokens: int | None = None, progress: Progress = SILENT) -> Tokenized:
        """Turn texts into ids, each as [CLS] … [SEP]; pairs as [CLS] … [SEP] … [SEP], the longer text cut first.

        A text longer than `max_tokens` loses tokens before its [SEP], or after its [CLS] where `truncation_side` is
        "left"; how many is told in `cut_tokens`. What else may be read of it, `read` reads.

        Args:
            texts: N strings, or N pairs (`TextPair`).
            max_tokens: longest result, [CLS] and [SEP] included; the model's own maximum when not given.
            progress: is told of texts done.

        Raises:
            SettingsError: `max_tokens` is below 3 (of pairs 5) or above what the model can read.
            DataError: gathers every text that is not a string of valid Unicode; or some texts are pairs, others not.
        """
        return self.read(texts, self.window(max_tokens=max_tokens), progress=progress).rows

    def read(self, texts: Sequence[str], window: Window, *, progress: Progress = SILENT) -> ReadTexts:
        """Turn what a window sees of texts into ids; how much of each it does not see is told in `cut_tokens`.

        Texts go through in chunks, so that memory is bounded by the ids.

        Args:
            texts: N strings, or N pairs (`TextPair`), of which the head or the tail of either text is read.
            window: which tokens of a text that is too long are read; `window()` makes one.
            progress: is told of texts done.

        Raises:
            SettingsError: its `max_tokens` is below 3 (of pairs 5) or above what the model can read, or pairs are to
                be read by "both" or "all".
            DataError: gathers every text that is not a string of valid Unicode; or some texts are pairs, others not.
        """
        limit, name = self.checked_limit(window.max_tokens), window.name
        if are_pairs(texts):
            return in_one_row(self._encode_pairs(texts, limit, name, progress))
        native = self.native(progress)
        most_texts = len(texts) if isinstance(native, NativeWordPiece) else _CHUNK_TEXTS
        parts: list[ReadTexts] = []
        with progress.track("tokenizing", total=len(texts), unit="texts") as advance:
            for chunk in _chunks(texts, most_texts):
                try:
                    ids_T, sizes_N = self._encode_chunk(chunk, native)
                except (TypeError, UnicodeEncodeError) as error:
                    _refuse_bad_texts(texts)
                    raise DataError(f"these texts could not be tokenized: {error}; give a list of strings") from error
                parts.append(cut_texts(ids_T, sizes_N, limit, name))
                advance(len(chunk))
        return joined_texts(parts)

    def native(self, progress: Progress = SILENT) -> NativeWordPiece | NoKernels:
        """Return the C++ that makes this tokenizer's ids, opened on first use, or why `tokenizers` makes them.

        Args:
            progress: is told when something is compiled.
        """
        if self._native is None:
            self._native = open_wordpiece(self.content, self._raw, progress)
        return self._native

    @property
    def own_window(self) -> WindowName:
        """What is read of a text that is too long where nobody says more than the tokenizer."""
        return "tail" if self.truncation_side == "left" else "head"

    def window(self, name: WindowName | None = None, max_tokens: int | None = None) -> Window:
        """Return what is read of a text: what was asked for, or what tokenizer and model say.

        Raises:
            SettingsError: `max_tokens` is below 3 or above what the model can read.
        """
        return Window(name=name or self.own_window, max_tokens=self.checked_limit(max_tokens))

    def pieces(self, text: str, *, max_tokens: int | None = None) -> list[Token]:
        """Return a text's tokens with their ids, as `encode` makes them."""
        ids = self.encode([text], max_tokens=max_tokens).ids.tolist()
        return [Token(token=token, id=token_id) for token, token_id in zip(self.tokens_of_ids(ids), ids, strict=True)]

    def tokens_of_ids(self, ids: Sequence[int]) -> list[str]:
        """Return what tokens look like."""
        return [str(self._raw.id_to_token(token_id)) for token_id in ids]

    def vocabulary(self) -> dict[str, int]:
        """Return the id of every token, the special ones included."""
        words: dict[str, int] = self._raw.get_vocab(with_added_tokens=True)
        return words

    def config(self, *, max_tokens: int | None = None, window: WindowName | None = None) -> dict[str, Any]:
        """Return what `tokenizer_config.json` says, in Hugging Face's terms.

        Args:
            max_tokens: the maximum length to state; the model's own when not given.
            window: what is read of a longer text; what the tokenizer says when not given. There is no word for "both"
                and "all" there: the head is stated.
        """
        names = {f"{name.strip('[]').lower()}_token": name for name in SPECIAL_TOKENS}
        return {
            # The generic class reads tokenizer.json as it is; a class of its own would rebuild parts of it.
            "tokenizer_class": "PreTrainedTokenizerFast",
            "model_max_length": max_tokens or self.max_tokens,
            "model_input_names": list(self.input_names),
            "padding_side": "right",
            "truncation_side": "left" if (window or self.own_window) == "tail" else "right",
            "clean_up_tokenization_spaces": False,
            **names,
        }

    def checked_limit(self, max_tokens: int | None) -> int:
        """Return the longest result in tokens: what was asked for, or the model's own maximum.

        Raises:
            SettingsError: it is below 3 or above what the model can read.
        """
        if max_tokens is None:
            return self.max_tokens
        if not SMALLEST_LIMIT <= max_tokens <= self.max_tokens:
            raise SettingsError(
                f"max_tokens = {max_tokens} is not possible: this encoder reads {SMALLEST_LIMIT} to {self.max_tokens} "
                "tokens, [CLS] and [SEP] included"
            )
        return max_tokens

    def _encode_pairs(self, texts: Sequence[str], limit: int, name: WindowName, progress: Progress) -> Tokenized:
        if name not in ("head", "tail"):
            raise SettingsError(
                f"window = {name!r} is not possible for two texts per row: of the longer one the end is cut, or the "
                "beginning; give --window head or tail"
            )
        if limit < SMALLEST_PAIR_LIMIT:
            raise SettingsError(
                f"max_tokens = {limit} is not possible for two texts per row: they take {SMALLEST_PAIR_LIMIT} at "
                "least, [CLS] and both [SEP] included"
            )
        pairs = [pair for pair in texts if isinstance(pair, TextPair)]
        window = Window(name=name, max_tokens=limit)
        first = self.read([pair.first for pair in pairs], window, progress=progress).rows
        second = self.read([pair.second for pair in pairs], window, progress=progress).rows
        side: TruncationSide = "left" if name == "tail" else "right"
        frame = PairFrame(limit=limit, cls_id=self.cls_id, sep_id=self.sep_id, side=side)
        return join_pairs(first, second, frame)

    def _encode_chunk(
        self, chunk: list[str], native: NativeWordPiece | NoKernels
    ) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
        """Return the ids of some texts end to end, and how many each has."""
        if isinstance(native, NativeWordPiece):
            return native.encode(chunk)
        id_lists = [encoding.ids for encoding in self._raw.encode_batch_fast(chunk)]
        sizes_N = np.fromiter(map(len, id_lists), np.int64, len(id_lists))
        return np.fromiter(chain.from_iterable(id_lists), np.int32, int(sizes_N.sum())), sizes_N

    def __getstate__(self) -> dict[str, Any]:
        """Return what a copy or a pickle holds: all but what is compiled for this machine."""
        return {**self.__dict__, "_native": None}


def _read_definition(path: Path) -> dict[str, Any]:
    try:
        definition = read_json(path)
    except StorageError as error:
        raise TokenizerError(f"{error}; a tokenizer is needed beside the weights") from error
    if not isinstance(definition, dict):
        raise TokenizerError(f"{path} is not a usable tokenizer: an object of JSON was expected")
    return definition


def _chunks(texts: Sequence[str], most_texts: int) -> Iterator[list[str]]:
    """Yield runs of texts, bounded in texts and in characters."""
    try:
        ends_N = np.cumsum(np.fromiter(map(len, texts), np.int64, len(texts)))
    except TypeError:
        _refuse_bad_texts(texts)
        raise
    start = before = 0
    while start < len(texts):
        stop = int(np.searchsorted(ends_N, before + _CHUNK_CHARACTERS)) + 1
        stop = min(stop, start + most_texts, len(texts))
        yield list(texts[start:stop])
        start, before = stop, int(ends_N[stop - 1])


def _refuse_bad_texts(texts: Sequence[Any]) -> None:
    faults = FaultLog()
    for place, text in enumerate(texts):
        if not isinstance(text, str):
            faults.add(f"text {place}: {text!r} is of type {type(text).__name__}, not a string")
        else:
            try:
                text.encode("utf-8")
            except UnicodeEncodeError as error:
                faults.add(f"text {place}, character {error.start}: {text[error.start]!r} is half of a surrogate pair")
    faults.raise_as(
        DataError,
        what="these texts cannot be tokenized",
        todo="give strings of valid Unicode; replace or drop what is missing",
    )


def _refuse_dangling_names(processor: Any, *, where: str) -> None:
    """Refuse a template that names a special token without its id: the library would abort at the first text."""
    if not isinstance(processor, dict):
        return
    for inner in _items(processor.get("processors")):
        _refuse_dangling_names(inner, where=where)
    known = _items(processor.get("special_tokens"))
    used = [piece.get("SpecialToken") for piece in _items(processor.get("single")) if isinstance(piece, dict)]
    names = [piece.get("id") for piece in used if isinstance(piece, dict)]
    if dangling := [name for name in names if name not in known]:
        raise TokenizerError(
            f"{where} is not a usable tokenizer: its template names {dangling[0]!r} without giving its id; copy the "
            "model folder again"
        )


def _items(value: Any) -> list[Any]:
    """Return the items of a list or the keys of an object of JSON; nothing for anything else."""
    return list(value) if isinstance(value, list | dict) else []
