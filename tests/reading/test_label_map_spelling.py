"""Spellings of one label: what the eye cannot tell apart is one class, noted; what it can tell apart stays two."""

import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from limbeck.data.dataset import Dataset
from limbeck.errors import DataError
from limbeck.reading.label_map import spelling_key
from limbeck.reading.read import read


def read_labels(folder: Path, *labels: str, **settings: object) -> Dataset:
    path = folder / "data.csv"
    rows = "".join(f'a text,"{label}"\n' for label in labels)
    path.write_text(f"text,label\n{rows}", "utf-8", newline="")
    return read(path, **settings)  # type: ignore[arg-type]  # parametrised


@pytest.mark.parametrize("space", [" ", "\t", "\u00a0", "\u3000", "\n", "  \t"])
def test_white_space_at_an_end_makes_no_class(tmp_path: Path, space: str) -> None:
    """`joy` and `joy ` are one class, whatever the white space, before or after; the rows are counted."""
    dataset = read_labels(tmp_path, "joy", f"joy{space}", f"{space}fear", "fear")
    assert dataset.label_names == ("fear", "joy")
    assert [(note.what, note.rows) for note in dataset.notes] == [
        ("labels with white space at an end, read without it", 2)
    ]


@pytest.mark.parametrize(
    ("usual", "other"),
    [
        ("café", "cafe\u0301"),
        ("긍정", unicodedata.normalize("NFD", "긍정")),
        ("joy", "jo\u200by"),
        ("joy", "\u202ajoy"),
        ("joy", "ｊｏｙ"),
        ("카드", "카\ufeff드"),
        ("カード", "ｶｰﾄﾞ"),
        ("two words", "two\u00a0words"),
        ("true", "TRUE"),
        ("false", "False"),
    ],
)
def test_forms_that_look_alike_are_one_class(tmp_path: Path, usual: str, other: str) -> None:
    """The plain spelling names the class, and the note shows what was read as what."""
    dataset = read_labels(tmp_path, usual, other, usual, "another")
    assert dataset.label_names == tuple(sorted((usual, "another")))
    (note,) = dataset.notes
    assert note.rows == 1
    assert "row 2" in note.example
    assert "is read as" in note.example


def test_a_single_spelling_stays_as_it_is(tmp_path: Path) -> None:
    """Nothing is rewritten where nothing is joined: emoji keep their joiners, decomposed labels their form."""
    family, heart, decomposed = "\U0001f468\u200d\U0001f467", "\u2764\ufe0f", "cafe\u0301"
    dataset = read_labels(tmp_path, family, heart, decomposed)
    assert set(dataset.label_names) == {family, heart, decomposed}
    assert dataset.notes == ()


@pytest.mark.parametrize("other", ["Joy", "j\u043ey", "joy!", "jоу"])
def test_what_a_reader_can_tell_apart_stays_two(tmp_path: Path, other: str) -> None:
    """Case and letters of other scripts make another class: the audit speaks of them."""
    assert set(read_labels(tmp_path, "joy", other).label_names) == {"joy", other}


def test_splits_meet(tmp_path: Path) -> None:
    """Train in one Unicode form and test in the other are the same classes; train's spelling need not be first."""
    for split, form in (("test", "NFC"), ("train", "NFD")):
        names = [unicodedata.normalize(form, name) for name in ("긍정", "부정")]
        (tmp_path / f"{split}.csv").write_text(f"text,label\nhm,{names[0]}\nha,{names[1]}\n", "utf-8")
    dataset = read(tmp_path)
    assert len(dataset.label_names) == 2
    assert len(dataset) == 4


def test_truth_values_of_a_csv_and_a_jsonl(tmp_path: Path) -> None:
    """A spreadsheet's TRUE is JSON's true."""
    (tmp_path / "train.csv").write_text("text,label\ngood,TRUE\nbad,FALSE\n")
    (tmp_path / "test.jsonl").write_text('{"text": "fine", "label": true}\n{"text": "poor", "label": false}\n')
    assert read(tmp_path).label_names == ("false", "true")


def test_given_names_decide(tmp_path: Path) -> None:
    """With given names a spelling is read as the given one; two given names are never joined."""
    dataset = read_labels(tmp_path, "cafe\u0301", "b", label_names=("b", "café"))
    assert dataset.label_name_list() == ["café", "b"]
    both = read_labels(tmp_path, "cafe\u0301", "café", label_names=("cafe\u0301", "café"))
    assert both.label_name_list() == ["cafe\u0301", "café"]
    with pytest.raises(DataError, match="none of the label names"):
        read_labels(tmp_path, "tea", label_names=("cafe\u0301", "café"))


@given(st.text(max_size=8), st.sampled_from(["NFC", "NFD"]))
def test_the_key_is_one_for_every_form(name: str, form: str) -> None:
    """Taking the key twice changes nothing, and no Unicode form has a key of its own."""
    key = spelling_key(name)
    assert spelling_key(key) == key
    assert spelling_key(unicodedata.normalize(form, name)) == key
