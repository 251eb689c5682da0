"""WordPiece in C++: texts become ids, and these are the ids that the library `tokenizers` gives.

In: a `tokenizer.json`, and the same as that library opened it. Out: `NativeWordPiece`, or the reason why the library
makes the ids itself: a tokenizer of another kind, or a machine without the compiled library. It does not cut texts
that are too long.
"""

import ctypes
import json
import os
import weakref
from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer as RawTokenizer

from limbeck.errors import NoMemoryError
from limbeck.native.building import WORDPIECE
from limbeck.native.kernels import NoKernels
from limbeck.native.libraries import FoundLibrary, find_built
from limbeck.progress import SILENT, Progress

_THREAD_NAMES = ("RAYON_NUM_THREADS", "OMP_NUM_THREADS")
"""What says how many threads tokenize, before anything else; the first is what `tokenizers` obeys."""
_NO_THREADS = ("", "off", "false", "f", "no", "n", "0")
"""Values of TOKENIZERS_PARALLELISM with which `tokenizers` uses one thread."""
_MODEL_KEYS = ("vocab", "unk_token", "continuing_subword_prefix", "max_input_chars_per_word")
_FLAGS = ("clean_text", "handle_chinese_chars", "strip_accents", "lowercase")
_TOKEN_FLAGS = ("single_word", "lstrip", "rstrip", "normalized")
"""What an added token may ask for and C++ does not do."""
_LARGEST_ID = 2**31 - 1
_KNOWN: list[FoundLibrary | NoKernels] = []
"""What was found in this process; a machine does not change meanwhile."""
_PROBES = (
    "",
    "The U.S. can't   have naïve ÉCOLES, right?\r\n#1 $5+5=10 ~ `x` \t[SEP] [sep][MASK]] unaffable",
    "İstanbul ΣΑΣ ǅ ﬁ Ⅷ ẞ Ω K å ạ̈q̣̇ e\u0301\u0327 \u0915\u093c\u094d \u302f\u0bcd",
    "東京は日本。㐀豈𠮟 각 각 한국어를 배운다 ㄱㅏ カタカナ ｶﾀ",
    "a\x00b\x07c\x0bd\x85e\xadf\u200bg\u2028h\u3000i\ufeffj\ufffdk\ue000l\U000e0001m\u0378n",
    "\U0001f468\u200d\U0001f469\u200d\U0001f467 ❤\ufe0f \U0001f1f0\U0001f1f7 “x” …—¿¡ ٪ ₩ 1٢3",
    "x" * 99 + " " + "y" * 100 + " " + "z" * 101 + " " + "aé" * 60,
)
"""Texts that both are asked about when a tokenizer is opened: they show a `tokenizers` that has changed its ways."""


class _Tokens(ctypes.Structure):
    _fields_ = (
        *((name, ctypes.c_void_p) for name in ("bytes", "ends", "ids")),
        ("count", ctypes.c_int64),
    )


class _Definition(ctypes.Structure):
    _fields_ = (
        ("vocabulary", _Tokens),
        ("added", _Tokens),
        ("prefix", ctypes.c_char_p),
        *((name, ctypes.c_int64) for name in ("prefix_bytes", "most_characters")),
        *((name, ctypes.c_int32) for name in ("unknown", "first", "last", "clean", "chinese", "strip", "lower")),
    )


class _Texts(ctypes.Structure):
    _fields_ = (
        ("bytes", ctypes.c_char_p),
        ("n_bytes", ctypes.c_int64),
        ("characters", ctypes.c_void_p),
        ("count", ctypes.c_int64),
    )


