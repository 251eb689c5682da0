"""Answers scored, runs compared, thresholds set, as functions; and how they say what they do."""

import pyarrow as pa
import pytest

import limbeck
from limbeck.errors import SettingsError
from limbeck.progress import SILENT, Lines, as_progress


def test_answers_are_scored_as_arrays_are(run):
    """`evaluate(predictions)` is `evaluate(probabilities, labels, names)`; a majority label may be a name."""
    answers = limbeck.load(run.folder.path, progress=False).predict(run.dataset, progress=None)
    found = limbeck.evaluate(answers, majority_label="sadness")
    arrays = limbeck.evaluate(answers.probabilities, answers.known_labels, answers.label_names, majority_label=1)
    assert found.to_dict() == arrays.to_dict()
    assert found.baseline.label == "sadness"
    with pytest.raises(SettingsError, match="of their own"):
        limbeck.evaluate(answers, answers.known_labels)
    with pytest.raises(SettingsError, match="is no class"):
        limbeck.evaluate(answers, majority_label="anger")
    with pytest.raises(limbeck.DataError, match="no row"):
        limbeck.evaluate(limbeck.load(run.folder.path).predict(["i feel fine"]))


def test_runs_are_compared_and_thresholds_set(run):
    """A run, its folder and its name are the same run; a threshold is written and taken out."""
    assert limbeck.compare(run, str(run.folder.path)).pairs[0].verdict == "no difference shown"
    assert limbeck.threshold(run, coverage=0.5).is_reached
    assert limbeck.load(run.folder.path).bundle.facts.thresholds is not None
    limbeck.clear_thresholds(run)
    assert limbeck.load(run.folder.path).bundle.facts.thresholds is None


class Told:
    """Gathers what is said."""

    def __init__(self):
        self.lines = []

    track = SILENT.track

    def say(self, line):
        self.lines.append(line)


def test_progress_is_true_false_none_or_a_listener(run, capsys):
    """True speaks on standard error where a step is long; False and None are silent; a listener hears."""
    assert isinstance(as_progress(True), Lines)
    assert as_progress(False) is as_progress(None) is SILENT
    told = Told()
    assert as_progress(told) is told
    limbeck.load(run.folder.path, progress=True).predict(["i feel fine"], progress=True)
    assert capsys.readouterr().out == ""


def test_answers_of_every_shape_are_scored_by_their_own_figures():
    """Several labels and numbers have their own evaluation; what has no meaning for them is refused."""
    many = limbeck.MultiPredictions(
        row_ids=("a", "b"),
        label_names=("x", "y"),
        probabilities=[[0.9, 0.2], [0.1, 0.8]],
        true_labels=pa.array([[0], []], pa.large_list(pa.int32())),
        tokens=[3, 3],
        truncated=[False, False],
    )
    found = limbeck.evaluate(many, resamples=20)
    assert found.subset_accuracy.value == 0.5
    numbers = limbeck.ValuePredictions(
        row_ids=("a", "b"),
        values=[1.0, 2.0],
        true_values=pa.array([1.5, 2.0]),
        tokens=[3, 3],
        truncated=[False, False],
    )
    assert limbeck.evaluate(numbers, resamples=20).mae.value == 0.25
    for answers in (many, numbers):
        with pytest.raises(SettingsError, match="one label per row"):
            limbeck.evaluate(answers, majority_label="x")
        with pytest.raises(SettingsError, match="of their own"):
            limbeck.evaluate(answers, [0, 1])
