"""Epoch lines of labels with parents: judged as the model will answer, no label without its parents."""

import numpy as np
import pytest

from limbeck.data.hierarchy import hierarchy_among
from limbeck.evaluation import label_metrics, metrics
from limbeck.evaluation.label_thresholds import FOLDS, decide_cross_fitted
from limbeck.model.heads import LinearHead
from limbeck.settings import HeadSettings
from limbeck.training.examples import FeatureExamples, Labelled
from limbeck.training.judge import LabelSetJudge

NAMES = ("role", "role::program", "role::library", "use")


@pytest.mark.parametrize("parents", [True, False])
def test_an_epoch_is_judged_with_the_parents_that_answers_have(parents: bool) -> None:
    """The line has the figures of raised probabilities and raised decisions, and of plain ones without parents."""
    generator = np.random.default_rng(0)
    features_NF = generator.normal(size=(80, 5)).astype(np.float32)
    targets_NC = generator.random((80, 4)) < 0.3
    targets_NC[:, 0] |= targets_NC[:, 1] | targets_NC[:, 2]
    head = LinearHead(generator.normal(size=(4, 5)), generator.normal(size=4))
    hierarchy = hierarchy_among(NAMES) if parents else None
    facts = Labelled(
        labels_N=targets_NC,
        tokens_N=np.ones(80, np.int64),
        row_ids=[f"{row:03}" for row in range(80)],
        hierarchy=hierarchy,
    )
    settings = HeadSettings(seed=5)
    judge = LabelSetJudge(head, FeatureExamples(head, features_NF, facts), settings, 4)
    line = judge.judge(1, 0.5, check=lambda: None)

    shares_NC = 1 / (1 + np.exp(-head.logits(features_NF)))
    if hierarchy is not None:
        assert not np.array_equal(shares_NC, hierarchy.raised(shares_NC))
        shares_NC = hierarchy.raised(shares_NC)
    decided_NC = decide_cross_fitted(shares_NC, targets_NC, folds=FOLDS, seed=5)
    if hierarchy is not None:
        decided_NC = hierarchy.raised(decided_NC)
    tally = label_metrics.tally_of_labels(targets_NC, decided_NC)
    assert line.f1_macro == pytest.approx(metrics.f1_macro(tally))
    assert line.f1_micro == pytest.approx(metrics.f1_micro(tally))
    loss = label_metrics.log_loss_of_labels(shares_NC, targets_NC).mean()
    assert line.validation_loss == pytest.approx(loss, rel=1e-6)
