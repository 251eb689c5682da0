"""Evaluation: every number in its place, and the dictionary that others read."""

import json

import numpy as np
import pytest

from limbeck.errors import DataError
from limbeck.evaluation.evaluation import Evaluation, evaluate

NAMES = ("sadness", "joy", "love")


def made(rows=300, seed=0):
    """Probabilities and labels of three classes, right most of the time."""
    generator = np.random.default_rng(seed)
    labels = generator.choice(3, rows, p=[0.3, 0.6, 0.1])
    logits = generator.normal(size=(rows, 3)) + 2 * np.eye(3)[labels]
    probabilities = np.exp(logits)
    return (probabilities / probabilities.sum(axis=1, keepdims=True)).astype(np.float32), labels


@pytest.fixture
def evaluation():
    """An evaluation of 300 rows."""
    return evaluate(*made(), NAMES, majority_label=1, seed=4, resamples=200)


def test_scores_lie_inside_their_intervals(evaluation):
    """Each score stands between its low and high end."""
    scores = [evaluation.accuracy, evaluation.f1_weighted, evaluation.f1_macro, evaluation.log_loss]
    scores += [score for one in evaluation.per_class for score in (one.precision, one.recall, one.f1)]
    for score in scores:
        assert score.low < score.value < score.high
    assert all(one.share.low < one.share.value < one.share.high for one in evaluation.worst_confusions)


@pytest.mark.parametrize("rows", [1, 4, 12, 31, 200])
@pytest.mark.parametrize("is_right", [True, False])
def test_no_interval_of_a_share_is_without_width(rows, is_right):
    """Of answers that are all right, or all wrong, every score keeps room on its one open side, or is not known."""
    labels = np.arange(rows) % 2
    found = evaluate(np.eye(2)[labels if is_right else 1 - labels], labels, ("no", "yes"), majority_label=0)
    share = float(is_right)
    for score in (found.accuracy, found.f1_weighted, found.f1_macro):
        assert score.value == share
        assert score.high - score.low > 0.5 / rows
        assert (score.high if is_right else score.low) == share
    for one in found.per_class:
        for score in (one.precision, one.recall, one.f1):
            assert not score.is_known or score.high > score.low
    assert not found.log_loss.is_known  # equal losses, or a single one, tell nothing of others


def test_twelve_of_twelve_by_hand():
    """Wilson's low end of n of n is n / (n + 1.96²): 0.758 of 12, 0.610 of 6; and it says so."""
    labels = np.arange(12) % 2
    found = evaluate(np.eye(2)[labels], labels, ("no", "yes"), majority_label=0)
    assert str(found.accuracy) == "1.0000 (0.7575–1.0000)"
    assert found.accuracy.low == pytest.approx(12 / (12 + 1.959964**2))
    assert found.per_class[0].recall.low == pytest.approx(6 / (6 + 1.959964**2))


def test_what_nothing_is_known_of_is_null_and_says_so():
    """A class without rows has no interval: null in JSON, "not known" in words, and the same when read back."""
    found = evaluate(np.eye(3)[[0, 1]], np.array([0, 1]), NAMES, majority_label=0)
    assert str(found.per_class[2].f1) == "0.0000 (not known)"
    facts = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert facts["per_class"]["love"]["intervals"]["recall"] == {"low": None, "high": None}
    assert Evaluation.from_dict(facts).to_dict() == found.to_dict()


@pytest.mark.parametrize("classes", [3, 50, 51, 300])
def test_the_matrix_in_json_grows_with_the_rows_not_with_the_classes_squared(classes):
    """Of many classes only the cells in which rows fell are written; read back, the matrix is the same."""
    generator = np.random.default_rng(0)
    labels, said = generator.integers(classes, size=(2, 400))
    names = [f"class {label}" for label in range(classes)]
    found = evaluate(np.eye(classes)[said], labels, names, majority_label=0, resamples=20)
    facts = found.to_dict()
    assert len(json.dumps(facts["confusion"])) < 45_000
    again = Evaluation.from_dict(json.loads(json.dumps(facts, allow_nan=False)))
    np.testing.assert_array_equal(again.confusion_counts, found.confusion_counts)
    assert again.worst_confusions == found.worst_confusions


def test_figures_of_an_older_limbeck_can_be_read(evaluation):
    """Then the matrices were written whole, whatever the number of classes, with bounds by the bootstrap."""
    facts = evaluation.to_dict()
    shares = facts["confusion"]["shares"]
    facts["confusion"] |= {"shares_low": shares, "shares_high": shares}
    assert Evaluation.from_dict(facts).worst_confusions == evaluation.worst_confusions