class NativeWordPiece:
    """A tokenizer in C++. Any number of threads may use it at a time.

    Attributes:
        library: the compiled library.
    """

    def __init__(self, definition: Mapping[str, Any], raw: RawTokenizer, library: FoundLibrary) -> None:
        """Make it.

        Args:
            definition: of a tokenizer that `why_not_served` has nothing against.
            raw: the same, opened by `tokenizers`.
            library: as `find_built(WORDPIECE)` found it.

        Raises:
            NoMemoryError: there is no memory for it.
        """
        self.library = library
        self._functions = _described(library.library)
        model, normalizer = definition["model"], definition["normalizer"]
        every_id = raw.get_vocab(with_added_tokens=True)
        added = {token["content"]: every_id[token["content"]] for token in _added(definition)}
        first, last = raw.encode("").ids
        vocabulary, added_tokens = _TokenArrays(model["vocab"]), _TokenArrays(added)
        prefix = model["continuing_subword_prefix"].encode()
        strip = normalizer["strip_accents"]
        fields = _Definition(
            vocabulary=vocabulary.fields,
            added=added_tokens.fields,
            prefix=prefix,
            prefix_bytes=len(prefix),
            most_characters=min(model["max_input_chars_per_word"], _LARGEST_ID),
            unknown=model["vocab"][model["unk_token"]],
            first=first,
            last=last,
            clean=normalizer["clean_text"],
            chinese=normalizer["handle_chinese_chars"],
            strip=normalizer["lowercase"] if strip is None else strip,
            lower=normalizer["lowercase"],
        )
        self._made = self._functions.limbeck_wordpiece_new(fields)
        if not self._made:
            raise NoMemoryError(f"no memory for a vocabulary of {len(model['vocab']):,} tokens: free some memory")
        # At the end of the process a thread may still use it, and memory goes back by itself.
        weakref.finalize(self, self._functions.limbeck_wordpiece_free, self._made).atexit = False

    def encode(self, texts: Sequence[str]) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
        """Turn texts into ids, each as [CLS] … [SEP], nothing cut.

        Args:
            texts: N strings.

        Returns:
            The ids of all of them end to end, (T,), and how many each has, (N,).

        Raises:
            TypeError: some are no strings.
            UnicodeEncodeError: some hold half of a surrogate pair.
            NoMemoryError: there is no memory for it.
        """
        content = "".join(texts).encode()
        characters_N = np.fromiter(map(len, texts), np.int64, len(texts))
        sizes_N = np.empty(len(texts), np.int64)
        ids_T = np.empty(len(content) + 2 * len(texts), np.int32)
        given = _Texts(
            bytes=content, n_bytes=len(content), characters=characters_N.ctypes.data, count=len(characters_N)
        )
        total = self._functions.limbeck_wordpiece_encode(
            self._made, given, tokenizing_threads(), ids_T.ctypes.data, sizes_N.ctypes.data
        )
        if total < 0:
            raise NoMemoryError(f"no memory to tokenize {len(content):,} bytes: free some memory")
        return ids_T[:total].copy(), sizes_N


class _TokenArrays:
    """Tokens and their ids as C++ takes them; alive as long as it looks at them."""

    def __init__(self, ids: Mapping[str, int]) -> None:
        encoded = [token.encode() for token in ids]
        self._bytes = b"".join(encoded)
        self._ends = np.cumsum([len(token) for token in encoded], dtype=np.int64)
        self._ids = np.fromiter(ids.values(), np.int32, len(ids))
        self.fields = _Tokens(
            bytes=ctypes.cast(ctypes.c_char_p(self._bytes), ctypes.c_void_p),
            ends=self._ends.ctypes.data,
            ids=self._ids.ctypes.data,
            count=len(ids),
        )


