"""Row answers: what rows of every shape of answer have beside the answers: ids, texts, lengths, further columns.

In: the rows, as a model read them. Out: the first and the last columns of a table of predictions, and counts of texts
that were cut or not read. It does not know the answers.
"""

import re
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from limbeck.display.views import View
from limbeck.errors import DataError

WRAPPING_TOKENS = 2
"""[CLS] and [SEP], which every text has."""
MOSTLY = 0.5
"""A text is mostly unknown from this share of [UNK] among its tokens on."""
INPUT_PREFIX = "input."
"""Before the name of a column of the rows that is the name of one of these columns too."""


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class RowAnswers(View):
    """N rows that were answered, in their order; `Predictions` and its like say what was answered.

    Attributes:
        row_ids: the N row ids of the dataset.
        tokens: tokens of each text before it was cut, int32 (N,).
        truncated: whether the text was cut to the model's limit, bool (N,).
        texts: the N texts, when they are to be kept beside the answers.
        unknown: tokens of each text that the model's vocabulary does not have ([UNK]), int32 (N,); None where they
            were not counted.
        others: further columns of the rows (N rows), to be kept beside the answers; None where there are none.
    """

    row_ids: tuple[str, ...]
    tokens: np.ndarray
    truncated: np.ndarray
    texts: tuple[str, ...] | None = None
    unknown: np.ndarray | None = None
    others: pa.Table | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "row_ids", tuple(self.row_ids))
        object.__setattr__(self, "tokens", np.asarray(self.tokens, dtype=np.int32))
        object.__setattr__(self, "truncated", np.asarray(self.truncated, dtype=np.bool_))
        object.__setattr__(self, "texts", None if self.texts is None else tuple(self.texts))

    def __len__(self) -> int:
        return len(self.row_ids)

    @property
    def unread(self) -> np.ndarray:
        """Whether the model saw nothing of a text, or nothing but unknown tokens for the most part, bool (N,).

        False where unknown tokens were not counted.
        """
        if self.unknown is None:
            return np.zeros(len(self), np.bool_)
        return is_unread(self.tokens - WRAPPING_TOKENS, self.unknown)

    @property
    def count_cut(self) -> int:
        """Texts that were longer than the model's limit."""
        return int(self.truncated.sum())

    @property
    def count_unread(self) -> int:
        """Texts that the model could not read."""
        return int(self.unread.sum())

    def _first_columns(self, own: re.Pattern[str]) -> dict[str, pa.Array]:
        """Return the columns that stand before the answers; `own` are the names that are taken."""
        columns: dict[str, pa.Array] = {"row_id": pa.array(self.row_ids, pa.large_string())}
        if self.texts is not None:
            columns["text"] = pa.array(self.texts, pa.large_string())
        if self.others is not None:
            kept = self.others.column_names
            columns |= {free_name(name, kept, own): self.others[name] for name in kept}
        return columns

    def _last_columns(self) -> dict[str, pa.Array]:
        """Return the columns that stand behind the answers."""
        columns = {"tokens": pa.array(self.tokens), "truncated": pa.array(self.truncated)}
        return columns if self.unknown is None else {**columns, "unknown": pa.array(self.unknown, pa.int32())}

    def _check_rows(self, **answers: tuple[tuple[int, ...], tuple[int, ...]]) -> None:
        """Refuse values that are not one per row.

        Args:
            **answers: what the shape has beside, each its shape and the shape that is expected; "_" stands for a space.

        Raises:
            DataError: names what does not fit.
        """
        rows = len(self.row_ids)
        found = {
            **{what.replace("_", " "): shapes for what, shapes in answers.items()},
            "tokens": (self.tokens.shape, (rows,)),
            "truncated": (self.truncated.shape, (rows,)),
            "texts": ((rows if self.texts is None else len(self.texts),), (rows,)),
            "unknown": ((rows,) if self.unknown is None else self.unknown.shape, (rows,)),
            "other columns": ((rows if self.others is None else self.others.num_rows,), (rows,)),
        }
        for what, (shape, expected) in found.items():
            if shape != expected:
                raise DataError(f"{what} have shape {shape}, expected {expected}: one value a row id")


def is_unread(own_N: np.ndarray, unknown_N: np.ndarray) -> np.ndarray:
    """Tell of texts by their tokens, [CLS] and [SEP] not counted, whether a model could read nearly nothing, bool (N,).

    Args:
        own_N: tokens of each text.
        unknown_N: how many of them are [UNK].
    """
    unread: np.ndarray = (own_N <= 0) | ((unknown_N > 0) & (unknown_N >= MOSTLY * own_N))
    return unread


def free_name(name: str, others: list[str], own: re.Pattern[str]) -> str:
    """Return the name of a column of the rows, with a prefix where it would be taken for one of the answers' own."""
    free = name
    while own.fullmatch(free) or (free != name and free in others):
        free = INPUT_PREFIX + free
    return free


def places_known(truth: pa.Array) -> np.ndarray:
    """Return the positions of the rows whose truth is known, int64 (M,)."""
    if truth.null_count == len(truth):  # texts that are only asked about: converting would import pandas, up to 1 s
        return np.empty(0, np.int64)
    return np.flatnonzero(truth.is_valid().to_numpy(zero_copy_only=False))
