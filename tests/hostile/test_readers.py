"""Every wrong file a person may hand in: the error says what, where, what was expected and what to do."""

import pickle
import struct
from contextlib import suppress
from pathlib import Path

import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet
import pytest
from tests.hostile.wrong_files import (
    SETTINGS,
    STORAGE,
    Case,
    bad_utf8_parquet,
    class_label_parquet,
    cut_arrow,
    cut_parquet,
    folder_of,
    nested_json,
    parquet,
    scrambled_parquet,
    unreadable,
    written,
    zipped,
)

from limbeck.errors import DataError, LimbeckError, SettingsError, StorageError, status_of
from limbeck.reading.read import read_with
from limbeck.settings import ReadSettings

GOOD = "text,label\nI am glad,joy\nI am sad,sadness\n"
TWO = "one text,a\nother text,b\n"

CASES = [
    # Files that are not there, not readable, or not what they say.
    Case("no such path", lambda folder: folder / "nothing.csv", ("no such file", "nothing.csv"), StorageError, STORAGE),
    Case(
        "no such path, neighbour near",
        lambda folder: written("train.csv", GOOD)(folder).with_name("trian.csv"),
        ("no such file", "did you mean", "train.csv"),
        StorageError,
        STORAGE,
    ),
    Case("no permission", unreadable, ("data.csv", "permission denied"), StorageError, STORAGE),
    Case("hub", lambda _: "hub:an/emotion/set", ("hub:an/emotion/set", "hub:OWNER/NAME"), SettingsError, SETTINGS),
    Case("unknown suffix", written("data.xyz", GOOD), ("'.xyz'", "Read are", ".tsv")),
    Case("image", written("cat.png", b"\x89PNG\r\n\x1a\n"), ("cat.png", "an image")),
    Case("archive", zipped("data.zip"), ("an archive", "unpack it first")),
    Case("pickle", written("data.pkl", pickle.dumps([1])), ("a pickle", "run any code", "Parquet")),
    Case("spreadsheet", zipped("data.xlsx"), ("an archive", "unpack it first")),
    Case("old spreadsheet", written("data.xls", b"x"), ("a spreadsheet", "save it as .xlsx")),
    Case("weights", written("model.pt", b"x"), ("arrays or weights",)),
    Case("zip named csv", zipped("data.csv"), ("not what its name says", "zip")),
    Case("image named csv", written("data.csv", b"\x89PNG\r\n\x1a\n\0\0"), ("not what its name says", "an image")),
    Case("gzip named jsonl", written("data.jsonl", b"\x1f\x8b\x08\0\0"), ("not what its name says", "unpack")),
    Case("pickle named csv", written("data.csv", pickle.dumps({"text": [1]})), ("not what its name says", "pickle")),
    Case("parquet named csv", written("data.csv", b"PAR1....PAR1"), ("Parquet file", "name it .parquet")),
    Case("csv named parquet", written("data.parquet", GOOD), ("data.parquet is not a Parquet file", "copy or make it")),
    Case("pickle named parquet", written("data.parquet", pickle.dumps(1)), ("not what its name says", "pickle")),
    Case(
        "csv named arrow",
        written("data.arrow", GOOD),
        ("data.arrow is not an Arrow file",),
    ),
    Case("truncated parquet", cut_parquet, ("data.parquet", "cut short or damaged", "copy or make it again")),
    Case("scrambled parquet", scrambled_parquet, ("data.parquet", "cut short or damaged")),
    Case("truncated arrow", cut_arrow, ("data.arrow", "cut short or damaged")),
    # Files with nothing in them.
    *(
        Case(f"empty {suffix}", written(f"data{suffix}", b""), (f"data{suffix}", "is empty"))
        for suffix in (".csv", ".tsv", ".txt", ".jsonl", ".json", ".parquet", ".arrow")
    ),
    Case("csv of blank lines", written("data.csv", "\n\n"), ("is empty", "header line")),
    Case("header only", written("data.csv", "text,label\n"), ("no rows", "only a header ('text', 'label')")),
    Case("txt of blank lines", written("data.txt", "\n\n\n"), ("data.txt", "no rows")),
    Case("json of no objects", written("data.json", "[]"), ("data.json", "no rows")),
    Case("parquet of no rows", parquet(pa.table({"text": pa.array([], "str")})), ("no rows", "only a header ('text')")),
    Case("empty folder", lambda folder: folder, ("holds nothing that can be read", "train, validation, test")),
    # Columns.
    Case(
        "no text column",
        written("data.csv", "sentance,label\n" + TWO),
        ("no text column", "'sentance', 'label'", "--text-column 'sentance'"),
    ),
    Case(
        "no label column", written("data.csv", "text,stars\n" + TWO), ("no label column", "'stars'", "--label-column")
    ),
    Case(
        "given column absent",
        written("data.csv", "body,label\n" + TWO),
        ("no column 'bodi'", "'body', 'label'", "did you mean 'body'?"),
        settings={"text_column": "bodi"},
    ),
    Case(
        "given label column absent",
        written("data.csv", "text,emotion\n" + TWO),
        ("no column 'emotoin'", "did you mean 'emotion'?"),
        settings={"label_column": "emotoin"},
    ),
    Case("no header", written("data.csv", TWO), ("no text column", "'one text', 'a'", "first line")),
    Case("column named twice", written("data.csv", "text,label,text\na,b,c\n"), ("header", "'text' is named twice")),
    Case(
        "arrow column named twice",
        parquet(pa.Table.from_arrays([pa.array(["a"]), pa.array(["b"])], ["text", "text"])),
        ("'text' is named twice",),
    ),
    Case("text column of numbers", parquet(pa.table({"text": [1, 2], "label": ["a", "b"]})), ("holds int64", "texts")),
    Case(
        "labels are lists of lists",
        parquet(pa.table({"text": ["a"], "label": [[["x"], ["y"]]]})),
        ("column 'label' holds list", "one label name or integer per row"),
    ),
    Case(
        "a label of several is missing",
        parquet(pa.table({"text": ["a", "b"], "label": [["x", "y"], ["x", None]]})),
        ("row 2, column 'label'", "has no label"),
    ),
    # Rows.
    Case(
        "empty text", written("data.csv", "text,label\n,joy\nb,joy\n"), ("data.csv, row 1, column 'text'", "is empty")
    ),
    Case(
        "white space only",
        written("data.csv", 'text,label\na,joy\n" \u3000\t",joy\n'),
        ("row 2, column 'text'", "only white space"),
    ),
    Case("missing label", written("data.csv", "text,label\na,joy\nb,\n"), ("row 2, column 'label'", "has no label")),
    Case(
        "null text",
        parquet(pa.table({"text": ["a", None], "label": ["x", "x"]})),
        ("row 2, column 'text': is missing",),
    ),
    Case("null label", parquet(pa.table({"text": ["a", "b"], "label": ["x", None]})), ("row 2", "has no label")),
    Case(
        "row too long",
        written("data.csv", "text,label\na,b\nno, really,b\n"),
        ("row 2", "has 3 cells", "header names 2"),
    ),
    Case("row too short", written("data.tsv", "text\tlabel\na\tb\nc\n"), ("row 2", "has 1 cells", "header names 2")),
    Case("nul byte", written("data.csv", "text,label\na\0b,joy\n"), ("row 1, column 'text'", "NUL character")),
    Case("nul in label", written("data.csv", "text,label\na,jo\0y\n"), ("row 1, column 'label'", "NUL character")),
    Case(
        "quote never closed",
        written("data.csv", 'text,label\nfine,joy\n"I said,joy\nthen,joy\n'),
        ("row 2", "never closed"),
    ),
    Case("stray quote", written("data.csv", 'text,label\n"a "b" c",joy\n'), ("row 1", "double the quotes")),
    Case(
        "line without label",
        written("data.txt", "glad;joy\nno label here\n"),
        ("1 of 2 lines end in no ;label", "line 2"),
    ),
    Case("no line has a label", written("data.txt", "glad\nsad\n"), ("no line ends in ;label",)),
    Case("line with label only", written("data.txt", "glad;joy\n;joy\n"), ("row 2, column 'text'", "is empty")),
    Case("blank text file", folder_of(pos_in_1__txt="", neg_in_1__txt="bad"), ("pos/1.txt: is empty",)),
    # JSON.
    Case(
        "invalid json line",
        written("data.jsonl", '{"text": "a", "label": "x"}\n{"text": \n'),
        ("row 2", "not valid JSON"),
    ),
    Case(
        "line of another kind", written("data.jsonl", '{"text": "a", "label": "x"}\n["a"]\n'), ("row 2", "is an array")
    ),
    Case("deep nesting", nested_json, ("row 2", "not valid JSON")),
    Case(
        "text is a number",
        written("data.jsonl", '{"text":"a","label":"x"}\n{"text":5,"label":"x"}\n'),
        ("row 2", "a number (5)"),
    ),
    Case(
        "label among names is a number",
        written("d.jsonl", '{"text":"a","label":"x"}\n{"text":"b","label":5}\n'),
        ("row 2", "a number (5)"),
    ),
    Case(
        "label is a list of lists",
        written("data.jsonl", '{"text": "a", "label": [["x"], ["y"]]}\n'),
        ("column 'label' holds list", "one label name or integer per row"),
    ),
    Case(
        "key missing in one row",
        written("data.jsonl", '{"text":"a","label":"x"}\n{"label":"x"}\n'),
        ("row 2", "is missing"),
    ),
    Case(
        "half a pair",
        written("data.jsonl", '{"text": "a \\ud83d b", "label": "x"}\n'),
        ("row 1, column 'text'", "half of a \\u pair"),
    ),
    Case("invalid json", written("data.json", '[{"text": "a"'), ("data.json is not valid JSON",)),
    Case(
        "jsonl named json",
        written("data.json", '{"text":"a","label":"x"}\n{"text":"b","label":"x"}\n'),
        ("name the file .jsonl",),
    ),
    Case("json of a number", written("data.json", "42"), ("holds a number", "an array of objects")),
    Case(
        "json columns unequal",
        written("data.json", '{"text": ["a", "b"], "label": ["x"]}'),
        ("not equally long", "'text' 2, 'label' 1"),
    ),
    Case("json array of texts", written("data.json", '["a", "b"]'), ("row 1", "is a text", "an object such as")),
    # Labels.
    Case(
        "label only in test",
        folder_of(train__csv="text,label\n" + TWO, test__csv="text,label\nc,z\n"),
        ("test.csv, row 1", "'z' stands in test", "no row of train"),
    ),
    Case(
        "label only in validation",
        folder_of(train__txt="a;x\nb;x\n", val__txt="c;y\n"),
        ("val.txt, row 1", "'y' stands in validation"),
    ),
    Case(
        "label out of range",
        written("data.csv", "text,label\na,0\nb,7\nc,1\n"),
        ("2 label names were given", "integers 0, 1, 7", "0 to 1", "by rank"),
        settings={"label_names": ("neg", "pos")},
    ),
    Case(
        "label not among the names",
        written("data.csv", "text,label\na,joyy\n"),
        ("'joyy'", "none of the label names", "did you mean 'joy'?"),
        settings={"label_names": ("joy", "fear")},
    ),
    Case("ClassLabel out of range", class_label_parquet(0, 1, 2), ("row 3", "is 2, out of range: 0 to 1", "neg, pos")),
    Case("ClassLabel hidden", class_label_parquet(0, 1, -1), ("row 3", "-1 means not labelled", "unsupervised")),
    Case("fraction", parquet(pa.table({"text": ["a", "b"], "label": [1.0, 0.5]})), ("row 2, column 'label'", "is 0.5")),
    Case(
        "names here, integers there",
        folder_of(train__csv="text,label\n" + TWO, test__jsonl='{"text": "c", "label": 1}\n'),
        ("names in", "train.csv", "integers in", "test.jsonl"),
    ),
    Case(
        "label and label_name disagree",
        parquet(pa.table({"text": ["a", "b", "c"], "label": [0, 1, 0], "label_name": ["x", "y", "y"]})),
        ("row 3", "'y', but label is 0", "'x' in other rows"),
    ),
    Case(
        "label names twice",
        written("data.csv", GOOD),
        ("label_names", "one name of its own"),
        SettingsError,
        SETTINGS,
        {"label_names": ("joy", "joy")},
    ),
    # Row ids and splits.
    Case("row id twice", written("data.csv", "row_id,text,label\n7,a,x\n7,b,x\n"), ("'train:7'", "2 rows")),
    Case("row id empty", written("data.csv", "row_id,text,label\n,a,x\n"), ("row 1, column 'row_id'", "is empty")),
    Case(
        "split empty", written("data.csv", "split,text,label\ntrain,a,x\n,b,x\n"), ("row 2, column 'split'", "is empty")
    ),
    Case(
        "files tell no split", folder_of(a__csv=GOOD, b__csv=GOOD), ("tell no split", "a.csv, b.csv", "name them train")
    ),
    Case(
        "split files beside split folders",
        folder_of(train__csv=GOOD, test_in_x__csv=GOOD),
        ("both split files", "train.csv", "test/"),
    ),
    # Encodings.
    Case(
        "cp949 read as utf-8",
        written("data.csv", "text,label\n정말 좋아요,긍정\n".encode("cp949")),
        ("data.csv, row 1, column 'text'", "not utf-8", "try --encoding cp949"),
    ),
    Case("utf-16 read as utf-8", written("data.csv", GOOD.encode("utf-16")), ("data.csv", "try --encoding utf-16")),
    Case(
        "utf-16 without mark read as utf-8",
        written("data.csv", GOOD.encode("utf-16-le")),
        ("data.csv", "try --encoding utf-16-le"),
    ),
    Case(
        "utf-8 read as cp949",
        written("data.csv", "text,label\n정말 좋아요,긍정\n"),
        ("data.csv", "try --encoding utf-8"),
        settings={"encoding": "cp949"},
    ),
    Case(
        "undecodable byte in a line",
        written("data.txt", b"fine;joy\ncaf\xe9 au lait;joy\n"),
        ("data.txt, row 2", "not utf-8 at character 4"),
    ),
    Case(
        "undecodable byte in json",
        written("data.jsonl", b'{"text": "caf\xe9", "label": "x"}\n'),
        ("row 1, column 'text'", "not utf-8"),
    ),
    Case("undecodable label", written("data.csv", b"text,label\na,jo\xff\n"), ("row 1, column 'label'", "not utf-8")),
    Case(
        "undecodable extra column",
        written("data.csv", b"text,label,who\na,joy,\xff\n"),
        ("row 1, column 'who'", "not utf-8"),
    ),
    Case("undecodable header", written("data.csv", b"text,label,\xff\na,joy,b\n"), ("header", "not utf-8")),
    Case(
        "undecodable file of a label folder",
        folder_of(pos_in_1__txt=b"caf\xe9", neg_in_1__txt="bad"),
        ("pos/1.txt: has bytes that are not utf-8",),
    ),
    Case("undecodable parquet string", bad_utf8_parquet, ("row 2, column 'text'", "not utf-8")),
    Case(
        "unknown codec",
        written("data.csv", GOOD),
        ("'utf-88'", "near ones", "utf_8"),
        SettingsError,
        SETTINGS,
        {"encoding": "utf-88"},
    ),
    Case(
        "codec of bytes",
        written("data.csv", GOOD),
        ("'base64'", "not known"),
        SettingsError,
        SETTINGS,
        {"encoding": "base64"},
    ),
]


