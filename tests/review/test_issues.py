"""Label issues: the ranking beside cleanlab's, votes that help, and what a person reads."""

import json

import numpy as np
import pyarrow as pa
import pytest

from limbeck.errors import DataError
from limbeck.evaluation.predictions import Predictions
from limbeck.review.issues import find_label_issues
from limbeck.review.label_doubts import SHEET_ROWS
from limbeck.review.votes import LabelVotes

cleanlab_rank = pytest.importorskip("cleanlab.rank", reason="cleanlab is the oracle: pip install cleanlab")


def made(probabilities, labels, names=("joy", "sadness", "love")):
    rows = len(labels)
    return Predictions(
        row_ids=tuple(f"train:{row}" for row in range(rows)),
        label_names=names,
        probabilities=np.array(probabilities),
        true_labels=pa.array(labels, pa.int32()),
        tokens=np.full(rows, 5),
        truncated=np.zeros(rows, bool),
        texts=tuple(f"text {row}" for row in range(rows)),
    )


def planted(rows=2000, classes=4, share=0.1, seed=0):
    """Return predictions of a fair model, and which labels were flipped."""
    generator = np.random.default_rng(seed)
    true = generator.integers(classes, size=rows)
    logits = generator.normal(size=(rows, classes)) + 2.5 * np.eye(classes)[true]
    probabilities = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    flipped = generator.random(rows) < share
    labels = np.where(flipped, (true + generator.integers(1, classes, rows)) % classes, true)
    return made(probabilities, labels, tuple("abcdefg"[:classes])), flipped


def average_precision(order, flipped):
    hits = flipped[order]
    return float((np.cumsum(hits) / np.arange(1, len(hits) + 1))[hits].mean())


def no_votes(rows, classes):
    return LabelVotes(
        equal_NC=np.zeros((rows, classes), np.int64),
        near_NC=np.zeros((rows, classes)),
        near_rows_NC=np.zeros((rows, classes), np.int64),
        group_N=np.arange(rows),
        agreement=0.5,
    )


@pytest.mark.parametrize("seed", range(3))
def test_of_two_classes_the_order_is_cleanlabs(seed):
    """With two classes a wrong label can only be the other one: the order is that of self-confidence."""
    found, _ = planted(classes=2, seed=seed)
    scores = cleanlab_rank.get_label_quality_scores(found.known_labels, found.probabilities.astype(np.float64))
    quality = find_label_issues(found).quality_N
    assert (np.diff(quality[np.argsort(scores, kind="stable")]) >= -1e-9).all()


@pytest.mark.parametrize("seed", range(3))
def test_of_several_classes_it_finds_as_much_as_cleanlab(seed):
    """Average precision of planted flips, over the same probabilities, is within noise of the best of cleanlab's."""
    found, flipped = planted(seed=seed)
    labels, probabilities = found.known_labels, found.probabilities.astype(np.float64)
    theirs = max(
        average_precision(
            np.argsort(cleanlab_rank.get_label_quality_scores(labels, probabilities, method=method)), flipped
        )
        for method in ("self_confidence", "normalized_margin", "confidence_weighted_entropy")
    )
    assert average_precision(find_label_issues(found).order_N, flipped) > theirs - 0.005


def test_the_worst_row_is_told_in_words():
    """Quality, suggestion and reason of a row whose label nobody would believe."""
    found = made([[0.9, 0.05, 0.05]] * 20 + [[0.05, 0.9, 0.05]] * 20 + [[0.03, 0.95, 0.02]], [0] * 20 + [1] * 20 + [0])
    equal = no_votes(41, 3)
    equal.equal_NC[40, 1] = 1
    issues = find_label_issues(found, votes=equal)
    worst = issues.worst(1)[0]
    assert (worst.row_id, worst.label, worst.suggested_label, worst.flagged) == ("train:40", "joy", "sadness", True)
    assert worst.label_quality < 0.05
    assert worst.reason == "out of fold the model gives joy 0.03, sadness 0.95; an equal text is labelled sadness"
    assert issues.disagreeing == 1
    told = json.loads(json.dumps(issues.to_dict(3), allow_nan=False))
    assert told["worst"][0]["row_id"] == "train:40"
    assert told["mixups"][0]["given"] == "joy"


def test_votes_move_a_contradicted_row_up_and_leave_the_others():
    """A row whose twin is labelled otherwise gets a lower quality; no other row's changes."""
    found, _ = planted(rows=200)
    contradicted = no_votes(200, 4)
    other = (int(found.known_labels[7]) + 1) % 4
    contradicted.equal_NC[7, other] = 1
    before, after = find_label_issues(found), find_label_issues(found, votes=contradicted)
    assert after.quality_N[7] < before.quality_N[7]
    others = np.arange(200) != 7
    assert after.quality_N[others] == pytest.approx(before.quality_N[others])


