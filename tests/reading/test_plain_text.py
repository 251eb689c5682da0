"""Text files: `text;label` lines, plain texts, and how one is told from the other."""

from pathlib import Path

import pytest

from limbeck.data.dataset import Dataset
from limbeck.errors import DataError
from limbeck.reading.read import read_with
from limbeck.settings import ReadSettings


def read_text(folder: Path, content: str, **settings: object) -> Dataset:
    path = folder / "lines.txt"
    path.write_bytes(content.encode())
    return read_with(path, ReadSettings(**settings))  # type: ignore[arg-type]  # parametrised


def test_the_last_semicolon_parts(tmp_path: Path) -> None:
    """Semicolons inside the text stay in it; Windows line ends are no part of the label."""
    dataset = read_text(tmp_path, "one; two; three;joy\r\nfour;fear\r\n")
    assert dataset.texts == ["one; two; three", "four"]
    assert dataset.label_name_list() == ["joy", "fear"]


def test_only_line_ends_part_lines(tmp_path: Path) -> None:
    """Characters that Unicode calls line separators stay inside a text."""
    assert read_text(tmp_path, "a\u2028b\x85c\x0bd;joy\n").texts == ["a\u2028b\x85c\x0bd"]


def test_row_number_is_line_number(tmp_path: Path) -> None:
    """A blank line holds no row among labelled lines, is noted, and moves no number."""
    dataset = read_text(tmp_path, "\na;x\n\nb;y\n\n\n")
    assert dataset.row_ids == ["train:2", "train:4"]
    assert dataset.notes[0].rows == 2
    assert "line 1" in dataset.notes[0].example


def test_plain_texts_are_whole_lines(tmp_path: Path) -> None:
    """Texts to predict on may hold semicolons: not every line ends in a label, so no line does."""
    dataset = read_text(tmp_path, "first; second\nno semicolon\n", labels="ignored")
    assert dataset.texts == ["first; second", "no semicolon"]


def test_plain_texts_that_all_have_semicolons(tmp_path: Path) -> None:
    """When what follows the last semicolon is different in every line, it is no label."""
    lines = ["wait; what", "well; no", "hm; yes"]
    assert read_text(tmp_path, "\n".join(lines), labels="optional").texts == lines


def test_a_labelled_file_where_labels_are_not_looked_at(tmp_path: Path) -> None:
    """The label is taken off the text, so that it cannot leak into a prediction."""
    content = "a;joy\nb;joy\nc;fear\nd;fear\n"
    ignored = read_text(tmp_path, content, labels="ignored")
    assert ignored.texts == ["a", "b", "c", "d"]
    assert ignored.table["label_"].to_pylist() == ["joy", "joy", "fear", "fear"]
    assert read_text(tmp_path, content, labels="optional").label_name_list() == ["joy", "joy", "fear", "fear"]


def test_known_names_decide(tmp_path: Path) -> None:
    """With a model's label names a file is labelled if every line ends in one of them, and only then."""
    names = ("joy", "fear")
    assert read_text(tmp_path, "a;joy\n", labels="optional", label_names=names).texts == ["a"]
    assert read_text(tmp_path, "a;bye\nb;bye\n", labels="optional", label_names=names).texts == ["a;bye", "b;bye"]


def test_a_blank_line_among_plain_texts_is_a_fault(tmp_path: Path) -> None:
    """Predictions keep the order and count of lines, so a blank line is not passed over."""
    with pytest.raises(DataError, match=r"row 2, column 'text': is empty"):
        read_text(tmp_path, "a\n\nb\n", labels="ignored")


def test_blank_lines_across_chunks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Blank lines that stand at the edge of a chunk are counted like any others."""
    monkeypatch.setattr("limbeck.reading.plain_text.GATHERED_ROWS", 2)
    dataset = read_text(tmp_path, "a;x\n\n\n\n\nb;x\n\n\n\n")
    assert dataset.row_ids == ["train:1", "train:6"]


@pytest.mark.parametrize(
    ("content", "texts", "labels"),
    [
        (
            "id\tdocument\tlabel\n1\tgood; cheap\t1\n2\tbroke; sent back\t0\n",
            ["good; cheap", "broke; sent back"],
            ["1", "0"],
        ),
        ("text\tlabel\na; b\tx\nc; d\ty\n", ["a; b", "c; d"], ["x", "y"]),
        ("ham\tlate; sorry\nham\tok\nspam\twin; now\nspam\tfree\n", ["late; sorry", "ok", "win; now", "free"], None),
    ],
)
@pytest.mark.parametrize("policy", ["error", "skip"])
def test_a_table_of_tabs_is_read_as_one(
    tmp_path: Path, content: str, texts: list[str], labels: list[str] | None, policy: str
) -> None:
    """Whatever the name says: a file of tabs is no list of `text;label` lines, under no policy; it is noted."""
    dataset = read_text(tmp_path, content, on_bad_row=policy)
    assert dataset.texts == texts
    assert labels is None or dataset.label_name_list() == labels
    assert any("table of tabs" in note.what for note in dataset.notes)


def test_texts_with_tabs_stay_texts(tmp_path: Path) -> None:
    """Where labels are not looked at and no column is named, lines with tabs are texts."""
    lines = ["one\tof these", "two\tof those", "three\tthings"]
    assert read_text(tmp_path, "\n".join(lines), labels="ignored").texts == lines


@pytest.mark.parametrize("policy", ["error", "skip"])
@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("text;label\tmore\na; b\t0\nc; d\t1\n", "first line"),
        ("glad;joy\nno label here\n", r"1 of 2 lines end in no ;label \(first: line 2\)"),
        ("\nwait; what\nwell; no\nhm; yes\n", "does not look like labels"),
        ("first; a long tale of everything that happened since, in more than sixty-four characters\n", "not look like"),
        ("one text\nanother\n", "one text per line, without labels"),
    ],
)
def test_the_whole_file_is_refused(tmp_path: Path, content: str, says: str, policy: str) -> None:
    """A file that is not one of labelled lines is refused once, whatever the policy: no line is judged alone."""
    with pytest.raises(DataError, match=says) as caught:
        read_text(tmp_path, content, on_bad_row=policy)
    assert "(1 fault)" in str(caught.value) or "no rows left" in str(caught.value)


def test_lines_of_fasttext(tmp_path: Path) -> None:
    """`__label__name text` is a label and a text, also where the text holds a semicolon."""
    content = "__label__a first; text\n__label__b , second; text\n"
    dataset = read_text(tmp_path, content)
    assert dataset.texts == ["first; text", "second; text"]
    assert dataset.label_names == ("a", "b")
    assert read_text(tmp_path, content, labels="ignored").texts == dataset.texts
    with pytest.raises(DataError, match="row 3, column 'label': holds 2 labels"):
        read_text(tmp_path, content + "__label__a __label__b third\n", task="single")


def test_a_lone_carriage_return_is_part_of_a_text(tmp_path: Path) -> None:
    """In a file whose lines end in line feeds it halves no row; in one without line feeds it ends lines."""
    assert read_text(tmp_path, "one;a\ntwo\rhalf;b\n").texts == ["one", "two\rhalf"]
    assert read_text(tmp_path, "one;a\rtwo;b\r").texts == ["one", "two"]
