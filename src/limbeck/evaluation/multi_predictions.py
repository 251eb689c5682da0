"""Multi predictions: what a classifier said of rows that may have any number of labels, one frozen value and a table.

In: row ids, a probability of each label by itself (N, C), thresholds, true labels where they are known. Out: the
labels that each row is given, an Arrow table.
It does not know models, files (see `prediction_files`) or how good the answers are (see `multi_evaluation`).
"""

import json
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from limbeck.data.hierarchy import hierarchy_among
from limbeck.data.label_sets import LABEL_SETS, indicators, label_pairs, sets_of_indicators
from limbeck.display.frames import frame_of
from limbeck.display.tables import Table
from limbeck.display.views import listed
from limbeck.errors import DataError, SettingsError
from limbeck.evaluation import label_metrics
from limbeck.evaluation.label_thresholds import decide_labels
from limbeck.evaluation.predictions import (
    FIRST_ROWS,
    PROBABILITY_PREFIX,
    TopLabels,
)
from limbeck.evaluation.row_answers import RowAnswers, places_known
from limbeck.task import MULTI

if TYPE_CHECKING:
    import pandas as pd

MULTI_COLUMNS = re.compile(
    r"row_id|text|true_labels|predictions|probability\..*|wrong_labels|tokens|truncated|unknown"
    r"|top_\d+\.(label|probability)",
    re.DOTALL,
)
"""Names of the columns that `MultiPredictions.to_arrow` makes."""
THRESHOLDS_KEY = "limbeck.label_thresholds"
"""In the metadata of a table: the threshold of each label, as JSON."""


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class MultiPredictions(RowAnswers):
    """What a classifier said of N rows, each of which may have any number of C labels, in the order of the rows.

    Attributes:
        row_ids: the N row ids of the dataset.
        label_names: the C names.
        probabilities: of each label by itself, float32 (N, C), each from 0 to 1.
        true_labels: Arrow large_list<int32> (N,): a row's labels; empty where it has none, null where they are not
            known. `Dataset.table["label"]` fits.
        tokens: tokens of each text before it was cut, int32 (N,).
        truncated: whether the text was cut to the model's limit, bool (N,).
        thresholds: from which probability on a row is given a label, float64 (C,); None where they are not known, as
            in files that are not Parquet.
        decided: which labels each row is given, bool (N, C). Where not given: those at or above their threshold, or at
            or above 0.5 where there are no thresholds.
        label_parents: whether a row that is given a label is given those, too, that its name states as parents (see
            `limbeck.data.hierarchy`).
        texts: the N texts, when they are to be kept beside the answers.
        unknown: tokens of each text that the model's vocabulary does not have ([UNK]), int32 (N,); None where they
            were not counted.
        others: further columns of the rows (N rows), to be kept beside the answers; None where there are none.
    """

    label_names: tuple[str, ...]
    probabilities: np.ndarray
    true_labels: pa.LargeListArray
    thresholds: np.ndarray | None = None
    decided: np.ndarray | None = None
    label_parents: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        labels = self.true_labels
        labels = labels.combine_chunks() if isinstance(labels, pa.ChunkedArray) else labels
        probabilities_NC = np.asarray(self.probabilities, dtype=np.float32)
        thresholds = None if self.thresholds is None else np.asarray(self.thresholds, dtype=np.float64)
        object.__setattr__(self, "label_names", tuple(self.label_names))
        object.__setattr__(self, "probabilities", probabilities_NC)
        object.__setattr__(self, "true_labels", labels.cast(LABEL_SETS))
        object.__setattr__(self, "thresholds", thresholds)
        self._check()

    def _lines(self) -> tuple[str, str]:
        rows, targets_MC = self.labelled_rows, self.known_targets
        right = int((self.decided_NC[rows] == targets_MC).all(axis=1).sum())
        judged = f", {len(rows):,} with known labels, {right:,} of them wholly right" if len(rows) else ""
        cut = f"; {self.count_cut:,} texts cut" if self.count_cut else ""
        counts = self.decided_NC.sum(axis=0)
        said = [f"{self.label_names[label]} {counts[label]:,}" for label in np.argsort(-counts, kind="stable")]
        mean = f"{self.decided_NC.sum(axis=1).mean():.1f}" if len(self) else "no"
        return (
            f"Predictions of {len(self):,} rows, {mean} labels per row{judged}{cut}",
            f"given: {listed(said)}",
        )

    def _tables(self) -> tuple[Table, ...]:
        shown = self.first(FIRST_ROWS)
        true = shown.true_names
        is_known = any(names is not None for names in true)
        first = shown.row_ids if shown.texts is None else shown.texts
        table = Table(
            title="The first rows" if len(self) > FIRST_ROWS else "",
            header=("row" if shown.texts is None else "text", "labels", *(["true labels"] if is_known else [])),
            rows=tuple(
                (
                    first[row],
                    listed(answer),
                    *((["–"] if names is None else [listed(names)]) if is_known else []),
                )
                for row, (answer, names) in enumerate(zip(shown.answers, true, strict=True))
            ),
            prose=("labels", "true labels"),
            left_out=f"and {len(self) - FIRST_ROWS:,} more rows" if len(self) > FIRST_ROWS else "",
        )
        return (table,) if len(self) else ()

    def first(self, count: int) -> "MultiPredictions":
        """Return the first rows."""
        return replace(
            self,
            row_ids=self.row_ids[:count],
            probabilities=self.probabilities[:count],
            true_labels=self.true_labels[:count],
            tokens=self.tokens[:count],
            truncated=self.truncated[:count],
            decided=None if self.decided is None else self.decided[:count],
            texts=None if self.texts is None else self.texts[:count],
            unknown=None if self.unknown is None else self.unknown[:count],
            others=None if self.others is None else self.others.slice(0, count),
        )

    @property
    def decided_NC(self) -> np.ndarray:  # noqa: N802  # an array ends in its shape letters
        """Which labels each row is given, bool (N, C): the one place where answers are decided."""
        if self.decided is not None:
            decided_NC = self.decided
        elif self.thresholds is None:
            decided_NC = MULTI.decided(self.probabilities)
        else:
            decided_NC = decide_labels(self.probabilities, self.thresholds)
        hierarchy = hierarchy_among(self.label_names) if self.label_parents else None
        return decided_NC if hierarchy is None else hierarchy.raised(decided_NC)

    @property
    def answers(self) -> list[tuple[str, ...]]:
        """The labels that each row is given, by name, in the order of the label names."""
        return [tuple(self.label_names[label] for label in np.flatnonzero(row)) for row in self.decided_NC]

    @property
    def labelled_rows(self) -> np.ndarray:
        """The positions of the rows whose true labels are known, int64 (M,)."""
        return places_known(self.true_labels)

    @property
    def known_targets(self) -> np.ndarray:
        """The true labels of `labelled_rows`, bool (M, C)."""
        return targets_of(self.true_labels.drop_null(), len(self.label_names))

    @property
    def true_names(self) -> list[tuple[str, ...] | None]:
        """The true labels of each row by name; None where they are not known."""
        names = self.label_names
        return [
            None if labels is None else tuple(names[label] for label in labels)
            for labels in self.true_labels.to_pylist()
        ]

    def top_k(self, k: int) -> TopLabels:
        """Return the k most probable labels of each row, given or not.

        Raises:
            SettingsError: k is not 1 … C.
        """
        if not 1 <= k <= len(self.label_names):
            raise SettingsError(f"top-k is {k}: expected 1 to {len(self.label_names)}, the number of labels")
        labels_NK = np.argsort(-self.probabilities, axis=1, kind="stable")[:, :k]
        return TopLabels(labels=labels_NK, probabilities=np.take_along_axis(self.probabilities, labels_NK, axis=1))

    def to_arrow(self, *, top_k: int | None = None) -> pa.Table:
        """Return one row a prediction, in order; the thresholds stand in the schema's metadata.

        Columns: `row_id`, `text` (where kept), the rows' other columns (`input.<name>` where one has a name of these),
        `true_labels` (lists of names, where any are known; null where not), `predictions` (lists of names),
        `probability.<name>` of each label, `wrong_labels` (labels that are missing or too many, where the true ones are
        known), `tokens`, `truncated`, `unknown` (where counted); with `top_k` also `top_1.label`, `top_1.probability`,
        and so on.

        Raises:
            SettingsError: `top_k` is not 1 … C.
        """
        names = pa.array(self.label_names, pa.string())
        is_labelled = len(self.labelled_rows) > 0
        columns = self._first_columns(MULTI_COLUMNS)
        if is_labelled:
            columns["true_labels"] = _named(self.true_labels, names)
        columns["predictions"] = _named(sets_of_indicators(self.decided_NC), names)
        for label, name in enumerate(self.label_names):
            columns[PROBABILITY_PREFIX + name] = pa.array(self.probabilities[:, label])
        if is_labelled:
            wrong_N = np.full(len(self), -1, dtype=np.int32)
            rows = self.labelled_rows
            wrong_N[rows] = label_metrics.row_mistakes(self.known_targets, self.decided_NC[rows])
            columns["wrong_labels"] = pa.array(wrong_N, pa.int32(), mask=wrong_N < 0)
        columns |= self._last_columns()
        if top_k is not None:
            top = self.top_k(top_k)
            for place in range(top_k):
                columns[f"top_{place + 1}.label"] = names.take(pa.array(top.labels[:, place]))
                columns[f"top_{place + 1}.probability"] = pa.array(top.probabilities[:, place])
        table = pa.table(columns)
        if self.thresholds is not None:
            table = table.replace_schema_metadata({THRESHOLDS_KEY: json.dumps(self.thresholds.tolist())})
        return table

    def to_pandas(self, *, top_k: int | None = None) -> "pd.DataFrame":
        """Return a DataFrame with the columns of `to_arrow`."""
        return frame_of(self.to_arrow(top_k=top_k))

    def _check(self) -> None:
        rows, labels = len(self), len(self.label_names)
        self._check_rows(
            probabilities=(self.probabilities.shape, (rows, labels)),
            decisions=(self.decided_NC.shape, (rows, labels)),
            thresholds=((labels,) if self.thresholds is None else self.thresholds.shape, (labels,)),
            true_labels=((len(self.true_labels),), (rows,)),
        )
        if len(set(self.label_names)) != labels:
            raise DataError(f"a label name is given twice in {listed(self.label_names)}")
        label_metrics.check_shares(self.probabilities)
        targets_of(self.true_labels.drop_null(), labels)


def targets_of(lists: pa.LargeListArray, classes: int) -> np.ndarray:
    """Return lists of labels without null as truths, bool (M, C).

    Raises:
        DataError: a label is outside 0 … C-1.
    """
    _, labels = label_pairs(lists)
    if len(labels) and not (labels.min() >= 0 and labels.max() < classes):
        wrong = labels[(labels < 0) | (labels >= classes)][0]
        raise DataError(f"a true label is {wrong}, expected 0 to {classes - 1}: do labels and names belong together?")
    return indicators(lists, classes)


def _named(lists: pa.LargeListArray, names: pa.StringArray) -> pa.LargeListArray:
    """Return lists of labels as lists of names; null stays null."""
    lengths = np.array([0 if length is None else length for length in lists.value_lengths().to_pylist()])
    offsets = pa.array(np.concatenate([[0], np.cumsum(lengths)]), pa.int64())
    return pa.LargeListArray.from_arrays(offsets, names.take(lists.flatten()), mask=lists.is_null())
