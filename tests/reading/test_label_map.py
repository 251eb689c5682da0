"""The label map: names, integers, declared and given maps, and what has no label."""

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from limbeck.data.dataset import Dataset
from limbeck.errors import DataError
from limbeck.reading.in_memory import from_arrow
from limbeck.reading.read import read
from limbeck.settings import ReadSettings


def of(labels: object, **columns: object) -> pa.Table:
    """Make a table of a label column."""
    array = labels if isinstance(labels, pa.Array) else pa.array(labels)
    return pa.table({"text": [f"text {n}" for n in range(len(array))], "label": array, **columns})


def named(dataset: Dataset) -> tuple[tuple[str, ...], list[str | None]]:
    return dataset.label_names, dataset.label_name_list()


@pytest.mark.parametrize(
    ("labels", "names", "by_name"),
    [
        (["b", "a", "c"], ("a", "b", "c"), ["b", "a", "c"]),
        ([10, 2, 10], ("2", "10"), ["10", "2", "10"]),
        ([-1, 0, 1], ("-1", "0", "1"), ["-1", "0", "1"]),
        ([1.0, 3.0, 1.0], ("1", "3"), ["1", "3", "1"]),
        (["10", "2", "10"], ("2", "10"), ["10", "2", "10"]),
        (["1.0", "0.0", "1.0"], ("0", "1"), ["1", "0", "1"]),
        (["007", "7", "07"], ("007", "07", "7"), ["007", "7", "07"]),
        (["0.5", "1", "1.5"], ("0.5", "1", "1.5"), ["0.5", "1", "1.5"]),
        ([True, False, True], ("false", "true"), ["true", "false", "true"]),
        (["나", "가", "다"], ("가", "나", "다"), ["나", "가", "다"]),
        (pa.array(["z", "a", "z"]).dictionary_encode(), ("z", "a"), ["z", "a", "z"]),
        (pa.array([5, 3, 5], pa.uint8()), ("3", "5"), ["5", "3", "5"]),
    ],
)
def test_map_found_in_the_data(labels: object, names: tuple[str, ...], by_name: list[str]) -> None:
    """Names are sorted, integers are ordered as numbers, a dictionary keeps its own order."""
    assert named(from_arrow(of(labels))) == (names, by_name)


@pytest.mark.parametrize(
    "labels", [[0, 1, 0], ["0", "1", "0"], [0.0, 1.0, 0.0], ["neg", "pos", "neg"], [False, True, False]]
)
def test_given_names_are_places_for_integers_and_names_for_names(labels: list[object]) -> None:
    """--label-names explain integers by place; names must be among them."""
    settings = ReadSettings(label_names=("neg", "pos"))
    table = of(labels)
    if isinstance(labels[0], bool):
        settings = ReadSettings(label_names=("false", "true"))
        assert named(from_arrow(table, settings))[1] == ["false", "true", "false"]
        return
    assert named(from_arrow(table, settings)) == (("neg", "pos"), ["neg", "pos", "neg"])


def test_digits_as_names_stay_names() -> None:
    """Names that are digits, given by hand, are names first: "2" is not the third class."""
    settings = ReadSettings(label_names=("1", "2", "3"))
    assert from_arrow(of(["1", "3", "2"]), settings).labels.tolist() == [0, 2, 1]


def test_class_label_of_hugging_face() -> None:
    """The ClassLabel feature in the schema's metadata names the integers."""
    features = {"info": {"features": {"label": {"names": ["sadness", "joy"], "_type": "ClassLabel"}}}}
    table = of([1, 0, 1]).replace_schema_metadata({"huggingface": json.dumps(features)})
    assert named(from_arrow(table)) == (("sadness", "joy"), ["joy", "sadness", "joy"])


def test_damaged_metadata_is_passed_over() -> None:
    """Metadata that are not what they should be name nothing, and break nothing."""
    for content in ("{", "[1]", '{"info": {"features": {"label": "x"}}}', '{"info": {"features": {}}}'):
        table = of([1, 0, 1]).replace_schema_metadata({"huggingface": content})
        assert from_arrow(table).label_names == ("0", "1")


def test_minus_one_and_null_in_unsupervised_rows_mean_no_label() -> None:
    """In the unsupervised split -1, null and blank are no label, and -1 is no class."""
    split = pa.array(["train", "train", "unsupervised", "unlabeled"])
    assert named(from_arrow(of([0, 1, -1, None], split=split))) == (("0", "1"), ["0", "1", None, None])
    assert named(from_arrow(of(["x", "y", "", None], split=split))) == (("x", "y"), ["x", "y", None, None])


def test_minus_one_under_optional_labels_is_no_label_where_names_are_known() -> None:
    """Hidden test labels, as GLUE has them, can be predicted on."""
    settings = ReadSettings(labels="optional", label_names=("neg", "pos"))
    assert from_arrow(of([0, -1, 1]), settings).label_name_list() == ["neg", None, "pos"]


def test_label_only_in_test_is_left_out_under_skip() -> None:
    """Under skip the rows that no model could learn are left out, and counted."""
    table = of(["x", "y", "z", "z"], split=pa.array(["train", "train", "test", "test"]))
    dataset = from_arrow(table, ReadSettings(on_bad_row="skip"))
    assert dataset.split_sizes() == {"train": 2}
    assert dataset.notes[0].rows == 2
    with pytest.raises(DataError, match=r"'z' stands in test \(2 rows\)"):
        from_arrow(table)


def test_a_test_file_alone_may_have_any_label() -> None:
    """Without a train split there is nothing to compare with."""
    assert from_arrow(of(["x", "y"], split=pa.array(["test", "test"]))).label_names == ("x", "y")


