"""Scores: scikit-learn says the same, and the rules for empty classes are as stated."""

import warnings

import numpy as np
import pytest
from sklearn import metrics as oracle
from sklearn.dummy import DummyClassifier

from limbeck.errors import DataError
from limbeck.evaluation import metrics


def random_case(seed):
    """Labels and probabilities of a random size; every few cases a class is absent, all is one class, or values tie."""
    generator = np.random.default_rng(seed)
    classes = int(generator.integers(2, 12))
    rows = 1 if seed % 10 == 0 else int(generator.integers(1, 200))
    present = classes if seed % 3 else int(generator.integers(1, classes + 1))
    labels = generator.integers(0, present, rows)
    probabilities = generator.dirichlet(np.full(classes, 0.3), rows)
    if seed % 4 == 0:
        probabilities = np.round(probabilities * 4) + 1
        probabilities /= probabilities.sum(axis=1, keepdims=True)
    if seed % 7 == 0:
        probabilities = np.eye(classes)[probabilities.argmax(axis=1)]
    if seed % 2:
        probabilities = probabilities.astype(np.float32)
    return probabilities, labels


@pytest.mark.parametrize("seed", [*range(14), *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(14, 200))])
def test_scores_equal_scikit_learn(seed):
    """All scores and the confusion matrix equal scikit-learn's on a random case, absent classes and ties included."""
    probabilities, labels = random_case(seed)
    classes = range(probabilities.shape[1])
    predicted = metrics.predicted_labels(probabilities)
    counts = metrics.confusion_counts(labels, predicted, len(classes))
    tally = metrics.tally_of(counts)

    np.testing.assert_array_equal(predicted, probabilities.argmax(axis=1))
    np.testing.assert_array_equal(counts, oracle.confusion_matrix(labels, predicted, labels=classes))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # scikit-learn warns of a single label; the values are what is compared
        shares = oracle.confusion_matrix(labels, predicted, labels=classes, normalize="true")
    np.testing.assert_allclose(metrics.confusion_shares(counts), shares, atol=1e-15)

    precision, recall, f1, support = oracle.precision_recall_fscore_support(
        labels, predicted, labels=classes, zero_division=0
    )
    np.testing.assert_allclose(metrics.precision_by_class(tally), precision, atol=1e-14)
    np.testing.assert_allclose(metrics.recall_by_class(tally), recall, atol=1e-14)
    np.testing.assert_allclose(metrics.f1_by_class(tally), f1, atol=1e-14)
    np.testing.assert_array_equal(tally.support, support)

    found = metrics.scores(probabilities, labels)
    assert found.accuracy == pytest.approx(oracle.accuracy_score(labels, predicted), abs=1e-14)
    weighted = oracle.f1_score(labels, predicted, average="weighted", zero_division=0)
    macro = oracle.f1_score(labels, predicted, average="macro", zero_division=0)
    assert found.f1_weighted == pytest.approx(weighted, abs=1e-14)
    assert found.f1_macro == pytest.approx(macro, abs=1e-14)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        loss = oracle.log_loss(labels, probabilities, labels=classes)
    assert found.log_loss == pytest.approx(loss, rel=1e-6 if probabilities.dtype == np.float32 else 1e-12)


def test_scores_of_a_case_worked_by_hand():
    """Six rows, three classes: every score as counted on paper."""
    labels = np.array([0, 0, 0, 1, 1, 2])
    predicted = np.array([0, 0, 1, 1, 2, 1])
    counts = metrics.confusion_counts(labels, predicted, 3)
    tally = metrics.tally_of(counts)
    assert counts.tolist() == [[2, 1, 0], [0, 1, 1], [0, 1, 0]]
    assert metrics.precision_by_class(tally) == pytest.approx([1, 1 / 3, 0])
    assert metrics.recall_by_class(tally) == pytest.approx([2 / 3, 1 / 2, 0])
    assert metrics.f1_by_class(tally) == pytest.approx([0.8, 0.4, 0])
    assert metrics.accuracy(tally) == pytest.approx(0.5)
    assert metrics.f1_macro(tally) == pytest.approx(0.4)
    assert metrics.f1_weighted(tally) == pytest.approx((3 * 0.8 + 2 * 0.4) / 6)


