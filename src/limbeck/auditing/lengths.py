"""Lengths: words and tokens of every text.

In: texts and a tokenizer. Out: counts a text.
A BERT tokenizer cuts at white space and punctuation before it does anything else, and looks at no piece's neighbours.
So each distinct piece is tokenized once and its count is added up wherever it stands: the same counts as tokenizing
each text whole (tests prove it), for the price of the vocabulary instead of the corpus. A tokenizer that works in
another way is given the texts whole.
It does not know labels or limits.
"""

import json
import os
import string
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from limbeck.auditing.characters import blocks
from limbeck.evaluation.row_answers import WRAPPING_TOKENS
from limbeck.progress import SILENT, Progress
from limbeck.tokens import SPECIAL_TOKENS, Tokenizer

_SPLIT_BYTES = 1 << 23
_PIECES_A_CALL = 256
_PUNCTUATION = r"!-/:-@\[-`{-~"
"""ASCII punctuation, as a pattern."""
_JOINING = r"[\v\f\x1c-\x1f\x{85}]"
"""White space to Unicode, but a control character to BERT, which drops it and so joins the words on both sides."""
_UNLIMITED = 1 << 30


@dataclass(frozen=True, kw_only=True, eq=False)
class TextWords:
    """The words of all texts; a word is a run of anything but white space.

    Shapes: N rows, W words, V distinct words.

    Attributes:
        distinct: V strings.
        index: int32 (W,), each word in order as an index into `distinct`.
        offsets: int64 (N+1,); row i has `index[offsets[i]:offsets[i + 1]]`.
    """

    distinct: list[str]
    index: np.ndarray
    offsets: np.ndarray

    @property
    def per_text(self) -> np.ndarray:
        """Words of each text, int64 (N,)."""
        return np.diff(self.offsets)


@dataclass(frozen=True, kw_only=True, eq=False)
class TokenCounts:
    """What a tokenizer makes of each text.

    Shapes: N rows.

    Attributes:
        tokens: int64 (N,), [CLS] and [SEP] included, nothing cut.
        unknown: int64 (N,), how many of them are [UNK].
    """

    tokens: np.ndarray
    unknown: np.ndarray


def split_words(texts: pa.LargeStringArray, progress: Progress = SILENT) -> TextWords:
    """Cut texts at white space."""
    known: dict[str, int] = {}
    parts: list[np.ndarray] = []
    counts = np.zeros(len(texts), dtype=np.int64)

    def cut(rows: slice) -> tuple[slice, pa.DictionaryArray]:
        lists = pc.utf8_split_whitespace(texts[rows])
        words = lists.flatten()
        # Leading or trailing white space leaves an empty string behind, which is no word.
        real = pc.not_equal(words, "").to_numpy(zero_copy_only=False)
        row = np.repeat(np.arange(len(lists)), pc.list_value_length(lists).to_numpy(zero_copy_only=False))
        counts[rows] = np.bincount(row[real], minlength=len(lists))
        return rows, (words if real.all() else words.filter(pa.array(real))).dictionary_encode()

    with (
        ThreadPoolExecutor(os.cpu_count()) as pool,
        progress.track("Counting words", total=len(texts), unit="texts") as advance,
    ):
        for rows, coded in pool.map(cut, blocks(texts, _SPLIT_BYTES)):
            index = np.array([known.setdefault(word, len(known)) for word in coded.dictionary.to_pylist()], np.int32)
            parts.append(index[coded.indices.to_numpy(zero_copy_only=False)] if len(index) else index)
            advance(rows.stop - rows.start)
    index = np.concatenate(parts) if parts else np.zeros(0, dtype=np.int32)
    return TextWords(distinct=list(known), index=index, offsets=np.concatenate([[0], np.cumsum(counts)]))


def count_tokens(
    tokenizer: Tokenizer, texts: pa.LargeStringArray, words: TextWords, progress: Progress = SILENT
) -> TokenCounts:
    """Count the tokens of each text, nothing cut.

    Args:
        tokenizer: any of the BERT family.
        texts: N texts.
        words: the words of the same texts.
        progress: follows the tokenizing.
    """
    # A copy without the model's limit, so that nothing is cut and [UNK] is counted to the end.
    definition = json.loads(tokenizer.content)
    unlimited = Tokenizer(definition, max_tokens=_UNLIMITED, where="the tokenizer")
    if not _is_word_local(definition):
        return _count_whole(unlimited, texts, progress)
    counts = _count_words(unlimited, words.distinct, progress)
    tokens = _sum_by_row(counts.tokens[words.index], words.offsets) + WRAPPING_TOKENS
    unknown = _sum_by_row(counts.unknown[words.index], words.offsets)
    joined = np.flatnonzero(pc.match_substring_regex(texts, _JOINING).to_numpy(zero_copy_only=False))
    if len(joined):
        whole = _count_whole(unlimited, texts.take(pa.array(joined)), SILENT)
        tokens[joined], unknown[joined] = whole.tokens, whole.unknown
    return TokenCounts(tokens=tokens, unknown=unknown)


