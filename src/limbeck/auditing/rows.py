"""Rows of a dataset as an audit looks at them: columns as arrays, and rows that can be shown to a person.

In: a Dataset. Out: `RowColumns` for the room's functions, `Row` values for examples.
It does not know what is wrong with any row.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from limbeck.auditing.characters import one_array
from limbeck.auditing.grouping import members
from limbeck.data.dataset import Dataset
from limbeck.data.label_sets import label_pairs, set_codes
from limbeck.data.label_tables import NONE_OF_THEM
from limbeck.data.pair_halves import PairHalves, halves_of
from limbeck.data.text_pairs import PAIR_MARK
from limbeck.task import MULTI, SINGLE, Task

EXCERPT_CHARACTERS = 240
"""How much of a text an example shows."""


LEAD_CHARACTERS = 40
"""How much of a text an example shows before the place that matters."""


@dataclass(frozen=True, kw_only=True)
class Row:
    """One row, to be shown.

    Attributes:
        row_id: its id in the dataset.
        split: its split.
        label: its label by name; None where it has none.
        text: its text, cut to `EXCERPT_CHARACTERS` and "…" when longer.
        characters: length of the whole text.
    """

    row_id: str
    split: str
    label: str | None
    text: str
    characters: int


@dataclass(frozen=True, kw_only=True, eq=False)
class ClassPairs:
    """Which classes rows have.

    Shapes: C classes, P pairs of a row and one of its classes.

    Attributes:
        names: C names.
        row: int64 (P,), rising.
        label: int64 (P,), an index into `names`.
    """

    names: tuple[str, ...]
    row: np.ndarray
    label: np.ndarray

    def rows(self) -> dict[str, np.ndarray]:
        """Return the rows of each class that has any, in the order of the names; one pass, however many there are."""
        found = members(self.label, np.arange(len(self.names)))
        return {name: self.row[places] for name, places in zip(self.names, found, strict=True) if len(places)}


@dataclass(frozen=True, kw_only=True, eq=False)
class RowColumns:
    """A dataset's columns.

    Shapes: N rows, C classes, S splits.

    Attributes:
        text: Arrow large strings (N,).
        plain: the same as running text: of pairs without the mark between two texts; of other texts `text` itself.
        label: int64 (N,), which of `label_names` a row has; below zero where there is none.
        label_names: what a row's label can be, in words: the C classes, or where a row has several labels each set of
            them that occurs, or each number. Rows with the same have equal labels.
        split: int64 (N,), an index into `split_names`.
        split_names: S names, in their usual order.
        row_id: Arrow large strings (N,).
        task: the shape of the labels.
        several: the pairs of rows and classes where a row may have several.
        halves: the two texts of each row by themselves, where rows are pairs.
    """

    text: pa.LargeStringArray
    plain: pa.LargeStringArray
    label: np.ndarray
    label_names: tuple[str, ...]
    split: np.ndarray
    split_names: tuple[str, ...]
    row_id: pa.LargeStringArray
    task: Task = SINGLE
    several: "ClassPairs | None" = None
    halves: PairHalves | None = None

    @property
    def classes(self) -> "ClassPairs":
        """The classes, and each pair of a row and a class of it; numbers have none."""
        if self.several is not None:
            return self.several
        if not self.task.has_classes:
            return ClassPairs(names=(), row=np.zeros(0, np.int64), label=np.zeros(0, np.int64))
        row = np.flatnonzero(self.label >= 0)
        return ClassPairs(names=self.label_names, row=row, label=self.label[row])

    def __len__(self) -> int:
        return len(self.text)

    def row(self, place: int, at: int = 0) -> Row:
        """Return one row, to be shown.

        Args:
            place: which.
            at: the character that the excerpt must show.
        """
        text = self.text[place].as_py()
        label = int(self.label[place])
        return Row(
            row_id=self.row_id[place].as_py(),
            split=self.split_names[self.split[place]],
            label=self.label_names[label] if label >= 0 else None,
            text=excerpt_at(text, at),
            characters=len(text),
        )

    def rows(self, places: Iterable[int]) -> tuple[Row, ...]:
        """Return some rows, to be shown."""
        return tuple(self.row(int(place)) for place in places)


def row_columns_of(dataset: Dataset) -> RowColumns:
    """Take a dataset apart into arrays."""
    splits = dataset.split_names
    split_names = pa.array(splits, pa.string())
    split = pc.index_in(dataset.table["split"].cast(pa.string()), value_set=split_names)
    label, names, several = _label_codes(dataset)
    return RowColumns(
        text=one_array(dataset.table["text"]),
        plain=plain_text(dataset),
        label=label,
        label_names=names,
        split=split.to_numpy().astype(np.int64),
        split_names=splits,
        row_id=one_array(dataset.table["row_id"]),
        task=dataset.task,
        several=several,
        halves=None if dataset.pair is None else halves_of(dataset.texts),
    )


def _label_codes(dataset: Dataset) -> tuple[np.ndarray, tuple[str, ...], ClassPairs | None]:
    """Return what each row's label is, as a number, what the numbers mean, and pairs where a row may have several."""
    column, names = dataset.table["label"], dataset.label_names
    if dataset.task == MULTI:
        codes, sets = set_codes(column)
        said = tuple(", ".join(names[label] for label in one) or NONE_OF_THEM for one in sets)
        row, label = label_pairs(column)
        return codes, said, ClassPairs(names=names, row=row, label=label)
    if not dataset.task.has_classes:
        known, places = np.unique(np.asarray(column.drop_null(), np.float64), return_inverse=True)
        codes = np.full(len(column), -1, np.int64)
        codes[np.asarray(column.is_valid())] = places
        return codes, tuple(f"{value:g}" for value in known.tolist()), None
    return column.fill_null(-1).to_numpy().astype(np.int64), names, None


def plain_text(dataset: Dataset) -> pa.LargeStringArray:
    """Return the texts as running text, (N,): what is looked at letter by letter must not see the mark of pairs."""
    text = one_array(dataset.table["text"])
    return text if dataset.pair is None else pc.replace_substring(text, PAIR_MARK, " ", max_replacements=1)


def excerpt_at(text: str, at: int) -> str:
    """Return the part of a text around a character, with "…" where it goes on."""
    if at < EXCERPT_CHARACTERS // 2:
        return excerpt(text)
    return "…" + excerpt(text[at - LEAD_CHARACTERS :], EXCERPT_CHARACTERS - 1)


def excerpt(text: str, characters: int = EXCERPT_CHARACTERS) -> str:
    """Return the beginning of a text, with "…" where it goes on."""
    return text if len(text) <= characters else text[: characters - 1] + "…"
