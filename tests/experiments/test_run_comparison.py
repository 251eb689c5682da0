"""Runs side by side: the same rows or none, whatever their order; several seeds; what is shown and what is not."""

import json
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from limbeck.errors import DataError, SettingsError
from limbeck.evaluation.prediction_files import write_predictions
from limbeck.evaluation.predictions import Predictions
from limbeck.evaluation.same_rows import Sides, on_the_rows_of
from limbeck.experiments.run_comparison import compare_runs

NAMES = ("joy", "sadness", "슬픔")
SIDES = Sides(first="A", second="B")


def answered(rows=300, wrong=0.3, seed=0, shift=0.0):
    """Answers wrong on the rows whose difficulty lies below a share; equal seeds share the difficulties."""
    generator = np.random.default_rng(seed)
    labels = generator.integers(0, 3, rows)
    hard = generator.random(rows) + shift * generator.random(rows)
    said = np.where(hard < wrong, (labels + 1) % 3, labels)
    return Predictions(
        row_ids=tuple(f"validation:{row + 1}" for row in range(rows)),
        label_names=NAMES,
        probabilities=np.where(said[:, None] == np.arange(3), 0.8, 0.1),
        true_labels=pa.array(labels, pa.int32()),
        tokens=np.full(rows, 5),
        truncated=np.zeros(rows, bool),
        texts=tuple(f"text {row}" for row in range(rows)),
    )


def run(folder, found, fingerprint="f"):
    """Leave what a finished run leaves, as far as a comparison reads it."""
    (folder / "predictions").mkdir(parents=True)
    write_predictions(folder / "predictions" / "validation.parquet", found)
    (folder / "run.json").write_text(json.dumps({"data": {"fingerprint": fingerprint}}))
    (folder / "metrics.json").write_text("{}")
    return folder


def test_a_better_run_is_called_better(tmp_path):
    """A tenth of the rows mended and none broken is shown, with the rows by their ids."""
    found = compare_runs([run(tmp_path / "A", answered()), run(tmp_path / "B", answered(wrong=0.2))])
    pair = found.pairs[0]
    assert pair.verdict == "better"
    assert pair.details is not None
    assert len(pair.details.mended) > 10
    facts = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert facts["pairs"][0]["details"]["mended"][0].startswith("validation:")
    assert facts["runs"][1]["accuracy"]["mean"] == pytest.approx(found.scores[1].accuracy.mean)


def test_luck_is_not_called_a_difference(tmp_path):
    """One row of 300 mended: no difference is shown."""
    other = answered()
    probabilities = other.probabilities.copy()
    row = int(np.flatnonzero(other.predicted != other.known_labels)[0])
    probabilities[row] = np.where(np.arange(3) == other.known_labels[row], 0.8, 0.1)
    found = compare_runs(
        [run(tmp_path / "A", answered()), run(tmp_path / "B", replace(other, probabilities=probabilities))]
    )
    assert found.pairs[0].verdict == "no difference shown"
    assert found.pairs[0].accuracy.value > 0


def test_p_values_are_corrected_for_the_number_of_runs(tmp_path):
    """The same pair has a larger p-value when two others are compared beside it."""
    paths = [run(tmp_path / "A", answered())] + [
        run(tmp_path / f"B{number}", answered(wrong=0.28)) for number in range(3)
    ]
    alone, among = compare_runs(paths[:2]).pairs[0].p_value, compare_runs(paths).pairs[0].p_value
    assert alone is not None
    assert among == pytest.approx(min(1, 3 * alone))


def test_seeds_are_corrected_for_the_number_of_runs_too(tmp_path):
    """A difference that is shown alone is not shown among four like it: the same runs, the same interval."""
    many = run(tmp_path / "A", answered())
    for number in range(3):
        run(many / "seeds" / str(number), answered(wrong=0.3 + 0.01 * number))
    paths = [many] + [run(tmp_path / f"B{number}", answered(wrong=0.284)) for number in range(4)]
    alone, among = compare_runs(paths[:2]).pairs[0], compare_runs(paths).pairs[0]
    assert among.accuracy == alone.accuracy
    assert (alone.verdict, among.verdict) == ("better", "no difference shown")
    assert among.p_value == pytest.approx(min(1, 4 * alone.p_value))


