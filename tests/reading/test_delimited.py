"""CSV and TSV: what the csv module writes is read back exactly; faults do not hide each other."""

import csv
import io
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from limbeck.data.dataset import Dataset
from limbeck.errors import DataError
from limbeck.reading.bad_rows import BadRows
from limbeck.reading.delimited import read_delimited
from limbeck.reading.raw import SourceFile
from limbeck.reading.read import read, read_with
from limbeck.settings import ReadSettings

TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1).filter(
    lambda text: bool(text.strip())
)


@pytest.mark.slow
@settings(deadline=None)
@given(st.lists(st.tuples(TEXTS, st.sampled_from(["a", "b c", 'd"e', "f,g"])), min_size=1, max_size=20), st.booleans())
def test_any_text_survives(rows: list[tuple[str, str]], quote_all: bool) -> None:
    """Commas, quotes, line ends and any character of Unicode come through, whatever the quoting."""
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer, quoting=csv.QUOTE_ALL if quote_all else csv.QUOTE_MINIMAL)
    writer.writerow(["text", "label"])
    writer.writerows(rows)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "data.csv"
        path.write_text(buffer.getvalue(), "utf-8", newline="")
        dataset = read(path)
    assert dataset.texts == [text for text, _ in rows]
    assert dataset.label_name_list() == [label for _, label in rows]


@pytest.mark.parametrize("chunk", [1, 2, 3, 1000])
def test_chunks_change_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, chunk: int) -> None:
    """Row numbers, faults and blank lines do not depend on where a chunk ends."""
    monkeypatch.setattr("limbeck.reading.delimited.LISTED_ROWS", chunk)
    path = tmp_path / "data.csv"
    path.write_bytes(b'text,label\na,x\n\nb\n"c "d",x\ne\xff,x\nf,x\n\n')
    dataset = read(path, on_bad_row="skip")
    assert dataset.row_ids == ["train:1", "train:5"]
    with pytest.raises(DataError) as caught:
        read(path)
    message = str(caught.value)
    assert "(3 faults)" in message
    assert all(f"row {row}" in message for row in (2, 3, 4))


@pytest.mark.parametrize("chunk", [1, 2, 1000])
def test_blank_lines_of_one_column(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, chunk: int) -> None:
    """In a file of one column a blank line is an empty text, but not at the end of the file."""
    monkeypatch.setattr("limbeck.reading.delimited.LISTED_ROWS", chunk)
    path = tmp_path / "data.csv"
    path.write_text("text\na\n\n\nb\n\n\n")
    settings = ReadSettings(labels="ignored", on_bad_row="skip")
    dataset = read_with(path, settings)
    assert dataset.row_ids == ["1", "4"]
    assert dataset.notes[0].rows == 2


def test_index_column_of_pandas(tmp_path: Path) -> None:
    """The nameless first column that pandas writes is kept under a name."""
    path = tmp_path / "data.csv"
    path.write_text(",text,label\n0,a,x\n1,b,y\n")
    assert read(path).table["unnamed_1"].to_pylist() == ["0", "1"]


def test_separator_of_spreadsheets(tmp_path: Path) -> None:
    """A .csv whose header has semicolons or tabs and no comma is separated by those."""
    for separator in ";\t":
        path = tmp_path / "data.csv"
        path.write_text(f"text{separator}label\na, b{separator}x\n")
        assert read(path).texts == ["a, b"]


def test_a_very_long_text_is_read(tmp_path: Path) -> None:
    """A text longer than the csv module's usual limit of 131,072 characters is read whole."""
    path = tmp_path / "data.csv"
    path.write_text("text,label\n" + "word " * 100_000 + ",x\n")
    assert len(read(path).texts[0]) == 500_000


