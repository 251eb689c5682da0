"""Dataset: the labelled texts, immutable, on Arrow; the one home of the label map.

In: an Arrow table or a DataFrame. Out: texts, labels, row ids and splits that every later step shares.
It does not know files, encodings or models.
"""

import hashlib
import json
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from limbeck.data.label_sets import LABEL_SETS, indicators, label_pairs, one_list_array, sets_of_pairs
from limbeck.data.label_tables import label_table, label_words
from limbeck.data.names import name_key, shown, spelling_key, told_apart
from limbeck.data.text_pairs import as_pairs, in_two_columns
from limbeck.display.frames import frame_of
from limbeck.display.tables import Table
from limbeck.display.views import View, listed
from limbeck.errors import DataError
from limbeck.settings import TaskKind
from limbeck.task import MULTI, SINGLE, Task

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
"""The columns that every dataset of one label per row has, in this order; a null label means "not labelled". Others may
follow. `core_schema` has those of other tasks."""

_LABEL_TYPES: dict[TaskKind, pa.DataType] = {
    "single": pa.int32(),
    "ordinal": pa.int32(),
    "multi": LABEL_SETS,
    "regression": pa.float64(),
}

LABEL_NAME = "label_name"
"""Beside `label` this column says what its integers mean, as `Dataset.to_pandas` writes them."""

SPLIT_ORDER = ("train", "validation", "test", "unsupervised")
"""The known splits in the order in which they are shown; others follow by name."""

UNLABELLED_SPLIT = "unsupervised"
"""The split whose rows need no label, and where -1 means that there is none."""
_SHOWN_LABELS = 20


