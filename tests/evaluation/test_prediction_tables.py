"""Files of answers of other shapes: what goes in comes out, in every format; what was edited is found."""

import json
import math

import numpy as np
import pyarrow as pa
import pytest

from limbeck.errors import DataError, SettingsError
from limbeck.evaluation.conformal import ConformalWidth
from limbeck.evaluation.multi_predictions import MultiPredictions
from limbeck.evaluation.prediction_files import read_any_predictions, read_predictions, write_predictions
from limbeck.evaluation.predictions import Predictions
from limbeck.evaluation.value_predictions import ValuePredictions
from limbeck.task import ORDINAL, SINGLE

SUFFIXES = (".parquet", ".jsonl", ".csv")
NAMES = ("기쁨", 'love, "x"', "=cmd", "NA")
TEXTS = ("fine", "=HYPERLINK(1)", 'she said "so"\nand left', "", "null", "😀")


def several(**more):
    """Six rows of awkward texts with awkward labels; of one the labels are not known, another has none."""
    generator = np.random.default_rng(0)
    facts = {
        "row_ids": tuple(f"-{row}" for row in range(6)),
        "label_names": NAMES,
        "probabilities": generator.random((6, 4)),
        "true_labels": pa.array([[0, 3], None, [], [1], [2], [0, 1, 2, 3]], pa.large_list(pa.int32())),
        "tokens": np.arange(6),
        "truncated": np.arange(6) % 2 == 0,
        "thresholds": np.array([0.1, 0.35, 0.7, 2.0]),
        "texts": TEXTS,
        "unknown": np.arange(6),
        "others": pa.table({"page": [1, 2, 3, 4, 5, 6], "label": ["x"] * 6, "loss": ["none"] * 6}),
    }
    return MultiPredictions(**(facts | more))


def numbers(**more):
    """Six rows with numbers, one of which is not known."""
    facts = {
        "row_ids": tuple(map(str, range(6))),
        "values": np.random.default_rng(1).normal(size=6),
        "true_values": pa.array([0.1, None, -1e300, 1e-300, 3.0, -0.0], pa.float64()),
        "tokens": np.arange(6),
        "truncated": np.zeros(6, bool),
        "width": ConformalWidth(level=0.9, half_width=0.75, rows=None),
        "texts": TEXTS,
        "others": pa.table({"prediction_": ["a"] * 6, "error": ["=1"] * 6}),
    }
    return ValuePredictions(**(facts | more))


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_several_labels_come_back_to_the_same_bits(tmp_path, suffix):
    """Probabilities, decisions, true labels, texts; thresholds stand in Parquet alone."""
    before = several()
    write_predictions(tmp_path / f"p{suffix}", before, top_k=2)
    after = read_any_predictions(tmp_path / f"p{suffix}")
    assert isinstance(after, MultiPredictions)
    np.testing.assert_array_equal(after.probabilities, before.probabilities)
    np.testing.assert_array_equal(after.decided_NC, before.decided_NC)
    assert after.true_labels.to_pylist() == before.true_labels.to_pylist()
    assert (after.row_ids, after.label_names, after.texts) == (before.row_ids, NAMES, TEXTS)
    assert after.unknown is not None
    assert after.unknown.tolist() == list(range(6))
    assert after.others is not None
    assert after.others.column_names == ["page", "label", "loss"]
    assert (after.thresholds is not None) == (suffix == ".parquet")
    if after.thresholds is not None:
        assert after.thresholds.tolist() == [0.1, 0.35, 0.7, 2.0]


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("half_width", [0.75, math.inf])
def test_numbers_come_back_to_the_same_bits(tmp_path, suffix, half_width):
    """Values, true values and what intervals promise, an endless interval too."""
    before = numbers(width=ConformalWidth(level=0.9, half_width=half_width, rows=None))
    write_predictions(tmp_path / f"p{suffix}", before)
    after = read_any_predictions(tmp_path / f"p{suffix}")
    assert isinstance(after, ValuePredictions)
    np.testing.assert_array_equal(after.values, before.values)
    assert after.true_values.to_pylist() == before.true_values.to_pylist()
    assert after.texts == TEXTS
    assert after.width is not None
    assert (after.width.level, after.width.half_width) == (0.9, pytest.approx(half_width, rel=1e-12))
    assert after.others is not None
    assert after.others.column_names == ["prediction_", "input.error"]


@pytest.mark.parametrize("made", [several, numbers])
def test_commands_for_one_label_say_what_the_file_holds(tmp_path, made):
    """`read_predictions` is for one label a row, and says what it found instead."""
    write_predictions(tmp_path / "p.parquet", made())
    with pytest.raises(DataError, match="one label per row is needed here"):
        read_predictions(tmp_path / "p.parquet")


def test_numbers_have_no_most_probable_labels(tmp_path):
    """--top-k asks for what is not there."""
    with pytest.raises(SettingsError, match="these answers are numbers"):
        write_predictions(tmp_path / "p.csv", numbers(), top_k=2)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("predictions", ["anger"], r"row 2 has \['anger'\], which is no list of known labels"),
        ("true_labels", ["anger"], "row 2 has"),
        ("predictions", None, "rows without a value for predictions"),
        ("probability.기쁨", 7.0, "not logits"),
    ],
)
def test_edited_files_are_refused_with_their_row(tmp_path, name, value, message):
    """A label that nobody knows, a hole, a number that is no probability."""
    path = tmp_path / "p.jsonl"
    write_predictions(path, several())
    lines = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    lines[2][name] = value
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), "utf-8")
    with pytest.raises(DataError, match=message):
        read_any_predictions(path)


def ordered(**more):
    """Three rows of ordered labels; of the second the median label is not the most probable one."""
    facts = {
        "row_ids": ("a", "b", "c"),
        "label_names": ("low", "middle", "high"),
        "probabilities": np.array([[0.7, 0.2, 0.1], [0.4, 0.2, 0.4], [0.1, 0.3, 0.6]]),
        "true_labels": pa.array([0, 2, None], pa.int32()),
        "tokens": np.arange(3),
        "truncated": np.zeros(3, bool),
        "task": ORDINAL,
        "others": pa.table({"steps_off": [7, 8, 9]}),
    }
    return Predictions(**(facts | more))


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_ordered_labels_come_back_as_ordered(tmp_path, suffix):
    """The answer is the median label; where it lies and how far it is off stand beside it."""
    before = ordered()
    assert before.answers == ["low", "middle", "high"]
    table = before.to_arrow()
    assert table["steps_off"].to_pylist() == [0, 1, None]
    assert table["expected_position"].to_pylist() == pytest.approx([0.4, 1.0, 1.5])
    write_predictions(tmp_path / f"p{suffix}", before)
    after = read_predictions(tmp_path / f"p{suffix}")
    assert after.task == ORDINAL
    assert after.answers == before.answers
    assert after.others is not None
    assert after.others["input.steps_off"].to_pylist() == [7, 8, 9]


def test_a_column_of_the_rows_does_not_make_labels_ordered(tmp_path):
    """One label a row stays that, though the rows have a column of the name by which ordered labels are told."""
    write_predictions(
        tmp_path / "p.parquet", ordered(task=SINGLE, others=pa.table({"expected_position": [0.1, 0.2, 0.3]}))
    )
    after = read_predictions(tmp_path / "p.parquet")
    assert after.task == SINGLE
    assert after.others is not None
    assert after.others.column_names == ["expected_position"]
