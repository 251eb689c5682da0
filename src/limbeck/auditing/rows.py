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
from limbeck.data.dataset import Dataset

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
class RowColumns:
    """A dataset's columns.

    Shapes: N rows, C classes, S splits.

    Attributes:
        text: Arrow large strings (N,).
        label: int64 (N,), an index into `label_names`; below zero where there is none.
        label_names: C names.
        split: int64 (N,), an index into `split_names`.
        split_names: S names, in their usual order.
        row_id: Arrow large strings (N,).
    """

    text: pa.LargeStringArray
    label: np.ndarray
    label_names: tuple[str, ...]
    split: np.ndarray
    split_names: tuple[str, ...]
    row_id: pa.LargeStringArray

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
    return RowColumns(
        text=one_array(dataset.table["text"]),
        label=dataset.table["label"].fill_null(-1).to_numpy().astype(np.int64),
        label_names=dataset.label_names,
        split=split.to_numpy().astype(np.int64),
        split_names=splits,
        row_id=one_array(dataset.table["row_id"]),
    )


def excerpt_at(text: str, at: int) -> str:
    """Return the part of a text around a character, with "…" where it goes on."""
    if at < EXCERPT_CHARACTERS // 2:
        return excerpt(text)
    return "…" + excerpt(text[at - LEAD_CHARACTERS :], EXCERPT_CHARACTERS - 1)


def excerpt(text: str, characters: int = EXCERPT_CHARACTERS) -> str:
    """Return the beginning of a text, with "…" where it goes on."""
    return text if len(text) <= characters else text[: characters - 1] + "…"
