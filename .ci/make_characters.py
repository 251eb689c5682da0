"""Writes `native/wordpiece/character_ranges.hpp`: what the library `tokenizers` does with each character.

In: the installed `tokenizers`, which is asked about every code point. Out: the header. Its Unicode is older than
Python's, and of several versions; ids are equal only if the tables are its own. Run it after an update of `tokenizers`
for which `tests/tokens/test_wordpiece_characters.py` fails.
"""

import sys
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path

from tokenizers.normalizers import NFD, BertNormalizer
from tokenizers.pre_tokenizers import BertPreTokenizer

HEADER = Path(__file__).parents[1] / "src" / "limbeck" / "native" / "wordpiece" / "character_ranges.hpp"
HANGUL = range(0xAC00, 0xD7A4)
"""Syllables, which are taken apart by a rule and need no table."""
LEADS, VOWELS, TAILS = 0x1100, 0x1161, 0x11A7
I_WITH_DOT = "\u0130"
"""The one character whose lower case is two; `words.hpp` knows it."""
MOST_BYTES = 3
"""Of what is written, for one of what is read; `words.hpp` makes room for so many."""
LINE = 116


@dataclass
class Asked:
    """What every character is.

    Attributes:
        spaces, punctuation: where words end; code points, rising, as in all lists here.
        removed: by `clean_text`; `chinese`: put apart by `handle_chinese_chars`.
        marks: taken away with accents; `lone_marks`: those that divide a run of other marks, too.
        orders: place of each that is no such mark in a run of them.
        lower: lower case, by code point; `stripped`: what is left of one without accents, and its lone marks.
    """

    spaces: list[int] = field(default_factory=list)
    punctuation: list[int] = field(default_factory=list)
    removed: list[int] = field(default_factory=list)
    chinese: list[int] = field(default_factory=list)
    marks: list[int] = field(default_factory=list)
    lone_marks: list[int] = field(default_factory=list)
    orders: dict[int, int] = field(default_factory=dict)
    lower: dict[int, int] = field(default_factory=dict)
    stripped: dict[int, list[int]] = field(default_factory=dict)


def every_character() -> Iterator[str]:
    """Yield all that a string of valid Unicode may hold."""
    yield from (chr(code) for code in range(0x110000) if not 0xD800 <= code < 0xE000)


def normalizer(
    *, clean: bool = False, chinese: bool = False, strip: bool = False, lower: bool = False
) -> BertNormalizer:
    """Return a normalizer that does only what is asked for."""
    return BertNormalizer(clean_text=clean, handle_chinese_chars=chinese, strip_accents=strip, lowercase=lower)


def ask() -> Asked:
    """Ask about every character."""
    found = Asked()
    clean, chinese = normalizer(clean=True), normalizer(chinese=True)
    strip, lower, cut = normalizer(strip=True), normalizer(lower=True), BertPreTokenizer()
    for one in every_character():
        code, within = ord(one), f"a{one}b"
        words = [word for word, _ in cut.pre_tokenize_str(within)]
        if words == ["a", "b"]:
            found.spaces.append(code)
        elif words == ["a", one, "b"]:
            found.punctuation.append(code)
        else:
            _require(words == [within], one, "is cut otherwise")
        cleaned = clean.normalize_str(within)
        if cleaned == "ab":
            found.removed.append(code)
        else:
            _require(cleaned == within or (cleaned == "a b" and words == ["a", "b"]), one, "is cleaned otherwise")
        parted = chinese.normalize_str(within)
        if parted == f"a {one} b":
            found.chinese.append(code)
        else:
            _require(parted == within, one, "is put apart otherwise")
        _note_lower(found, one, lower.normalize_str(one))
        left = strip.normalize_str(within)[1:-1]
        if code in HANGUL:
            _require(left == _jamo(code), one, "is taken apart otherwise")
        elif not left:
            found.marks.append(code)
        elif left != one:
            found.stripped[code] = [ord(part) for part in left]
        _require(len(lower.normalize_str(left).encode()) <= MOST_BYTES * len(one.encode()), one, "grows too long")
        _require(len(lower.normalize_str(left)) <= len(one.encode()), one, "gives more characters than it has bytes")
    _ask_order(found)
    return found


def _note_lower(found: Asked, one: str, lowered: str) -> None:
    if one == I_WITH_DOT:
        _require(lowered == "i\u0307", one, "has another lower case")
    elif lowered != one:
        _require(len(lowered) == 1, one, "has a longer lower case")
        found.lower[ord(one)] = ord(lowered)


