"""Ordered classes: scikit-learn's kappa, steps by hand."""

import json
import warnings

import numpy as np
import pytest
from sklearn import metrics as oracle

from limbeck.errors import DataError
from limbeck.evaluation.ordinal_evaluation import (
    OrdinalEvaluation,
    evaluate_ordinal,
    median_labels,
    quadratic_kappa,
)

NAMES = ("bad", "poor", "fair", "good")


def made(rows=300, seed=0, spread=1.0):
    """Probabilities over four ordered classes around a truth, and the truth."""
    generator = np.random.default_rng(seed)
    labels = generator.integers(0, 4, rows)
    near = labels[:, None] + spread * generator.normal(size=(rows, 1)) - np.arange(4)
    probabilities = np.exp(-(near**2))
    return (probabilities / probabilities.sum(axis=1, keepdims=True)).astype(np.float32), labels


CASES = [*range(40), *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(40, 200))]


@pytest.mark.parametrize("seed", CASES)
def test_kappa_and_steps_equal_scikit_learn(seed):
    """Quadratic kappa, mean error, accuracy and answers within one equal scikit-learn's on a random case."""
    generator = np.random.default_rng(seed)
    probabilities, labels = made(int(generator.integers(2, 80)), seed)
    found = evaluate_ordinal(probabilities, labels, NAMES, resamples=2)
    said = median_labels(probabilities)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of one class alone
        kappa = oracle.cohen_kappa_score(labels, said, weights="quadratic", labels=range(4))
    assert found.quadratic_kappa.value == pytest.approx(kappa, abs=1e-12, nan_ok=True)
    assert found.mae.value == pytest.approx(oracle.mean_absolute_error(labels, said), abs=1e-12)
    assert found.accuracy.value == oracle.accuracy_score(labels, said)
    assert found.within_one.value == np.mean(np.abs(labels - said) <= 1)


def test_median_has_the_smallest_expected_error():
    """No class is nearer on average, whatever the probabilities; of two equal halves the lower one is answered."""
    generator = np.random.default_rng(1)
    probabilities = generator.dirichlet(np.full(6, 0.3), 300)
    steps = np.abs(np.arange(6)[:, None] - np.arange(6))
    expected = probabilities @ steps
    np.testing.assert_allclose(expected[np.arange(300), median_labels(probabilities)], expected.min(axis=1), atol=1e-12)
    assert median_labels(np.array([[0.5, 0.0, 0.5]], np.float32)).tolist() == [0]


def test_kappa_of_one_class_is_none_and_says_so():
    """Where all rows and answers are of one class there is nothing to agree about: null, not 0 or 1."""
    found = evaluate_ordinal(np.eye(3)[[1, 1]], np.array([1, 1]), ("a", "b", "c"), resamples=20)
    assert np.isnan(found.quadratic_kappa.value)
    facts = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert facts["quadratic_kappa"] is None
    assert OrdinalEvaluation.from_dict(facts).to_dict() == facts
    assert "quadratic kappa –" in repr(found)


def test_dictionary_and_back_is_the_same():
    """Nothing is lost on the way to JSON and back."""
    found = evaluate_ordinal(*made(), NAMES, resamples=50)
    facts = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    again = OrdinalEvaluation.from_dict(facts)
    assert again.to_dict() == facts
    assert again.confusion_counts.tolist() == found.confusion_counts.tolist()
    with pytest.raises(DataError, match="no key 'quadratic_kappa'"):
        OrdinalEvaluation.from_dict({name: value for name, value in facts.items() if name != "quadratic_kappa"})


def test_figures_lie_inside_their_intervals_and_beside_the_baseline():
    """Each figure stands between its ends; the baseline is the median label of training, whose kappa is 0."""
    found = evaluate_ordinal(*made(), NAMES, median_label=1, resamples=200)
    for one in found.figures.values():
        assert one.low < one.value < one.high
    assert found.baseline.label == "poor"
    assert found.baseline.quadratic_kappa == 0
    said = np.full(300, 1)
    assert found.baseline.mae == np.abs(made()[1] - said).mean()
    with pytest.raises(DataError, match="median label is 4"):
        evaluate_ordinal(*made(), NAMES, median_label=4)


@pytest.mark.slow
def test_intervals_of_kappa_cover_the_truth():
    """Over 40 draws about 95 % of the intervals hold the kappa of very many rows."""
    truth = evaluate_ordinal(*made(20_000, 99), NAMES, resamples=2).quadratic_kappa.value
    covered = 0
    for seed in range(40):
        found = evaluate_ordinal(*made(150, seed), NAMES, resamples=100).quadratic_kappa
        covered += found.low <= truth <= found.high
    assert 34 <= covered <= 40


def test_kappa_of_many_resamples_at_once_equals_one_by_one():
    """Leading axes are kept: what the bootstrap relies on."""
    generator = np.random.default_rng(0)
    labels, said, counts = generator.integers(0, 4, 9), generator.integers(0, 4, 9), generator.integers(0, 5, (7, 9))
    together = quadratic_kappa(labels, said, counts)
    np.testing.assert_allclose(together, [quadratic_kappa(labels, said, one) for one in counts])
