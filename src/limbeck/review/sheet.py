"""Review sheet: the rows whose labels should be looked at, as a CSV that a person fills in with a spreadsheet.

In: `LabelIssues` or `TagIssues`. Out: a CSV, worst row first; and the decisions of a CSV that came back.
It does not know datasets: whether a decision fits the data is asked in `corrections`.

Columns: row_id, text, label, suggested_label, label_quality, new_label, reason, flagged. The person fills in new_label:
the label that is right, or "ok" (y, yes, 예) for the suggested one; an empty cell keeps the label.

Where rows have several labels, each row of the sheet is about one of them. A label that is probably missing stands
under suggested_label, with nothing under label; one that is probably too many stands under label, with nothing
suggested. So "ok" adds the one and takes out the other.

The file is written for Excel (UTF-8 with a byte order mark, so that Hangul stays Hangul; nothing that a spreadsheet
would run). It is read as spreadsheets write it: UTF-8 or UTF-16, or cp949 as Korean Excel saves "CSV"; commas,
semicolons or tabs; columns in any order, further ones ignored.
"""

import csv
import hashlib
import io
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from limbeck import storage
from limbeck.errors import DataError, FaultLog
from limbeck.evaluation import spreadsheet
from limbeck.reading.dialect import MAX_CELL_CHARS
from limbeck.review.issues import LabelIssues
from limbeck.review.label_doubts import LabelDoubts, LabelIssue
from limbeck.review.tag_doubts import TagDoubts
from limbeck.review.tag_issues import TagIssues

COLUMNS = ("row_id", "text", "label", "suggested_label", "label_quality", "new_label", "reason", "flagged")
NEEDED = ("row_id", "label", "new_label")
YES_WORDS = ("ok", "y", "yes", "예", "네")
"""What a person may write for "the suggested label is right", unless a class has that name."""
_SEPARATORS = ",;\t"
_BEFORE_HEADER = re.compile(r"(?:(?:sep=.?|[ ,;\t]*)\r?\n)*", re.IGNORECASE)
"""Excel's line that names the separator, and empty rows, before the header."""
_BOOKS = {b"PK\x03\x04": ".xlsx or .ods", b"\xd0\xcf\x11\xe0": ".xls"}


@dataclass(frozen=True, kw_only=True)
class Decision:
    """One row of a sheet that came back.

    Attributes:
        line: of the file, where the row begins.
        row_id: as written.
        text: as written; None where the sheet has no such column.
        label: the label that the row had when the sheet was written.
        suggested_label: None where the sheet has no such column or an empty cell.
        new_label: what the person wrote; None for an empty cell.
        label_quality: as written; empty where the sheet has no such column.
    """

    line: int
    row_id: str
    text: str | None
    label: str
    suggested_label: str | None
    new_label: str | None
    label_quality: str

    @property
    def accepts(self) -> bool:
        """Whether the person wrote "ok"; a class of that name goes before."""
        return self.new_label is not None and self.new_label.casefold() in YES_WORDS


@dataclass(frozen=True, kw_only=True)
class Sheet:
    """A sheet that came back.

    Attributes:
        decisions: one a row, in order.
        encoding: it was in, a Python codec name.
        origin: the file and its SHA-256, as keys "sheet" and "sheet_sha256"; empty where there was no file.
    """

    decisions: tuple[Decision, ...]
    encoding: str
    origin: dict[str, str] = field(default_factory=dict)


def write_sheet(path: Path, issues: LabelIssues | TagIssues, *, count: int) -> None:
    """Write the `count` worst rows, worst first.

    Raises:
        DataError: the predictions hold no texts.
        StorageError: the file could not be written; what stood there before still stands.
    """
    if issues.predictions.texts is None:
        raise DataError("these predictions hold no texts, and a sheet without them cannot be reviewed: train again")
    storage.write_bytes(path, sheet_bytes(sheet_rows(issues, count)))


def sheet_rows(issues: LabelDoubts | TagDoubts, count: int) -> tuple[LabelIssue, ...]:
    """Return the `count` worst rows of a sheet, worst first; where rows have several labels, pairs of row and label."""
    if isinstance(issues, TagDoubts):
        return tuple(one.as_label_issue() for one in issues.worst_of_both(count))
    return issues.worst(count)