def _ask_order(found: Asked) -> None:
    """Ask which characters wait for others of their run: they stand in the order of their classes."""
    nfd = NFD()

    def waits(one: str) -> bool:
        """Tell whether one of another class changes places with it: U+0315 has 232, U+0334 has 1."""
        return (
            nfd.normalize_str(f"\u0315{one}") == f"{one}\u0315" or nfd.normalize_str(f"{one}\u0334") == f"\u0334{one}"
        )

    marks = {chr(code) for code in found.marks}
    waiting = {one for one in every_character() if nfd.normalize_str(one) == one and waits(one)}
    found.lone_marks = [ord(one) for one in sorted(marks) if nfd.normalize_str(one) == one and one not in waiting]
    lone = {chr(code) for code in found.lone_marks}
    found.marks = [code for code in found.marks if chr(code) not in lone]
    # Lone marks are among the parts, since they divide a run; `words.hpp` takes them out.
    for code in (*found.stripped, *found.marks):
        parts = [part for part in nfd.normalize_str(chr(code)) if part in lone or part not in marks]
        left = [ord(part) for part in parts if part not in lone]
        _require(left == found.stripped.get(code, []), chr(code), "is taken apart otherwise")
        if parts:
            found.stripped[code] = [ord(part) for part in parts]
    found.marks = [code for code in found.marks if code not in found.stripped]
    # Python knows their classes; that they are the library's is seen beside a character of each class.
    staying, order_of = sorted(waiting - marks), unicodedata.combining
    examples = {order_of(one): one for one in sorted(waiting & marks)}
    for one in staying:
        for other in (*examples.values(), *staying):
            is_before = order_of(other) < order_of(one)
            wanted = other + one if is_before else one + other
            _require(nfd.normalize_str(one + other) == wanted, one, f"has another class beside U+{ord(other):04X}")
        found.orders[ord(one)] = order_of(one)


def _jamo(code: int) -> str:
    place = code - HANGUL.start
    tail = place % 28
    return chr(LEADS + place // 588) + chr(VOWELS + place // 28 % 21) + (chr(TAILS + tail) if tail else "")


def _require(is_so: bool, one: str, what: str) -> None:
    if not is_so:
        raise ValueError(f"U+{ord(one):04X} {what}: words.hpp does not know it")


def header_of(found: Asked) -> str:
    """Return the header."""
    parts = [
        f"// What the library `tokenizers` {version('tokenizers')} does with each character, asked of it.\n"
        "// Made by .ci/make_characters.py: do not edit.\n"
        "#pragma once\n#include <cstdint>\n\nnamespace limbeck {\n\n"
        "struct Range { char32_t first, last; };\n"
        "struct Move { char32_t first, last; int32_t step, to; };  // `to` is added to every step-th of a range\n"
        "struct Order { char32_t character; uint8_t order; };\n"
    ]
    for name, codes in (
        ("kSpaces", found.spaces),
        ("kPunctuations", found.punctuation),
        ("kRemovals", found.removed),
        ("kChineses", found.chinese),
        ("kMarks", found.marks),
        ("kLoneMarks", found.lone_marks),
    ):
        parts.append(_array("Range", name, (f"{{{first:#x}, {last:#x}}}" for first, last in _ranges(codes))))
    moves = (f"{{{first:#x}, {last:#x}, {step}, {to}}}" for first, last, step, to in _moves(found.lower))
    parts.append(_array("Move", "kLowers", moves))
    parts.append(_array("Order", "kOrders", (f"{{{code:#x}, {order}}}" for code, order in found.orders.items())))
    parts.append("// A character, how many parts it has without accents, and these; a character has no parts at 0.\n")
    stripped = (
        ", ".join([f"{code:#x}", str(len(left)), *(f"{part:#x}" for part in left)])
        for code, left in sorted(found.stripped.items())
    )
    parts.append(_array("char32_t", "kStripped", ["0", *stripped]))
    return "".join(parts) + "\n}  // namespace limbeck\n"


def _array(kind: str, name: str, values: Iterable[str]) -> str:
    lines = [""]
    for value in values:
        if len(lines[-1]) + len(value) > LINE:
            lines.append("")
        lines[-1] += f" {value}," if lines[-1] else f"  {value},"
    return f"\nconstexpr {kind} {name}[] = {{\n" + "\n".join(lines) + "\n};\n"


def _ranges(codes: list[int]) -> list[tuple[int, int]]:
    """Return runs of neighbours, first and last of each."""
    runs: list[tuple[int, int]] = []
    for code in codes:
        if runs and runs[-1][1] == code - 1:
            runs[-1] = (runs[-1][0], code)
        else:
            runs.append((code, code))
    return runs


def _moves(lower: dict[int, int]) -> list[tuple[int, int, int, int]]:
    """Return runs with equal distances, between neighbours and to the lower case: first, last, step, distance."""
    runs: list[tuple[int, int, int, int]] = []
    for code, lowered in lower.items():
        if runs:
            first, last, step, to = runs[-1]
            if lowered - code == to and code - last in ((1, 2) if first == last else (step,)):
                runs[-1] = (first, code, code - last, to)
                continue
        runs.append((code, code, 1, lowered - code))
    return runs


if __name__ == "__main__":
    HEADER.write_text(header_of(ask()), "utf-8")
    sys.stdout.write(f"{HEADER}: {HEADER.stat().st_size:,} bytes\n")
