"""Probe kinds: what a probe is for each shape of answer: how it is fitted, and what is decided of its answers.

In: features and labels of the training rows. Out: a fit, its head, and a `Settled`. `PROBES` is the table of them.
It does not know encoders, folders or files.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray

from limbeck.data.dataset import Dataset
from limbeck.inference.answers import AnsweredRows, evaluation_of, label_sets_of, numbers_of, predictions_of
from limbeck.linear.fit import ProbeFit, ProbeRows, fit_probe, fit_record
from limbeck.linear.label_fit import LabelFit, LabelRows, fit_label_probe
from limbeck.linear.ridge_fit import NumberRows, RidgeFit, fit_numbers
from limbeck.linear.scaling import Columns
from limbeck.linear.step_fit import class_probabilities, fit_steps
from limbeck.model.facts import BundleFacts
from limbeck.model.heads import LinearHead
from limbeck.progress import Progress
from limbeck.runs.calibrated import calibrate_by, calibrate_by_folds, left_alone
from limbeck.settings import ProbeSettings, TaskKind
from limbeck.training.settled import Settled, settle_label_sets, settle_numbers

OUT_OF_FOLD: Final = "out_of_fold"
"""Name of the answers that cross-validation gave to the training rows."""
VALIDATION = "validation"


@dataclass(frozen=True, kw_only=True, eq=False)
class ProbeTarget:
    """What a probe learns from.

    Attributes:
        features_NF: of the training rows, all columns.
        rows: the training rows.
        group_N: rows with equal numbers are held out together.
        columns: named sets of columns to choose from.
    """

    features_NF: NDArray[np.float32]
    rows: Dataset
    group_N: NDArray[np.int64]
    columns: Mapping[str, Columns]


@dataclass(frozen=True, kw_only=True, eq=False)
class ToJudge:
    """The rows that judge a probe.

    Attributes:
        train: the training rows, as they are written.
        validation: the validation rows; None where cross-validation judges.
        validation_NF: what the probe sees of them.
    """

    train: AnsweredRows
    validation: AnsweredRows | None
    validation_NF: NDArray[np.float32] | None


class FittedProbe(Protocol):
    """A fitted probe of some kind, with its head.

    Attributes:
        head: on raw features of the chosen columns.
        candidate: the name of these.
    """

    head: LinearHead
    candidate: str

    def settle(self, facts: BundleFacts, judge: ToJudge, settings: ProbeSettings) -> Settled:
        """Decide what is decided after the fit; "validation" and "out_of_fold" are answered and scored."""
        ...

    def record(self) -> dict[str, Any]:
        """Say what cross-validation chose and how well the fit converged."""
        ...


class ClassProbe:
    """A probe of one class per row."""

    def __init__(self, target: ProbeTarget, settings: ProbeSettings, progress: Progress) -> None:
        self._labels_N = target.rows.labels
        self._fit: ProbeFit = fit_probe(
            target.features_NF,
            ProbeRows(labels_N=self._labels_N, label_names=target.rows.label_names, group_N=target.group_N),
            settings=settings,
            candidates=target.columns,
            progress=progress,
        )
        self.head = LinearHead(self._fit.weight_CF, self._fit.bias_C)
        self.candidate = self._fit.candidate

    def record(self) -> dict[str, Any]:
        """Say what cross-validation chose and how well the fit converged."""
        return fit_record(self._fit)

    def settle(self, facts: BundleFacts, judge: ToJudge, settings: ProbeSettings) -> Settled:
        """Fold a temperature into the head, or leave it as it is."""
        unseen_NC, labels_N = self._fit.out_of_fold_NC, self._labels_N
        if judge.validation is None or judge.validation_NF is None:
            by_folds = calibrate_by_folds if settings.calibrate else left_alone
            calibrated, rows = by_folds(self.head, unseen_NC, labels_N), judge.train
        else:
            rows = judge.validation
            known_N = np.asarray(rows.true_labels, dtype=np.int64)
            calibrated = (
                calibrate_by(self.head, unseen_NC, labels_N, judge.validation_NF, known_N)
                if settings.calibrate
                else left_alone(self.head, self.head.probabilities(judge.validation_NF), known_N)
            )
        facts = replace(facts, folded_temperature=calibrated.temperature)
        answers = {
            VALIDATION: predictions_of(facts, calibrated.probabilities, rows),
            OUT_OF_FOLD: predictions_of(facts, unseen_NC, judge.train),
        }
        return Settled(
            facts=facts,
            answers=answers,
            scored={name: evaluation_of(one, facts, seed=settings.seed) for name, one in answers.items()},
            record={"temperature": calibrated.record},
        )


class LogisticProbe:
    """A probe whose logits are each a question of yes and no.

    Args:
        fit: of all of them.
    """

    def __init__(self, fit: LabelFit) -> None:
        self._fit = fit
        self.head = LinearHead(fit.weight_LF, fit.bias_L)
        self.candidate = fit.candidate

    def record(self) -> dict[str, Any]:
        """Say what cross-validation chose and how well the fit converged."""
        return self._fit.record()


class LabelProbe(LogisticProbe):
    """A probe of any number of labels per row."""

    def __init__(self, target: ProbeTarget, settings: ProbeSettings, progress: Progress) -> None:
        fit = fit_label_probe(
            target.features_NF,
            LabelRows(targets_NL=target.rows.targets, label_names=target.rows.label_names, group_N=target.group_N),
            settings=settings,
            candidates=target.columns,
            progress=progress,
        )
        super().__init__(fit)

    def settle(self, facts: BundleFacts, judge: ToJudge, settings: ProbeSettings) -> Settled:
        """Choose a threshold for each label on the answers that cross-validation gave to the training rows."""
        answers = {OUT_OF_FOLD: label_sets_of(facts, self._fit.out_of_fold_NL, judge.train)}
        if judge.validation is not None and judge.validation_NF is not None:
            shares_NC = facts.shape.answers(self.head.logits(judge.validation_NF))
            answers[VALIDATION] = label_sets_of(facts, shares_NC, judge.validation)
        return _judged_by_all(settle_label_sets(facts, answers, chosen_on=OUT_OF_FOLD, seed=settings.seed))


class StepProbe(LogisticProbe):
    """A probe of ordered classes."""

    def __init__(self, target: ProbeTarget, settings: ProbeSettings, progress: Progress) -> None:
        fit = fit_steps(
            target.features_NF,
            ProbeRows(labels_N=target.rows.labels, label_names=target.rows.label_names, group_N=target.group_N),
            settings=settings,
            candidates=target.columns,
            progress=progress,
        )
        super().__init__(fit)

    def settle(self, facts: BundleFacts, judge: ToJudge, settings: ProbeSettings) -> Settled:
        """Answer and score; nothing is decided afterwards."""
        return _as_fitted(facts, self.head, class_probabilities(self._fit.out_of_fold_NL), judge, settings)


class NumberProbe:
    """A probe of numbers."""

    def __init__(self, target: ProbeTarget, settings: ProbeSettings, progress: Progress) -> None:
        self._fit: RidgeFit = fit_numbers(
            target.features_NF,
            NumberRows(numbers_N=target.rows.targets, group_N=target.group_N),
            settings=settings,
            candidates=target.columns,
            progress=progress,
        )
        self.head = LinearHead(self._fit.weight_F[None], np.array([self._fit.bias]))
        self.candidate = self._fit.candidate

    def record(self) -> dict[str, Any]:
        """Say what cross-validation chose and how well the fit converged."""
        return self._fit.record()

    def settle(self, facts: BundleFacts, judge: ToJudge, settings: ProbeSettings) -> Settled:
        """Find how far intervals reach on the answers that cross-validation gave to the training rows."""
        answers = {OUT_OF_FOLD: numbers_of(facts, self._fit.out_of_fold_N[:, None], judge.train)}
        if judge.validation is not None and judge.validation_NF is not None:
            told_N1 = facts.shape.answers(self.head.logits(judge.validation_NF))
            answers[VALIDATION] = numbers_of(facts, told_N1, judge.validation)
        return _judged_by_all(settle_numbers(facts, answers, found_on=OUT_OF_FOLD, seed=settings.seed))


def _judged_by_all(found: Settled) -> Settled:
    """Return what was settled, where there are no validation rows with the answers out of fold in their place."""
    if VALIDATION in found.answers:
        return found
    return replace(
        found,
        answers={**found.answers, VALIDATION: found.answers[OUT_OF_FOLD]},
        scored={**found.scored, VALIDATION: found.scored[OUT_OF_FOLD]},
    )


def _as_fitted(
    facts: BundleFacts, head: LinearHead, unseen_NA: NDArray[np.float32], judge: ToJudge, settings: ProbeSettings
) -> Settled:
    """Return the answers of a fit as they are."""
    answers = {OUT_OF_FOLD: predictions_of(facts, unseen_NA, judge.train)}
    answers[VALIDATION] = answers[OUT_OF_FOLD]
    if judge.validation is not None and judge.validation_NF is not None:
        told_NA = facts.shape.answers(head.logits(judge.validation_NF))
        answers[VALIDATION] = predictions_of(facts, told_NA, judge.validation)
    return Settled(
        facts=facts,
        answers=answers,
        scored={name: evaluation_of(one, facts, seed=settings.seed) for name, one in answers.items()},
        record={},
    )


class _Makes(Protocol):
    def __call__(self, target: ProbeTarget, settings: ProbeSettings, progress: Progress) -> FittedProbe: ...


PROBES: dict[TaskKind, _Makes] = {
    "single": ClassProbe,
    "multi": LabelProbe,
    "ordinal": StepProbe,
    "regression": NumberProbe,
}
"""What fits a probe of each shape of answer."""
