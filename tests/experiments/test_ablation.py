"""Ablations: which arms there are, and when a difference is more than noise."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from limbeck.errors import SettingsError
from limbeck.experiments.ablation import NO_LABELS, NO_START, NO_TEACHER, WHOLE, arms_of, compare_arms, paired_p
from limbeck.methods.distil_settings import DistillationSettings

ACCURACIES = st.lists(st.floats(0.1, 1.0), min_size=3, max_size=3)


def metrics_of(accuracy):
    return {
        "teacher": {"validation": {"accuracy": 0.9}, "parameters": 100},
        "student": {"validation": {"accuracy": accuracy}, "parameters": 40},
        "speedup": 2.0 + accuracy,
    }


@settings(deadline=None)
@given(ACCURACIES, ACCURACIES)
def test_p_is_that_of_scipys_paired_test(one, other):
    """Against ttest_rel, where the differences are not nearly all equal."""
    differences = [left - right for left, right in zip(one, other, strict=True)]
    if max(differences) - min(differences) > 1e-3:
        assert paired_p(one, other) == pytest.approx(float(stats.ttest_rel(one, other).pvalue), abs=1e-9)


def test_p_where_nothing_varies():
    """The same difference in every seed is no noise; no difference at all is no help."""
    assert paired_p([0.5, 0.5, 0.5], [0.25, 0.25, 0.25]) == 0.0
    assert paired_p([0.5, 0.6, 0.7], [0.5, 0.6, 0.7]) == 1.0


def test_only_parts_that_are_there_are_left_out():
    """No labels to leave out at teacher weight 1; hidden states only where they count."""
    assert list(arms_of(DistillationSettings(teacher_weight=1.0, start="nothing"))) == [WHOLE, NO_TEACHER]
    arms = arms_of(DistillationSettings(hidden_weight=2.0))
    assert arms[NO_TEACHER].teacher_weight == arms[NO_TEACHER].hidden_weight == 0
    assert arms["without the hidden states"].hidden_weight == 0
    assert arms["without the hidden states"].teacher_weight == arms[WHOLE].teacher_weight
    with pytest.raises(SettingsError, match="have none"):
        arms_of(DistillationSettings(teacher_weight=0.0))


def test_a_verdict_needs_more_than_noise():
    """A steady gain of two points helps, the same mean from unsteady seeds does not, a steady loss harms."""
    found = {
        WHOLE: [metrics_of(value) for value in (0.80, 0.82, 0.84)],
        NO_TEACHER: [metrics_of(value) for value in (0.780, 0.801, 0.819)],
        NO_LABELS: [metrics_of(value) for value in (0.84, 0.76, 0.80)],
        NO_START: [metrics_of(value) for value in (0.850, 0.871, 0.889)],
    }
    ablation = compare_arms(found, (0, 1, 2))
    assert [arm.verdict for arm in ablation.arms] == ["", "the part helps", "within noise", "the part harms"]
    assert [arm.verdict_kind for arm in ablation.arms] == ["", "helps", "within_noise", "harms"]
    assert [arm.kind for arm in ablation.arms] == ["whole", "no_teacher", "no_labels", "no_start"]
    assert ablation.arms[0].kept == pytest.approx(0.82 / 0.9)
    assert ablation.arms[1].gain == pytest.approx(0.02)
    assert ablation.arms[2].gain == pytest.approx(0.02)
    assert ablation.speedup == pytest.approx(2.82)
    assert "3 seeds" in ablation.test