def test_label_and_label_name_together_keep_the_order() -> None:
    """Integers beside names give the order of the names, places without a name keep their number."""
    table = of([2, 0, 2], label_name=pa.array(["pos", "neg", "pos"]))
    assert named(from_arrow(table)) == (("neg", "1", "pos"), ["pos", "neg", "pos"])


def test_dictionaries_that_disagree_are_joined_by_name() -> None:
    """Two splits whose dictionaries have other orders: no label changes its meaning."""
    from limbeck.reading.bad_rows import BadRows
    from limbeck.reading.columnar import raw_table
    from limbeck.reading.file_rows import check_rows
    from limbeck.reading.label_map import map_labels

    bad, settings = BadRows("error"), ReadSettings()
    tables = {
        "train": of(pa.DictionaryArray.from_arrays([0, 1], ["a", "b"])),
        "test": of(pa.DictionaryArray.from_arrays([0, 1], ["b", "a"])),
    }
    parts = [
        check_rows(raw_table(table, name=split, split=split, bad=bad), settings, bad) for split, table in tables.items()
    ]
    found = map_labels(parts, settings, bad)
    assert found.names == ("a", "b")
    assert [part.label.to_pylist() for part in found.parts] == [[0, 1], [1, 0]]


def test_all_faults_of_a_row_count_once_under_skip() -> None:
    """A row without text and without label is one row that was left out."""
    table = pa.table({"text": ["a", ""], "label": ["x", None]})
    dataset = from_arrow(table, ReadSettings(on_bad_row="skip"))
    assert sum(note.rows for note in dataset.notes) == 1


@pytest.mark.parametrize(
    ("labels", "names", "by_name"),
    [
        ([1, 2, 3, 1], ("one", "two", "three"), ["one", "two", "three", "one"]),
        (["1", "2", "3"], ("one", "two", "three"), ["one", "two", "three"]),
        ([-1, 1, -1], ("neg", "pos"), ["neg", "pos", "neg"]),
        ([-1, 0, 1], ("neg", "even", "pos"), ["neg", "even", "pos"]),
        ([4, 0], ("neg", "pos"), ["pos", "neg"]),
        ([10.0, 20.0], ("low", "high"), ["low", "high"]),
    ],
)
def test_as_many_integers_as_names_are_named_by_rank(
    labels: list[object], names: tuple[str, ...], by_name: list[str]
) -> None:
    """Integers that do not count from 0 are matched by their order, and the notes say which is which."""
    for policy in ("error", "skip"):
        dataset = from_arrow(of(labels), ReadSettings(label_names=names, on_bad_row=policy))
        assert named(dataset) == (names, by_name)
        assert "by their rank" in dataset.notes[0].what


@pytest.mark.parametrize(
    ("labels", "names"),
    [
        ([1, 2, 3], ("one", "two", "three", "four")),
        ([1, 2, 3, 4], ("one", "two", "three")),
        ([0, 1, 2], ("no", "yes")),
        ([5, 0], ("a", "b", "c")),
        ([1, 1], ("no", "yes")),
        ([-1, 1], ("a", "b", "c")),
    ],
)
def test_integers_that_fit_no_list_of_names_are_refused_whole(labels: list[int], names: tuple[str, ...]) -> None:
    """Under no policy does one name more or less shift the classes, or drop one of them."""
    for policy in ("error", "skip", "mend"):
        with pytest.raises(DataError, match="label names were given") as caught:
            from_arrow(of(labels), ReadSettings(label_names=names, on_bad_row=policy))
        assert "1 fault" in str(caught.value)


def test_names_without_a_row_are_noted() -> None:
    """More names than classes, given by hand or as unused categories, are not passed over."""
    given = from_arrow(of([0, 1, 0]), ReadSettings(label_names=("no", "yes", "perhaps")))
    categories = from_arrow(of(pa.DictionaryArray.from_arrays([0, 1, 0], ["no", "yes", "perhaps"])))
    for dataset in (given, categories):
        assert dataset.label_names == ("no", "yes", "perhaps")
        (note,) = dataset.notes
        assert "remove_unused_categories" in note.what
        assert (note.rows, note.example) == (1, "'perhaps'")


@pytest.mark.parametrize("name", ["nan", "NaN", "None", "null", "NA", "N/A", "\\N", "<NA>"])
def test_a_class_that_looks_like_a_missing_label_is_noted(name: str) -> None:
    """What programs write for a missing label is read as a class, as it stands, and said."""
    dataset = from_arrow(of(["x", name, "y", name]))
    assert name in dataset.label_names
    assert "looks like a missing label" in dataset.notes[0].what
    assert dataset.notes[0].rows == 2


def test_integers_that_files_name_differently_are_refused(tmp_path: Path) -> None:
    """Where two files disagree about an integer, one that names nothing is not read by either."""
    rows = {"text": ["a", "b"], "label": [0, 1]}
    for split, names in {"train": ["no", "yes"], "validation": ["yes", "no"], "test": None}.items():
        columns = {**rows, "text": [f"{split} {text}" for text in rows["text"]]}
        table = pa.table(columns if names is None else {**columns, "label_name": names})
        pq.write_table(table, tmp_path / f"{split}.parquet")
    with pytest.raises(DataError, match="give different names"):
        read(tmp_path)


def test_a_comma_that_divided_a_name_is_told() -> None:
    """A name that the list of names cut in two says so, and how to write it."""
    settings = ReadSettings(label_names=("Food", "Drink", "Toys"))
    with pytest.raises(DataError, match="in double quotes"):
        from_arrow(of(["Food, Drink", "Toys"]), settings)