def core_schema(task: Task) -> pa.Schema:
    """Return the columns that every dataset of a task has, in this order; a null label means "not labelled"."""
    return CORE_SCHEMA.set(3, pa.field("label", _LABEL_TYPES[task.name]))


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
        table: Arrow table (N rows) whose first columns are those of `core_schema(task)`: the label is an index, a
            sorted list of indices (several labels per row), or a number.
        label_names: the C class names, in their order where they have one; none where labels are numbers. A label is an
            index into it. The only label map there is.
        source: where it came from, in words, for runs and reports.
        notes: what reading changed or left out.
        task: the shape of a label.
        pair: the names of the two columns whose texts make a pair; None where a row has one text. `text` holds both
            then, as `limbeck.data.text_pairs` writes them, so that whatever reads texts reads both.
    """

    table: pa.Table
    label_names: tuple[str, ...]
    source: str
    notes: tuple[ReadNote, ...] = field(default=())
    task: Task = SINGLE
    pair: tuple[str, str] | None = None

    def __len__(self) -> int:
        rows: int = self.table.num_rows
        return rows

    def _lines(self) -> tuple[str, str]:
        sizes = listed([f"{name} {count:,}" for name, count in self.split_sizes().items()])
        missing = self.table["label"].null_count
        unlabelled = f"; {missing:,} without a label" if missing and (self.label_names or missing < len(self)) else ""
        labels = label_words(self.task, self.table["label"], self.label_names)
        notes = f"; {len(self.notes)} {'note' if len(self.notes) == 1 else 'notes'} on reading" if self.notes else ""
        pair = f"pairs of {' and '.join(self.pair)}; " if self.pair else ""
        return (
            f"Dataset of {len(self):,} rows: {sizes}",
            f"{pair}labels: {labels}{unlabelled}{notes}",
        )

    def _tables(self) -> Iterator[Table]:
        yield label_table(self.task, self.table, self.label_names, self.split_names)
        first = self.select(range(min(5, len(self))))
        yield Table(
            title="The first rows",
            header=("text", "label", "split"),
            rows=tuple(
                (text, "–" if label is None else label or "(none)", split)
                for text, label, split in zip(first.texts, first.label_texts(), first._split_list(), strict=True)
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
        """The texts, as a new list of N strings; pairs are `TextPair`, strings that hold both texts."""
        texts = _list(self.table["text"])
        return texts if self.pair is None else [*as_pairs(texts, names=self.pair, where=self.source)]

    @property
    def row_ids(self) -> list[str]:
        """The row ids, as a new list of N strings; stable across every later step."""
        return _list(self.table["row_id"])

    @property
    def is_labelled(self) -> bool:
        """True when every row has a label, or a set of labels, which may be empty."""
        return self.table["label"].null_count == 0 and (bool(self.label_names) or not self.task.has_classes)

    @property
    def labels(self) -> np.ndarray:
        """The labels, int64 (N,), each an index into `label_names`.

        Raises:
            DataError: a row has no label.
            SettingsError: the rows have several labels, or numbers.
        """
        self.task.require(("single", "ordinal"), doing="what reads one label of each row")
        self._check_labelled()
        labels: np.ndarray = self.table["label"].to_numpy().astype(np.int64)
        return labels

    @property
    def targets(self) -> np.ndarray:
        """What a model of the task learns: labels int64 (N,), label sets bool (N, C), or numbers float64 (N,).

        Raises:
            DataError: a row has no label.
        """
        if self.task.name in ("single", "ordinal"):
            return self.labels
        self._check_labelled()
        column = self.table["label"]
        return indicators(column, len(self.label_names)) if self.task == MULTI else np.array(column, np.float64)

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
        if not self.task.has_classes:
            raise DataError(f"{self.source} has {self.task.words}: label names mean nothing here")
        target = {name: index for index, name in enumerate(label_names)}
        keys = {spelling_key(name): index for name, index in target.items()}
        if len(keys) == len(target):
            target |= {name: keys[spelling_key(name)] for name in self.label_names if spelling_key(name) in keys}
        present = set(self._each_label().unique().to_pylist())
        if unknown := [label for label in sorted(present) if self.label_names[label] not in target]:
            raise DataError(self._unknown_labels(unknown, label_names))
        lookup = pa.array([target.get(name) for name in self.label_names], pa.int32())
        if self.task == MULTI:
            rows, labels = label_pairs(self.table["label"])
            missing = np.asarray(one_list_array(self.table["label"]).is_null())
            label = sets_of_pairs(rows, np.asarray(lookup.take(pa.array(labels))), missing)
        else:
            label = lookup.take(self.table["label"].combine_chunks())
        table = self.table.set_column(3, core_schema(self.task).field("label"), label)
        return replace(self, table=table, label_names=tuple(label_names))

    def fingerprint(self) -> str:
        """Return the SHA-256 (hexadecimal) of texts, labels by name, row ids and splits, in order."""
        digest = hashlib.sha256(b"" if self.pair is None else b"pairs")
        for row in zip(self.row_ids, self._split_list(), self.texts, self._label_marks(), strict=True):
            for value in row:
                encoded = b"\xff" if value is None else value.encode("utf-8", "surrogatepass")
                digest.update(len(encoded).to_bytes(8, "little") + encoded)
        return digest.hexdigest()

    def label_name_list(self) -> list[str | None]:
        """Return the label of each row by name; None where there is none.

        Raises:
            SettingsError: the rows have several labels, or numbers; see `label_texts`.
        """
        self.task.require(("single", "ordinal"), doing="what names one label of each row")
        names = self.label_names
        return [None if label is None else names[label] for label in self.table["label"].to_pylist()]

    def label_name_sets(self) -> list[tuple[str, ...] | None]:
        """Return the labels of each row by name, in the order of the label map; None where a row is not labelled.

        Raises:
            SettingsError: the rows have numbers.
        """
        self.task.require(("single", "ordinal", "multi"), doing="what names the labels of each row")
        names = self.label_names
        if self.task != MULTI:
            return [None if name is None else (name,) for name in self.label_name_list()]
        return [
            None if cell is None else tuple(names[label] for label in cell) for cell in self.table["label"].to_pylist()
        ]

    def label_texts(self) -> list[str | None]:
        """Return the label of each row for people to read: a name, names after commas, or a number; None where none."""
        if not self.task.has_classes:
            return [None if value is None else f"{value:g}" for value in self.table["label"].to_pylist()]
        return [None if names is None else ", ".join(names) for names in self.label_name_sets()]

    def to_arrow(self) -> pa.Table:
        """Return the table with the labels by name, `label_name`, after `label`; numbers have no names.

        One label per row is a dictionary column that carries the label map; several are a list of strings. The texts
        of pairs stand in two columns by the names in `pair`, in the place of `text`.
        """
        table = self._with_names()
        return table if self.pair is None else in_two_columns(table, self.pair, where=self.source)

    def to_pandas(self) -> "pd.DataFrame":
        """Return a DataFrame with `row_id`, `split`, `text`, `label`, `label_name` and any other columns.

        Pairs have two columns in the place of `text`, as in `to_arrow`.
        """
        return frame_of(self.to_arrow())

    def _with_names(self) -> pa.Table:
        """Return the table with `label_name` after `label`."""
        if not self.task.has_classes:
            return self.table
        if self.task == MULTI:
            label_name = pa.array(self.label_name_sets(), pa.large_list(pa.large_string()))
        else:
            dictionary = pa.array(self.label_names, pa.string())
            label_name = pa.DictionaryArray.from_arrays(self.table["label"].combine_chunks(), dictionary)
        return self.table.add_column(4, "label_name", label_name)

    def _unknown_labels(self, unknown: Sequence[int], known: Sequence[str]) -> str:
        """Say which labels are not known, in which rows, and what makes them known."""
        by_key = {name_key(name): name for name in known}
        lines = []
        for label in unknown[:_SHOWN_LABELS]:
            name = self.label_names[label]
            rows = self.table["row_id"].filter(self._has_label(label))
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

    def _each_label(self) -> pa.ChunkedArray:
        """Return the labels of all rows end to end, without those that are missing."""
        column = self.table["label"]
        return pc.list_flatten(column) if self.task == MULTI else column.drop_null()

    def _has_label(self, label: int) -> pa.Array:
        column = self.table["label"]
        return (
            pa.array(indicators(column, len(self.label_names))[:, label])
            if self.task == MULTI
            else pc.equal(column, label)
        )

    def _check_labelled(self) -> None:
        missing = self.table["label"].null_count
        if missing or (self.task.has_classes and not self.label_names):
            raise DataError(
                f"{missing or len(self):,} of {len(self):,} rows of {self.source} have no label: "
                "labels are needed here; name the label column or leave the unlabelled split out"
            )

    def _label_marks(self) -> list[str | None]:
        """Return the label of each row as its fingerprint has it: by name, so that no order of names counts."""
        if self.task.name in ("single", "ordinal"):
            return self.label_name_list()
        if self.task == MULTI:
            cells: list[Any] = [None if names is None else sorted(names) for names in self.label_name_sets()]
        else:
            cells = self.table["label"].to_pylist()
        return [None if cell is None else f"{self.task.name} {json.dumps(cell)}" for cell in cells]

    def _split_list(self) -> list[str]:
        return _list(self.table["split"].cast(pa.string()))


def _list(column: pa.ChunkedArray) -> list[str]:
    values: list[str] = column.to_pylist()
    return values
