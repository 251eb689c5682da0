"""Scores of several labels a row: scikit-learn says the same, empty rows, absent labels and ties included."""

import warnings

import numpy as np
import pytest
from sklearn import metrics as oracle

from limbeck.errors import DataError
from limbeck.evaluation import label_metrics, metrics
from limbeck.evaluation.intervals import row_counts


def random_case(seed):
    """Targets, probabilities and decisions; some cases have labels that never occur, empty rows, or many ties."""
    generator = np.random.default_rng(seed)
    rows, labels = (1 if seed % 11 == 0 else int(generator.integers(2, 60))), int(generator.integers(2, 9))
    shares = generator.uniform(0, 0.6, labels) * (generator.random(labels) > 0.2)
    targets = generator.random((rows, labels)) < shares
    probabilities = np.clip(0.4 * targets + 0.6 * generator.random((rows, labels)), 0, 1)
    if seed % 3 == 0:
        probabilities = np.round(probabilities * 4) / 4
    if seed % 2:
        probabilities = probabilities.astype(np.float32)
    return targets, probabilities, probabilities >= generator.uniform(0.2, 0.8, labels)


CASES = [*range(12), *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(12, 200))]


@pytest.mark.parametrize("seed", CASES)
def test_figures_equal_scikit_learn(seed):
    """Each figure equals scikit-learn's on a random case; of labels that occur nowhere macro F1 knows nothing."""
    targets, probabilities, decided = random_case(seed)
    tally = label_metrics.tally_of_labels(targets, decided)
    precision, recall, f1, support = oracle.precision_recall_fscore_support(
        targets, decided, average=None, zero_division=0
    )
    np.testing.assert_allclose(metrics.precision_by_class(tally), precision, atol=1e-14)
    np.testing.assert_allclose(metrics.recall_by_class(tally), recall, atol=1e-14)
    np.testing.assert_allclose(metrics.f1_by_class(tally), f1, atol=1e-14)
    np.testing.assert_array_equal(tally.support, support)
    assert metrics.f1_micro(tally) == pytest.approx(
        oracle.f1_score(targets, decided, average="micro", zero_division=0), abs=1e-14
    )
    present = np.flatnonzero(targets.any(axis=0) | decided.any(axis=0))
    if len(present):
        macro = oracle.f1_score(targets, decided, average="macro", labels=present, zero_division=0)
        assert metrics.f1_macro(tally) == pytest.approx(macro, abs=1e-14)
    samples = oracle.f1_score(targets, decided, average="samples", zero_division=1)
    assert label_metrics.row_f1(targets, decided).mean() == pytest.approx(samples, abs=1e-14)
    wrong = label_metrics.row_mistakes(targets, decided)
    assert wrong.mean() / targets.shape[1] == pytest.approx(oracle.hamming_loss(targets, decided), abs=1e-14)
    assert (wrong == 0).mean() == pytest.approx(oracle.accuracy_score(targets, decided), abs=1e-14)
    ranking = oracle.label_ranking_average_precision_score(targets, probabilities)
    assert label_metrics.row_rankings(probabilities, targets).mean() == pytest.approx(ranking, abs=1e-12)
    areas, _ = label_metrics.label_auc_pr(probabilities, targets)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of a label that no row has
        expected = oracle.average_precision_score(targets, probabilities, average=None)
    np.testing.assert_allclose(areas, np.where(targets.any(axis=0), expected, np.nan), atol=1e-12)
    losses = label_metrics.log_loss_of_labels(probabilities, targets)
    expected = oracle.log_loss(targets.ravel(), probabilities.ravel(), labels=[False, True])
    assert losses.mean() == pytest.approx(expected, rel=1e-5)


def test_figures_worked_by_hand():
    """Three rows, three labels, one row without any: counted on paper."""
    targets = np.array([[1, 1, 0], [0, 0, 0], [0, 1, 0]], bool)
    decided = np.array([[1, 0, 1], [0, 0, 0], [0, 1, 0]], bool)
    assert label_metrics.row_f1(targets, decided).tolist() == [0.5, 1.0, 1.0]
    assert label_metrics.row_mistakes(targets, decided).tolist() == [2, 0, 0]
    tally = label_metrics.tally_of_labels(targets, decided)
    assert metrics.f1_micro(tally) == pytest.approx(2 * 2 / (3 + 3))
    assert metrics.f1_macro(tally) == pytest.approx((1 + 2 / 3 + 0) / 3)
    probabilities = np.array([[0.9, 0.2, 0.5], [0.1, 0.1, 0.1], [0.3, 0.3, 0.3]])
    assert label_metrics.row_rankings(probabilities, targets).tolist() == pytest.approx([(1 + 2 / 3) / 2, 1, 1 / 3])


def test_blocks_change_nothing(monkeypatch):
    """Ranking a few rows or labels at a time gives what ranking all at once gives."""
    targets, probabilities, _ = random_case(8)
    rankings, (areas, deviation) = (
        label_metrics.row_rankings(probabilities, targets),
        label_metrics.label_auc_pr(probabilities, targets),
    )
    monkeypatch.setattr(label_metrics, "_BLOCK_CELLS", 1)
    np.testing.assert_array_equal(label_metrics.row_rankings(probabilities, targets), rankings)
    again, deviation_again = label_metrics.label_auc_pr(probabilities, targets)
    np.testing.assert_array_equal(again, areas)
    assert deviation_again == pytest.approx(deviation, rel=1e-12)


def test_deviation_of_the_mean_area_is_that_of_resampled_rows():
    """The jackknife's deviation agrees with the spread over 150 resamples of rows, to within what they can tell."""
    generator = np.random.default_rng(5)
    targets = generator.random((400, 5)) < 0.2
    probabilities = np.round(1 / (1 + np.exp(-(2 * targets - 1 + generator.normal(size=targets.shape)))), 2)
    _, deviation = label_metrics.label_auc_pr(probabilities, targets)
    drawn = []
    for counts_BN in row_counts(400, seed=1, resamples=150):
        for counts_N in counts_BN:
            rows = np.repeat(np.arange(400), counts_N.astype(int))
            drawn.append(label_metrics.label_auc_pr(probabilities[rows], targets[rows])[0].mean())
    assert deviation == pytest.approx(np.std(drawn), rel=0.2)


@pytest.mark.parametrize(
    ("targets", "decided", "message"),
    [
        (np.zeros((2, 2), int), np.zeros((2, 2), bool), "truths of shape"),
        (np.zeros((2, 2), bool), np.zeros((2, 3), bool), "targets have shape"),
        (np.zeros((0, 2), bool), np.zeros((0, 2), bool), "there is no row"),
    ],
)
def test_faulty_targets_are_refused(targets, decided, message):
    """Numbers, other shapes and no row are errors that say what was given."""
    with pytest.raises(DataError, match=message):
        label_metrics.tally_of_labels(targets, decided)


@pytest.mark.parametrize("value", [-0.1, 1.5, np.nan, np.inf])
def test_what_is_no_probability_is_refused_with_its_place(value):
    """Logits are refused, and the row and label are named."""
    with pytest.raises(DataError, match=r"row 1: the probability of label 1 is[\s\S]*not logits"):
        label_metrics.check_shares(np.array([[0.1, 0.2], [0.3, value]]))