@pytest.mark.slow
def test_an_open_quote_does_not_fill_the_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A quote that is never closed stops at the limit for a cell."""
    monkeypatch.setattr("limbeck.reading.dialect.MAX_CELL_CHARS", 200_000)
    csv.field_size_limit(200_000)
    path = tmp_path / "data.csv"
    path.write_text('text,label\nfine,x\n"open,x\n' + "some text,x\n" * 50_000)
    with pytest.raises(DataError, match=r"row 2: a double quote that opens here is never closed"):
        read(path)


CELLS = st.text(st.sampled_from('ab,\t"\n\r\\ ;é'), min_size=1, max_size=8).filter(lambda cell: bool(cell.strip()))
TAB_CELLS = st.text(st.sampled_from('ab,"\\ ;é'), min_size=1, max_size=8).filter(lambda cell: bool(cell.strip('" ')))
ENDS = st.sampled_from(["\n", "\r\n"])


def written(rows: list[tuple[str, ...]], **dialect: object) -> str:
    buffer = io.StringIO(newline="")
    csv.writer(buffer, **dialect).writerows([("text", "label"), *rows])  # type: ignore[arg-type]  # hypothesis
    return buffer.getvalue()


def read_or_refuse(name: str, content: str) -> Dataset | None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        path.write_text(content, "utf-8", newline="")
        try:
            return read(path)
        except DataError:
            return None


@pytest.mark.slow
@settings(deadline=None, max_examples=75)
@given(
    st.lists(st.tuples(CELLS, st.sampled_from("xyz")), min_size=1, max_size=6),
    st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL, csv.QUOTE_NONNUMERIC]),
    st.sampled_from([",", ";", "|"]),
    ENDS,
)
def test_rows_of_csv_come_back_or_are_refused(
    rows: list[tuple[str, str]], quoting: int, separator: str, end: str
) -> None:
    """Whatever the csv module writes with quotes is read as those rows, or refused: never as other rows."""
    dataset = read_or_refuse("data.csv", written(rows, quoting=quoting, delimiter=separator, lineterminator=end))
    if dataset is not None:
        assert list(zip(dataset.texts, dataset.label_name_list(), strict=True)) == rows


@pytest.mark.slow
@settings(deadline=None, max_examples=75)
@given(st.lists(st.tuples(TAB_CELLS, st.sampled_from("xyz")), min_size=1, max_size=6), ENDS)
def test_rows_of_tabs_without_quotes_come_back(rows: list[tuple[str, str]], end: str) -> None:
    """A file of tabs that quotes nothing gives a row per line, whatever the quotes in it.

    Its texts are as they stand, but for quotes around a whole text, which are quoting where every text could have it.
    """
    content = f"text\tlabel{end}" + "".join(f"{text}\t{label}{end}" for text, label in rows)
    dataset = read_or_refuse("data.tsv", content)
    assert dataset is not None
    assert dataset.label_name_list() == [label for _, label in rows]
    bare = [text[1:-1].replace('""', '"') if len(text) > 1 and text[0] == text[-1] == '"' else text for text, _ in rows]
    assert dataset.texts in ([text for text, _ in rows], bare)


@pytest.mark.slow
@settings(deadline=None, max_examples=75)
@given(
    st.lists(st.tuples(CELLS, st.sampled_from("xyz")), min_size=1, max_size=6),
    st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
)
def test_rows_of_tabs_with_quotes_come_back_or_it_is_said(rows: list[tuple[str, str]], quoting: int) -> None:
    """Of a quoted file of tabs the rows come back, or it is refused, or a note says that quotes are characters."""
    dataset = read_or_refuse("data.tsv", written(rows, quoting=quoting, delimiter="\t", lineterminator="\n"))
    if dataset is not None and list(zip(dataset.texts, dataset.label_name_list(), strict=True)) != rows:
        assert "read as characters" in dataset.notes[0].what


@pytest.mark.slow
@settings(deadline=None, max_examples=75)
@given(
    st.lists(st.text(st.sampled_from('ab,"\\'), max_size=8), min_size=1, max_size=8),
    st.sampled_from(["data.csv", "data.tsv"]),
)
def test_no_line_is_lost_uncounted(lines: list[str], name: str) -> None:
    """Whatever the quotes, under skip every physical line is in a row that was read, or counted in a note."""
    lines = [f"{line}x" for line in lines]
    separator = "," if name == "data.csv" else "\t"
    content = f"text{separator}label\n" + "".join(f"{line}\n" for line in [*lines, f"good{separator}y"])
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        path.write_text(content, "utf-8")
        bad = BadRows("skip")
        source = SourceFile(path=path, name=name, split="train")
        raw = read_delimited(source, ReadSettings(on_bad_row="skip"), bad, lambda done: None)
    inside = sum(cell.count("\n") for column in raw.table.columns for cell in column.to_pylist())
    assert raw.table.num_rows + inside + sum(note.rows for note in bad.notes() if "left out" in note.what) == (
        len(lines) + 1
    )


def test_a_wrong_quote_costs_its_own_row(tmp_path: Path) -> None:
    """Rows that an open quote swallowed are read, with their own numbers; also when it is never closed."""
    path = tmp_path / "data.csv"
    for swallowed in ('three "x" y', "three"):
        path.write_text(f'text,label\none,a\n"two,b\n{swallowed},a\nfour,b\nfive,a\n')
        dataset = read(path, on_bad_row="skip")
        assert dataset.row_ids == ["train:1", "train:3", "train:4", "train:5"]
        assert [note.rows for note in dataset.notes] == [1]
        with pytest.raises(DataError, match=r"\(1 fault\)[\s\S]*row 2: a "):
            read(path)


def test_half_of_a_broken_text_is_no_row(tmp_path: Path) -> None:
    """The end of a text of two lines whose closing quote is wrong is counted, not kept as a text."""
    path = tmp_path / "data.csv"
    path.write_text('text,label\n"first half\nsecond half" x,a\ngood,b\n')
    dataset = read(path, on_bad_row="skip")
    assert dataset.texts == ["good"]
    assert dataset.row_ids == ["train:3"]
    assert sum(note.rows for note in dataset.notes) == 2


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.csv", '"open,pos\nnice,neg\nshut",pos\nlast,neg\n'),
        ("a.csv", 'pos,7,"open\nneg,8,nice\npos,9,shut"\nneg,10,last\n'),
    ],
)
def test_rows_inside_a_cell_are_refused(tmp_path: Path, name: str, content: str) -> None:
    """Two quotes that balance make one text of three rows: refused, and each of them is counted when left out."""
    header = "text,label\n" if content.startswith('"') else "label,id,text\n"
    (tmp_path / name).write_text(header + content)
    with pytest.raises(DataError, match="row 1: holds 3 lines that look like rows"):
        read(tmp_path / name)
    dataset = read(tmp_path / name, on_bad_row="skip")
    assert dataset.texts == ["last"]
    assert [note.rows for note in dataset.notes] == [3]


@pytest.mark.parametrize("text", ["Good, but\nslow", "one,two\nthree", "a list:\n,,\nend"])
def test_texts_of_several_lines_are_texts(tmp_path: Path, text: str) -> None:
    """Line ends and commas in a text do not make it rows, where no label stands at the lines' ends."""
    path = tmp_path / "data.csv"
    path.write_text(written([(text, "pos"), ("fine", "neg")]), newline="")
    assert read(path).texts == [text, "fine"]


