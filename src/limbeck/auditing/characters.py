"""Texts as flat arrays of code points, so that questions about characters are asked of whole blocks at once.

In: an Arrow array of texts. Out: code points with row offsets; the share of each script.
It does not know labels, splits or what the answers are for.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

CACHED_BYTES = 1 << 18
"""About how much text is looked at in one go: small enough to stay in a core's cache."""


@dataclass(frozen=True, kw_only=True)
class CodePoints:
    """Texts laid end to end.

    Shapes: N rows, P code points.

    Attributes:
        points: uint32 (P,), Unicode code points.
        offsets: int64 (N+1,); row i is `points[offsets[i]:offsets[i + 1]]`.
    """

    points: np.ndarray
    offsets: np.ndarray

    def row_of_point(self) -> np.ndarray:
        """Return the row of each code point, int64 (P,)."""
        return np.repeat(np.arange(len(self.offsets) - 1), np.diff(self.offsets))


def one_array(texts: pa.Array | pa.ChunkedArray) -> pa.LargeStringArray:
    """Return the texts as one Arrow array of large strings."""
    array = texts.combine_chunks() if isinstance(texts, pa.ChunkedArray) else texts
    if isinstance(array, pa.ChunkedArray):
        array = pa.concat_arrays(array.chunks)
    return array.cast(pa.large_string())


def code_points(texts: pa.Array) -> CodePoints:
    """Lay texts end to end as code points.

    Example:
        >>> code_points(pa.array(["ab", "한"])).points.tolist()
        [97, 98, 54620]
    """
    lengths = pc.utf8_length(texts).to_numpy(zero_copy_only=False)
    offsets = np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)])
    points = np.frombuffer("".join(texts.to_pylist()).encode("utf-32-le"), dtype=np.uint32)
    return CodePoints(points=points, offsets=offsets)


def blocks(texts: pa.LargeStringArray, block_bytes: int = CACHED_BYTES) -> Iterator[slice]:
    """Cut the rows into runs of about `block_bytes` bytes of text; a longer text is a run of its own."""
    return cuts(pc.binary_length(texts).to_numpy(zero_copy_only=False), block_bytes)


def cuts(sizes: np.ndarray, most: int) -> Iterator[slice]:
    """Cut neighbours into runs whose sizes come to `most` at most; a larger one is a run of its own.

    Example:
        >>> [(run.start, run.stop) for run in cuts(np.array([2, 2, 9, 1]), 4)]
        [(0, 2), (2, 3), (3, 4)]
    """
    ends = np.cumsum(sizes, dtype=np.int64)
    start = 0
    while start < len(ends):
        done = ends[start - 1] if start else 0
        stop = max(start + 1, int(np.searchsorted(ends, done + most, side="right")))
        yield slice(start, stop)
        start = stop


def normalised(texts: pa.Array, form: str) -> pa.Array:
    """Return the texts in a Unicode normal form ("NFC", "NFD"); pure ASCII rows are passed by, being in every form."""
    plain = pc.string_is_ascii(texts)
    others = pc.invert(plain)
    if not pc.any(others).as_py():
        return texts
    changed = pc.utf8_normalize(texts.filter(others), form=form)
    return pc.replace_with_mask(texts, others, changed)


SCRIPT_RANGES: dict[str, tuple[tuple[int, int], ...]] = {
    "Latin": (
        (0x41, 0x5A),
        (0x61, 0x7A),
        (0xAA, 0xAA),
        (0xBA, 0xBA),
        (0xC0, 0x24F),
        (0x1E00, 0x1EFF),
        (0xFF21, 0xFF5A),
    ),
    "Greek": ((0x370, 0x3FF), (0x1F00, 0x1FFF)),
    "Cyrillic": ((0x400, 0x52F),),
    "Armenian": ((0x530, 0x58F),),
    "Hebrew": ((0x590, 0x5FF),),
    "Arabic": ((0x600, 0x6FF), (0x750, 0x77F), (0xFB50, 0xFDFF), (0xFE70, 0xFEFC)),
    "Devanagari": ((0x900, 0x97F),),
    "Bengali": ((0x980, 0x9FF),),
    "Tamil": ((0xB80, 0xBFF),),
    "Thai": ((0xE00, 0xE7F),),
    "Georgian": ((0x10A0, 0x10FF),),
    "Hangul": ((0x1100, 0x11FF), (0x3130, 0x318F), (0xA960, 0xA97F), (0xAC00, 0xD7FF)),
    "Kana": ((0x3041, 0x30FF), (0x31F0, 0x31FF), (0xFF66, 0xFF9F)),
    "Han": ((0x2E80, 0x2FDF), (0x3400, 0x4DBF), (0x4E00, 0x9FFF), (0xF900, 0xFAFF), (0x20000, 0x323AF)),
}
"""The writing systems that are told apart, by their Unicode blocks. Letters of any other count as "other"."""

