"""What a dataset of any task says of its labels."""

import pyarrow as pa

from limbeck.data.dataset import Dataset, core_schema
from limbeck.task import MULTI, ORDINAL, REGRESSION, Task


def dataset(task: Task, labels: list[object], names: tuple[str, ...] = ()) -> Dataset:
    count = len(labels)
    cells = [list(map(str, range(count))), ["train"] * count, ["a text"] * count, labels]
    columns = dict(zip(core_schema(task).names, cells, strict=True))
    return Dataset(table=pa.table(columns, core_schema(task)), label_names=names, source="here", task=task)


def test_several_labels_are_counted_each() -> None:
    """A row counts for each of its labels; rows with none, and rows that are not labelled, are told apart."""
    found = dataset(MULTI, [[0, 1], [1], [], None], ("a", "b"))
    assert repr(found) == "Dataset of 4 rows: train 4\nlabels: a, b, 1 per row on average (multi); 1 without a label"
    (table, first) = found._tables()
    assert table.rows == (("b", "2"), ("a", "1"), ("(none of them)", "1"), ("(no label)", "1"))
    assert [row[1] for row in first.rows] == ["a, b", "b", "(none)", "–"]


def test_ordered_classes_stand_in_their_order() -> None:
    """Not the most frequent class is first but the lowest."""
    found = dataset(ORDINAL, [2, 2, 0], ("low", "mid", "high"))
    assert repr(found).endswith("labels: low < mid < high (ordinal)")
    assert next(iter(found._tables())).rows == (("low", "1"), ("mid", "0"), ("high", "2"))


def test_numbers_are_summed_up() -> None:
    """Where the numbers of each split lie, without those that are missing."""
    found = dataset(REGRESSION, [-1.0, 3.0, None])
    assert repr(found).endswith("labels: numbers from -1 to 3, mean 1 (regression); 1 without a label")
    assert next(iter(found._tables())).rows == (("train", "2", "-1", "1", "1", "3", "2"),)