def test_flat_names_are_plain_numbers(evaluation):
    """`accuracy`, `f1_weighted`, `f1_macro` and `log_loss` are numbers; their intervals stand under parallel keys."""
    facts = json.loads(json.dumps(evaluation.to_dict(), allow_nan=False))
    for name in ("accuracy", "f1_weighted", "f1_macro", "log_loss", "ece"):
        assert isinstance(facts[name], float)
        assert facts["intervals"][name]["low"] <= facts[name] <= facts["intervals"][name]["high"]
    assert facts["per_class"]["joy"]["support"] == sum(facts["confusion"]["counts"][1])
    assert facts["baseline"]["label"] == "joy"
    assert list(facts) == [
        "rows",
        "labels",
        "accuracy",
        "f1_weighted",
        "f1_macro",
        "log_loss",
        "ece",
        "intervals",
        "per_class",
        "confusion",
        "baseline",
        "calibration",
    ]


def test_dictionary_and_back_is_the_same(evaluation):
    """Nothing is lost on the way to JSON and back."""
    facts = evaluation.to_dict()
    again = Evaluation.from_dict(json.loads(json.dumps(facts)))
    assert again.to_dict() == facts
    assert again.per_class == evaluation.per_class
    assert again.worst_confusions == evaluation.worst_confusions


def test_baseline_is_the_majority_of_training_not_of_the_rows():
    """The baseline says the label it was told, even where another is more frequent."""
    probabilities = np.full((4, 2), 0.5)
    found = evaluate(probabilities, np.array([0, 1, 1, 1]), ("a", "b"), majority_label=0)
    assert found.baseline.accuracy == 0.25
    assert found.baseline.f1_macro == pytest.approx(0.4 / 2)
    assert found.baseline.log_loss == pytest.approx(-(0.25 * np.log(0.25) + 0.75 * np.log(0.75)))


def test_confusions_are_named_most_rows_first():
    """Nine of a hundred is said in words; a single row of three, which may be chance, comes after it."""
    labels = np.repeat([0, 1, 2], [97, 100, 3])
    predicted = labels.copy()
    predicted[97:106] = 0
    predicted[197] = 0
    found = evaluate(np.eye(3)[predicted], labels, ("joy", "love", "fear"), majority_label=0)
    assert [str(one) for one in found.worst_confusions] == ["love → joy 0.09", "fear → joy 0.33"]
    assert found.worst_confusions[0].count == 9


def test_class_without_rows_is_listed_with_support_zero():
    """A class of the label map that does not occur is shown, not dropped."""
    found = evaluate(np.eye(3)[[0, 1]], np.array([0, 1]), NAMES, majority_label=0)
    assert (found.per_class[2].name, found.per_class[2].support, found.per_class[2].f1.value) == ("love", 0, 0.0)
    assert found.f1_macro.value == 1


def test_arrays_cannot_be_changed(evaluation):
    """The value is frozen through and through."""
    with pytest.raises(ValueError, match="read-only"):
        evaluation.confusion_counts[0, 0] = 5


def test_seed_decides_the_intervals():
    """The same seed gives the same dictionary."""
    one, again = (evaluate(*made(), NAMES, majority_label=1, seed=9, resamples=50).to_dict() for _ in range(2))
    assert one == again


@pytest.mark.parametrize(
    ("names", "majority", "message"),
    [
        (("a", "b"), 0, "3 probabilities a row but 2 label names"),
        (("a", "b", "a"), 0, "a label name is given twice"),
        (NAMES, 3, "the majority label is 3, expected 0 to 2"),
    ],
)
def test_names_that_do_not_fit_are_refused(names, majority, message):
    """Label names that do not belong to the probabilities are an error."""
    with pytest.raises(DataError, match=message):
        evaluate(*made(), names, majority_label=majority)


def test_damaged_dictionaries_are_refused(evaluation):
    """A missing key or a value of the wrong kind is a data error that names it."""
    facts = evaluation.to_dict()
    with pytest.raises(DataError, match="no key 'baseline'"):
        Evaluation.from_dict({name: value for name, value in facts.items() if name != "baseline"})
    with pytest.raises(DataError, match="wrong kind"):
        Evaluation.from_dict(facts | {"accuracy": "high"})


def test_lists_are_arrays_too():
    """What a person types by hand is scored like an array."""
    found = evaluate([[0.9, 0.1], [0.2, 0.8], [0.6, 0.4]], [0, 1, 1], ("no", "yes"), majority_label=1)
    assert found.accuracy.value == pytest.approx(2 / 3)
