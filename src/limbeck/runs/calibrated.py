"""Temperature after training: fitted on rows that the model did not learn from, and folded into its last weights.

In: a trained head and answers to rows that it did not learn from. Out: the temperature, and what it changed, for
metrics.json. It does not know how the model was trained.

Folded means that the last linear map, weight and bias, is divided by the temperature. The logits are the same as if
they were divided afterwards, so there is one place where a temperature can be, and none where it can be forgotten: the
bundle opened in `transformers`, an exported graph and the server all give the probabilities that limbeck gives.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from limbeck.evaluation import label_metrics, metrics
from limbeck.evaluation.calibration import ece_of
from limbeck.evaluation.label_calibration import mean_label_ece
from limbeck.evaluation.temperature import (
    TemperatureFit,
    apply_label_temperature,
    apply_temperature,
    cross_fitted,
    fit_label_temperature,
    fit_temperature,
)
from limbeck.model.heads import Head

NOT_ASKED = "it was not asked for"
NO_GAIN = "for each half of the rows, the temperature of the other half would raise the log loss"


@dataclass(frozen=True, kw_only=True, eq=False)
class Calibrated:
    """A model whose temperature is folded into its weights.

    Attributes:
        temperature: that was folded in; 1.0 where none was fitted.
        probabilities: of the validation rows, as the model now says them, (N, C).
        record: for metrics.json: `temperature`, `fitted_on`, `rows`, `why_not` (why it is 1, else null), `judged_by`,
            and log loss and ECE of the validation rows, `before` and `after`.
    """

    temperature: float
    probabilities: np.ndarray
    record: dict[str, Any]


def calibrate_by(
    head: Head, unseen_NC: np.ndarray, unseen_labels_N: np.ndarray, validation_NF: np.ndarray, labels_N: np.ndarray
) -> Calibrated:
    """Fit a head's temperature on out-of-fold answers to its training rows, and judge it on the validation rows.

    There are more training rows than validation rows, and the answer to each comes from a fit that did not see it. So
    nothing of the validation rows is used up, and what is said of them is not flattered.
    """
    fit = fit_temperature(unseen_NC, unseen_labels_N)
    before_NC = head.probabilities(validation_NF)
    after_NC = head.fold_temperature(fit.temperature).probabilities(validation_NF)
    record = _record(fit, "out_of_fold", "validation rows, which it was not fitted on")
    judged = {"before": _judge(before_NC, labels_N), "after": _judge(after_NC, labels_N)}
    return Calibrated(temperature=fit.temperature, probabilities=after_NC, record=record | judged)


def calibrate_on(head: Head, validation_NC: np.ndarray, labels_N: np.ndarray) -> Calibrated:
    """Fit a head's temperature on the validation rows, all that a training by gradients did not learn from.

    What it then says of these rows is a little flattered (by one number of N rows), so it is judged by cross-fitting:
    each half of the rows with the temperature of the other.
    """
    fit = fit_temperature(validation_NC, labels_N)
    head.fold_temperature(fit.temperature)
    record = _record(fit, "validation", "validation rows, each half with the temperature of the other half")
    judged = {
        "before": _judge(validation_NC, labels_N),
        "after": _judge(cross_fitted(validation_NC, labels_N), labels_N),
    }
    return Calibrated(
        temperature=fit.temperature,
        probabilities=apply_temperature(validation_NC, fit.temperature),
        record=record | judged,
    )


def calibrate_labels_on(head: Head, validation_NC: np.ndarray, targets_NC: np.ndarray) -> Calibrated:
    """Fit one temperature for the probabilities of all labels on the validation rows, each label by itself.

    It is judged by cross-fitting, as of one label a row, and left out where it would raise the log loss so.
    """
    fit = fit_label_temperature(validation_NC, targets_NC)
    before, after = (_judge_labels(one, targets_NC) for one in (validation_NC, cross_fitted(validation_NC, targets_NC)))
    if fit.why_not is None and after["log_loss"] > before["log_loss"]:
        fit, after = replace(fit, temperature=1.0, log_loss_after=fit.log_loss_before, why_not=NO_GAIN), before
    head.fold_temperature(fit.temperature)
    record = _record(fit, "validation", "validation rows, each half with the temperature of the other half")
    return Calibrated(
        temperature=fit.temperature,
        probabilities=validation_NC
        if fit.temperature == 1
        else apply_label_temperature(validation_NC, fit.temperature),
        record=record | {"before": before, "after": after},
    )


def calibrate_by_folds(head: Head, unseen_NC: np.ndarray, labels_N: np.ndarray) -> Calibrated:
    """Fit a head's temperature on out-of-fold answers, where there are no validation rows to judge it by.

    It is judged on the same answers by cross-fitting. The probabilities are those of the out-of-fold answers.
    """
    found = calibrate_on(head, unseen_NC, labels_N)
    judged_by = "out-of-fold answers, each half with the temperature of the other half"
    return replace(found, record={**found.record, "fitted_on": "out_of_fold", "judged_by": judged_by})


def left_alone(_head: Head, validation_NC: np.ndarray, truth_N: np.ndarray) -> Calibrated:
    """Leave a model as it was trained; `truth_N` has a label per row, or which labels it has, (N, C)."""
    judged = (_judge_labels if truth_N.ndim > 1 else _judge)(validation_NC, truth_N)
    record = {"temperature": 1.0, "fitted_on": None, "rows": 0, "why_not": NOT_ASKED, "judged_by": "validation rows"}
    return Calibrated(
        temperature=1.0, probabilities=validation_NC, record={**record, "before": judged, "after": judged}
    )


def _record(fit: TemperatureFit, fitted_on: str, judged_by: str) -> dict[str, Any]:
    return {
        "temperature": fit.temperature,
        "fitted_on": fitted_on,
        "rows": fit.rows,
        "why_not": fit.why_not,
        "judged_by": judged_by,
    }


def _judge_labels(probabilities_NC: np.ndarray, targets_NC: np.ndarray) -> dict[str, float]:
    return {
        "log_loss": float(label_metrics.log_loss_of_labels(probabilities_NC, targets_NC).mean()),
        "ece": mean_label_ece(probabilities_NC, targets_NC),
    }


def _judge(probabilities_NC: np.ndarray, labels_N: np.ndarray) -> dict[str, float]:
    return {
        "log_loss": float(metrics.row_losses(probabilities_NC, labels_N).mean()),
        "ece": ece_of(probabilities_NC, labels_N),
    }
