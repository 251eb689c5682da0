"""Faults of single texts: what is wrong with a row whatever the other rows say.

In: columns of a dataset, words a text. Out: for each kind of fault the rows that have it, and `Fault` values for JSON.
It does not know severity nor advice: that is `findings`.
"""

import re
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from limbeck.auditing.mojibake import find_mojibake, mojibake_mask
from limbeck.auditing.rows import Row, RowColumns
from limbeck.display.unseen import CONTROL, INVISIBLE, find_stray
from limbeck.evaluation.row_answers import WRAPPING_TOKENS
from limbeck.reading.decoding import REPLACEMENT
from limbeck.tokens import SPECIAL_TOKENS

EXAMPLE_FAULTS = 5

# Patterns are read by Arrow (RE2) over all texts, and by Python to show the place in an example.
_CONTROL = "[\\x00-\\x08\\x0b\\x0c\\x0e-\\x1f\\x7f\u0080-\u009f]"
"""Control characters beside tab, line feed and carriage return."""
_INVISIBLE_RE2 = f"[{INVISIBLE}]"
"""Only a first look: the joiners inside emoji and Persian words are no fault, and RE2 cannot look at neighbours."""
_NOTHING_SEEN = f"^[{INVISIBLE}{CONTROL}\\s\u0085\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000]+$"
_HTML = (
    r"(?i)</?(?:a|abbr|article|b|blockquote|body|br|button|center|code|div|em|font|footer|form|h[1-6]|head|header|hr|"
    r"html|i|iframe|img|input|label|li|link|main|meta|nav|ol|option|p|pre|s|script|section|select|small|span|strong|"
    r"style|sub|sup|svg|table|tbody|td|th|thead|title|tr|u|ul|video)(?:\s[^<>]*)?/?>|&(?:amp|lt|gt|quot|apos|nbsp|"
    r"#[0-9]{1,7}|#x[0-9a-f]{1,6}|[a-z]{2,8}[0-9]{0,2});"
)
_UNSPACED = r"[\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}]{2}"
"""Scripts that put no space between words, so that a whole sentence is one run."""
_URL = r"(?i)\bhttps?://\S|\bwww\.\w"
_HANDLE = r"(?:^|[^\w@./])@\w"
_CONJOINING_JAMO = "[\u1100-\u11ff\ua960-\ua97f\ud7b0-\ud7ff]"
_SPECIAL = "|".join(map(re.escape, SPECIAL_TOKENS))
_PATTERNS = {
    "replacement_character": REPLACEMENT,
    "control_characters": _CONTROL,
    "decomposed_hangul": _CONJOINING_JAMO,
    "html": _HTML,
    "urls": _URL,
    "handles": _HANDLE,
    "special_tokens": _SPECIAL,
}


@dataclass(frozen=True, kw_only=True)
class Fault:
    """One kind of fault.

    Attributes:
        rows: rows that have it.
        share: share of all rows.
        by_split: rows that have it, by split.
        examples: the first few.
    """

    rows: int
    share: float
    by_split: dict[str, int]
    examples: tuple[Row, ...]


def fault_masks(columns: RowColumns, words: np.ndarray, tokens: np.ndarray | None = None) -> dict[str, np.ndarray]:
    """Find the rows with each kind of fault.

    Args:
        columns: N rows.
        words: int64 (N,), words of each text.
        tokens: int64 (N,), tokens of each text, [CLS] and [SEP] included; without them no row lacks a token.

    Returns:
        Kind → bool (N,). The kinds and their order are always the same.
    """
    texts = columns.plain
    empty = pc.binary_length(texts).to_numpy(zero_copy_only=False) == 0
    unseen = ~empty & ((words == 0) | _matches(texts, _NOTHING_SEEN))
    tokenless = np.zeros(len(texts), dtype=bool) if tokens is None else tokens <= WRAPPING_TOKENS
    return {
        "empty": empty,
        "white_space_only": unseen,
        "no_token": tokenless & ~empty & ~unseen,
        "one_token": (words == 1) & ~unseen & ~_matches(texts, _UNSPACED),
        "equal_to_label": _equal_to_label(columns),
        "mojibake": mojibake_mask(texts),
        **{kind: _matches(texts, pattern) for kind, pattern in _PATTERNS.items()},
        "invisible_characters": _stray(texts),
    }


def describe_faults(columns: RowColumns, masks: dict[str, np.ndarray]) -> dict[str, Fault]:
    """Turn masks into counts and examples."""
    faults = {}
    for kind, mask in masks.items():
        per_split = np.bincount(columns.split[mask], minlength=len(columns.split_names))
        faults[kind] = Fault(
            rows=int(mask.sum()),
            share=float(mask.mean()) if len(mask) else 0.0,
            by_split={name: int(count) for name, count in zip(columns.split_names, per_split, strict=True)},
            examples=tuple(
                columns.row(int(place), at=_place_of(kind, columns.text[place].as_py()))
                for place in np.flatnonzero(mask)[:EXAMPLE_FAULTS]
            ),
        )
    return faults


def _matches(texts: pa.LargeStringArray, pattern: str) -> np.ndarray:
    found: np.ndarray = pc.match_substring_regex(texts, pattern).to_numpy(zero_copy_only=False, writable=True)
    return found


def _stray(texts: pa.LargeStringArray) -> np.ndarray:
    """Tell which texts hold an invisible character that has no use where it stands, bool (N,)."""
    found = _matches(texts, _INVISIBLE_RE2)
    for place in np.flatnonzero(found).tolist():
        found[place] = find_stray(texts[place].as_py()) is not None
    return found


def _place_of(kind: str, text: str) -> int:
    """Return where in a text the fault stands first; 0 where it is the text as a whole."""
    if kind == "mojibake":
        piece = find_mojibake(text)
        return text.find(piece.broken) if piece else 0
    if kind == "invisible_characters":
        return find_stray(text) or 0
    found = re.search(_PATTERNS[kind], text) if kind in _PATTERNS else None
    return found.start() if found else 0


def _equal_to_label(columns: RowColumns) -> np.ndarray:
    """Tell which texts are nothing but the name of their own label, whatever the case and the white space around."""
    classes = columns.classes
    equal = np.zeros(len(columns), dtype=bool)
    if not classes.names:
        return equal
    folded = pc.utf8_lower(pc.utf8_trim_whitespace(columns.text))
    names = pa.array([name.strip().lower() for name in classes.names], pa.large_string())
    named = pc.fill_null(pc.index_in(folded, value_set=names), -1).to_numpy(zero_copy_only=False)
    # Two label names may fold to one; index_in gives the first of them.
    first = pc.index_in(names, value_set=names).to_numpy(zero_copy_only=False)
    equal[classes.row[named[classes.row] == first[classes.label]]] = True
    return equal
