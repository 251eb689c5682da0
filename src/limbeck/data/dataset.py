"""Dataset: the labelled texts, immutable, on Arrow; the one home of the label map.

In: an Arrow table or a DataFrame. Out: texts, labels, row ids and splits that every later step shares.
It does not know files, encodings or models.
"""

import hashlib
import shlex
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from limbeck.data.names import name_key, shown, spelling_key, told_apart
from limbeck.display.frames import frame_of
from limbeck.display.tables import Table
from limbeck.display.views import View, listed
from limbeck.errors import DataError

if TYPE_CHECKING:
    import pandas as pd

CORE_SCHEMA = pa.schema(
    [
        pa.field("row_id", pa.large_string(), nullable=False),
        pa.field("split", pa.dictionary(pa.int32(), pa.string()), nullable=False),
        pa.field("text", pa.large_string(), nullable=False),
        pa.field("label", pa.int32()),
    ]
)
"""The columns that every dataset has, in this order; a null label means "not labelled". Other columns may follow."""

LABEL_NAME = "label_name"
"""Beside `label` this column says what its integers mean, as `Dataset.to_pandas` writes them."""

SPLIT_ORDER = ("train", "validation", "test", "unsupervised")
"""The known splits in the order in which they are shown; others follow by name."""

UNLABELLED_SPLIT = "unsupervised"
"""The split whose rows need no label, and where -1 means that there is none."""
_SHOWN_LABELS = 20


