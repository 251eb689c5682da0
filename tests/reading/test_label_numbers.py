"""Labels that are numbers."""

from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pytest

from limbeck.errors import DataError
from limbeck.reading.in_memory import from_arrow
from limbeck.reading.read import read
from limbeck.task import REGRESSION


@pytest.mark.parametrize(
    "labels",
    [
        pa.array([1.0, -2.0, 3.0]),
        pa.array([1, -2, 3], pa.int8()),
        pa.array([" 1", "-2.0", "3e0"]),
        pa.array(["1", "-2", "3"]).dictionary_encode(),
        pa.array([Decimal("1.0"), Decimal("-2.0"), Decimal("3.0")]),
    ],
    ids=["floats", "integers", "texts", "dictionary", "decimals"],
)
def test_any_column_of_numbers_is_read(labels: pa.Array) -> None:
    """Whatever type a file gives them, labels are float64; there are no label names."""
    dataset = from_arrow(pa.table({"text": ["x", "y", "z"], "label": labels}), task="regression")
    assert (dataset.task, dataset.label_names, dataset.is_labelled) == (REGRESSION, (), True)
    assert dataset.targets.tolist() == [1.0, -2.0, 3.0]
    assert any(note.example == "from -2 to 3, mean 0.667" for note in dataset.notes)


def test_what_is_no_number_is_told(tmp_path: Path) -> None:
    """Words, infinities, decimal commas and empty cells are faults with row and column, gathered."""
    path = tmp_path / "rows.csv"
    path.write_text('text,label\na,1.5\nb,good\nc,"1,5"\nd,inf\ne,\n', "utf-8")
    with pytest.raises(DataError) as caught:
        read(path, task="regression")
    said = str(caught.value)
    assert "row 2, column 'label': is 'good', where a number was expected" in said
    assert "row 3, column 'label': is '1,5', where a number was expected; write a decimal point" in said
    assert "row 4, column 'label': is 'inf'" in said
    assert "row 5, column 'label': has no label: a number was expected" in said
    assert read(path, task="regression", on_bad_row="skip").targets.tolist() == [1.5]


def test_columns_that_hold_no_numbers_are_refused() -> None:
    """Truth values are no numbers to predict: the message says so once, not by row."""
    with pytest.raises(DataError, match="column 'label' holds bool, where a number per row was expected"):
        from_arrow(pa.table({"text": ["x"], "label": [True]}), task="regression")


@pytest.mark.parametrize("on_bad_row", ["error", "skip", "mend"])
def test_fractions_are_numbers_and_it_is_said(on_bad_row: str) -> None:
    """A column of fractions is no column of classes: every row is read, an audit's too, and a note says as what."""
    values = [0.5, 1.0, 2.0, 1.5, 3.0]
    found = from_arrow(pa.table({"text": list("abcde"), "label": values}), on_bad_row=on_bad_row)  # type: ignore[arg-type]  # one of the policies
    assert found.task == REGRESSION
    assert found.targets.tolist() == values
    assert any("--task ordinal reads them as ordered classes" in note.what for note in found.notes)
    ordered = from_arrow(pa.table({"text": list("abcde"), "label": values}), task="ordinal")
    assert ordered.label_names == ("0.5", "1", "1.5", "2", "3")


def test_a_fraction_among_many_integers_is_a_slip() -> None:
    """One of twenty rows is a fault of that row, and the message names the task that would read it."""
    table = pa.table({"text": [str(row) for row in range(20)], "label": [0.5, *([0.0, 1.0] * 10)[:19]]})
    with pytest.raises(DataError, match=r'(?s)row 1, column .label.: is 0.5.*read with task="regression"'):
        from_arrow(table)
    assert len(from_arrow(table, on_bad_row="skip")) == 19
    named = pa.table({"text": ["x", "y"], "label": [0.5, 1.5]})
    with pytest.raises(DataError, match=r"is 0\.5, where a name or an integer was expected"):
        from_arrow(named, label_names=("no", "yes"))
    with pytest.raises(DataError, match=r"is 0\.5, where a name or an integer was expected"):
        from_arrow(named, task="single")