SCRIPT_NAMES = (*SCRIPT_RANGES, "other")


def script_counts(texts: pa.LargeStringArray) -> np.ndarray:
    """Count the letters of each script in each text.

    Shapes: N rows, S scripts.

    Returns:
        int64 (N, S), columns in the order of `SCRIPT_NAMES`. Digits, signs and spaces belong to no script.
    """
    counts = np.zeros((len(texts), len(SCRIPT_NAMES)), dtype=np.int64)
    plain = pc.string_is_ascii(texts).to_numpy(zero_copy_only=False)
    counts[plain, SCRIPT_NAMES.index("Latin")] = _ascii_letters(texts.filter(pa.array(plain)))
    others = np.flatnonzero(~plain)
    mixed = texts.take(pa.array(others))
    for rows in blocks(mixed):
        block = code_points(mixed[rows])
        script = _script_of(block.points)
        lettered = script >= 0
        where = block.row_of_point()[lettered] * len(SCRIPT_NAMES) + script[lettered]
        counted = np.bincount(where, minlength=(rows.stop - rows.start) * len(SCRIPT_NAMES))
        counts[others[rows]] = counted.reshape(-1, len(SCRIPT_NAMES))
    return counts


def _ascii_letters(texts: pa.LargeStringArray) -> np.ndarray:
    """Count the letters of texts that are ASCII throughout, int64 (N,)."""
    counts = np.zeros(len(texts), dtype=np.int64)
    for rows in blocks(texts):
        block = texts[rows]
        sizes = pc.binary_length(block).to_numpy(zero_copy_only=False)
        content = np.frombuffer("".join(block.to_pylist()).encode("ascii"), dtype=np.uint8)
        before = np.concatenate([[0], np.cumsum(_IS_ASCII_LETTER[content])])
        ends = np.cumsum(sizes)
        counts[rows] = before[ends] - before[ends - sizes]
    return counts


_IS_ASCII_LETTER = np.array([chr(point).isalpha() for point in range(0x80)])


def _script_of(points: np.ndarray) -> np.ndarray:
    """Return the index into `SCRIPT_NAMES` of each code point; below zero where it is no letter."""
    spans = sorted((low, high, index) for index, name in enumerate(SCRIPT_RANGES) for low, high in SCRIPT_RANGES[name])
    lows = np.array([span[0] for span in spans])
    highs = np.array([span[1] for span in spans])
    owners = np.array([span[2] for span in spans])
    place = np.searchsorted(lows, points, side="right") - 1
    inside = (place >= 0) & (points <= highs[place])
    outside_letter = (points >= 0x250) & is_letter_or_digit(points) & (points < 0x1F000)
    return np.where(inside, owners[place], np.where(outside_letter, len(SCRIPT_RANGES), -1))


_SEPARATOR_SPANS = (
    (0x80, 0xA9), (0xAB, 0xB1), (0xB4, 0xB4), (0xB6, 0xB8), (0xBB, 0xBB), (0xBF, 0xBF), (0xD7, 0xD7), (0xF7, 0xF7),
    (0x2000, 0x206F), (0x20A0, 0x20CF), (0x2100, 0x2BFF), (0x3000, 0x3004), (0x3008, 0x3020), (0x3030, 0x3030),
    (0x303D, 0x303F), (0xFE00, 0xFE0F), (0xFE10, 0xFE1F), (0xFE30, 0xFE6F), (0xFEFF, 0xFEFF), (0xFF01, 0xFF0F),
    (0xFF1A, 0xFF20), (0xFF3B, 0xFF40), (0xFF5B, 0xFF65), (0xFFE0, 0xFFFF),
)  # fmt: skip


def _separator_table() -> np.ndarray:
    table = np.zeros(1 << 16, dtype=bool)
    table[:0x80] = [not chr(point).isalnum() for point in range(0x80)]
    for low, high in _SEPARATOR_SPANS:
        table[low : high + 1] = True
    return table


_IS_SEPARATOR = _separator_table()


def is_letter_or_digit(points: np.ndarray) -> np.ndarray:
    """Tell which code points belong to words; signs, spaces and punctuation do not. Emoji do: they carry meaning."""
    low = np.minimum(points, 0xFFFE)
    wordlike: np.ndarray = (points > 0xFFFF) | ~_IS_SEPARATOR[low]
    return wordlike