def test_macro_f1_leaves_out_classes_that_occur_nowhere():
    """A class neither true nor said does not pull macro F1 down; one that was only said does."""
    nowhere = metrics.tally_of(metrics.confusion_counts(np.array([0, 1]), np.array([0, 1]), 3))
    only_said = metrics.tally_of(metrics.confusion_counts(np.array([0, 1]), np.array([0, 2]), 3))
    assert metrics.f1_macro(nowhere) == 1
    assert metrics.f1_macro(only_said) == pytest.approx(1 / 3)


def test_scores_of_many_matrices_at_once_equal_one_by_one():
    """Leading axes are kept: what the bootstrap relies on."""
    counts = np.random.default_rng(0).integers(0, 5, (7, 4, 4))
    together = metrics.tally_of(counts)
    for score in (metrics.accuracy, metrics.f1_macro, metrics.f1_weighted, metrics.f1_by_class):
        np.testing.assert_array_equal(score(together), [score(metrics.tally_of(one)) for one in counts])


def test_loss_of_an_impossible_row_is_finite():
    """Probability 0 for the true label costs minus the logarithm of the type's eps, as the docstring states."""
    for kind, loss in ((np.float32, 15.942), (np.float64, 36.044)):
        losses = metrics.row_losses(np.array([[1.0, 0.0]], dtype=kind), np.array([1]))
        assert losses == pytest.approx([loss], abs=1e-3)


def test_entropy_is_the_loss_of_the_best_constant_answer():
    """The baseline's log loss is scikit-learn's for its "prior" dummy on the same rows."""
    labels = np.array([0, 0, 0, 1, 2, 2])
    dummy = DummyClassifier(strategy="prior").fit(np.zeros((6, 1)), labels)
    expected = oracle.log_loss(labels, dummy.predict_proba(np.zeros((6, 1))))
    assert metrics.entropy(np.bincount(labels, minlength=5)) == pytest.approx(expected)
    assert metrics.entropy(np.array([4, 0])) == 0


@pytest.mark.parametrize(
    ("probabilities", "labels", "message"),
    [
        ([[0.5, 0.5]], [2], "row 0: true label 2, expected 0 to 1"),
        ([[0.5, 0.5]], [-1], "row 0: true label -1, expected 0 to 1"),
        ([[0.5, 0.4]], [0], r"row 0: values that do not add up to 1 \(their sum is 0.9\)"),
        ([[2.0, -1.0]], [0], "row 0: a value outside 0 to 1"),
        ([[float("nan"), 1.0]], [0], "row 0: a value outside 0 to 1"),
        ([[float("inf"), 0.0]], [0], "row 0: a value outside 0 to 1"),
        ([[0.5, 0.5]], [0, 1], "2 labels and 1 rows of probabilities"),
        (np.zeros((0, 2)), np.zeros(0, int), "there is no true label"),
        ([0.5, 0.5], [0], r"floats of shape \(rows, classes\)"),
        (np.array([[1, 0]]), [0], r"floats of shape \(rows, classes\)"),
        ([[0.5, 0.5]], [0.0], "one integer a row: got float64"),
    ],
)
def test_faulty_input_is_refused_with_its_place(probabilities, labels, message):
    """Wrong shapes, labels and distributions are errors that say where and what was expected."""
    with pytest.raises(DataError, match=message):
        metrics.scores(np.array(probabilities), np.array(labels))


def test_faults_are_gathered():
    """All rows at fault are counted, the first twenty are named."""
    with pytest.raises(DataError, match=r"50 faults[\s\S]*and 30 more[\s\S]*softmax outputs, not logits"):
        metrics.check_probabilities(np.full((50, 2), 3.0))