@pytest.mark.parametrize(
    ("content", "texts", "said"),
    [
        ('text,label\n"she said \\"no\\" twice",neg\n', ['she said "no" twice'], 'written as \\"'),
        ('text,label\n"C:\\dir \\"x\\", and",neg\n', ['C:\\dir "x", and'], 'written as \\"'),
        ("text, label\ngood, yes\nbad, no\n", ["good", "bad"], "a space after each ','"),
        ('label, text\nno, "a, b"\nyes, c\n', ["a, b", "c"], "a space after each ','"),
        ('label,text\nno, "a, b"\nyes, c\n', ["a, b", "c"], "a space after each ','"),
        ("sep=;\ntext;label\ngood, or so;yes\n", ["good, or so"], "sep=;"),
        ('"sep=|"\ntext|label\ngood|yes\n', ["good"], "sep=|"),
        ("sep=,\ntext,label\ngood,yes\n", ["good"], "sep=,"),
        ("\ufeff\ufefftext,label\ngood,yes\n", ["good"], None),
        ('"\ufefftext",label\ngood,yes\n', ["good"], None),
        ("text,label\ngood,yes\n\ufeffbad,no\n", ["good", "bad"], "byte-order marks"),
        ('"name, first";text;label\nBo;good;yes\n', ["good"], None),
        ("text|label\ngood|yes\n", ["good"], None),
        ("text,label\ngood,yes,,\nbad,no,,\n", ["good", "bad"], "empty cells beyond"),
        ("text,label,,\ngood,yes,,\nbad,no,,\n", ["good", "bad"], "columns without a name"),
        ("text,label\ngood,yes\n,\n ,\n,\nbad,no\n,\n", ["good", "bad"], "rows of empty cells only"),
    ],
)
def test_how_a_table_was_understood_is_said(tmp_path: Path, content: str, texts: list[str], said: str | None) -> None:
    """Forms that programs and people write are read as meant, and what the file does not say plainly is noted."""
    path = tmp_path / "data.csv"
    path.write_text(content, "utf-8")
    dataset = read(path)
    assert dataset.texts == texts
    assert all(name == name.strip() for name in dataset.label_names)
    notes = [note.what for note in dataset.notes]
    assert notes == [] if said is None else any(said in note for note in notes)


def test_missing_values_of_databases(tmp_path: Path) -> None:
    r"""In a file of tabs `\N` is a missing value: no class of that name."""
    path = tmp_path / "data.tsv"
    path.write_text("text\tlabel\ngood\tyes\nwho knows\t\\N\n")
    dataset = read_with(path, ReadSettings(labels="optional"))
    assert dataset.label_name_list() == ["yes", None]