@pytest.mark.parametrize("case", CASES, ids=[case.name.replace(" ", "-") for case in CASES])
def test_refused_with_a_clear_message(case: Case, tmp_path: Path) -> None:
    """Wrong input ends in the right class of error, and its message says what, where and what to do."""
    source = case.make(tmp_path)
    with pytest.raises(LimbeckError) as caught:
        read_with(source, ReadSettings(**case.settings))
    message = str(caught.value)
    assert type(caught.value) is case.error, message
    assert status_of(caught.value).exit_status == case.exit_status
    for fragment in case.says:
        assert fragment in message, message


def test_faults_are_gathered_over_files(tmp_path: Path) -> None:
    """Faults of every file stand in one message: the first 20, and the count of all."""
    written("train.csv", "text,label\n" + ",joy\n" * 15 + "b,joy\n")(tmp_path)
    written("test.csv", "text,label\n" + "a,\n" * 15)(tmp_path)
    with pytest.raises(DataError) as caught:
        read_with(tmp_path)
    message = str(caught.value)
    assert "(30 faults)" in message
    assert "… and 10 more" in message
    assert message.count("train.csv, row") == 15
    assert "test.csv, row 5," in message
    assert "--on-bad-row skip" in message


@pytest.mark.slow
@pytest.mark.parametrize("policy", ["skip", "keep-replacement"])
def test_corrupt_bytes_never_escape_as_another_exception(tmp_path: Path, policy: str) -> None:
    """Damage anywhere in a file ends in rows or in a LimbeckError, never in an exception of a library."""
    makers = {
        "data.csv": GOOD.encode() * 3,
        "data.jsonl": b'{"text": "a", "label": "x"}\n' * 6,
        "data.txt": b"some text;joy\n" * 6,
    }
    for name, content in makers.items():
        for place in range(0, len(content), 7):
            for byte in (0x00, 0x22, 0x0A, 0xFF, 0x7B):
                damaged = bytearray(content)
                damaged[place] = byte
                path = written(name, bytes(damaged))(tmp_path)
                with suppress(LimbeckError):
                    read_with(path, ReadSettings(on_bad_row=policy))  # type: ignore[arg-type]  # parametrised


def test_damaged_columnar_files_never_escape_as_another_exception(tmp_path: Path) -> None:
    """A flipped length anywhere in a Parquet or Arrow file ends in rows or in a LimbeckError."""
    table = pa.table({"text": [f"text {n}" for n in range(20)], "label": ["x", "y"] * 10})
    pyarrow.parquet.write_table(table, tmp_path / "data.parquet")
    pyarrow.feather.write_feather(table, str(tmp_path / "data.arrow"), compression="uncompressed")
    for name in ("data.parquet", "data.arrow"):
        content = (tmp_path / name).read_bytes()
        for place in range(0, len(content) - 4, 37):
            damaged = bytearray(content)
            struct.pack_into("<i", damaged, place, -5)
            (tmp_path / name).write_bytes(bytes(damaged))
            with suppress(LimbeckError):
                read_with(tmp_path / name, ReadSettings(on_bad_row="skip"))
