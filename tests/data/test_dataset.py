"""Dataset: an immutable table with the one label map."""

import dataclasses

import pyarrow as pa
import pytest

from limbeck.data.dataset import Dataset, core_schema
from limbeck.errors import DataError, SettingsError
from limbeck.reading.in_memory import from_arrow
from limbeck.settings import ReadSettings
from limbeck.task import MULTI


def dataset() -> Dataset:
    table = pa.table(
        {
            "split": ["test", "train", "zzz", "train", "validation"],
            "text": ["a", "b", "c", "d", "e"],
            "label": ["y", "x", "x", "y", None],
        }
    )
    return from_arrow(table, ReadSettings(labels="optional"))


def test_splits_in_usual_order() -> None:
    """Known splits come first, others by name; an unknown one is an error that names those there are."""
    found = dataset()
    assert found.split_names == ("train", "validation", "test", "zzz")
    assert found.split("train").texts == ["b", "d"]
    with pytest.raises(DataError, match="no split 'dev': it has train, validation, test, zzz"):
        found.split("dev")


def test_labels_are_integers_or_an_error() -> None:
    """Labels of labelled rows are int64; a row without one is an error with the count, not a -1."""
    found = dataset()
    assert found.split("train").labels.tolist() == [0, 1]
    assert found.split("train").is_labelled
    assert not found.is_labelled
    with pytest.raises(DataError, match="1 of 5 rows"):
        found.labels  # noqa: B018 # the property is what raises


def test_another_label_map_keeps_every_meaning() -> None:
    """Under a map in another order, or a larger one, each row keeps its label's name."""
    found = dataset()
    other = found.with_label_names(["y", "unused", "x"])
    assert other.label_name_list() == found.label_name_list()
    assert other.split("train").labels.tolist() == [2, 0]
    with pytest.raises(DataError, match=r"known are 'x', 'z':\n  - 'y' \(2 rows, first test:1, train:4\)"):
        found.with_label_names(["x", "z"])


def test_fingerprint_follows_content() -> None:
    """The fingerprint changes with a text, a label, a row id, a split or the order, and with nothing else."""
    found = dataset()
    assert found.fingerprint() == dataset().fingerprint()
    assert dataclasses.replace(found, source="elsewhere").fingerprint() == found.fingerprint()
    assert found.with_label_names(["y", "x"]).fingerprint() == found.fingerprint()
    assert found.select([1, 0, 2, 3, 4]).fingerprint() != found.fingerprint()
    assert found.with_splits(["train"] * 5).fingerprint() != found.fingerprint()


def test_it_cannot_be_changed() -> None:
    """A dataset is a value."""
    with pytest.raises(dataclasses.FrozenInstanceError):
        dataset().label_names = ()  # type: ignore[misc]


def test_repr_says_sizes() -> None:
    """What a notebook shows names sizes and labels, not rows."""
    assert repr(dataset()) == (
        "Dataset of 5 rows: train 2, validation 1, test 1, zzz 1\nlabels: x, y; 1 without a label"
    )


@pytest.mark.parametrize(
    ("labels", "known", "says"),
    [
        (["negative", "positive"], ("NEGATIVE", "POSITIVE"), "'negative' and 'NEGATIVE' differ in case only"),
        ([0, 1], ("Food, Drink", "Toys"), "--label-names '\"Food, Drink\",Toys'"),
        (["neg", "pos"], ("NEGATIVE", "POSITIVE"), "Write the labels in the data as they are written here"),
    ],
)
def test_labels_that_are_not_known_say_why_and_what_helps(labels: list[object], known: list[str], says: str) -> None:
    """Rows, the nearest spelling and the option that helps are named; no label is matched by half."""
    found = from_arrow(pa.table({"text": ["a", "b"], "label": labels}))
    with pytest.raises(DataError) as caught:
        found.with_label_names(known)
    assert says in str(caught.value)
    assert "(1 rows, first train:1)" in str(caught.value)


def test_spellings_that_no_eye_tells_apart_are_one_label() -> None:
    """A model that learned from true answers for TRUE, as one folder of both would have."""
    found = from_arrow(pa.table({"text": ["a", "b"], "label": ["TRUE", "caf\u00e9"]}))
    assert found.with_label_names(["cafe\u0301", "true"]).labels.tolist() == [1, 0]


def several(cells: list[list[int] | None], names: tuple[str, ...] = ("x", "y", "z")) -> Dataset:
    count = len(cells)
    columns = [list(map(str, range(count))), ["train"] * count, list("abcdef"[:count]), cells]
    table = pa.table(dict(zip(core_schema(MULTI).names, columns, strict=True)), core_schema(MULTI))
    return Dataset(table=table, label_names=names, source="here", task=MULTI)


def test_targets_are_what_a_model_of_the_task_learns() -> None:
    """A matrix for several labels, where a row may have none; a row that is not labelled is an error, as ever."""
    found = several([[0, 2], [], [1]])
    assert found.is_labelled
    assert found.targets.tolist() == [[True, False, True], [False, False, False], [False, True, False]]
    assert dataset().split("train").targets.tolist() == dataset().split("train").labels.tolist()
    with pytest.raises(DataError, match="1 of 1 rows"):
        several([None]).targets  # noqa: B018 # the property is what raises


def test_what_reads_one_label_refuses_several() -> None:
    """No code that knows one label per row reads the first of several."""
    found = several([[0, 2]])
    with pytest.raises(SettingsError, match=r"here it is any number of labels per row \(multi\)"):
        found.labels  # noqa: B018 # the property is what raises
    with pytest.raises(SettingsError, match="one label of each row is for"):
        found.label_name_list()


def test_another_label_map_keeps_every_set() -> None:
    """Sets are renamed label by label, and stay sorted; a label that is not known is told with its rows."""
    found = several([[0, 2], [], [1], None])
    other = found.with_label_names(["z", "y", "unused", "x"])
    assert other.table["label"].to_pylist() == [[0, 3], [], [1], None]
    assert [set(names or ()) for names in other.label_name_sets()] == [{"x", "z"}, set(), {"y"}, set()]
    assert other.fingerprint() == found.fingerprint() != several([[0, 2], [], [1], []]).fingerprint()
    with pytest.raises(DataError, match=r"'y' \(1 rows, first 2\)"):
        found.with_label_names(["x", "z"])
