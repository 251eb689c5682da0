"""Limits: each is found where it is, and nowhere else."""

import numpy as np
import pyarrow as pa
import pytest

from limbeck.data.label_sets import LABEL_SETS
from limbeck.evaluation.evaluation import evaluate
from limbeck.evaluation.limits import (
    SENTENCES,
    Circumstances,
    Limit,
    find_label_limits,
    find_limits,
    find_ordered_limits,
)
from limbeck.evaluation.multi_evaluation import evaluate_multi
from limbeck.evaluation.multi_predictions import MultiPredictions
from limbeck.evaluation.proportions import share_of
from limbeck.evaluation.slices import Term, slice_rows
from limbeck.evaluation.value_evaluation import evaluate_values
from limbeck.evaluation.value_predictions import ValuePredictions
from limbeck.settings import WindowName

NAMES = ("joy", "fear", "rare", "never")
ELSEWHERE = ("data_share", "data_count", "warning", "loss_falling", "few_updates", "vocabulary")
"""Found in the data or while training, and handed over."""


def _answers(rows: int, right: float) -> tuple[np.ndarray, np.ndarray]:
    """Sure answers, of which a share is right; ten rows of the third class, two of the last, which is never said."""
    labels_N = np.where(np.arange(rows) < 10, 2, np.arange(rows) % 2)
    said_N = np.where(np.arange(rows) / rows < right, labels_N, (labels_N + 1) % 2)
    labels_N[-2:] = 3
    return np.eye(4)[said_N] * 0.96 + 0.01, labels_N


def test_what_is_wrong_is_named() -> None:
    """A model no better than the majority, unsure figures, a rare class, cut texts, noise, a worse slice."""
    probabilities_NC, labels_N = _answers(400, 0.4)
    found = evaluate(probabilities_NC, labels_N, NAMES, majority_label=0, resamples=50)
    right_N = probabilities_NC.argmax(axis=1) == labels_N
    slices = slice_rows(right_N, np.ones(400), {Term("script"): [Term("a" if right else "b") for right in right_N]})
    told = tuple(Limit(kind=kind) for kind in ELSEWHERE)
    doubtful = share_of(20, 400)
    known = Circumstances(method="finetune", max_tokens=64, texts_cut=7, doubtful=doubtful, slices=slices, told=told)
    limits = {one.kind: str(one) for one in find_limits(found, known) if one.kind not in ELSEWHERE}
    others = {"cut_tail", "cut_both", "labels_chosen_here", "epoch_chosen_here"}
    assert limits.keys() | set(ELSEWHERE) | others == SENTENCES.keys()
    assert limits["noise"].startswith("20 of 400 training labels look wrong to the model (5.0 %)")
    assert limits["never_said"] == "It never answers never, so 2 validation rows of this class are answered wrongly."
    assert "rare" in limits["rare_classes"]
    assert "7 of 400 validation texts were longer than 64 tokens" in limits["cut"]
    assert "script, b: accuracy 0.000" in limits["slice"]


def test_what_is_right_is_not_blamed() -> None:
    """A good probe on many rows: what no figure can show is said all the same."""
    probabilities_NC, labels_N = _answers(3000, 0.99)
    found = evaluate(probabilities_NC, labels_N, NAMES, majority_label=0, resamples=50)
    kinds = {one.kind for one in find_limits(found, Circumstances(method="probe", max_tokens=64, texts_cut=0))}
    assert kinds & {"not_better", "chosen_here", "few_rows", "confusion", "cut", "noise", "slice"} == set()
    assert {"validation_only", "unlike", "rare_classes"} <= kinds


@pytest.mark.parametrize(("method", "is_said"), [("finetune", True), ("head", True), ("probe", False)])
def test_what_the_validation_rows_chose_is_said_of_every_shape(method: str, is_said: bool) -> None:
    """Of several labels the epoch and the thresholds, of numbers the epoch; a probe chooses on training rows."""
    known = Circumstances(method=method, max_tokens=8, texts_cut=0)
    numbers = ValuePredictions(
        row_ids=tuple("abcd"), values=np.arange(4.0), true_values=pa.array([0.5, 1.0, 2.0, 3.5]),
        tokens=np.full(4, 5), truncated=np.zeros(4, bool),
    )  # fmt: skip
    sets = MultiPredictions(
        row_ids=tuple("abcd"), label_names=("a", "b"), probabilities=np.full((4, 2), 0.6),
        true_labels=pa.array([[0], [1], [0, 1], []], LABEL_SETS), tokens=np.full(4, 5), truncated=np.zeros(4, bool),
    )  # fmt: skip
    of_numbers = {one.kind for one in find_ordered_limits(evaluate_values(numbers), known)}
    of_sets = {one.kind for one in find_label_limits(evaluate_multi(sets), known)}
    assert ("epoch_chosen_here" in of_numbers) == is_said
    assert ("labels_chosen_here" in of_sets) == is_said


def test_a_right_answer_of_every_row_of_a_few_is_not_believed() -> None:
    """Six of six are right, the majority in five: the interval of the accuracy goes below that, which is said."""
    labels_N = np.array([0, 0, 0, 0, 0, 1])
    found = evaluate(np.eye(2)[labels_N], labels_N, ("no", "yes"), majority_label=0, resamples=50)
    limits = {
        one.kind: str(one) for one in find_limits(found, Circumstances(method="probe", max_tokens=8, texts_cut=0))
    }
    assert "not_better" in limits
    assert limits["few_rows"] == "There are only 6 validation rows, so every interval is wide."


def test_of_many_classes_ten_are_named() -> None:
    """A sentence about 300 rare classes has the names of ten and the number of the others."""
    labels_N = np.arange(300)
    names = [f"c{label}" for label in labels_N]
    found = evaluate(np.eye(300), labels_N, names, majority_label=0, resamples=20)
    limits = find_limits(found, Circumstances(method="probe", max_tokens=8, texts_cut=0))
    rare = next(str(one) for one in limits if one.kind == "rare_classes")
    assert "c9 … (+290)" in rare
    assert len(rare) < 200


@pytest.mark.parametrize(
    ("window", "part"), [("head", "ends"), ("tail", "beginnings"), ("both", "middles"), ("all", "ends")]
)
def test_what_was_not_read_is_named(window: WindowName, part: str) -> None:
    """Of texts that are too long, the limit says which part the model did not read."""
    probabilities_NC, labels_N = _answers(40, 0.9)
    found = evaluate(probabilities_NC, labels_N, NAMES, majority_label=0, resamples=20)
    cut = Circumstances(method="probe", max_tokens=64, texts_cut=7, window=window)
    said = [str(one) for one in find_limits(found, cut) if one.kind.startswith("cut")]
    assert said == [f"7 of 40 validation texts were longer than 64 tokens; the model did not read their {part}."]
