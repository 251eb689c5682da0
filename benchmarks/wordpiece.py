"""The tokenizer in C++ beside the library `tokenizers`: the same ids for a million drawn texts, and the time of a core.

    python benchmarks/wordpiece.py                 # a million texts, then five rounds
    python benchmarks/wordpiece.py --texts 100000  # fewer; nothing is written
    python benchmarks/wordpiece.py --seed 7        # others

Texts of ../shared/data with drawn changes, and texts drawn from all of Unicode: emoji, accents in any order, Chinese,
Hangul composed and not, controls, words of 100,000 characters, special tokens in the middle. The vocabulary is MiniLM's
and single characters, so that few words are unknown: those hide differences. Ends with 1 where ids differ.
It writes benchmarks/results/wordpiece.json; times are the processor's, so other work beside it counts little.
"""

import argparse
import json
import os
import random
import statistics
import sys
import time
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from typing import Any

os.environ["RAYON_NUM_THREADS"] = "1"

import pyarrow.parquet as pq
from measure import SHARED_DATA, median_ratio, write_result
from tokenizers import Tokenizer as RawTokenizer

from limbeck.catalog.presets import load_tokenizer
from limbeck.native.kernels import NoKernels
from limbeck.tokens.wordpiece import NativeWordPiece, open_wordpiece

CHUNK, ROUNDS, SHOWN = 1000, 5, 20
LONG_WORD = 100_000
RULES: dict[str, tuple[bool, bool, bool | None, bool]] = {
    "uncased": (True, True, None, True),
    "cased": (True, True, None, False),
    "lower case with accents": (True, True, False, True),
    "capitals without accents": (True, True, True, False),
    "not cleaned": (False, False, None, True),
    "as it is": (False, False, False, False),
}
"""Kinds of tokenizers: clean_text, handle_chinese_chars, strip_accents, lowercase. Half of all are the first."""
RANGES: dict[str, tuple[tuple[int, int], ...]] = {
    "ascii": ((0x20, 0x7E),),
    "controls": (
        *((0, 0x20), (0x7F, 0xA0), (0xAD, 0xAD), (0x600, 0x605), (0x180E, 0x180E), (0x200B, 0x200F)),
        *((0x2028, 0x202F), (0x205F, 0x206F), (0xFEFF, 0xFEFF), (0xFFF9, 0xFFFD)),
    ),
    "latin": ((0xA1, 0x24F), (0x1E00, 0x1EFF), (0x2C60, 0x2C7F), (0xA720, 0xA7FF)),
    "greek to georgian": ((0x370, 0x58F), (0x10A0, 0x10FF), (0x13A0, 0x13FF), (0x1C80, 0x1CBF), (0x1F00, 0x1FFF)),
    "accents": (
        *((0x300, 0x36F), (0x591, 0x5C7), (0x610, 0x61A), (0x64B, 0x65F), (0x1AB0, 0x1AFF), (0x1DC0, 0x1DFF)),
        *((0x20D0, 0x20F0), (0x302A, 0x302F), (0x3099, 0x309A), (0xFE00, 0xFE2F), (0x1D165, 0x1D172)),
        (0xE0100, 0xE0120),
    ),
    "indic": (
        (0x900, 0xDFF),
        (0xE00, 0x109F),
        (0x1780, 0x17FF),
        (0x1B00, 0x1BFF),
        (0xA930, 0xAAFF),
        (0x11000, 0x112FF),
    ),
    "chinese": (
        *((0x3400, 0x3500), (0x4E00, 0x4F00), (0x9F00, 0xA000), (0xF900, 0xFAFF), (0x20000, 0x20100)),
        *((0x2A6D0, 0x2A710), (0x2F800, 0x2FA20)),
    ),
    "kana": ((0x3040, 0x30FF), (0xFF00, 0xFFEF)),
    "hangul": ((0xAC00, 0xD7A3),),
    "jamo": ((0x1100, 0x11FF), (0x3130, 0x318F), (0xA960, 0xA97F), (0xD7B0, 0xD7FF)),
    "signs": ((0x2000, 0x2BFF), (0x2E00, 0x303F), (0xFE10, 0xFE6F)),
    "emoji": ((0x1F1E6, 0x1F1FF), (0x1F300, 0x1FAFF), (0x200D, 0x200D), (0xFE0F, 0xFE0F), (0xE0020, 0xE007F)),
    "music": ((0x1D100, 0x1D1FF), (0x1D400, 0x1D7FF)),
    "any": ((0, 0xD7FF), (0xE000, 0x10FFFF)),
    "any of the first plane": ((0, 0xD7FF), (0xE000, 0xFFFF)),
}
KNOWN_RANGES = (
    (0x21, 0x3100),
    (0x3130, 0x318F),
    (0x4E00, 0x4F00),
    (0xA700, 0xA7FF),
    (0xA930, 0xABFF),
    (0xAC00, 0xAD00),
)
KNOWN_RANGES += ((0xD7B0, 0xD7FF), (0xF900, 0xFFFF), (0x10400, 0x1044F), (0x11000, 0x112FF), (0x1D100, 0x1D1FF))
KNOWN_RANGES += ((0x1F1E6, 0x1F1FF), (0x1F300, 0x1FAFF), (0xE0000, 0xE01EF))
"""Characters that are tokens of their own."""
SPECIALS = ("[CLS]", "[SEP]", "[MASK]", "[PAD]", "[UNK]", "[SEP", "[[SEP]]", "[sep]", "[MASK][MASK]", "#", "##")