@dataclass(frozen=True, kw_only=True)
class ReadNote:
    """One thing that reading changed or left out, kept with the data so that it can be shown later.

    Attributes:
        what: in words, plural ("rows with undecodable bytes, kept with U+FFFD").
        rows: number of rows (of files, where `what` says so) it happened to.
        example: where it happened first.
    """

    what: str
    rows: int
    example: str

    def __str__(self) -> str:
        return f"{self.what}: {self.rows:,} (first: {self.example})"


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Dataset(View):
    """Labelled texts.

    Shapes: N rows, C classes.

    Attributes:
        table: Arrow table (N rows) whose first columns are `CORE_SCHEMA`.
        label_names: the C class names; a label is an index into it. The only label map there is.
        source: where it came from, in words, for runs and reports.
        notes: what reading changed or left out.
    """

    table: pa.Table
    label_names: tuple[str, ...]
    source: str
    notes: tuple[ReadNote, ...] = field(default=())

    def __len__(self) -> int:
        rows: int = self.table.num_rows
        return rows

    def _lines(self) -> tuple[str, str]:
        sizes = listed([f"{name} {count:,}" for name, count in self.split_sizes().items()])
        missing = self.table["label"].null_count
        unlabelled = f"; {missing:,} without a label" if missing and self.label_names else ""
        notes = f"; {len(self.notes)} {'note' if len(self.notes) == 1 else 'notes'} on reading" if self.notes else ""
        return (
            f"Dataset of {len(self):,} rows: {sizes}",
            f"labels: {listed(self.label_names)}{unlabelled}{notes}",
        )

    def _tables(self) -> Iterator[Table]:
        splits = list(self.split_sizes())
        pairs = Counter(zip(self._split_list(), self.table["label"].to_pylist(), strict=True))
        labels: list[int | None] = [*range(len(self.label_names)), *([None] if self.table["label"].null_count else [])]
        totals = {label: sum(pairs[split, label] for split in splits) for label in labels}
        yield Table(
            title="Rows per class",
            header=("label", *splits, *(["all splits"] if len(splits) > 1 else [])),
            rows=tuple(
                (
                    "(no label)" if label is None else self.label_names[label],
                    *(f"{pairs[split, label]:,}" for split in splits),
                    *([f"{totals[label]:,}"] if len(splits) > 1 else []),
                )
                for label in sorted(labels, key=lambda label: (label is None, -totals[label]))
            ),
        )
        first = self.table.slice(0, 5)
        yield Table(
            title="The first rows",
            header=("text", "label", "split"),
            rows=tuple(
                (text, "–" if label is None else self.label_names[label], split)
                for text, label, split in zip(
                    first["text"].to_pylist(), first["label"].to_pylist(), first["split"].to_pylist(), strict=True
                )
            ),
            prose=("label", "split"),
        )
        if self.notes:
            yield Table(
                title="What reading changed or left out",
                header=("what", "rows", "first"),
                rows=tuple((note.what, f"{note.rows:,}", note.example) for note in self.notes),
                prose=("first",),
            )

    @property
    def texts(self) -> list[str]:
        """The texts, as a new list of N strings."""
        return _list(self.table["text"])

    @property
    def row_ids(self) -> list[str]:
        """The row ids, as a new list of N strings; stable across every later step."""
        return _list(self.table["row_id"])

    @property
    def is_labelled(self) -> bool:
        """True when every row has a label."""
        return self.table["label"].null_count == 0 and bool(self.label_names)

    @property
    def labels(self) -> np.ndarray:
        """The labels, int64 (N,), each an index into `label_names`.

        Raises:
            DataError: a row has no label.
        """
        missing = self.table["label"].null_count
        if missing or not self.label_names:
            raise DataError(
                f"{missing or len(self):,} of {len(self):,} rows of {self.source} have no label: "
                "labels are needed here; name the label column or leave the unlabelled split out"
            )
        labels: np.ndarray = self.table["label"].to_numpy().astype(np.int64)
        return labels

    @property
    def split_names(self) -> tuple[str, ...]:
        """The splits present, in their usual order."""
        return tuple(self.split_sizes())

    def split_sizes(self) -> dict[str, int]:
        """Return rows a split, in the usual order of splits."""
        counts = self.table["split"].cast(pa.string()).value_counts().to_pylist()
        order = {name: place for place, name in enumerate(SPLIT_ORDER)}
        counts.sort(key=lambda item: (order.get(item["values"], len(order)), item["values"]))
        return {item["values"]: item["counts"] for item in counts}

    def split(self, name: str) -> "Dataset":
        """Return the rows of one split.

        Raises:
            DataError: there is no such split; names those there are.
        """
        if name not in self.split_sizes():
            raise DataError(f"{self.source} has no split {name!r}: it has {', '.join(self.split_names) or 'no rows'}")
        mask = pc.equal(self.table["split"].cast(pa.string()), name)
        return replace(self, table=self.table.filter(mask))

    def select(self, rows: Sequence[int] | np.ndarray) -> "Dataset":
        """Return the rows at these positions, in this order."""
        return replace(self, table=self.table.take(pa.array(np.asarray(rows, dtype=np.int64))))

    def with_splits(self, names: Sequence[str]) -> "Dataset":
        """Return the same rows with other split names (N,); row ids stay."""
        column = pa.array(names, pa.string()).dictionary_encode()
        return replace(self, table=self.table.set_column(1, CORE_SCHEMA.field("split"), column))

    def with_label_names(self, label_names: Sequence[str]) -> "Dataset":
        """Return the same rows under another label map, matched by name; the meaning of no label changes.

        Spellings that no eye can tell apart are one name, as in reading (`names.spelling_key`).

        Raises:
            DataError: a class that occurs in the rows is not in `label_names`.
        """
        target = {name: index for index, name in enumerate(label_names)}
        keys = {spelling_key(name): index for name, index in target.items()}
        if len(keys) == len(target):
            target |= {name: keys[spelling_key(name)] for name in self.label_names if spelling_key(name) in keys}
        present = set(self.table["label"].drop_null().unique().to_pylist())
        if unknown := [label for label in sorted(present) if self.label_names[label] not in target]:
            raise DataError(self._unknown_labels(unknown, label_names))
        lookup = pa.array([target.get(name) for name in self.label_names], pa.int32())
        label = lookup.take(self.table["label"].combine_chunks())
        table = self.table.set_column(3, CORE_SCHEMA.field("label"), label)
        return replace(self, table=table, label_names=tuple(label_names))

    def fingerprint(self) -> str:
        """Return the SHA-256 (hexadecimal) of texts, labels by name, row ids and splits, in order."""
        digest = hashlib.sha256()
        for row in zip(self.row_ids, self._split_list(), self.texts, self.label_name_list(), strict=True):
            for value in row:
                encoded = b"\xff" if value is None else value.encode("utf-8", "surrogatepass")
                digest.update(len(encoded).to_bytes(8, "little") + encoded)
        return digest.hexdigest()

    def label_name_list(self) -> list[str | None]:
        """Return the label of each row by name; None where there is none."""
        names = self.label_names
        return [None if label is None else names[label] for label in self.table["label"].to_pylist()]

    def to_arrow(self) -> pa.Table:
        """Return the table with `label_name`, a dictionary column that carries the label map, after `label`."""
        dictionary = pa.array(self.label_names, pa.string())
        label_name = pa.DictionaryArray.from_arrays(self.table["label"].combine_chunks(), dictionary)
        return self.table.add_column(4, "label_name", label_name)

    def to_pandas(self) -> "pd.DataFrame":
        """Return a DataFrame with `row_id`, `split`, `text`, `label`, `label_name` and any other columns."""
        return frame_of(self.to_arrow())

    def _unknown_labels(self, unknown: Sequence[int], known: Sequence[str]) -> str:
        """Say which labels are not known, in which rows, and what makes them known."""
        by_key = {name_key(name): name for name in known}
        lines = []
        for label in unknown[:_SHOWN_LABELS]:
            name = self.label_names[label]
            rows = self.table["row_id"].filter(pc.equal(self.table["label"], label))
            first = ", ".join(rows.slice(0, 3).to_pylist())
            near = by_key.get(name_key(name))
            same = ""
            if near is not None:
                how = "case" if name.casefold() == near.casefold() else "spelling"
                same = f": {' and '.join(told_apart(name, near))} differ in {how} only"
            lines.append(f"  - {shown(name)} ({len(rows):,} rows, first {first}){same}")
        if len(unknown) > _SHOWN_LABELS:
            lines.append(f"  … and {len(unknown) - _SHOWN_LABELS:,} more")
        written = ",".join(f'"{name}"' if "," in name else name for name in known[:_SHOWN_LABELS])
        are_integers = all(self.label_names[label].lstrip("-").isdecimal() for label in unknown)
        advice = (
            f"These are integers: name them in their order, --label-names {shlex.quote(written)}"
            if are_integers and len(known) <= _SHOWN_LABELS
            else "Write the labels in the data as they are written here"
        )
        listed = ", ".join(map(shown, known[:_SHOWN_LABELS])) + (", …" if len(known) > _SHOWN_LABELS else "")
        what = f"{self.source} has labels that are not known here; known are {listed}:"
        return "\n".join([what, *lines, advice])

    def _split_list(self) -> list[str]:
        return _list(self.table["split"].cast(pa.string()))


def _list(column: pa.ChunkedArray) -> list[str]:
    values: list[str] = column.to_pylist()
    return values
