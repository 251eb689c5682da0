"""Faults of single texts: what is wrong with a row whatever the other rows say.

In: columns of a dataset, words a text. Out: for each kind of fault the rows that have it, and `Fault` values for JSON.
It does not know severity nor advice: that is `findings`.
"""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from limbeck.audit.mojibake import REPLACEMENT, mojibake_mask
from limbeck.audit.rows import Columns, Row

EXAMPLES = 5

_CONTROL = r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\x{80}-\x{9f}]"
"""Control characters beside tab, line feed and carriage return."""
_INVISIBLE = r"[\x{ad}\x{200b}\x{200c}\x{200e}\x{200f}\x{202a}-\x{202e}\x{2060}-\x{2064}\x{2066}-\x{2069}\x{feff}]"
"""Zero-width and direction characters; the joiner of emoji (U+200D) has a use and is not among them."""
_HTML = (
    r"(?i)</?(?:a|abbr|article|b|blockquote|body|br|button|center|code|div|em|font|footer|form|h[1-6]|head|header|hr|"
    r"html|i|iframe|img|input|label|li|link|main|meta|nav|ol|option|p|pre|s|script|section|select|small|span|strong|"
    r"style|sub|sup|svg|table|tbody|td|th|thead|title|tr|u|ul|video)(?:\s[^<>]*)?/?>|&(?:amp|lt|gt|quot|apos|nbsp|"
    r"#[0-9]{1,7}|#x[0-9a-f]{1,6}|[a-z]{2,8}[0-9]{0,2});"
)
_URL = r"(?i)\bhttps?://\S|\bwww\.\w"
_HANDLE = r"(?:^|[^\w@./])@\w"
_CONJOINING_JAMO = r"[\x{1100}-\x{11ff}\x{a960}-\x{a97f}\x{d7b0}-\x{d7ff}]"


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


def fault_masks(columns: Columns, words: np.ndarray) -> dict[str, np.ndarray]:
    """Find the rows with each kind of fault.

    Args:
        columns: N rows.
        words: int64 (N,), words of each text.

    Returns:
        Kind → bool (N,). The kinds and their order are always the same.
    """
    texts = columns.text
    length = pc.binary_length(texts).to_numpy(zero_copy_only=False)
    return {
        "empty": length == 0,
        "white_space_only": (length > 0) & (words == 0),
        "one_token": words == 1,
        "equal_to_label": _equal_to_label(columns),
        "mojibake": mojibake_mask(texts),
        "replacement_character": _matches(texts, REPLACEMENT),
        "control_characters": _matches(texts, _CONTROL),
        "invisible_characters": _matches(texts, _INVISIBLE),
        "decomposed_hangul": _matches(texts, _CONJOINING_JAMO),
        "html": _matches(texts, _HTML),
        "urls": _matches(texts, _URL),
        "handles": _matches(texts, _HANDLE),
    }


def describe_faults(columns: Columns, masks: dict[str, np.ndarray]) -> dict[str, Fault]:
    """Turn masks into counts and examples."""
    faults = {}
    for kind, mask in masks.items():
        per_split = np.bincount(columns.split[mask], minlength=len(columns.split_names))
        faults[kind] = Fault(
            rows=int(mask.sum()),
            share=float(mask.mean()) if len(mask) else 0.0,
            by_split={name: int(count) for name, count in zip(columns.split_names, per_split, strict=True)},
            examples=columns.rows(np.flatnonzero(mask)[:EXAMPLES]),
        )
    return faults


def _matches(texts: pa.LargeStringArray, pattern: str) -> np.ndarray:
    found: np.ndarray = pc.match_substring_regex(texts, pattern).to_numpy(zero_copy_only=False)
    return found


def _equal_to_label(columns: Columns) -> np.ndarray:
    """Tell which texts are nothing but the name of their own label, whatever the case and the white space around."""
    if not columns.label_names:
        return np.zeros(len(columns), dtype=bool)
    folded = pc.utf8_lower(pc.utf8_trim_whitespace(columns.text))
    names = pa.array([name.strip().lower() for name in columns.label_names], pa.large_string())
    named = pc.fill_null(pc.index_in(folded, value_set=names), -1).to_numpy(zero_copy_only=False)
    # Two label names may fold to one; index_in gives the first of them.
    first = pc.index_in(names, value_set=names).to_numpy(zero_copy_only=False)
    own = np.where(columns.label >= 0, first[np.maximum(columns.label, 0)], -2)
    equal: np.ndarray = named == own
    return equal
