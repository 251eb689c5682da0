"""Row counts: what an audit can count of some rows without their texts being kept, so that counts are added up.

In: rows. Out: `RowCounts`, and a table of keys: which texts there are, by 128 bits of a digest, with which label and in
which split, how often. Tables of keys are joined to one that is sorted, so that equal texts of many tables meet in a
merge. It does not know files, nor what is made of the counts (see `counted_audit`).
"""

import hashlib
import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa

from limbeck.auditing.co_occurrence import labels_of_rows
from limbeck.auditing.faults import fault_masks
from limbeck.auditing.lengths import split_words
from limbeck.auditing.rows import RowColumns

TEXT_KEYS = pa.schema(
    {"high": pa.uint64(), "low": pa.uint64(), "label": pa.string(), "split": pa.string(), "rows": pa.int64()}
)
"""A text's digest in two halves, a label (null: none) and a split, and how many rows have all of them.

Where rows may have several labels, a label is the JSON of the list of their names, sorted: so equal sets are equal.
"""
KEY_BYTES = 16
SPLIT, LABELLED, CLASS, LABELS_PER_ROW, WORDS, WORDS_OF_CLASS, FAULT = (
    "split", "labelled", "class", "labels_per_row", "words", "words_of_class", "fault",
)  # fmt: skip
NEED_TOKENS = ("no_token",)
"""Faults that only a tokenizer can tell."""


@dataclass(frozen=True, kw_only=True, eq=False)
class RowCounts:
    """Rows, counted by what is known of each.

    Attributes:
        counts: (what, where, where else) → rows: split, "" · labelled, split · class and split · "", number of labels
            (where a row may have several) · "", number of words · class and number of words · fault and split.
    """

    counts: Counter[tuple[str, str, str | int]] = field(default_factory=Counter)

    def add(self, other: "RowCounts") -> None:
        """Add the rows of others."""
        self.counts.update(other.counts)

    def of(self, what: str) -> dict[tuple[str, str | int], int]:
        """Return the counts of one kind, by their places."""
        return {(one, other): rows for (kind, one, other), rows in self.counts.items() if kind == what}

    def to_json(self) -> list[list[Any]]:
        """Return the counts as JSON has them, in an order that depends on nothing but them."""
        return [[*place, rows] for place, rows in sorted(self.counts.items(), key=lambda one: tuple(map(str, one[0])))]


def counts_of_json(values: Iterable[list[Any]]) -> RowCounts:
    """Return what `RowCounts.to_json` made."""
    return RowCounts(counts=Counter({(what, one, other): rows for what, one, other, rows in values}))


def counts_of_rows(columns: RowColumns) -> RowCounts:
    """Count rows by split and class, their words, and the faults of single texts."""
    found = RowCounts()
    words_N = split_words(columns.plain).per_text
    splits_N, classes = columns.split, columns.classes
    _count(found, SPLIT, columns.split_names, splits_N, None, np.zeros(len(columns), np.int64))
    labelled = np.flatnonzero(columns.label >= 0)
    _count(found, LABELLED, columns.split_names, splits_N[labelled], None, np.zeros(len(labelled), np.int64))
    _count(found, CLASS, classes.names, classes.label, columns.split_names, splits_N[classes.row])
    sizes_K = labels_of_rows(columns)
    _count(found, LABELS_PER_ROW, ("",), np.zeros(len(sizes_K), np.int64), None, sizes_K)
    _count(found, WORDS, ("",), np.zeros(len(columns), np.int64), None, words_N)
    _count(found, WORDS_OF_CLASS, classes.names, classes.label, None, words_N[classes.row])
    for kind, mask_N in fault_masks(columns, words_N).items():
        if kind in NEED_TOKENS:
            continue
        rows = np.flatnonzero(mask_N)
        found.counts.update({(FAULT, kind, split): 0 for split in columns.split_names})
        _count(found, FAULT, (kind,), np.zeros(len(rows), np.int64), columns.split_names, splits_N[rows])
    return found


def text_keys(columns: RowColumns) -> pa.Table:
    """Return the keys of rows, `TEXT_KEYS`, one for each."""
    joined = b"".join(
        hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=KEY_BYTES).digest()
        for text in columns.text.to_pylist()
    )
    halves_N2 = np.frombuffer(joined, "<u8").reshape(-1, 2)
    names = pa.array([*_label_keys(columns), None], pa.string())
    return pa.table(
        {
            "high": halves_N2[:, 0],
            "low": halves_N2[:, 1],
            "label": names.take(pa.array(np.where(columns.label >= 0, columns.label, len(names) - 1))),
            "split": pa.array(columns.split_names, pa.string()).take(pa.array(columns.split)),
            "rows": np.ones(len(columns), np.int64),
        },
        TEXT_KEYS,
    )


def _label_keys(columns: RowColumns) -> tuple[str, ...]:
    """Return what stands for each label of rows, whatever other rows have."""
    pairs = columns.several
    if pairs is None:
        return columns.label_names
    codes, rows = np.unique(columns.label, return_index=True)
    keys = [""] * len(columns.label_names)
    for code, row in zip(codes.tolist(), rows.tolist(), strict=True):
        labels = pairs.label[np.searchsorted(pairs.row, row) : np.searchsorted(pairs.row, row, side="right")]
        if code >= 0:
            keys[code] = json.dumps(sorted(pairs.names[label] for label in labels), ensure_ascii=False)
    return tuple(keys)


def joined_keys(tables: Iterable[pa.Table]) -> pa.Table:
    """Return the keys of all tables, sorted, those that are equal as one."""
    own = [name for name in TEXT_KEYS.names if name != "rows"]
    both = pa.concat_tables([TEXT_KEYS.empty_table(), *tables]).group_by(own, use_threads=False)
    found = both.aggregate([("rows", "sum")]).select([*own, "rows_sum"]).rename_columns(TEXT_KEYS.names)
    return found.sort_by([(name, "ascending") for name in own]).cast(TEXT_KEYS)


def _count(
    found: RowCounts,
    what: str,
    names: tuple[str, ...],
    places_K: np.ndarray,
    other_names: tuple[str, ...] | None,
    others_K: np.ndarray,
) -> None:
    """Count pairs of a name, and of another name or a number."""
    pairs, rows = np.unique(np.stack([places_K, others_K], axis=1), axis=0, return_counts=True)
    for (place, other), count in zip(pairs.tolist(), rows.tolist(), strict=True):
        found.counts[what, names[place], other if other_names is None else other_names[other]] += count
