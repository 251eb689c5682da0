"""Several labels per row, in each way in which people and tools write them."""

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from limbeck.data.dataset import Dataset
from limbeck.data.write import write
from limbeck.errors import DataError, SettingsError
from limbeck.reading.in_memory import from_arrow, from_lists, from_pandas
from limbeck.reading.read import read
from limbeck.settings import ReadSettings
from limbeck.task import MULTI, SINGLE

SETS = [("a", "b"), (), ("b",), None]
"""What each of the forms below says: two labels, none of them, one, and a row that is not labelled."""


def table(labels: pa.Array, name: str = "label") -> pa.Table:
    return pa.table({"text": ["one", "two", "three", "four"], name: labels})


def hugging_face(labels: pa.Array, feature: dict[str, Any]) -> pa.Table:
    """Return a table as the library datasets writes it: what its columns are stands in the metadata."""
    features = {"text": {"dtype": "string", "_type": "Value"}, "label": feature}
    return table(labels).replace_schema_metadata({"huggingface": json.dumps({"info": {"features": features}})})


CLASS_LABEL = {"names": ["a", "b"], "_type": "ClassLabel"}
INTEGERS = pa.array([[0, 1], [], [1], None])
FORMS = {
    "a list of names": (table(pa.array([["a", "b"], [], ["b"], None])), {}),
    "a list of names, in any order and twice": (table(pa.array([["b", "a", "b"], [], ["b"], None])), {}),
    "a fixed list of names": (table(pa.array([["a", "b"], None, ["b", "b"], None], pa.list_(pa.string(), 2))), {}),
    "Label Studio's choices": (
        table(pa.array([{"choices": ["a", "b"]}, {"choices": []}, {"choices": ["b"]}, None])),
        {},
    ),
    "an object of scores": (table(pa.array([{"a": 1.0, "b": 1.0}, {"a": 0, "b": 0}, {"a": 0, "b": 1}, None])), {}),
    "Sequence(ClassLabel)": (hugging_face(INTEGERS, {"feature": CLASS_LABEL, "_type": "Sequence"}), {}),
    "List(ClassLabel)": (hugging_face(INTEGERS, {"feature": CLASS_LABEL, "length": -1, "_type": "List"}), {}),
    "[ClassLabel]": (hugging_face(INTEGERS, {"feature": [CLASS_LABEL]}), {}),
    "integers with names by hand": (table(INTEGERS), {"label_names": ["a", "b"]}),
    "JSON in a text": (table(pa.array(['["a", "b"]', "[]", "b", None])), {}),
    "JSON of integers in a text": (table(pa.array(["[0, 1]", "[]", "[1]", None])), {"label_names": ["a", "b"]}),
    "Python's own notation": (table(pa.array(["['a', 'b']", "[]", "['b']", None])), {}),
    "a separator": (table(pa.array(["a; b", "", "b", None])), {"label_separator": ";"}),
    "one label each": (table(pa.array(["a", "", "b", None])), {"task": "multi"}),
    "columns of 0 and 1": (
        pa.table({"text": ["one", "two", "three", "four"], "a": [1, 0, 0, None], "b": [1, 0, 1, None]}),
        {"label_columns": ["a", "b"]},
    ),
    "columns of truth values": (
        pa.table(
            {"text": ["one", "two", "three", "four"], "a": ["1", "0", "0", ""], "b": ["TRUE", "False", "1.0", None]}
        ),
        {"label_columns": ["a", "b"]},
    ),
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_says_the_same(form: str) -> None:
    """A label set per row; none of the labels is an empty set, and a missing value is a row that is not labelled."""
    found, options = FORMS[form]
    dataset = from_arrow(found, labels="optional", **options)  # type: ignore[arg-type]  # options of each form
    wanted: list[tuple[str, ...] | None] = list(SETS)
    if form == "one label each":
        wanted[0] = ("a",)
    if form.startswith("a fixed"):
        wanted[1] = None
    assert dataset.task == MULTI
    assert dataset.label_name_sets() == wanted
    assert dataset.label_names == ("a", "b")
    (note,) = [note for note in dataset.notes if "(multi)" in note.what]
    assert "any number of labels per row" in note.what
    assert note.rows == sum(one is not None for one in wanted)


def test_lists_of_one_label_are_one_label_per_row() -> None:
    """A list that never has two is what it was before: one label per row, and an empty one is missing."""
    labels = pa.array([["a"], [], ["b"], None])
    assert from_arrow(table(labels), labels="optional").task == SINGLE
    assert from_arrow(table(labels), labels="optional", task="multi").label_name_sets() == [("a",), (), ("b",), None]


def test_one_label_per_row_can_be_insisted_on() -> None:
    """`--task single` makes a row of several a fault, as rows of several labels in a column of one are."""
    with pytest.raises(DataError, match=r"row 1, column 'label': holds 2 labels \('a', 'b'\), where one was expected"):
        from_arrow(table(pa.array([["a", "b"], ["a"], ["b"], ["b"]])), task="single")


def test_a_missing_value_is_a_fault_where_labels_are_needed() -> None:
    """A row that is not labelled is no row without labels: the message says how to write one that has none."""
    with pytest.raises(DataError, match=r"row 4, column 'label': is missing: labels were expected, \[\] for a row"):
        from_lists(["w", "x", "y", "z"], [["a", "b"], [], ["b"], None])
    assert from_lists(["w", "x", "y"], [["a", "b"], [], ["b"]]).is_labelled


def test_faults_inside_sets_stand_at_their_rows() -> None:
    """A missing or unknown label inside a set is told with its row; under skip the whole row goes, not the label."""
    labels = pa.array([["a", None], ["b"], ["c", "a"], ["a", "b"]])
    with pytest.raises(
        DataError, match=r"row 3, column 'label': is 'c', none(.|\n)*row 1, column 'label': has no label"
    ):
        from_arrow(table(labels), label_names=["a", "b"])
    kept = from_arrow(table(labels), label_names=["a", "b"], on_bad_row="skip")
    assert kept.label_name_sets() == [("b",), ("a", "b")]
    assert kept.texts == ["two", "four"]


def test_columns_of_something_else_are_faults() -> None:
    """A column that holds something else than 0 and 1, or is empty where others are not, is told with its name."""
    frame = pd.DataFrame({"text": ["x", "y", "z"], "a": [1, 2, 0], "b": [0, 1, None]})
    with pytest.raises(DataError, match=r"row 2, .*a is '2', where 0 or 1(.|\n)*row 3, .*b is empty: 0 or 1"):
        from_pandas(frame, label_columns=["a", "b"])
    with pytest.raises(DataError, match="has no column 'c': its columns are 'text', 'a', 'b'"):
        from_pandas(frame, label_columns=["a", "c"])


def test_doubled_and_untrained_labels_are_noted() -> None:
    """A label that stands twice in a row counts once, and one that train has not is told; nothing is lost for it."""
    found = pa.table(
        {"text": ["x", "y", "z"], "split": ["train", "train", "test"], "label": [["a", "a"], ["a", "b"], ["c", "b"]]}
    )
    dataset = from_arrow(found)
    assert dataset.label_name_sets() == [("a",), ("a", "b"), ("b", "c")]
    notes = {note.what: note for note in dataset.notes}
    assert notes["rows in which a label stands twice, read once"].rows == 1
    assert notes["no row of train has these labels, and no model can learn them"].example == "'c'"


def test_rare_labels_are_left_out_when_asked() -> None:
    """`--min-label-rows 2` keeps labels of two rows and more; the rows of the others stay, and the note counts them."""
    dataset = from_lists(["x", "y", "z"], [["a", "c"], ["a", "b"], ["b", "d"]], min_label_rows=2)
    assert dataset.label_names == ("a", "b")
    assert dataset.label_name_sets() == [("a",), ("a", "b"), ("b",)]
    (note,) = [note for note in dataset.notes if "fewer than 2 rows" in note.what]
    assert (note.rows, note.example) == (2, "c, d")
    with pytest.raises(DataError, match="no label has 9 rows"):
        from_lists(["x", "y"], [["a", "c"], ["a", "b"]], min_label_rows=9)


def test_lines_of_fasttext_may_have_several_labels(tmp_path: Path) -> None:
    """`__label__a __label__b text` is a row of two labels, with white space or a comma between them."""
    path = tmp_path / "train.txt"
    path.write_text("__label__a __label__b one text\n__label__b, two\n__label__a,__label__c three\n", "utf-8")
    dataset = read(path)
    assert dataset.texts == ["one text", "two", "three"]
    assert dataset.label_name_sets() == [("a", "b"), ("b",), ("a", "c")]


def test_exports_of_annotation_tools(tmp_path: Path) -> None:
    """Doccano's JSON lines, its CSV with # between labels, and Label Studio's CSV, whose lone labels are bare."""
    doccano = tmp_path / "doccano.jsonl"
    doccano.write_text('{"id": 1, "text": "x", "label": ["a", "b"]}\n{"id": 2, "text": "y", "label": []}\n', "utf-8")
    assert read(doccano).label_name_sets() == [("a", "b"), ()]
    cells = tmp_path / "doccano.csv"
    cells.write_text("id,text,label\n1,x,a#b\n2,y,b\n", "utf-8")
    assert read(cells, label_separator="#").label_name_sets() == [("a", "b"), ("b",)]
    studio = tmp_path / "studio.csv"
    studio.write_text('text,sentiment\nx,"{""choices"":[""a"",""b""]}"\ny,b\n', "utf-8")
    assert read(studio).label_name_sets() == [("a", "b"), ("b",)]


NAMES = st.text("ab ,;é\"'[]", min_size=1, max_size=4).map(str.strip)
NAMES = NAMES.filter(lambda name: name and (name[0], name[-1]) != ("[", "]"))
"""Not "[]" nor "['']", which are lists without a label: as a name such a text is refused with its row."""


@pytest.mark.parametrize(
    "suffix", [".jsonl", *(pytest.param(one, marks=pytest.mark.slow) for one in (".parquet", ".arrow", ".csv"))]
)
@settings(deadline=None, max_examples=30)
@given(cells=st.lists(st.none() | st.sets(NAMES, max_size=3), min_size=2, max_size=6))
def test_what_is_written_reads_back(
    suffix: str, cells: list[set[str] | None], tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Whatever the names, in every format: the same sets, texts and row ids."""
    labels = [None if cell is None else sorted(cell) for cell in cells]
    texts = [f"text {number}" for number in range(len(cells))]
    dataset = from_arrow(
        pa.table({"text": texts, "label": pa.array(labels, pa.list_(pa.string()))}), task="multi", labels="optional"
    )
    path = tmp_path_factory.mktemp("written") / f"rows{suffix}"
    write(dataset, path)
    again = read(path, labels="optional")
    if any(cells):
        assert again.task == MULTI
        assert again.label_name_sets() == dataset.label_name_sets()
        assert again.fingerprint() == dataset.fingerprint()


def test_csv_may_have_a_separator(tmp_path: Path) -> None:
    """What was read with a separator is written with it, none of the labels apart from not labelled; names must fit."""
    dataset = from_lists(["w", "x", "y"], [["a", "b c"], [], None], settings=ReadSettings(labels="optional"))
    write(dataset, tmp_path / "rows.csv", label_separator=";")
    assert '"w","[0, 1]","a;b c"' in (tmp_path / "rows.csv").read_text("utf-8")
    again = read(tmp_path / "rows.csv", label_separator=";", labels="optional")
    assert again.fingerprint() == dataset.fingerprint()
    with pytest.raises(DataError, match="label names hold the separator 'b'"):
        write(dataset, tmp_path / "rows.tsv", label_separator="b")


def test_a_frame_of_pandas_reads_back() -> None:
    """`to_pandas` has lists of integers and of names, which `from_pandas` reads as the same sets."""
    dataset = from_lists(["w", "x", "y"], [["a", "b"], [], None], settings=ReadSettings(labels="optional"))
    assert from_pandas(dataset.to_pandas(), labels="optional").fingerprint() == dataset.fingerprint()


def test_a_folder_of_splits_keeps_what_no_row_says(tmp_path: Path) -> None:
    """Parquet keeps the task and labels that no row has, also where no row of a split has two."""
    dataset: Dataset = from_lists(["x", "y"], [["a"], ["b"]], task="multi", label_names=["a", "b", "c"])
    write(dataset.with_splits(["train", "test"]), tmp_path / "rows")
    again = read(tmp_path / "rows")
    assert (again.task, again.label_names) == (MULTI, ("a", "b", "c"))
    assert pq.read_table(tmp_path / "rows" / "test.parquet")["label_name"].to_pylist() == [["b"]]


@pytest.mark.parametrize("labels", [[["a", "b"], [], ["a"], []], ["a;b", "", "a", ""]], ids=["lists", "texts"])
def test_an_empty_set_may_mean_not_labelled(labels: list[Any]) -> None:
    """Where labels are needed such rows go, where they are optional they stay without any; a note counts either."""
    table = pa.table({"text": list("wxyz"), "label": labels})
    options: dict[str, Any] = {"label_separator": ";"} if isinstance(labels[0], str) else {}
    assert from_arrow(table, **options).label_name_sets() == [("a", "b"), (), ("a",), ()]
    found = from_arrow(table, empty_labels="unlabelled", **options)
    assert found.label_name_sets() == [("a", "b"), ("a",)]
    assert found.row_ids == ["train:1", "train:3"]
    said = "rows with an empty set of labels, not labelled"
    assert [(note.what, note.rows) for note in found.notes if said in note.what] == [(f"{said}, so left out", 2)]
    kept = from_arrow(table, empty_labels="unlabelled", labels="optional", **options)
    assert kept.label_name_sets() == [("a", "b"), None, ("a",), None]
    assert [(note.what, note.rows) for note in kept.notes if said in note.what] == [(said, 2)]


def test_rows_of_rare_labels_alone_stay_labelled() -> None:
    """Somebody labelled them: they have none of the labels that are left; one label per row has no empty set."""
    table = pa.table({"text": list("wxyz"), "label": [["a"], ["rare"], [], ["a"]]})
    found = from_arrow(table, empty_labels="unlabelled", min_label_rows=2)
    assert found.label_name_sets() == [("a",), (), ("a",)]
    with pytest.raises(SettingsError, match="empty_labels is for any number of labels per row"):
        from_arrow(pa.table({"text": ["x"], "label": ["a"]}), empty_labels="unlabelled", task="single")
