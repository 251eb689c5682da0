"""Runs of any number of labels, of ordered classes and of numbers side by side: the same rows, or a refusal."""

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
from tests.evaluation.shaped import SHAPES, shaped
from tests.experiments.test_run_comparison import answered, run
from typer.testing import CliRunner

from limbeck.cli.app import app
from limbeck.errors import DataError
from limbeck.evaluation.prediction_files import write_predictions
from limbeck.evaluation.same_rows import Sides, on_the_rows_of
from limbeck.experiments.run_comparison import RunComparison
from limbeck.experiments.shape_comparison import ShapeComparison, compare_any_runs

SIDES = Sides(first="A", second="B")


@pytest.mark.parametrize("kind", SHAPES)
@pytest.mark.parametrize("suffix", [".parquet", ".jsonl", ".csv"])
def test_runs_and_files_of_every_shape_are_compared(tmp_path, kind, suffix):
    """A run folder beside a file of predictions in each format; the second is told to be better."""
    write_predictions(tmp_path / f"b{suffix}", shaped(kind, noise=0.3, answer_seed=1))
    found = compare_any_runs([run(tmp_path / "A", shaped(kind)), tmp_path / f"b{suffix}"])
    assert isinstance(found, ShapeComparison)
    assert (found.task.name, found.rows) == (kind, 120)
    assert {found.pairs[0].verdict(one) for one in found.pairs[0].figures} == {"better"}
    told = found.to_dict()["pairs"][0]["figures"]
    assert list(told) == [one.name for one in found.pairs[0].figures]


def test_one_label_per_row_is_compared_as_before(tmp_path):
    """What `compare_runs` says, McNemar's test and all."""
    found = compare_any_runs([run(tmp_path / "A", answered()), run(tmp_path / "B", answered(wrong=0.2))])
    assert isinstance(found, RunComparison)
    assert found.pairs[0].verdict == "better"


@pytest.mark.parametrize("kinds", [("multi", "regression"), ("ordinal", "multi"), ("regression", "single")])
def test_different_shapes_are_refused(tmp_path, kinds):
    """No figure means the same of both; both are named, and what each answers with."""
    folders = [run(tmp_path / kind, answered(rows=120) if kind == "single" else shaped(kind)) for kind in kinds]
    with pytest.raises(DataError, match=rf"shapes of the answers differ: .*\({kinds[0]}\).*\({kinds[1]}\)"):
        compare_any_runs(folders)


@pytest.mark.parametrize("kind", SHAPES)
def test_the_order_of_rows_does_not_matter(tmp_path, kind):
    """The same answers in another order of the rows differ in nothing."""
    found = shaped(kind)
    order = np.random.default_rng(3).permutation(len(found))
    moved = replace(
        found,
        row_ids=tuple(found.row_ids[row] for row in order),
        texts=tuple(found.texts[row] for row in order),
        truncated=found.truncated[order],
        **(
            {"values": found.values[order], "true_values": found.true_values.take(pa.array(order))}
            if kind == "regression"
            else {"probabilities": found.probabilities[order], "true_labels": found.true_labels.take(pa.array(order))}
        ),
    )
    pair = compare_any_runs([run(tmp_path / "A", found), run(tmp_path / "B", moved)]).pairs[0]
    assert {one.difference.value for one in pair.figures} == {0.0}


def test_the_order_of_labels_does_not_matter_but_that_of_steps_does(tmp_path):
    """Labels are matched by name, thresholds and truths with them; ordered classes in another order are refused."""
    found = shaped("multi")
    order = [2, 0, 3, 1]
    targets = found.known_targets[:, order]
    moved = replace(
        found,
        label_names=tuple(found.label_names[label] for label in order),
        probabilities=found.probabilities[:, order],
        thresholds=found.thresholds[order],
        true_labels=pa.array([np.flatnonzero(row).tolist() for row in targets], pa.large_list(pa.int32())),
    )
    back = on_the_rows_of(found, moved, SIDES)
    np.testing.assert_array_equal(back.probabilities, found.probabilities)
    np.testing.assert_array_equal(back.decided_NC, found.decided_NC)
    assert back.true_labels.equals(found.true_labels)
    steps = shaped("ordinal")
    turned = replace(
        steps,
        label_names=steps.label_names[::-1],
        probabilities=steps.probabilities[:, ::-1],
        true_labels=pa.array(3 - steps.known_labels, pa.int32()),
    )
    with pytest.raises(DataError, match="order of the classes differs"):
        on_the_rows_of(steps, turned, SIDES)


def test_other_truths_are_refused():
    """A row with other labels, or another number, is named with both."""
    found = shaped("multi")
    sets = found.true_labels.to_pylist()
    sets[5] = [0, 1, 2, 3]
    other = replace(found, true_labels=pa.array(sets, pa.large_list(pa.int32())))
    with pytest.raises(DataError, match=r"1 rows have other labels \(first: validation:6 is"):
        on_the_rows_of(found, other, SIDES)
    numbers = shaped("regression")
    values = numbers.true_values.to_pylist()
    values[0] = 99.5
    with pytest.raises(DataError, match=r"validation:1 is .* in A and 99\.5 in B"):
        on_the_rows_of(numbers, replace(numbers, true_values=pa.array(values, pa.float64())), SIDES)


def test_many_runs_are_corrected_for(tmp_path):
    """Beside the same first run, a p-value among three is larger than alone; the figures are the same."""
    folders = [run(tmp_path / str(place), shaped("ordinal", answer_seed=place)) for place in range(4)]
    alone, among = (compare_any_runs(folders[:count]).pairs[0].figures for count in (2, 4))
    assert [one.difference for one in alone] == [one.difference for one in among]
    assert all(one.p_value <= other.p_value for one, other in zip(alone, among, strict=True))
    assert any(one.p_value < other.p_value for one, other in zip(alone, among, strict=True))


def test_the_screen_says_it(tmp_path):
    """The command shows each figure with both values, and what was drawn."""
    folders = [run(tmp_path / str(place), shaped("regression", answer_seed=place)) for place in range(2)]
    said = CliRunner().invoke(app, ["compare", *map(str, folders)], env={"COLUMNS": "200"}).output
    assert "Pearson's correlation" in said
    assert "120 rows of the validation split, a number per row" in said
    assert "rows drawn anew" in said