@pytest.mark.parametrize("again", ["text,label", '"text", label', "\ufefftext,label", "TEXT,Label", " text ,label"])
@pytest.mark.parametrize("content", ["text,label\none,a\n{}\ntwo,b\n"])
def test_the_header_again_is_a_fault(tmp_path: Path, content: str, again: str) -> None:
    """Where files were laid end to end, the second header is no row, and no class is named `label`."""
    path = tmp_path / "data.csv"
    path.write_text(content.format(again), "utf-8")
    with pytest.raises(DataError, match=r"row 2: (repeats the header|has 2|a closing)"):
        read(path)
    assert read(path, on_bad_row="skip").label_names == ("a", "b")


def test_blank_rows_hide_no_fault(tmp_path: Path) -> None:
    """Rows that a spreadsheet leaves below its table are no faults; row numbers stay those of the lines."""
    path = tmp_path / "data.csv"
    path.write_text("text,label\ngood,yes\n" + ",\n" * 40 + "late,\n")
    with pytest.raises(DataError, match=r"\(1 fault\)[\s\S]*row 42, column 'label'"):
        read(path)


@pytest.mark.parametrize("line", ["two\rhalf,b", 'two,"x\ny" \rb'])
def test_a_lone_carriage_return_is_named(tmp_path: Path, line: str) -> None:
    """It is one fault, which says what it is, and no half of the row is kept; in quotes it is part of the text."""
    path = tmp_path / "data.csv"
    path.write_text("text,label\none,a\ntwo\rhalf,b\nfive,a\n", newline="")
    with pytest.raises(DataError, match=r"\(1 fault\)[\s\S]*row 2: holds a carriage return"):
        read(path)
    assert read(path, on_bad_row="skip").texts == ["one", "five"]
    path.write_text('text,label\none,a\n"two\rhalf",b\nfive,a\n', newline="")
    assert read(path).texts == ["one", "two\rhalf", "five"]
    path.write_text("text,label\rone,a\rtwo,b\r", newline="")
    assert read(path).texts == ["one", "two"]


def test_a_cell_too_long_is_no_open_quote(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cell longer than the limit is told as that, quoted or not, and costs its own row only."""
    limit = csv.field_size_limit()
    monkeypatch.setattr("limbeck.reading.dialect.MAX_CELL_CHARS", 200_000)
    csv.field_size_limit(200_000)
    path = tmp_path / "data.csv"
    for quote in ("", '"'):
        path.write_text(f"text,label\nok,a\n{quote}{'x' * 300_000}{quote},b\nfine,b\n")
        with pytest.raises(DataError, match=r"row 2: has a cell of more than 200,000 characters"):
            read(path, encoding="latin-1")
        assert read(path, encoding="latin-1", on_bad_row="skip").row_ids == ["train:1", "train:3"]
    csv.field_size_limit(limit)


@pytest.mark.parametrize(
    ("name", "content", "labels"),
    [
        ("a.tsv", 'ham\tlate again, "sorry\nspam\tfree\nham\tok\nspam\twin\n', ["ham", "spam", "ham", "spam"]),
        ("a.csv", "so good,1\nso bad,0\nfine,1\npoor,0\n", ["1", "0", "1", "0"]),
    ],
)
def test_a_plain_layout_needs_no_header(tmp_path: Path, name: str, content: str, labels: list[str]) -> None:
    """Two columns, one of few values that recur, are read without a header, the first line as row 1; it is said."""
    path = tmp_path / name
    path.write_text(content)
    dataset = read(path)
    assert dataset.label_name_list() == labels
    assert dataset.row_ids[0] == "train:1"
    assert any("without a header" in note.what for note in dataset.notes)


@pytest.mark.parametrize(
    "first", ["1,Oil up,Oil up", f"3,Title,{'word ' * 2000}", "0,1467810369,Mon Apr 06,NO_QUERY,me,is upset that he"]
)
def test_a_missing_header_is_named(tmp_path: Path, first: str) -> None:
    """The message says that the first line looks like a row, in few words however long its cells are."""
    path = tmp_path / "data.csv"
    path.write_text(f"{first}\n{first}\n")
    with pytest.raises(DataError, match="first line looks like a row") as caught:
        read(path)
    assert len(str(caught.value)) < 1500
    assert "twice" not in str(caught.value)


def test_headers_are_not_taken_for_rows(tmp_path: Path) -> None:
    """Unusual names of columns are names: the way on is --text-column, not another header."""
    path = tmp_path / "data.csv"
    path.write_text("v1,v2\nham,a\nham,b\nspam,c\nspam,d\n")
    with pytest.raises(DataError, match=r"its columns are 'v1', 'v2'. Give --text-column"):
        read_with(path)