def _is_word_local(definition: dict[str, object]) -> bool:
    """Tell whether the tokenizer cuts at white space and at punctuation first and then forgets a piece's neighbours."""
    return _type_of(definition, "pre_tokenizer") == "BertPreTokenizer" and _type_of(definition, "normalizer") in (
        None,
        "BertNormalizer",
    )


def _type_of(definition: dict[str, object], part: str) -> str | None:
    section = definition.get(part)
    return str(section.get("type")) if isinstance(section, dict) else None


def _count_words(tokenizer: Tokenizer, words: list[str], progress: Progress) -> TokenCounts:
    """Count the tokens of each word, without [CLS] and [SEP].

    ASCII punctuation always stands alone, so words are cut there once more: "film," and "film." share their "film".
    Words that hold the name of a special token are tokenized whole: "[SEP]" is one token.
    """
    array = pa.array(words, pa.large_string())
    lists = pc.split_pattern_regex(array, f"[{_PUNCTUATION}]")
    coded = lists.flatten().dictionary_encode()
    pieces = _count_pieces(tokenizer, coded.dictionary.to_pylist(), progress)
    index = coded.indices.to_numpy(zero_copy_only=False)
    sizes = pc.list_value_length(lists).to_numpy(zero_copy_only=False)
    offsets = np.concatenate([[0], np.cumsum(sizes, dtype=np.int64)])
    tokens = _sum_by_row(pieces.tokens[index], offsets) + sizes - 1
    unknown = _sum_by_row(pieces.unknown[index], offsets)
    for sign in _signs_without_token(tokenizer):
        unknown += pc.count_substring(array, sign).to_numpy(zero_copy_only=False)
    special = [
        place for place, word in enumerate(words) if "[" in word and any(name in word for name in SPECIAL_TOKENS)
    ]
    if special:
        whole = _count(tokenizer, [words[place] for place in special], SILENT)
        tokens[special], unknown[special] = whole.tokens - WRAPPING_TOKENS, whole.unknown
    return TokenCounts(tokens=tokens, unknown=unknown)


def _count_pieces(tokenizer: Tokenizer, pieces: list[str], progress: Progress) -> TokenCounts:
    """Count the tokens of pieces without punctuation: many in one call, with [SEP] between them."""
    if not pieces:
        return TokenCounts(tokens=np.zeros(0, dtype=np.int64), unknown=np.zeros(0, dtype=np.int64))
    separator = " [SEP] "
    calls = [pieces[start : start + _PIECES_A_CALL] for start in range(0, len(pieces), _PIECES_A_CALL)]
    tokenized = tokenizer.encode([separator.join(call) for call in calls], progress=progress)
    ends = np.flatnonzero(tokenized.ids == tokenizer.sep_id)
    # Every call starts with [CLS]; every piece, the last of a call included, ends with [SEP].
    starts = np.concatenate([[-1], ends[:-1]]).astype(np.int64)
    starts[::_PIECES_A_CALL] += 1
    unknown = np.concatenate([[0], np.cumsum(tokenized.ids == tokenizer.special_ids["[UNK]"])])
    return TokenCounts(tokens=ends - starts - 1, unknown=unknown[ends] - unknown[starts + 1])


def _signs_without_token(tokenizer: Tokenizer) -> list[str]:
    """Return the ASCII punctuation signs that the vocabulary lacks: each counts as [UNK]."""
    counts = _count(tokenizer, list(string.punctuation), SILENT)
    return [sign for sign, unknown in zip(string.punctuation, counts.unknown, strict=True) if unknown]


def _count(tokenizer: Tokenizer, texts: list[str], progress: Progress) -> TokenCounts:
    """Tokenize texts whole and count."""
    tokenized = tokenizer.encode(texts, progress=progress)
    unknown = np.concatenate([[0], np.cumsum(tokenized.ids == tokenizer.special_ids["[UNK]"])])
    return TokenCounts(
        tokens=tokenized.lengths.astype(np.int64),
        unknown=(unknown[tokenized.offsets[1:]] - unknown[tokenized.offsets[:-1]]).astype(np.int64),
    )


def _count_whole(tokenizer: Tokenizer, texts: pa.LargeStringArray, progress: Progress) -> TokenCounts:
    parts = []
    with progress.track("Counting tokens", total=len(texts), unit="texts") as advance:
        for rows in blocks(texts, _SPLIT_BYTES):
            parts.append(_count(tokenizer, texts[rows].to_pylist(), SILENT))
            advance(rows.stop - rows.start)
    none = [np.zeros(0, dtype=np.int64)]
    return TokenCounts(
        tokens=np.concatenate([part.tokens for part in parts] or none),
        unknown=np.concatenate([part.unknown for part in parts] or none),
    )


def _sum_by_row(values: np.ndarray, offsets: np.ndarray) -> np.ndarray:
    """Add up the values of each row, int64 (N,); a row without any has 0."""
    sums = np.zeros(len(offsets) - 1, dtype=np.int64)
    filled = np.flatnonzero(np.diff(offsets))
    if len(filled):
        sums[filled] = np.add.reduceat(values, offsets[filled])
    return sums