def sheet_bytes(rows: Iterable[LabelIssue]) -> bytes:
    """Return the sheet of rows, which must have texts."""
    content = io.StringIO()
    writer = csv.writer(content, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    for issue in rows:
        cells = (issue.row_id, issue.text or "", issue.label, issue.suggested_label)
        writer.writerow(
            [
                *map(spreadsheet.neutralise, cells),
                f"{issue.label_quality:.4f}",
                "",
                spreadsheet.neutralise(issue.reason),
                "yes" if issue.flagged else "no",
            ]
        )
    return content.getvalue().encode("utf-8-sig", "replace")


def keep_sheet(path: Path, rows: Iterable[LabelIssue]) -> bool:
    """Write a sheet of rows with texts where none is; keep one that is there, since somebody may have written into it.

    Returns:
        Whether the file is the sheet of these rows, untouched.

    Raises:
        StorageError: the file could not be written or read.
    """
    content = sheet_bytes(rows)
    with storage.explained(path, doing="read"):
        if path.exists():
            return path.read_bytes() == content
    storage.write_bytes(path, content)
    return True


def read_sheet(path: Path) -> Sheet:
    """Read a sheet that came back from a spreadsheet.

    Raises:
        StorageError: the file is absent or unreadable.
        DataError: it is no such sheet; gathers rows that are broken.
    """
    with storage.explained(path, doing="read"):
        content = path.read_bytes()
    for signature, kind in _BOOKS.items():
        if content.startswith(signature):
            raise DataError(f"{path} is a workbook ({kind}): in the spreadsheet choose Save As and CSV UTF-8")
    encoding = _encoding_of(path, content)
    decoded = content.decode(encoding)
    before = _BEFORE_HEADER.match(decoded)
    skipped = before.group() if before else ""
    text, first_line = decoded[len(skipped) :], skipped.count("\n")
    csv.field_size_limit(max(csv.field_size_limit(), MAX_CELL_CHARS))
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=_separator_of(path, text), strict=True)
    decisions: list[Decision] = []
    faults = FaultLog()
    try:
        header = [name.strip().casefold() for name in next(reader, [])]
        places = {name: header.index(name) for name in COLUMNS if name in header}
        line = first_line + reader.line_num + 1
        for written in reader:
            cells = [*written, *[""] * (len(header) - len(written))]
            if any(cell.strip() for cell in cells):
                if len(cells) > len(header) and any(cells[len(header) :]):
                    faults.add(f"line {line}: has {len(cells)} cells where the header names {len(header)}")
                elif not cells[places["row_id"]].strip():
                    faults.add(f"line {line}: the row_id is empty")
                else:
                    decisions.append(_decision(cells, places, line))
            line = first_line + reader.line_num + 1
    except csv.Error as error:
        raise DataError(
            f"{path}, line {first_line + reader.line_num}: the quotes are wrong ({error}): save the sheet again"
        ) from error
    faults.raise_as(DataError, what=f"{path} cannot be read as a review sheet", todo="correct these lines")
    origin = {"sheet": str(path), "sheet_sha256": hashlib.sha256(content).hexdigest()}
    return Sheet(decisions=tuple(decisions), encoding=encoding, origin=origin)


def read_decided(path: Path) -> Sheet:
    """Read a sheet in which somebody decided something.

    Raises:
        StorageError: the file is absent or unreadable.
        DataError: it is no review sheet, or no cell of new_label is filled in.
    """
    sheet = read_sheet(path)
    if not any(decision.new_label for decision in sheet.decisions):
        raise DataError(
            f"{path}: the column new_label is empty in every row, so there is nothing to apply: write the right label "
            "there, or ok for the suggested one, and save the sheet as CSV"
        )
    return sheet


def _decision(cells: list[str], places: dict[str, int], line: int) -> Decision:
    def cell(name: str) -> str | None:
        return spreadsheet.restore(cells[places[name]]) if name in places else None

    return Decision(
        line=line,
        row_id=(cell("row_id") or "").strip(),
        text=cell("text"),
        label=(cell("label") or "").strip(),
        suggested_label=(cell("suggested_label") or "").strip() or None,
        new_label=(cell("new_label") or "").strip() or None,
        label_quality=(cell("label_quality") or "").strip(),
    )


def _encoding_of(path: Path, content: bytes) -> str:
    """Tell the encoding from its mark, or as the first that fits the bytes."""
    for mark, encoding in ((b"\xef\xbb\xbf", "utf-8-sig"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16")):
        if content.startswith(mark):
            candidates: tuple[str, ...] = (encoding,)
            break
    else:
        candidates = ("utf-8", "cp949")
    for encoding in candidates:
        try:
            content.decode(encoding)
        except UnicodeDecodeError:
            continue
        return encoding
    raise DataError(f"{path} is in none of utf-8, utf-16 and cp949: in the spreadsheet choose Save As and CSV UTF-8")


def _separator_of(path: Path, text: str) -> str:
    """Choose the separator under which the first line names the needed columns."""
    first = text.split("\n", 1)[0].rstrip("\r")
    for separator in _SEPARATORS:
        header = next(csv.reader([first], delimiter=separator), [])
        if {name.strip().casefold() for name in header} >= set(NEEDED):
            return separator
    raise DataError(
        f"{path}, line 1: expected the columns {', '.join(NEEDED)} (separated by commas, semicolons or tabs), found "
        f"{first[:200]!r}: give a sheet that `limbeck labels RUN --out` wrote"
    )
