"""Abstaining: the curve by hand, its area, and what thresholds do to rows."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from limbeck.errors import DataError
from limbeck.evaluation.abstaining import NEVER, find_unsure, score_answered, trace_risk


def binary(confidence):
    confidence = np.asarray(confidence, dtype=np.float64)
    return np.column_stack([confidence, 1 - confidence])


def test_curve_by_hand():
    """Surest first: right, wrong, right, wrong. Risks 0, 1/2, 1/3, 1/2 at coverages of a quarter each."""
    found = trace_risk(binary([0.9, 0.8, 0.7, 0.6]), np.array([0, 1, 0, 1]))
    assert found.coverage.tolist() == [0.25, 0.5, 0.75, 1.0]
    assert found.risk.tolist() == pytest.approx([0, 1 / 2, 1 / 3, 1 / 2])
    assert found.area == pytest.approx((0 + 1 / 2 + 1 / 3 + 1 / 2) / 4)
    assert found.best_area == pytest.approx((0 + 0 + 1 / 3 + 2 / 4) / 4)


def test_equal_confidences_are_one_point():
    """No threshold tells equal confidences apart, so the order of the rows cannot flatter the curve."""
    found = trace_risk(binary([0.8, 0.8, 0.6]), np.array([0, 1, 0]))
    assert found.confidence.tolist() == [0.8, 0.6]
    assert found.risk.tolist() == pytest.approx([1 / 2, 1 / 3])
    assert found.area == pytest.approx(2 / 3 * 1 / 2 + 1 / 3 * 1 / 3)


@given(seed=st.integers(0, 1000), rows=st.integers(1, 60))
def test_the_curve_ends_in_the_error_of_all_rows(seed, rows):
    """At coverage 1 the risk is 1 - accuracy, whatever the rows; the best area is never above the area without ties."""
    generator = np.random.default_rng(seed)
    probabilities, labels = generator.dirichlet(np.ones(3), rows), generator.integers(0, 3, rows)
    found = trace_risk(probabilities, labels)
    assert found.coverage[-1] == pytest.approx(1)
    assert found.risk[-1] == pytest.approx((probabilities.argmax(axis=1) != labels).mean())
    assert found.best_area <= found.area + 1e-12


def test_json_keeps_the_ends_of_a_long_curve():
    """At most 200 points are told, the first and the last among them."""
    generator = np.random.default_rng(0)
    found = trace_risk(generator.dirichlet(np.ones(3), 1000), generator.integers(0, 3, 1000))
    facts = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert len(facts["risk"]) == 200
    assert facts["coverage"][-1] == 1
    assert facts["confidence"][0] == found.confidence[0]


def test_thresholds_belong_to_the_class_that_would_be_given():
    """0.7 is enough for class 0 (above 0.6) and not for class 1 (0.7 is not above 0.7)."""
    unsure = find_unsure(binary([0.7, 0.3]), (0.6, 0.7))
    assert unsure.tolist() == [False, True]


def test_zero_answers_always_and_one_never():
    """Threshold 0 leaves no row unsure, threshold 1 every one, even of probability 1."""
    probabilities = binary([1.0, 0.5])
    assert not find_unsure(probabilities, (0.0, 0.0)).any()
    assert find_unsure(probabilities, (NEVER, NEVER)).all()


def test_answered_rows_by_hand():
    """Two of four answered, both right; of the unsure ones one is right."""
    found = score_answered(np.array([0, 0, 1, 1], bool), np.array([0, 1, 0, 1]), np.array([0, 1, 0, 0]), ("a", "b"))
    assert found.coverage.value == 0.5
    assert found.accuracy is not None
    assert found.accuracy.value == 1.0
    assert found.unsure_accuracy is not None
    assert found.unsure_accuracy.value == 0.5
    assert [one.answered.value for one in found.per_class if one.answered] == [0.5, 0.5]
    assert json.dumps(found.to_dict(), allow_nan=False)


def test_nothing_answered_has_no_accuracy():
    """Of no row there is no share: None, and null in JSON."""
    found = score_answered(np.ones(2, bool), np.array([0, 0]), np.array([0, 1]), ("a", "b"))
    assert found.accuracy is None
    assert found.per_class[1].answered is None
    assert found.to_dict()["accuracy"] is None


def test_thresholds_of_another_model_are_refused():
    """One threshold a class, no fewer and no more."""
    with pytest.raises(DataError, match="3 thresholds for 2 classes"):
        find_unsure(binary([0.7]), (0.5, 0.5, 0.5))