def test_each_score_has_a_verdict_of_its_own(tmp_path):
    """The same answers, said with better probabilities: no other accuracy is shown, but a better log loss is."""
    one = answered()
    right = one.predicted == one.known_labels
    surer = np.where(np.arange(3) == one.predicted[:, None], np.where(right, 0.96, 0.5)[:, None], 0)
    surer += (1 - surer.sum(axis=1, keepdims=True)) / 2 * (surer == 0)
    found = compare_runs([run(tmp_path / "A", one), run(tmp_path / "B", replace(one, probabilities=surer))]).pairs[0]
    assert found.verdict == "no difference shown"
    assert found.f1_macro_verdict == "no difference shown"
    assert found.log_loss_verdict == "better"


def test_rows_and_classes_are_matched_by_name(tmp_path):
    """Another order of rows and of classes is the same comparison: nothing changed between a run and its shuffle."""
    one = answered()
    order = np.random.default_rng(1).permutation(300)
    classes = [2, 0, 1]
    shuffled = Predictions(
        row_ids=tuple(one.row_ids[row] for row in order),
        label_names=tuple(NAMES[label] for label in classes),
        probabilities=one.probabilities[order][:, classes],
        true_labels=pa.array(np.argsort(classes)[one.known_labels][order], pa.int32()),
        tokens=one.tokens,
        truncated=one.truncated,
        texts=tuple(one.texts[row] for row in order),
    )
    again = on_the_rows_of(one, shuffled, SIDES)
    assert again.to_arrow().equals(one.to_arrow())
    found = compare_runs([run(tmp_path / "A", one), run(tmp_path / "B", shuffled)])
    assert found.pairs[0].accuracy.value == 0


def test_several_seeds_stand_for_a_run(tmp_path):
    """A run folder with seeds is mean and spread; its difference has an interval over rows and seeds."""
    many = run(tmp_path / "A", answered())
    for number in range(3):
        run(many / "seeds" / str(number), answered(wrong=0.3 + 0.02 * number))
    found = compare_runs([many, run(tmp_path / "B", answered(wrong=0.05))])
    assert len(found.scores[0].accuracy.values) == 3
    assert found.scores[0].accuracy.deviation is not None
    assert found.pairs[0].p_value < 0.05
    assert found.pairs[0].verdict == "better"
    assert "single seed" in found.pairs[0].notes[0]


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (answered(rows=299), "1 are only in the first, 0 only in the second"),
        (answered(seed=1), "rows have other labels"),
        (replace(answered(), texts=("another", *answered().texts[1:])), "1 rows have the same ids but other texts"),
        (replace(answered(), texts=None), "nothing shows that A and B were judged by the same rows"),
        (replace(answered(), label_names=("joy", "sadness", "grief")), "only A has '슬픔'; only B has 'grief'"),
    ],
)
def test_other_rows_are_refused(other, message):
    """Rows, labels, texts or classes that differ are an error that says how."""
    with pytest.raises(DataError, match=message):
        on_the_rows_of(answered(), other, SIDES)


def test_fingerprints_stand_for_texts_that_are_not_kept(tmp_path):
    """Without texts the same data are enough; with texts, other training data are said, not refused."""
    bare = replace(answered(), texts=None)
    found = compare_runs([run(tmp_path / "A", bare), run(tmp_path / "B", bare)])
    assert found.pairs[0].notes == ()
    run(tmp_path / "C", answered(), fingerprint="g")
    found = compare_runs([run(tmp_path / "D", answered()), tmp_path / "C"])
    assert "trained on different data" in found.pairs[0].notes[0]


def test_files_of_predictions_are_compared(tmp_path):
    """What `limbeck evaluate --out` wrote is enough."""
    write_predictions(tmp_path / "a.csv", answered())
    write_predictions(tmp_path / "b.parquet", answered())
    assert compare_runs([tmp_path / "a.csv", tmp_path / "b.parquet"]).pairs[0].accuracy.value == 0


def test_what_is_not_there_is_said(tmp_path):
    """One run alone, a split without predictions, rows without labels."""
    folder = run(tmp_path / "A", answered())
    with pytest.raises(SettingsError, match="at least two runs"):
        compare_runs([folder])
    with pytest.raises(SettingsError, match="no predictions of the test split \\(it has validation\\)"):
        compare_runs([folder, folder], split="test")
    with pytest.raises(SettingsError, match="it has none"):
        compare_runs([folder, tmp_path / "nowhere"])
    unknown = run(tmp_path / "B", replace(answered(), true_labels=pa.nulls(300, pa.int32())))
    with pytest.raises(DataError, match="no row of the validation split has a label"):
        compare_runs([unknown, unknown])
