"""Limits: each is found where it is, and nowhere else."""

import numpy as np

from limbeck.evaluation.evaluation import evaluate
from limbeck.evaluation.limits import SENTENCES, Circumstances, find_limits
from limbeck.evaluation.slices import slice_rows

NAMES = ("joy", "fear", "rare")


def _answers(rows: int, right: float) -> tuple[np.ndarray, np.ndarray]:
    """Sure answers, of which a share is right; ten rows of the third class."""
    labels_N = np.where(np.arange(rows) < 10, 2, np.arange(rows) % 2)
    said_N = np.where(np.arange(rows) / rows < right, labels_N, (labels_N + 1) % 2)
    return np.eye(3)[said_N] * 0.97 + 0.01, labels_N


def test_what_is_wrong_is_named() -> None:
    """A model no better than the majority, unsure figures, a rare class, cut texts, noise, a worse slice."""
    probabilities_NC, labels_N = _answers(400, 0.4)
    found = evaluate(probabilities_NC, labels_N, NAMES, majority_label=0, resamples=50)
    right_N = probabilities_NC.argmax(axis=1) == labels_N
    slices = slice_rows(right_N, np.ones(400), {"script": ["a" if right else "b" for right in right_N]})
    known = Circumstances(method="finetune", max_tokens=64, texts_cut=7, noise_rate=0.05, slices=slices)
    limits = {one.kind: str(one) for one in find_limits(found, known)}
    assert limits.keys() == SENTENCES.keys()
    assert "rare" in limits["rare_classes"]
    assert "7 / 400 validation texts were longer than 64 tokens" in limits["cut"]
    assert "script, b: accuracy 0.000" in limits["slice"]


def test_what_is_right_is_not_blamed() -> None:
    """A good probe on many rows: what no figure can show is said all the same."""
    probabilities_NC, labels_N = _answers(3000, 0.99)
    found = evaluate(probabilities_NC, labels_N, NAMES, majority_label=0, resamples=50)
    kinds = {one.kind for one in find_limits(found, Circumstances(method="probe", max_tokens=64, texts_cut=0))}
    assert kinds & {"not_better", "chosen_here", "few_rows", "confusion", "cut", "noise", "slice"} == set()
    assert {"validation_only", "unlike", "rare_classes"} <= kinds
