"""Review sheets: what is written for a spreadsheet, and what comes back from one."""

import csv

import numpy as np
import pyarrow as pa
import pytest

from limbeck.errors import DataError, StorageError
from limbeck.evaluation.predictions import Predictions
from limbeck.review.issues import find_label_issues
from limbeck.review.sheet import COLUMNS, read_sheet, write_sheet

TEXTS = ('=HYPERLINK("http://x")', "기쁘다, 정말", 'two\nlines; "quoted"', "\ttab", "plain 😀")


def issues(texts=TEXTS):
    rows = len(texts)
    found = Predictions(
        row_ids=tuple(f"train:{row + 1}" for row in range(rows)),
        label_names=("기쁨", "=sad"),
        probabilities=np.linspace([0.9, 0.1], [0.2, 0.8], rows),
        true_labels=pa.array([0] * rows, pa.int32()),
        tokens=np.full(rows, 3),
        truncated=np.zeros(rows, bool),
        texts=texts,
    )
    return find_label_issues(found)


def saved_by_a_spreadsheet(path, *, encoding, separator, decide):
    """Read the sheet as a spreadsheet would, fill new_label in, and save it as that program does."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        row["new_label"] = decide(row)
    with path.open("w", encoding=encoding, errors="replace", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, delimiter=separator)
        writer.writeheader()
        writer.writerows(rows)


def test_the_sheet_is_made_for_excel(tmp_path):
    """A byte order mark, the promised columns first, worst row first, nothing that a spreadsheet would run."""
    path = tmp_path / "review.csv"
    write_sheet(path, issues(), count=5)
    assert path.read_bytes().startswith(b"\xef\xbb\xbfrow_id,text,label,suggested_label,label_quality,")
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["row_id"] for row in rows] == [f"train:{row}" for row in (5, 4, 3, 2, 1)]
    assert [float(row["label_quality"]) for row in rows] == sorted(float(row["label_quality"]) for row in rows)
    assert {row["new_label"] for row in rows} == {""}
    assert not [cell for row in rows for cell in row.values() if cell.startswith(tuple("=+-@\t\r\n"))]
    assert rows[3]["text"] == "기쁘다, 정말"
    assert rows[4]["text"] == "'" + TEXTS[0]
    assert rows[0]["suggested_label"] == "'=sad"


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-8", "utf-16", "cp949"])
@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_a_sheet_comes_back_as_spreadsheets_write_it(tmp_path, encoding, separator):
    """Excel and LibreOffice, Western and Korean: ids, labels, texts and decisions are what they were."""
    path = tmp_path / "review.csv"
    write_sheet(path, issues(), count=5)
    saved_by_a_spreadsheet(path, encoding=encoding, separator=separator, decide=lambda row: row["suggested_label"])
    sheet = read_sheet(path)
    assert [one.row_id for one in sheet.decisions] == [f"train:{row}" for row in (5, 4, 3, 2, 1)]
    assert {one.new_label for one in sheet.decisions} == {"=sad"}
    assert {one.label for one in sheet.decisions} == {"기쁨"}
    assert [one.text for one in sheet.decisions][1:] == list(TEXTS[3::-1])
    assert sheet.decisions[3].line == 6  # the third text has two lines


@pytest.mark.parametrize("before", ["sep=;\n", "\n", ";;;;\r\n\r\n", "SEP=;\r\n;;;\n"])
def test_lines_before_the_header_are_passed_over(tmp_path, before):
    """Excel's line that names the separator, and empty rows; the lines are counted as the file has them."""
    path = tmp_path / "review.csv"
    path.write_bytes((before + "row_id;label;new_label\n\n;;\ntrain:1;joy;ok\n").encode("utf-8-sig"))
    decision = read_sheet(path).decisions[0]
    assert (decision.row_id, decision.label, decision.new_label) == ("train:1", "joy", "ok")
    assert decision.line == before.count("\n") + 4


def test_an_untouched_sheet_decides_nothing(tmp_path):
    """An empty cell, or one of spaces, is no decision."""
    path = tmp_path / "review.csv"
    write_sheet(path, issues(), count=2)
    saved_by_a_spreadsheet(path, encoding="utf-8-sig", separator=",", decide=lambda row: "  ")
    assert [one.new_label for one in read_sheet(path).decisions] == [None, None]


def test_columns_may_be_moved_renamed_in_case_and_added(tmp_path):
    """Only three columns are needed; blank lines and short rows are no fault."""
    path = tmp_path / "r.csv"
    path.write_text("mine,NEW_LABEL, Label ,row_id\nx,joy,sad,train:1\n\n,,sad,train:2\n", "utf-8")
    one, other = read_sheet(path).decisions
    assert (one.row_id, one.label, one.new_label, one.text, one.suggested_label) == (
        "train:1",
        "sad",
        "joy",
        None,
        None,
    )
    assert (other.new_label, other.line) == (None, 4)


@pytest.mark.parametrize("written", ["ok", "OK", "y", "Yes", "예", "네"])
def test_ok_accepts_the_suggestion(tmp_path, written):
    """In the reviewer's own words."""
    path = tmp_path / "r.csv"
    path.write_text(f"row_id,label,suggested_label,new_label\na,joy,sad,{written}\n", "utf-8")
    assert read_sheet(path).decisions[0].accepts


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"PK\x03\x04rest", "Save As and CSV UTF-8"),
        (b"\xd0\xcf\x11\xe0rest", "workbook"),
        (b"", "expected the columns row_id, label, new_label"),
        (b"row_id,text,label\na,b,c\n", "expected the columns"),
        (b"row_id,label,new_label\n\xff\xff\x80,a,b\n", "none of utf-8, utf-16 and cp949"),
        (b'row_id,label,new_label\na,"b"c,d\n', "line 2: the quotes are wrong"),
        (b"row_id,label,new_label\na,b,c,d\n,b,c\n", "2 faults"),
        (b"row_id,label,new_label\n,joy,sad\n", "line 2: the row_id is empty"),
    ],
)
def test_what_is_no_sheet_is_refused(tmp_path, content, message):
    """Workbooks, other tables, unknown bytes, broken quotes and rows: said with what to do."""
    path = tmp_path / "r.csv"
    path.write_bytes(content)
    with pytest.raises(DataError, match=message):
        read_sheet(path)


def test_an_absent_sheet_is_said(tmp_path):
    """No file."""
    with pytest.raises(StorageError, match="no such file"):
        read_sheet(tmp_path / "r.csv")
