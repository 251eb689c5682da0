import csv
from dataclasses import replace
from pathlib import Path

import numpy as np

from limbeck.auditing.audit import audit, audit_rows
from limbeck.data.dataset import ReadNote
from limbeck.reporting.audit_page import write_rows

TEXTS = ["=SUM(A1) same text", "=SUM(A1) same text", "", "see www.example.org", "nan and nothing", "x" * 300, "joy"]
LABELS = ["joy", "sad", "joy", "nan", "nan", None, "joy"]
SPLITS = ["train", "test", "train", "train", "test", "train", "test"]


def test_every_row_of_every_finding_is_listed(make_dataset, tmp_path: Path) -> None:
    """As many rows as a finding counts, groups by number, in a file that a spreadsheet reads and does not run."""
    found, rows = audit_rows(make_dataset(TEXTS, LABELS, SPLITS))
    path = write_rows(rows, tmp_path)
    assert path.read_bytes().startswith(b"\xef\xbb\xbf")
    listed = list(csv.DictReader(path.read_text("utf-8-sig").splitlines()))
    by_kind = {kind: [row for row in listed if row["finding"] == kind] for kind in {row["finding"] for row in listed}}
    conflict = [(row["group"], row["row_id"], row["split"], row["row"], row["label"], row["text"])
                for row in by_kind["conflicts.exact"]]  # fmt: skip
    assert conflict == [
        ("1", "r0", "train", "1", "joy", "'=SUM(A1) same text"),
        ("1", "r1", "test", "1", "sad", "'=SUM(A1) same text"),
    ]
    assert [row["row_id"] for row in by_kind["faults.empty"]] == ["r2"]
    assert [row["row_id"] for row in by_kind["labels.like_missing"]] == ["r3", "r4"]
    assert [(row["row_id"], row["row"], row["label"]) for row in by_kind["labels.unlabelled"]] == [("r5", "4", "")]
    assert max(len(row["text"]) for row in listed) == 200
    for finding in found.findings:
        if finding.unit == "rows":
            assert len(by_kind[finding.kind]) == finding.count


def test_repeats_are_listed_whole(make_dataset) -> None:
    """Every row of every group, however many: the page shows a few, the table all of them."""
    texts = [f"text of group {place % 9} here" for place in range(450)]
    found, rows = audit_rows(make_dataset(texts, [("a", "b", "b")[place // 9 % 3] for place in range(450)]))
    conflicts = rows.filter(np.array(rows["finding"].to_pylist()) == "conflicts.exact")
    assert conflicts.num_rows == found.conflicts.exact.rows == 450
    assert sorted(set(conflicts["group"].to_pylist())) == list(range(1, 10))


def test_a_conflict_says_how_often_each_label_stands(make_dataset) -> None:
    """71 to 232 is another matter than one to one: the counts are those of all rows, not of the rows shown."""
    labels = ["negative"] * 71 + ["neutral"] * 232 + [None]
    found = audit(make_dataset(["the same tweet again"] * 304, labels))
    assert found.conflicts.exact.examples[0].labels == {"neutral": 232, "negative": 71}
    example = next(one.example for one in found.findings if one.kind == "conflicts.exact")
    assert example.startswith("232 neutral, 71 negative, 1 without a label: ")


def test_the_same_rows_are_not_two_findings(make_dataset) -> None:
    """Undecodable bytes are one finding, told by the faults; what was done on purpose, and how it was read, is none."""
    notes = (
        ReadNote(what="rows with undecodable bytes, kept with U+FFFD", rows=1, example="row 1"),
        ReadNote(what="rows removed by limbeck clean: leaks", rows=3, example="r9"),
        ReadNote(what="labels corrected after review", rows=3, example="r9"),
        ReadNote(what="text files (.txt) that hold a table of tabs, read as tab-separated", rows=1, example="a.txt"),
        ReadNote(what="rows of empty cells only, passed over", rows=40, example="a.csv, row 6"),
    )
    dataset = make_dataset(["lost \ufffd here", "another text"])
    found = audit(replace(dataset, notes=notes))
    kinds = [finding.kind for finding in found.findings]
    assert "reading" not in kinds
    assert "1 row with bytes that could not be read" in next(
        one.title for one in found.findings if one.kind == "faults.mojibake"
    )
    assert found.reading == notes
