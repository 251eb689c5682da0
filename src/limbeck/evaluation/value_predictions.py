"""Value predictions: the number that a model said of each row, as one frozen value and as a table.

In: row ids, numbers, maybe how far their intervals reach, true numbers where they are known. Out: an Arrow table.
It does not know models, files (see `prediction_files`) or how good the answers are (see `value_evaluation`).
"""

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from limbeck.display.frames import frame_of
from limbeck.display.tables import Table
from limbeck.errors import DataError, FaultLog
from limbeck.evaluation.conformal import ConformalWidth
from limbeck.evaluation.predictions import FIRST_ROWS
from limbeck.evaluation.row_answers import RowAnswers, places_known

if TYPE_CHECKING:
    import pandas as pd

VALUE_COLUMNS = re.compile(
    r"row_id|text|true_value|predicted_value|value_(low|high)_[0-9.]+|error|tokens|truncated|unknown", re.DOTALL
)
"""Names of the columns that `ValuePredictions.to_arrow` makes."""


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class ValuePredictions(RowAnswers):
    """The number that a model said of each of N rows, in the order of the rows.

    Attributes:
        row_ids: the N row ids of the dataset.
        values: what was said, float32 (N,).
        true_values: Arrow float64 (N,), null where the number is not known: `Dataset.table["label"]` fits.
        tokens: tokens of each text before it was cut, int32 (N,).
        truncated: whether the text was cut to the model's limit, bool (N,).
        width: how far the interval of each row reaches; None where none is promised.
        texts: the N texts, when they are to be kept beside the answers.
        unknown: tokens of each text that the model's vocabulary does not have ([UNK]), int32 (N,); None where they
            were not counted.
        others: further columns of the rows (N rows), to be kept beside the answers; None where there are none.
    """

    values: np.ndarray
    true_values: pa.DoubleArray
    width: ConformalWidth | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        true = self.true_values
        true = true.combine_chunks() if isinstance(true, pa.ChunkedArray) else true
        object.__setattr__(self, "values", np.asarray(self.values, dtype=np.float32))
        object.__setattr__(self, "true_values", true.cast(pa.float64()))
        self._check()

    def _lines(self) -> tuple[str, str]:
        errors_M = np.abs(self.known_errors)
        judged = (
            f", {len(errors_M):,} with a known value, {errors_M.mean():.3g} off on average" if len(errors_M) else ""
        )
        cut = f"; {self.count_cut:,} texts cut" if self.count_cut else ""
        width = (
            "" if self.width is None else f"; ± {self.width.half_width:.3g} holds {self.width.level:.0%} of true values"
        )
        low, middle, high = np.quantile(self.values, [0, 0.5, 1]) if len(self) else (np.nan,) * 3
        return (
            f"Predictions of {len(self):,} rows{judged}{cut}",
            f"values from {low:.3g} to {high:.3g}, median {middle:.3g}{width}",
        )

    def _tables(self) -> tuple[Table, ...]:
        shown = self.first(FIRST_ROWS)
        true = shown.true_values.to_pylist()
        is_known = any(value is not None for value in true)
        first = shown.row_ids if shown.texts is None else shown.texts
        table = Table(
            title="The first rows" if len(self) > FIRST_ROWS else "",
            header=("row" if shown.texts is None else "text", "value", *(["true value"] if is_known else [])),
            rows=tuple(
                (
                    first[row],
                    value_text(float(shown.values[row]), self.width),
                    *((["–"] if known is None else [f"{known:.4g}"]) if is_known else []),
                )
                for row, known in enumerate(true)
            ),
            left_out=f"and {len(self) - FIRST_ROWS:,} more rows" if len(self) > FIRST_ROWS else "",
        )
        return (table,) if len(self) else ()

    def first(self, count: int) -> "ValuePredictions":
        """Return the first rows."""
        return replace(
            self,
            row_ids=self.row_ids[:count],
            values=self.values[:count],
            true_values=self.true_values[:count],
            tokens=self.tokens[:count],
            truncated=self.truncated[:count],
            texts=None if self.texts is None else self.texts[:count],
            unknown=None if self.unknown is None else self.unknown[:count],
            others=None if self.others is None else self.others.slice(0, count),
        )

    @property
    def answers(self) -> list[float]:
        """The numbers, as plain ones."""
        answers: list[float] = self.values.tolist()
        return answers

    @property
    def labelled_rows(self) -> np.ndarray:
        """The positions of the rows whose true value is known, int64 (M,)."""
        return places_known(self.true_values)

    @property
    def known_values(self) -> np.ndarray:
        """The true values of `labelled_rows`, float64 (M,)."""
        known: np.ndarray = self.true_values.drop_null().to_numpy(zero_copy_only=False)
        return known

    @property
    def known_errors(self) -> np.ndarray:
        """Predicted minus true values of `labelled_rows`, float64 (M,)."""
        return np.asarray(self.values[self.labelled_rows].astype(np.float64) - self.known_values)

    def to_arrow(self) -> pa.Table:
        """Return one row a prediction, in order.

        Columns: `row_id`, `text` (where kept), the rows' other columns (`input.<name>` where one has a name of these),
        `true_value` (where one is known; null where not), `predicted_value`, `value_low_90` and `value_high_90` (of a
        model that promises intervals that hold 90 % of the true values), `error` (predicted minus true,
        where the true one is known), `tokens`, `truncated`, `unknown` (where counted).
        """
        is_labelled = len(self.labelled_rows) > 0
        columns = self._first_columns(VALUE_COLUMNS)
        if is_labelled:
            columns["true_value"] = self.true_values
        columns["predicted_value"] = pa.array(self.values)
        if self.width is not None:
            said_N = self.values.astype(np.float64)
            percent = f"{100 * self.width.level:g}"
            columns[f"value_low_{percent}"] = pa.array(said_N - self.width.half_width)
            columns[f"value_high_{percent}"] = pa.array(said_N + self.width.half_width)
        if is_labelled:
            errors_N = np.full(len(self), np.nan)
            errors_N[self.labelled_rows] = self.known_errors
            columns["error"] = pa.array(errors_N, from_pandas=True)
        columns |= self._last_columns()
        return pa.table(columns)

    def to_pandas(self) -> "pd.DataFrame":
        """Return a DataFrame with the columns of `to_arrow`."""
        return frame_of(self.to_arrow())

    def _check(self) -> None:
        rows = len(self)
        self._check_rows(
            values=(self.values.shape, (rows,)),
            true_values=((len(self.true_values),), (rows,)),
        )
        faults = FaultLog()
        for what, values_N in (("values", self.values), ("true values", self.true_values.fill_null(0.0).to_numpy())):
            faults.extend(
                f"row {self.row_ids[row]}: {values_N[row]} among the {what}"
                for row in np.flatnonzero(~np.isfinite(values_N))
            )
        faults.raise_as(DataError, what="a value is no finite number", todo="Leave such rows out, or mend the data")


def value_text(value: float, width: ConformalWidth | None) -> str:
    """Return a number with its interval in words: "1.23 (0.4 to 2.06)"."""
    if width is None:
        return f"{value:.4g}"
    return f"{value:.4g} ({value - width.half_width:.4g} to {value + width.half_width:.4g})"