class Draws:
    """Texts, drawn."""

    def __init__(self, seed: str, real: Sequence[str]) -> None:
        self._random = random.Random(seed)  # noqa: S311  # nobody guesses these
        self._real = real

    def text(self) -> str:
        """Draw a text: a changed one of the data, or one of pieces."""
        kind = self._random.random()
        if kind < 0.4:
            return self._changed(self._real[int(self._random.random() * len(self._real))])
        if kind < 0.40005:
            return self.piece() + self._long_word() + self.piece()
        return "".join(self.piece() for _ in range(self._below(24)))

    def piece(self) -> str:
        """Draw some characters that belong together, or stand together in no text."""
        kind = self._below(14)
        if kind == 0:
            return SPECIALS[self._below(len(SPECIALS))]
        if kind == 1:
            return self._of(("ascii", "latin", "hangul", "any")[self._below(4)]) * (95 + self._below(10))
        if kind < 4:
            return " " * self._below(3)
        if kind < 6:
            word = self._real[self._below(len(self._real))].split()
            return word[self._below(len(word))] if word else ""
        names = list(RANGES)
        name = names[self._below(len(names))]
        return "".join(self._of(name) for _ in range(1 + self._below(7)))

    def _of(self, name: str) -> str:
        ranges = RANGES[name]
        first, last = ranges[self._below(len(ranges))]
        return chr(first + self._below(last - first + 1))

    def _long_word(self) -> str:
        part = self._of("any of the first plane") + self._of("latin") + self._of("accents") * self._below(3)
        return (part * LONG_WORD)[:LONG_WORD]

    def _changed(self, text: str) -> str:
        """Change a text at some places; all of it or a slice, composed and not."""
        start = self._below(max(1, len(text) - 200))
        text = text[start : start + 300]
        for _ in range(self._below(6)):
            first = self._below(len(text) + 1)
            stop = min(len(text), first + self._below(20))
            inner, change = text[first:stop], self._below(7)
            if change < 3:
                inner = self.piece()
            elif change == 3:
                inner = inner.swapcase()
            elif change == 4:
                inner = ""
            else:
                inner = unicodedata.normalize("NFD" if change == 5 else "NFC", text[first:])
                stop = len(text)
            text = text[:first] + inner + text[stop:]
        return text

    def _below(self, stop: int) -> int:
        return int(self._random.random() * stop)


def main() -> int:
    """Compare and measure; return 1 where ids differ."""
    asked = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    asked.add_argument("--texts", type=int, default=1_000_000)
    asked.add_argument("--seed", default="0")
    options = asked.parse_args()
    data = texts_of_the_data()
    compared = compare(options.texts, options.seed, [text for texts in data.values() for text in texts])
    speeds = {name: measure(texts) for name, texts in data.items()}
    is_whole = options.texts >= 1_000_000
    result = {"compared": compared, "rounds": ROUNDS, "speeds": speeds}
    if is_whole and not compared["differences"]:
        write_result("wordpiece", result, packages=("limbeck", "tokenizers", "numpy"))
    sys.stdout.write(json.dumps(result, indent=2, ensure_ascii=False) + "\n")
    return int(compared["differences"] > 0)


def texts_of_the_data() -> dict[str, list[str]]:
    """Return tweets, reviews and Korean descriptions."""
    lines = (SHARED_DATA / "emotion" / "train.txt").read_text("utf-8").splitlines()
    reviews = pq.read_table(SHARED_DATA / "imdb" / "test.parquet", columns=["text"])
    korean = pq.read_table(SHARED_DATA / "debian" / "packages.ko.parquet")
    name = next(name for name in korean.column_names if "text" in name or "description" in name)
    return {
        "16,000 tweets": [line.rpartition(";")[0] for line in lines],
        "2,000 reviews": reviews["text"].to_pylist()[:2000],
        "Korean descriptions": [text for text in korean[name].to_pylist() if text][:5000],
    }


