"""Predictions: what a classifier said of each row, as one frozen value and as a table.

In: row ids, probabilities (N, C), true labels where they are known. Out: labels, losses, an Arrow table.
It does not know models, files (see `prediction_files`) or how good the answers are (see `evaluation`).
"""

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from limbeck.display.frames import frame_of
from limbeck.display.tables import Table
from limbeck.display.views import listed
from limbeck.errors import DataError, SettingsError
from limbeck.evaluation import metrics
from limbeck.evaluation.row_answers import RowAnswers, places_known
from limbeck.task import ORDINAL, SINGLE, Task

if TYPE_CHECKING:
    import pandas as pd

PROBABILITY_PREFIX = "probability."
"""The column of a class's probability is this and the class's name."""
_OWN = re.compile(
    r"row_id|text|true_label|prediction|probability(\..*)?|unsure|loss|margin|tokens|truncated|unknown"
    r"|top_\d+\.(label|probability)",
    re.DOTALL,
)
_OWN_ORDINAL = re.compile(rf"{_OWN.pattern}|expected_position|steps_off", re.DOTALL)
FIRST_ROWS = 6
"""Shown in a notebook."""


@dataclass(frozen=True, kw_only=True, eq=False)
class TopLabels:
    """The K most probable labels of each row, most probable first; of equals, the lower label first.

    Attributes:
        labels: int64 (N, K).
        probabilities: float32 (N, K).
    """

    labels: np.ndarray
    probabilities: np.ndarray


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Predictions(RowAnswers):
    """What a classifier said of N rows, in the order of the rows.

    Attributes:
        row_ids: the N row ids of the dataset.
        label_names: the C class names.
        probabilities: float32 (N, C), each row adding up to 1.
        true_labels: Arrow int32 (N,), null where the label is not known: `Dataset.table["label"]` fits.
        tokens: tokens of each text before it was cut, int32 (N,).
        truncated: whether the text was cut to the model's limit, bool (N,).
        texts: the N texts, when they are to be kept beside the answers.
        unsure: whether the row is below the model's threshold, bool (N,); None when the model has no thresholds. The
            most probable label of an unsure row stays in `predicted` and `predicted_names`; `answers` has None there.
        unknown: tokens of each text that the model's vocabulary does not have ([UNK]), int32 (N,); None where they
            were not counted.
        others: further columns of the rows (N rows), to be kept beside the answers; None where there are none.
        task: SINGLE, where the most probable label is the answer, or ORDINAL: the labels have the order of their names,
            and the median one is.
    """

    label_names: tuple[str, ...]
    probabilities: np.ndarray
    true_labels: pa.Int32Array
    unsure: np.ndarray | None = None
    task: Task = SINGLE

    def __post_init__(self) -> None:
        super().__post_init__()
        labels = self.true_labels
        labels = labels.combine_chunks() if isinstance(labels, pa.ChunkedArray) else labels
        object.__setattr__(self, "label_names", tuple(self.label_names))
        object.__setattr__(self, "probabilities", np.asarray(self.probabilities, dtype=np.float32))
        if labels.type != pa.int32():
            labels = labels.cast(pa.int32())
        object.__setattr__(self, "true_labels", labels)
        object.__setattr__(self, "unsure", None if self.unsure is None else np.asarray(self.unsure, dtype=np.bool_))
        self._check()

    def _lines(self) -> tuple[str, str]:
        rows, known = self.labelled_rows, len(self.labelled_rows)
        right = int((self.predicted[rows] == self.known_labels).sum())
        judged = f", {known:,} with a known label, {right:,} of them right" if known else ""
        unsure = "" if self.unsure is None else f"; unsure of {int(self.unsure.sum()):,}"
        cut = f"; {self.count_cut:,} texts cut" if self.count_cut else ""
        counts = np.bincount(self.predicted, minlength=len(self.label_names))
        said = [
            f"{self.label_names[label]} {counts[label]:,}"
            for label in np.argsort(-counts, kind="stable")
            if counts[label]
        ]
        return (
            f"Predictions of {len(self):,} rows{judged}{unsure}{cut}",
            f"predicted: {listed(said)}",
        )

    def _tables(self) -> tuple[Table, ...]:
        shown = replace(self, **self._slice(FIRST_ROWS))
        known = dict(zip(shown.labelled_rows.tolist(), shown.known_labels.tolist(), strict=True))
        texts = shown.row_ids if shown.texts is None else shown.texts
        highest_N = shown.probabilities.max(axis=1)
        table = Table(
            title="The first rows" if len(self) > FIRST_ROWS else "",
            header=(
                "row" if shown.texts is None else "text",
                "prediction",
                "probability",
                *(["true label"] if known else []),
            ),
            rows=tuple(
                (
                    texts[row],
                    "unsure" if answer is None else answer,
                    f"{highest_N[row]:.3f}",
                    *([self.label_names[known[row]] if row in known else "–"] if known else []),
                )
                for row, answer in enumerate(shown.answers)
            ),
            prose=("prediction", "true label"),
            left_out=f"and {len(self) - FIRST_ROWS:,} more rows" if len(self) > FIRST_ROWS else "",
        )
        return (table,) if len(self) else ()

    def _slice(self, count: int) -> dict[str, Any]:
        """Return the values of the first rows."""
        values = {
            name: getattr(self, name)
            for name in ("row_ids", "probabilities", "true_labels", "tokens", "truncated", "texts", "unsure", "unknown")
        }
        return {
            "others": None if self.others is None else self.others.slice(0, count),
            **{name: None if value is None else value[:count] for name, value in values.items()},
        }

    @property
    def predicted(self) -> np.ndarray:
        """The most probable label of each row, int64 (N,); of equals, the first. Of ordered labels the median one."""
        if self.task == ORDINAL:
            return np.asarray(ORDINAL.decided(self.probabilities).argmax(axis=1), dtype=np.int64)
        return metrics.predicted_labels(self.probabilities)

    @property
    def predicted_names(self) -> list[str]:
        """The most probable label of each row, by name; of a row below the model's threshold too: see `answers`."""
        return [self.label_names[label] for label in self.predicted]

    @property
    def answers(self) -> list[str | None]:
        """What the model answers: the most probable label by name, None where it is unsure.

        Without thresholds (`limbeck threshold`) that is `predicted_names`.
        """
        if self.unsure is None:
            return list(self.predicted_names)
        return [None if unsure else name for name, unsure in zip(self.predicted_names, self.unsure, strict=True)]

    @property
    def labelled_rows(self) -> np.ndarray:
        """The positions of the rows whose true label is known, int64 (M,)."""
        return places_known(self.true_labels)

    @property
    def known_labels(self) -> np.ndarray:
        """The true labels of `labelled_rows`, int64 (M,)."""
        labels: np.ndarray = self.true_labels.drop_null().to_numpy(zero_copy_only=False).astype(np.int64)
        return labels

    @property
    def losses(self) -> np.ndarray:
        """The loss of each row in nats, float64 (N,); NaN where the true label is not known."""
        losses_N = np.full(len(self), np.nan)
        rows = self.labelled_rows
        if len(rows):
            losses_N[rows] = metrics.row_losses(self.probabilities[rows], self.known_labels)
        return losses_N

    @property
    def margins(self) -> np.ndarray:
        """The probability of each row's true label minus the best other one, float64 (N,), -1 … 1; NaN where unknown.

        Below 0 the answer is wrong, and by how much; near 0 it was a close thing.
        """
        margins_N = np.full(len(self), np.nan)
        rows = self.labelled_rows
        if len(rows):
            margins_N[rows] = metrics.row_margins(self.probabilities[rows], self.known_labels)
        return margins_N

    def top_k(self, k: int) -> TopLabels:
        """Return the k most probable labels of each row.

        Raises:
            SettingsError: k is not 1 … C.
        """
        if not 1 <= k <= len(self.label_names):
            raise SettingsError(f"top-k is {k}: expected 1 to {len(self.label_names)}, the number of classes")
        labels_NK = np.argsort(-self.probabilities, axis=1, kind="stable")[:, :k]
        return TopLabels(labels=labels_NK, probabilities=np.take_along_axis(self.probabilities, labels_NK, axis=1))

    def to_arrow(self, *, top_k: int | None = None) -> pa.Table:
        """Return one row a prediction, in order.

        Columns: `row_id`, `text` (where kept), the rows' other columns (`input.<name>` where one has a name of these),
        `true_label` (where one is known; null where not), `prediction`, its `probability`, `unsure` (of a model with
        thresholds), `probability.<name>` of each class, `loss` (nats) and `margin` (see `margins`; both where a label
        is known, null where not), of ordered labels `expected_position` (0 for the first, by the probabilities) and
        `steps_off` (where a label is known), `tokens`, `truncated`, `unknown` (where counted); with `top_k` also
        `top_1.label`, `top_1.probability`, and so on.

        Raises:
            SettingsError: `top_k` is not 1 … C.
        """
        names = pa.array(self.label_names, pa.string())
        is_labelled = len(self.labelled_rows) > 0
        columns = self._first_columns(_OWN_ORDINAL if self.task == ORDINAL else _OWN)
        if is_labelled:
            columns["true_label"] = names.take(self.true_labels)
        predicted = self.predicted
        columns["prediction"] = names.take(pa.array(predicted))
        columns["probability"] = pa.array(np.take_along_axis(self.probabilities, predicted[:, None], axis=1)[:, 0])
        if self.unsure is not None:
            columns["unsure"] = pa.array(self.unsure)
        for label, name in enumerate(self.label_names):
            columns[PROBABILITY_PREFIX + name] = pa.array(self.probabilities[:, label])
        if is_labelled:
            columns["loss"] = pa.array(self.losses.astype(np.float32), from_pandas=True)
            columns["margin"] = pa.array(self.margins.astype(np.float32), from_pandas=True)
        if self.task == ORDINAL:
            columns["expected_position"] = pa.array(expected_positions(self.probabilities))
            if is_labelled:
                steps_N = np.full(len(self), -1, dtype=np.int32)
                steps_N[self.labelled_rows] = np.abs(predicted[self.labelled_rows] - self.known_labels)
                columns["steps_off"] = pa.array(steps_N, pa.int32(), mask=steps_N < 0)
        columns |= self._last_columns()
        if top_k is not None:
            top = self.top_k(top_k)
            for place in range(top_k):
                columns[f"top_{place + 1}.label"] = names.take(pa.array(top.labels[:, place]))
                columns[f"top_{place + 1}.probability"] = pa.array(top.probabilities[:, place])
        return pa.table(columns)

    def to_pandas(self, *, top_k: int | None = None) -> "pd.DataFrame":
        """Return a DataFrame with the columns of `to_arrow`."""
        return frame_of(self.to_arrow(top_k=top_k))

    def _check(self) -> None:
        rows, classes = len(self), len(self.label_names)
        self._check_rows(
            probabilities=(self.probabilities.shape, (rows, classes)),
            true_labels=((len(self.true_labels),), (rows,)),
            unsure=((rows,) if self.unsure is None else self.unsure.shape, (rows,)),
        )
        if len(set(self.label_names)) != classes:
            raise DataError(f"a label name is given twice in {', '.join(self.label_names)}")
        metrics.check_probabilities(self.probabilities)
        if len(self.labelled_rows):
            metrics.check_labels(self.known_labels, classes, what="true label")


def is_own_column(name: str, task: Task = SINGLE) -> bool:
    """Tell whether a column of this name is one that `Predictions.to_arrow` makes."""
    return (_OWN_ORDINAL if task == ORDINAL else _OWN).fullmatch(name) is not None


def expected_positions(probabilities_NC: np.ndarray) -> np.ndarray:
    """Return the mean place of the labels by their probabilities, float32 (N,): 0 for the first, C-1 for the last."""
    places_C = np.arange(probabilities_NC.shape[1])
    return np.asarray(probabilities_NC.astype(np.float64) @ places_C, dtype=np.float32)
