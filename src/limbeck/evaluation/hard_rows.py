"""Hard rows: those that a model is furthest from, where the answer is not one label per row.

In: predictions of any number of labels, of ordered classes or of numbers, with known truths. Out: rows, worst first.
It does not know why a row is hard: the text, its label and the model may each be the reason. One label per row: see
`hard_cases`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from limbeck.display.tables import Table
from limbeck.display.views import listed
from limbeck.evaluation import label_metrics, metrics
from limbeck.evaluation.multi_predictions import MultiPredictions
from limbeck.evaluation.prediction_tables import AnyPredictions
from limbeck.evaluation.predictions import Predictions
from limbeck.evaluation.value_predictions import ValuePredictions


@dataclass(frozen=True, kw_only=True)
class HardRow:
    """A row that a model is far from.

    Attributes:
        row_id: of the dataset.
        text: None where the predictions hold no texts.
        tokens: before the text was cut.
        truncated: whether it was.
    """

    row_id: str
    text: str | None
    tokens: int
    truncated: bool


@dataclass(frozen=True, kw_only=True)
class HardLabelRow(HardRow):
    """A row of any number of labels.

    Attributes:
        right: labels that it has and is given.
        missing: labels that it has and is not given.
        superfluous: labels that it is given and has not.
        loss: mean negative logarithm of what each label's truth was given, in nats.
    """

    right: tuple[str, ...]
    missing: tuple[str, ...]
    superfluous: tuple[str, ...]
    loss: float


@dataclass(frozen=True, kw_only=True)
class HardStepRow(HardRow):
    """A row of ordered classes.

    Attributes:
        label: the true class.
        predicted: the answer.
        steps: from the truth up to the answer; below 0 the answer is too low.
        loss: negative logarithm of the true class's probability, in nats.
    """

    label: str
    predicted: str
    steps: int
    loss: float


@dataclass(frozen=True, kw_only=True)
class HardValueRow(HardRow):
    """A row with a number.

    Attributes:
        value: the true number.
        predicted: the answer.
        error: the answer minus the true number.
        inside: whether the truth lies in the answer's interval; None where none is promised.
    """

    value: float
    predicted: float
    error: float
    inside: bool | None


def find_hard_rows(found: AnyPredictions, count: int) -> tuple[HardRow, ...]:
    """Return the rows that the model is furthest from, the worst first; of equals in the order of the rows.

    Labels are ranked by their loss, ordered classes by steps and then by loss, numbers by their absolute error.
    """
    if isinstance(found, MultiPredictions):
        return _label_rows(found, count)
    return _value_rows(found, count) if isinstance(found, ValuePredictions) else _step_rows(found, count)


def _label_rows(found: MultiPredictions, count: int) -> tuple[HardRow, ...]:
    rows, true_MC = found.labelled_rows, found.known_targets
    losses_M = label_metrics.log_loss_of_labels(found.probabilities[rows], true_MC)
    given_MC = found.decided_NC[rows]

    def named(has_C: np.ndarray) -> tuple[str, ...]:
        return tuple(found.label_names[label] for label in np.flatnonzero(has_C))

    return tuple(
        HardLabelRow(
            **_row(found, int(rows[place])),
            right=named(true_MC[place] & given_MC[place]),
            missing=named(true_MC[place] & ~given_MC[place]),
            superfluous=named(given_MC[place] & ~true_MC[place]),
            loss=float(losses_M[place]),
        )
        for place in np.argsort(-losses_M, kind="stable")[:count]
    )


def _step_rows(found: Predictions, count: int) -> tuple[HardRow, ...]:
    rows, true_M = found.labelled_rows, found.known_labels
    said_M = found.predicted[rows]
    losses_M = metrics.row_losses(found.probabilities[rows], true_M)
    steps_M = said_M - true_M
    return tuple(
        HardStepRow(
            **_row(found, int(rows[place])),
            label=found.label_names[true_M[place]],
            predicted=found.label_names[said_M[place]],
            steps=int(steps_M[place]),
            loss=float(losses_M[place]),
        )
        for place in np.lexsort((np.arange(len(rows)), -losses_M, -np.abs(steps_M)))[:count]
    )


def _value_rows(found: ValuePredictions, count: int) -> tuple[HardRow, ...]:
    rows, errors_M, true_M = found.labelled_rows, found.known_errors, found.known_values
    return tuple(
        HardValueRow(
            **_row(found, int(rows[place])),
            value=float(true_M[place]),
            predicted=float(found.values[rows[place]]),
            error=float(errors_M[place]),
            inside=None if found.width is None else bool(abs(errors_M[place]) <= found.width.half_width),
        )
        for place in np.argsort(-np.abs(errors_M), kind="stable")[:count]
    )


def _row(found: AnyPredictions, row: int) -> dict[str, Any]:
    return {
        "row_id": found.row_ids[row],
        "text": None if found.texts is None else found.texts[row],
        "tokens": int(found.tokens[row]),
        "truncated": bool(found.truncated[row]),
    }


def hard_row_table(rows: Sequence[HardRow]) -> Table:
    """Return rows of one shape as a table: what is true, what was answered, and how far that is off."""
    lines = [(one.row_id if one.text is None else one.text, *_cells(one)) for one in rows]
    kinds = {type(one): one for one in rows}
    header: tuple[str, ...] = ("text", "true", "predicted", "error")
    if HardLabelRow in kinds:
        header = ("text", "right", "missing", "too many", "loss, nats")
    elif HardStepRow in kinds:
        header = ("text", "label", "predicted", "steps off", "loss, nats")
    return Table(
        title="Rows that the model is furthest from: hard texts, or wrong labels",
        header=header,
        rows=tuple(lines),
        prose=header[1:4],
    )


def _cells(row: HardRow) -> tuple[str, ...]:
    if isinstance(row, HardLabelRow):
        parts = (row.right, row.missing, row.superfluous)
        return (*(listed(names) if names else "" for names in parts), f"{row.loss:.3f}")
    if isinstance(row, HardStepRow):
        return (row.label, row.predicted, f"{row.steps:+d}", f"{row.loss:.3f}")
    if isinstance(row, HardValueRow):
        return (f"{row.value:.4g}", f"{row.predicted:.4g}", f"{row.error:+.4g}")
    return ()
