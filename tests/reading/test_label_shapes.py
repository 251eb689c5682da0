"""Which task labels are of: asked for, declared, or told from the data; and the order of classes."""

import pyarrow as pa
import pytest

from limbeck.data.write import write
from limbeck.errors import SettingsError
from limbeck.reading.in_memory import from_arrow, from_lists
from limbeck.reading.read import read
from limbeck.task import ORDINAL, REGRESSION, SINGLE

TEXTS = ["w", "x", "y", "z"]


def test_an_order_is_given_by_hand() -> None:
    """`--label-order` makes classes ordered, from the lowest on, and spellings that look alike are one class."""
    dataset = from_lists(TEXTS, ["mid", "low", "high", "mid"], label_order=["low", "mid", "high"])
    assert dataset.task == ORDINAL
    assert dataset.label_names == ("low", "mid", "high")
    assert dataset.labels.tolist() == [1, 0, 2, 1]
    assert "'low' < 'mid' < 'high'" in [note.example for note in dataset.notes]


def test_numbers_have_an_order_of_their_own() -> None:
    """Of numbers the order is theirs, also of half steps and where text would sort 10 before 9."""
    assert from_lists(TEXTS, [10, 9, 2, 9], task="ordinal").label_names == ("2", "9", "10")
    assert from_lists(TEXTS, [3.5, 3.0, 4.0, 3.0], task="ordinal").label_names == ("3", "3.5", "4")


def test_a_class_of_the_order_may_have_no_row() -> None:
    """A scale is whole even where nobody chose a step: it keeps its place, which is noted."""
    dataset = from_lists(TEXTS, [1, 2, 4, 4], label_order=["1", "2", "3", "4"])
    assert dataset.label_names == ("1", "2", "3", "4")
    assert "'3'" in [note.example for note in dataset.notes if "without a row" in note.what]


def test_names_without_an_order_are_refused() -> None:
    """The alphabet is no order: the message gives the option with the names in it."""
    with pytest.raises(SettingsError, match=r"order of the classes is not known: .* label_order high,low,mid"):
        from_lists(TEXTS, ["mid", "low", "high", "mid"], task="ordinal")
    with pytest.raises(SettingsError, match="label_order lacks 'high'"):
        from_lists(TEXTS, ["mid", "low", "high", "mid"], label_order=["low", "mid"])


def test_declared_names_are_an_order() -> None:
    """Names of a dictionary, or those given by hand, stand in an order that somebody chose."""
    column = pa.DictionaryArray.from_arrays([1, 0, 2, 1], ["low", "mid", "high"])
    assert from_arrow(pa.table({"text": TEXTS, "label": column}), task="ordinal").label_names == ("low", "mid", "high")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"label_separator": ";", "task": "single"}, "label_separator is for any number of labels per row"),
        ({"label_columns": ["a"], "task": "ordinal"}, "label_columns is for any number of labels per row"),
        ({"label_order": ["a"], "task": "multi"}, "label_order is for one of ordered classes per row"),
        ({"min_label_rows": 0}, "min_label_rows 0 is not possible"),
        ({"label_separator": ""}, "label_separator is empty"),
        ({"task": "regression", "label_names": ["a"]}, 'label_names mean nothing for task="regression"'),
    ],
)
def test_settings_that_contradict_each_other_are_refused(options: dict[str, object], message: str) -> None:
    """What belongs to another task is an error that names both."""
    with pytest.raises(SettingsError, match=message):
        from_arrow(pa.table({"text": TEXTS, "label": ["1", "2", "1", "2"], "a": [0, 1, 0, 1]}), **options)  # type: ignore[arg-type]  # wrong on purpose


def test_other_shapes_are_suggested_and_never_taken() -> None:
    """Many numbers, fractions in texts, and labels that look joined stay classes; a note names the option."""
    numbers = from_lists([str(n) for n in range(60)], list(range(60)))
    assert numbers.task == SINGLE
    assert any("--task regression" in note.what for note in numbers.notes)
    joined = from_lists([str(n) for n in range(7)], ["a|b", "b|c", "a|c", "a", "b", "a|b|c", "c"])
    assert joined.task == SINGLE
    assert any("--label-separator '|'" in note.what for note in joined.notes)
    plain = from_lists([str(n) for n in range(7)], ["a, b", "c, d", "e, f", "g", "h", "i, j", "k"])
    assert not any("separator" in note.what for note in plain.notes)


@pytest.mark.parametrize("task", ["ordinal", "regression"])
def test_the_task_is_kept_in_the_file(task: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Parquet says which task its labels are of, so that reading it again needs no option."""
    path = tmp_path_factory.mktemp("written") / "rows.parquet"
    dataset = from_lists(TEXTS, [10, 9, 2, 9], task=task)  # type: ignore[arg-type]  # one of the four
    write(dataset, path)
    again = read(path)
    assert again.task == dataset.task in (ORDINAL, REGRESSION)
    assert again.label_names == dataset.label_names
    assert again.targets.tolist() == dataset.targets.tolist()
    assert again.fingerprint() == dataset.fingerprint()
