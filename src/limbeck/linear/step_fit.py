"""Step fit: a linear classifier for ordered classes: going up the classes, each step by a question of its own.

In: features, and the classes of the training rows in their order. Out: a `LabelFit` with a logit for each class but the
last, of "above it" among the rows that are not below it; as `task.Ordinal` reads them.
It does not know texts or encoders.

The likelihood of the classes is the product of the steps' likelihoods (the continuation-ratio model), so that each step
is a logistic regression by itself, over the rows that reached it, and all are solved side by side as labels are. The
proportional odds model, one weight vector for all steps, was measured too (docs/log.md).
"""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from limbeck.errors import SettingsError
from limbeck.linear.checks import check_probe, check_probe_labels
from limbeck.linear.fit import ProbeRows
from limbeck.linear.folds import plan_folds
from limbeck.linear.label_fit import LabelFit, LabelRows, fit_label_probe
from limbeck.linear.scaling import Columns
from limbeck.progress import SILENT, Progress
from limbeck.settings import ProbeSettings


def fit_steps(
    features_NF: NDArray[np.float32],
    rows: ProbeRows,
    *,
    settings: ProbeSettings,
    candidates: Mapping[str, Columns] | None = None,
    progress: Progress = SILENT,
) -> LabelFit:
    """Fit a probe of ordered classes, choosing each step's penalty, and the columns, by cross-validation.

    Args:
        features_NF: raw features, float32; only read.
        rows: their classes, the names in their order, and which of them stay together in cross-validation.
        settings: balance ("none", or "weights": rows that go on and rows that stop count the same at each step),
            penalties, folds and seed.
        candidates: named sets of columns to choose from, for all steps alike; all columns when not given.
        progress: follows the fits.

    Raises:
        DataError: features and classes do not fit together, or are not finite numbers.
        SettingsError: a setting is impossible.
        TrainingError: a class has too few rows, or a fit ends far from its minimum.
    """
    check_probe(settings)
    if settings.balance not in ("none", "weights"):
        raise SettingsError(
            f"balance = {settings.balance!r} is for classes without an order; give --balance weights, or leave it out"
        )
    labels_N = np.asarray(rows.labels_N, dtype=np.int64)
    check_probe_labels(labels_N, rows.label_names)
    step_K = np.arange(len(rows.label_names) - 1)
    steps = LabelRows(
        targets_NL=labels_N[:, None] > step_K,
        label_names=tuple(f"above {name}" for name in rows.label_names[:-1]),
        group_N=rows.group_N,
        asked_NL=labels_N[:, None] >= step_K,
        # By the classes: each step needs rows of its class and of those above in every fit.
        plan=plan_folds(labels_N, settings, rows.label_names, rows.group_N),
    )
    return fit_label_probe(features_NF, steps, settings=settings, candidates=candidates, progress=progress)


def class_probabilities(going_on_NK: NDArray[np.floating]) -> NDArray[np.float32]:
    """Return the probability of each class, (N, K + 1), from those of going on at each step.

    Example:
        >>> class_probabilities(np.array([[0.5, 0.5]])).tolist()
        [[0.5, 0.25, 0.25]]
    """
    above_NK = np.cumprod(going_on_NK.astype(np.float64), axis=1)
    edge_N1 = np.ones((len(above_NK), 1))
    return np.asarray(-np.diff(np.hstack([edge_N1, above_NK, 0 * edge_N1]), axis=1), dtype=np.float32)