def open_wordpiece(content: str, raw: RawTokenizer, progress: Progress = SILENT) -> NativeWordPiece | NoKernels:
    """Make a tokenizer in C++, with a library that is compiled where it has to be, or say why there is none.

    Args:
        content: of a `tokenizer.json` that wraps a text as [CLS] … [SEP], and neither cuts nor pads.
        raw: the same, opened by `tokenizers`.
        progress: is told when something is compiled.

    Raises:
        NoMemoryError: there is no memory for it.
    """
    definition = json.loads(content)
    if reason := why_not_served(definition):
        return NoKernels(reason=reason)
    library = find_wordpiece(progress)
    if isinstance(library, NoKernels):
        return library
    made = NativeWordPiece(definition, raw, library)
    # Its added tokens are tried, too, alone and between words.
    own = (f"x{token['content']}y {token['content']}" for token in _added(definition))
    for text in chain(_PROBES, own):
        if made.encode([text])[0].tolist() != raw.encode(text).ids:
            return NoKernels(reason=f"its ids are not those of the installed tokenizers for {text[:40]!r}")
    return made


def find_wordpiece(progress: Progress = SILENT) -> FoundLibrary | NoKernels:
    """Return the compiled library, looked for once in a process, or why there is none."""
    if not _KNOWN:
        _KNOWN.append(find_built(WORDPIECE, progress=progress))
    return _KNOWN[0]


def why_not_served(definition: Mapping[str, Any]) -> str | None:
    """Return what of a `tokenizer.json` C++ does not do; nothing where it does all of it.

    Args:
        definition: as it was read.
    """
    for part, kinds in (
        ("model", ("WordPiece",)),
        ("normalizer", ("BertNormalizer",)),
        ("pre_tokenizer", ("BertPreTokenizer",)),
        ("post_processor", ("TemplateProcessing", "BertProcessing")),
    ):
        section = definition.get(part)
        kind = section.get("type") if isinstance(section, dict) else section
        if kind not in kinds:
            return f"its {part} is {kind or 'missing'}, not {' or '.join(kinds)}"
    model, normalizer = definition["model"], definition["normalizer"]
    missing = [key for key in _MODEL_KEYS if key not in model] + [key for key in _FLAGS if key not in normalizer]
    if missing:
        return f"it does not say {', '.join(missing)}"
    if model["unk_token"] not in model["vocab"]:
        return f"its vocabulary lacks {model['unk_token']!r}"
    if not all(0 <= token_id <= _LARGEST_ID for token_id in model["vocab"].values()):
        return f"an id of its vocabulary is above {_LARGEST_ID:,}"
    return _why_no_token_of(_added(definition))


def _why_no_token_of(added: Sequence[Mapping[str, Any]]) -> str | None:
    """Return what of added tokens C++ does not do."""
    contents = [token["content"] for token in added]
    for place, (token, content) in enumerate(zip(added, contents, strict=True)):
        if asked := [flag for flag in _TOKEN_FLAGS if token.get(flag, True)]:
            return f"its added token {content!r} is {' and '.join(asked)}"
        if not content or content in contents[:place]:
            return f"its added token {content!r} is empty or there twice"
    return None


def tokenizing_threads() -> int:
    """Return in how many threads texts become ids: what the environment says, else one for each usable core.

    RAYON_NUM_THREADS comes first, as `tokenizers` obeys it and `limbeck.runtime.set_threads` sets it.
    """
    if os.environ.get("TOKENIZERS_PARALLELISM", "on").lower() in _NO_THREADS:
        return 1
    for name in _THREAD_NAMES:
        # OMP_NUM_THREADS may be a list, one for each level.
        given = os.environ.get(name, "").partition(",")[0].strip()
        if given.isdecimal() and int(given) > 0:
            return int(given)
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _added(definition: Mapping[str, Any]) -> list[dict[str, Any]]:
    return definition.get("added_tokens") or []


def _described(library: ctypes.CDLL) -> ctypes.CDLL:
    """Say how the library's functions are called."""
    pointer = ctypes.c_void_p
    for name, restype, argtypes in (
        ("new", pointer, (ctypes.POINTER(_Definition),)),
        ("free", None, (pointer,)),
        ("encode", ctypes.c_int64, (pointer, ctypes.POINTER(_Texts), ctypes.c_int32, pointer, pointer)),
    ):
        function = getattr(library, f"limbeck_wordpiece_{name}")
        function.restype, function.argtypes = restype, argtypes
    return library
