"""Label scores: the figures of each label by itself, where a row may have any number of labels.

In: counts of each label (`metrics.Tally`), areas, thresholds, calibration. Out: `LabelScores`, also for JSON and back.
It does not know rows or the figures over all labels.

Precision, recall and F1 have Wilson intervals. The AUC-PR has Wilson's interval of as many trials as the label has
rows: the binomial interval of Boyd et al., which covers as often as it says where bootstrap intervals do not.

Source: Boyd, Eng & Page, Area under the Precision-Recall Curve: Point Estimates and Confidence Intervals (2013).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from limbeck.evaluation import metrics
from limbeck.evaluation.class_scores import ClassScores, score_classes
from limbeck.evaluation.label_calibration import LabelCalibration
from limbeck.evaluation.label_thresholds import NEVER_GIVEN
from limbeck.evaluation.measured import Measured, measured, read_told, told
from limbeck.evaluation.proportions import wilson


@dataclass(frozen=True, kw_only=True)
class LabelScores:
    """The scores of one label.

    Attributes:
        counted: name, rows with it, rows given it, precision, recall, F1.
        auc_pr: area under the precision-recall curve; NaN of a label that no row has.
        threshold: from which probability on it is given; None where that is not known, NEVER_GIVEN for never.
        ece: its calibration error.
        chance_high: what that of a calibrated label stays below, 95 times of 100.
    """

    counted: ClassScores
    auc_pr: Measured
    threshold: float | None
    ece: float
    chance_high: float

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON; the name is their key."""
        return {
            **self.counted.to_dict(),
            "auc_pr": told(self.auc_pr),
            "threshold": self.threshold,
            "ece": self.ece,
            "chance_high": self.chance_high,
        }

    @classmethod
    def from_dict(cls, name: str, facts: Mapping[str, Any]) -> "LabelScores":
        """Make the scores of a label of what `to_dict` returned."""
        return cls(
            counted=ClassScores.from_dict(name, facts),
            auc_pr=read_told(facts["auc_pr"]),
            threshold=None if facts["threshold"] is None else float(facts["threshold"]),
            ece=float(facts["ece"]),
            chance_high=float(facts["chance_high"]),
        )


def score_labels(
    names: tuple[str, ...],
    tally: metrics.Tally,
    auc_C: np.ndarray,
    thresholds_C: np.ndarray | None,
    calibration: LabelCalibration,
) -> tuple[LabelScores, ...]:
    """Score each label, in the order of the names."""
    ends = wilson(np.nan_to_num(auc_C) * tally.support, np.where(np.isnan(auc_C), 0, tally.support))
    return tuple(
        LabelScores(
            counted=counted,
            auc_pr=measured(auc_C[label], ends.low[label], ends.high[label]),
            threshold=None if thresholds_C is None else float(thresholds_C[label]),
            ece=float(calibration.ece_C[label]),
            chance_high=float(calibration.chance_high_C[label]),
        )
        for label, counted in enumerate(score_classes(names, tally))
    )


def threshold_text(threshold: float | None) -> str:
    """Return the threshold of a label in words."""
    if threshold is None:
        return "–"
    return "never" if threshold >= NEVER_GIVEN else f"{threshold:.3g}"
