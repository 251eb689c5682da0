"""Evaluation of several labels a row: every number in its place, intervals that cover, and the way to JSON and back."""

import json

import numpy as np
import pyarrow as pa
import pytest

from limbeck.data.label_sets import sets_of_indicators
from limbeck.errors import DataError
from limbeck.evaluation import label_metrics, metrics
from limbeck.evaluation.intervals import row_counts
from limbeck.evaluation.multi_evaluation import MULTI_FIGURES, MultiEvaluation, evaluate_multi
from limbeck.evaluation.multi_predictions import MultiPredictions


def made(rows=300, seed=0, shares=(0.4, 0.2, 0.1, 0.03), **more):
    """Calibrated probabilities of labels that go together, and targets that come true as often as they say."""
    generator = np.random.default_rng(seed)
    common = generator.normal(size=(rows, 1))
    logits = np.log(np.array(shares) / (1 - np.array(shares))) + common + generator.normal(size=(rows, len(shares)))
    probabilities = 1 / (1 + np.exp(-logits))
    targets = generator.random(probabilities.shape) < probabilities
    return MultiPredictions(
        row_ids=tuple(map(str, range(rows))),
        label_names=tuple(f"label {label}" for label in range(len(shares))),
        probabilities=probabilities,
        true_labels=sets_of_indicators(targets),
        tokens=np.full(rows, 5),
        truncated=np.zeros(rows, bool),
        **({"thresholds": np.full(len(shares), 0.3)} | more),
    )


@pytest.fixture(scope="module")
def evaluation():
    """An evaluation of 300 rows."""
    return evaluate_multi(made(), seed=4, resamples=200)


def test_figures_lie_inside_their_intervals_and_beside_the_baseline(evaluation):
    """Each figure stands between its ends, and has that of the most frequent labels beside it."""
    for name, one in evaluation.figures.items():
        assert one.low < one.value < one.high, name
        assert np.isfinite(evaluation.baseline.figures[name])
    assert evaluation.baseline.labels == ("label 0",)
    assert evaluation.f1_micro.value > evaluation.baseline.figures["f1_micro"]
    for one in evaluation.per_label:
        assert one.auc_pr.low < one.auc_pr.value < one.auc_pr.high
        assert one.threshold == 0.3


def test_figures_are_those_of_the_arrays(evaluation):
    """What is scored are the decisions of the predictions."""
    found = made()
    tally = label_metrics.tally_of_labels(found.known_targets, found.decided_NC)
    assert evaluation.f1_micro.value == metrics.f1_micro(tally)
    assert evaluation.f1_macro.value == metrics.f1_macro(tally)
    assert evaluation.labels_per_row == found.known_targets.sum(axis=1).mean()
    assert evaluation.lrap.value == pytest.approx(
        label_metrics.row_rankings(found.probabilities, found.known_targets).mean()
    )


def test_interval_is_that_of_rows_with_all_their_labels(evaluation):
    """The ends of micro F1 are the plain bootstrap's: each row is drawn with all its labels, which go together."""
    found = made()
    drawn = []
    for counts_BN in row_counts(300, seed=4, resamples=200):
        for counts_N in counts_BN:
            rows = np.repeat(np.arange(300), counts_N.astype(int))
            tally = label_metrics.tally_of_labels(found.known_targets[rows], found.decided_NC[rows])
            drawn.append(float(metrics.f1_micro(tally)))
    low, high = np.percentile(drawn, [2.5, 97.5]) - np.mean(drawn) + evaluation.f1_micro.value
    assert evaluation.f1_micro.low == pytest.approx(low, abs=1e-12)
    assert evaluation.f1_micro.high == pytest.approx(high, abs=1e-12)


@pytest.mark.slow
def test_intervals_cover_the_truth():
    """Over 40 draws of 250 rows each interval holds the figure of very many rows about 38 times."""
    truth = evaluate_multi(made(20_000, 999), resamples=2)
    covered = dict.fromkeys(MULTI_FIGURES, 0)
    by_label = [0] * 4
    for seed in range(40):
        found = evaluate_multi(made(250, seed), seed=seed, resamples=100)
        for name, one in found.figures.items():
            covered[name] += one.low <= getattr(truth, name).value <= one.high
        for label, one in enumerate(found.per_label):
            by_label[label] += one.auc_pr.low <= truth.per_label[label].auc_pr.value <= one.auc_pr.high
    assert all(33 <= count <= 40 for count in covered.values()), covered
    assert all(33 <= count <= 40 for count in by_label), by_label


def test_dictionary_and_back_is_the_same(evaluation):
    """Nothing is lost on the way to JSON and back; a missing key is said."""
    facts = json.loads(json.dumps(evaluation.to_dict(), allow_nan=False))
    assert MultiEvaluation.from_dict(facts).to_dict() == facts
    assert facts["task"] == "multi"
    with pytest.raises(DataError, match="no key 'lrap'"):
        MultiEvaluation.from_dict({name: value for name, value in facts.items() if name != "lrap"})


def test_labels_that_no_row_has_are_counted_and_have_no_area():
    """Their AUC-PR is null, macro F1 leaves them out unless they were given, and the screen says how many there are."""
    found = made(shares=(0.4, 1e-9, 0.3))
    evaluation = evaluate_multi(found, resamples=50)
    assert evaluation.judged_labels == 2
    assert "1 labels that no row has" in repr(evaluation)
    facts = json.loads(json.dumps(evaluation.to_dict(), allow_nan=False))
    assert facts["per_label"]["label 1"]["auc_pr"] == {"value": None, "low": None, "high": None}
    assert MultiEvaluation.from_dict(facts).to_dict() == facts


@pytest.mark.parametrize("right", [True, False])
def test_answers_that_are_all_right_or_all_wrong_claim_no_certainty(right):
    """Of 12 rows the share of wholly right ones keeps room on one side; what the bootstrap cannot know is not known."""
    targets = np.tile([[True, False], [False, True]], (6, 1))
    found = evaluate_multi(
        MultiPredictions(
            row_ids=tuple(map(str, range(12))),
            label_names=("a", "b"),
            probabilities=(targets == right).astype(float),
            true_labels=sets_of_indicators(targets),
            tokens=np.full(12, 3),
            truncated=np.zeros(12, bool),
        ),
        resamples=50,
    )
    assert found.subset_accuracy.value == right
    assert found.subset_accuracy.high - found.subset_accuracy.low > 0.2
    assert not found.f1_micro.is_known


def test_rows_without_known_labels_are_left_out_and_none_is_refused():
    """Only what can be judged is judged."""
    found = made(40)
    lists = found.true_labels.to_pylist()
    half = made(40, decided=found.decided_NC)
    object.__setattr__(half, "true_labels", pa.array([None, *lists[1:]], pa.large_list(pa.int32())))
    assert evaluate_multi(half, resamples=20).rows == 39
    object.__setattr__(half, "true_labels", pa.nulls(40, pa.large_list(pa.int32())))
    with pytest.raises(DataError, match="no row of the predictions has known labels"):
        evaluate_multi(half)


def test_training_shares_make_the_baseline():
    """As many labels as a training row has, the most frequent there, whatever the rows that are scored."""
    found = evaluate_multi(made(), label_shares=np.array([0.1, 0.1, 0.9, 0.8]), resamples=20)
    assert found.baseline.labels == ("label 2", "label 3")
    with pytest.raises(DataError, match="2 shares for 4 labels"):
        evaluate_multi(made(), label_shares=np.ones(2), resamples=20)