def test_votes_help_where_texts_repeat():
    """Each row has a twin labelled independently: votes find more of the flips, on every seed."""
    for seed in range(3):
        found, flipped = planted(seed=seed)
        generator = np.random.default_rng(seed + 50)
        rows, classes = len(found), len(found.label_names)
        true = np.where(flipped, -1, found.known_labels)
        # The truth of a flipped row is what `planted` drew; its twin carries it nine times of ten.
        drawn = np.random.default_rng(seed).integers(classes, size=rows)
        twin = np.where(generator.random(rows) < 0.1, generator.integers(classes, size=rows), drawn)
        assert (true[~flipped] == drawn[~flipped]).all()
        votes = no_votes(rows, classes)
        votes.equal_NC[np.arange(rows), twin] = 1
        alone = average_precision(find_label_issues(found).order_N, flipped)
        assert average_precision(find_label_issues(found, votes=votes).order_N, flipped) > alone + 0.02


def test_contradicting_twins_are_told_the_same_label():
    """Two equal texts, two labels, one answer: both rows get the same most probable label, so one of them stays."""
    found = made(
        [[0.9, 0.05, 0.05]] * 20 + [[0.05, 0.9, 0.05]] * 20 + [[0.6, 0.39, 0.01]] * 2, [0] * 20 + [1] * 20 + [0, 1]
    )
    twins = no_votes(42, 3)
    twins.equal_NC[40, 1] = twins.equal_NC[41, 0] = 1
    posterior = find_label_issues(found, votes=twins).posterior_NC
    assert posterior[40] == pytest.approx(posterior[41])
    assert posterior[40].argmax() == 0


def test_a_second_answer_decides_but_the_reason_is_the_runs():
    """Quality comes from the second fit where there is one."""
    found = made([[0.9, 0.05, 0.05]] * 20 + [[0.05, 0.9, 0.05]] * 20, [0] * 20 + [1] * 20)
    second = found.probabilities.copy()
    second[3] = [0.01, 0.98, 0.01]
    issues = find_label_issues(found, second_NC=second)
    assert issues.worst(1)[0].row_id == "train:3"
    assert "joy 0.90" in issues.worst(1)[0].reason


def test_wrong_input_is_refused():
    """Rows without a label, votes or answers of other rows."""
    with pytest.raises(DataError, match="1 of 2 rows have no label"):
        find_label_issues(made([[0.9, 0.05, 0.05]] * 2, [0, None]))
    found = made([[0.9, 0.05, 0.05]] * 2, [0, 1])
    with pytest.raises(DataError, match="votes have shape"):
        find_label_issues(found, votes=no_votes(3, 3))
    with pytest.raises(DataError, match="second answers have shape"):
        find_label_issues(found, second_NC=np.full((3, 3), 1 / 3))


@pytest.mark.parametrize(("sharpness", "is_weak"), [(1.0, True), (6.0, False)])
def test_a_weak_model_estimates_no_share_of_wrong_labels(sharpness, is_weak):
    """Its own mistakes outnumber the wrong labels, so there is no estimate; what looks wrong has an interval."""
    generator = np.random.default_rng(0)
    labels = generator.integers(3, size=900)
    logits = generator.normal(size=(900, 3)) + sharpness * np.eye(3)[labels]
    found = find_label_issues(made(np.exp(logits) / np.exp(logits).sum(1, keepdims=True), labels))
    assert (found.most_wrong is None) is is_weak
    assert found.doubtful.count == found.probably_wrong
    assert found.doubtful.low <= found.doubtful.value < found.doubtful.high
    assert json.loads(json.dumps(found.to_dict(3), allow_nan=False))["doubtful"]["rows"] == 900


def issues_of(rows, wrong):
    """Rows of two classes, of which the first `wrong` look like the other class to the model."""
    labels_N = np.arange(rows) % 2
    sure_NC = np.where(np.eye(2, dtype=bool)[labels_N], 0.98, 0.02)
    sure_NC[:wrong] = sure_NC[:wrong, ::-1]
    return find_label_issues(made(sure_NC, labels_N, ("joy", "sadness")))


@pytest.mark.parametrize(
    ("rows", "wrong", "asked", "held"),
    [
        (300, 0, None, 0),
        (300, 0, 7, 7),
        (300, 5, None, SHEET_ROWS),
        (60, 5, None, 60),
        (900, 130, None, 130),
        (900, 130, 20, 20),
    ],
)
def test_a_sheet_holds_what_looks_wrong_and_a_hundred_rows_at_least(rows, wrong, asked, held):
    """Never more than there are, none where none looks wrong, and what was asked for where it was."""
    found = issues_of(rows, wrong)
    assert found.probably_wrong == wrong
    assert found.rows_to_review(asked) == held
