"""Refit: a probe's second look at its own training rows, learning little from labels that it doubts.

In: features, labels, the penalty that was chosen and how far each row is trusted. Out: for every row the probabilities
of models that did not see it, averaged over several ways of dealing out the folds.
It does not know texts, nor why a row is not trusted.

A wrong label costs twice: its own row, and the answers to rows like it, which learned from it. The second fit takes
back the second cost. A row's trust comes from models that did not see the row, so its label does not vouch for itself.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray

from limbeck.errors import TrainingError
from limbeck.linear.balance import Balanced
from limbeck.linear.folds import assign_folds
from limbeck.linear.scaling import Columns, measure_scaling
from limbeck.linear.search import held_out_logits, search_penalties
from limbeck.linear.trials import Trials
from limbeck.progress import SILENT, Progress
from limbeck.settings import ProbeSettings

DEALS = 3
"""Ways of dealing out the folds that are averaged."""
LEAST_TRUSTED = 1.0
"""Rows of each class, weighed by their trust, that every fit must see."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Doubted:
    """Training rows, and how far their labels are trusted.

    Shapes: N rows, C classes.

    Attributes:
        labels_N: 0 … C-1.
        trust_N: 0 … 1; 0 leaves a row out of the fits.
        group_N: rows with equal numbers are held out together. A row would else be judged by a model that has learned
            the label of its twin.
        label_names: of the C classes.
    """

    labels_N: NDArray[np.int64]
    trust_N: NDArray[np.floating]
    group_N: NDArray[np.int64]
    label_names: Sequence[str]


@dataclass(frozen=True, kw_only=True, eq=False)
class _DoubtedTrials(Trials):
    """Trials whose rows weigh as much as they are trusted.

    Attributes:
        trust_N: 0 … 1.
    """

    trust_N: NDArray[np.floating]

    def balance(self, held_out: int | None) -> Balanced:
        """Weigh the rows that a fit may see, and each by its trust."""
        balanced = super().balance(held_out)
        return replace(balanced, weight_M=(balanced.weight_M * self.trust_N).astype(np.float32))


def refit_out_of_fold(
    features_NF: NDArray[np.float32],
    rows: Doubted,
    *,
    columns: Columns | None,
    penalty: float,
    settings: ProbeSettings,
    progress: Progress = SILENT,
) -> NDArray[np.float32]:
    """Answer every training row again, each row weighing in the fits as much as it is trusted.

    Args:
        features_NF: raw features.
        rows: their labels and how far they are trusted.
        columns: the positions that the probe uses; all when None.
        penalty: C of the probe.
        settings: balance, folds and seed; the folds are dealt out anew from the seeds after it.
        progress: follows the fits.

    Returns:
        Probabilities, float32 (N, C): the geometric mean over `DEALS` deals.

    Raises:
        TrainingError: a class has too few rows that can be learned from.
    """
    labels, classes = rows.labels_N, len(rows.label_names)
    folds = min(settings.folds, int(np.bincount(labels, minlength=classes).min()))
    log_NC = np.zeros((len(labels), classes))
    with progress.track("fit again, learning little from suspect labels", total=DEALS, unit="fits") as advance:
        for deal in range(DEALS):
            fold_N = assign_folds(labels, folds=folds, seed=settings.seed + 1 + deal, group_N=rows.group_N)
            _check(rows, fold_N)
            trials = _DoubtedTrials(
                name="the second fit",
                features_NF=features_NF,
                columns=columns,
                scaling=measure_scaling(features_NF, columns=columns, fold_N=fold_N),
                labels_N=labels,
                label_names=tuple(rows.label_names),
                fold_N=fold_N,
                settings=settings,
                trust_N=rows.trust_N,
            )
            logits_NC = held_out_logits(trials, search_penalties(trials, [penalty]).solution.logits_PCN)
            log_NC += torch.log_softmax(logits_NC.double(), dim=1).numpy() / DEALS
            advance(1)
    mean_NC = np.exp(log_NC)
    return np.asarray(mean_NC / mean_NC.sum(axis=1, keepdims=True), dtype=np.float32)


def _check(rows: Doubted, fold_N: NDArray[np.int64]) -> None:
    """Refuse folds outside which some class has next to nothing to learn from."""
    classes = len(rows.label_names)
    for fold in range(int(fold_N.max()) + 1):
        outside_N = np.where(fold_N == fold, 0.0, rows.trust_N)
        trusted_C = np.bincount(rows.labels_N, outside_N, minlength=classes)
        if trusted_C.min() < LEAST_TRUSTED:
            raise TrainingError(
                f"{rows.label_names[int(trusted_C.argmin())]} has too few rows that a second fit could learn from"
            )