def compare(count: int, seed: str, real: Sequence[str]) -> dict[str, Any]:
    """Tokenize drawn texts in both ways; return how many were compared, and which differ."""
    kinds = {name: opened(content_of(*rules)) for name, rules in RULES.items()}
    order = [name for other in list(RULES)[1:] for name in ("uncased", other)]
    counts = dict.fromkeys(RULES, 0)
    tokens = unknown = characters = 0
    different: list[str] = []
    for number in range(-(-count // CHUNK)):
        name = order[number % len(order)]
        native, raw = kinds[name]
        draws = Draws(f"{seed}-{number}", real)
        texts = [draws.text() for _ in range(CHUNK)]
        ids_T, sizes_N = native.encode(texts)
        ids, start = ids_T.tolist(), 0
        for text, size, encoding in zip(texts, sizes_N.tolist(), raw.encode_batch_fast(texts), strict=True):
            if ids[start : start + size] != encoding.ids:
                different.append(f"{name}: {text[:2000]!r}")
            start += size
        counts[name] += len(texts)
        characters += sum(map(len, texts))
        tokens, unknown = tokens + len(ids), unknown + ids.count(100)
        if number % 50 == 0:
            sys.stderr.write(f"{sum(counts.values()):,} texts, {len(different)} differ\n")
    return {
        "seed": seed,
        "texts": sum(counts.values()),
        "texts_by_kind": counts,
        "characters": characters,
        "tokens": tokens,
        "unknown_tokens": unknown,
        "differences": len(different),
        "examples": different[:SHOWN],
    }


def content_of(clean: bool, chinese: bool, strip: bool | None, lower: bool) -> str:
    """Return a tokenizer.json: MiniLM's with more characters, and a normalizer that is asked for."""
    definition: dict[str, Any] = json.loads(load_tokenizer("minilm").content)
    vocabulary: dict[str, int] = definition["model"]["vocab"]
    for first, last in KNOWN_RANGES:
        for code in range(first, last + 1):
            vocabulary.setdefault(chr(code), len(vocabulary))
            vocabulary.setdefault(f"##{chr(code)}", len(vocabulary))
    definition["normalizer"] |= {
        "clean_text": clean,
        "handle_chinese_chars": chinese,
        "strip_accents": strip,
        "lowercase": lower,
    }
    return json.dumps(definition)


def opened(content: str) -> tuple[NativeWordPiece, RawTokenizer]:
    """Open a tokenizer in both ways."""
    raw = RawTokenizer.from_str(content)
    native = open_wordpiece(content, raw)
    if not isinstance(native, NativeWordPiece):
        raise SystemExit(f"there is nothing to compare: {native.reason}")
    return native, raw


def measure(texts: Sequence[str]) -> dict[str, float]:
    """Return texts per second of a core: the C++, the library, and both as `Tokenizer.read` uses them."""
    tokenizer = load_tokenizer("minilm")
    by_library = load_tokenizer("minilm")
    native, raw = opened(tokenizer.content)
    by_library._native = NoKernels(reason="for this comparison")
    window = tokenizer.window(max_tokens=256)
    seconds = processor_seconds(
        {
            "native": lambda: native.encode(texts),
            "tokenizers": lambda: [encoding.ids for encoding in raw.encode_batch_fast(texts)],
            "read": lambda: tokenizer.read(texts, window),
            "read_by_tokenizers": lambda: by_library.read(texts, window),
        }
    )
    rates = {f"{name}_texts_per_s": round(len(texts) / statistics.median(times)) for name, times in seconds.items()}
    return {
        "texts": len(texts),
        "characters": sum(map(len, texts)),
        **rates,
        "times_tokenizers": round(median_ratio(seconds["tokenizers"], seconds["native"]), 2),
        "read_times_tokenizers": round(median_ratio(seconds["read_by_tokenizers"], seconds["read"]), 2),
    }


def processor_seconds(contestants: Mapping[str, Callable[[], object]]) -> dict[str, list[float]]:
    """Return each contestant's time on the processor in each round, after a round that is not counted."""
    seconds: dict[str, list[float]] = {name: [] for name in contestants}
    for number in range(ROUNDS + 1):
        for name, run in contestants.items():
            started = time.process_time()
            run()
            if number:
                seconds[name].append(time.process_time() - started)
    return seconds


if __name__ == "__main__":
    sys.exit(main())
