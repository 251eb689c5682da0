"""Corrections: a reviewer's decisions put into a dataset; nothing else changes.

In: a Dataset and the decisions of a review sheet. Out: `Corrections`: the dataset with the new labels, and a log; on
disk a folder with `data/` (one Parquet file per split), `changes.csv` (one row per changed label, made for
spreadsheets) and `labels.json`. The folder is whole or absent.
Every decision must fit the data: its row is there, its text and its label are those that were reviewed, its new label
is a class. If one does not, nothing is changed and all that do not are listed.
Where rows have several labels, a decision adds one to a row, takes one out, or puts one in the place of another.
It does not know who decided, nor why.
"""

import csv
import io
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import pyarrow as pa

from limbeck.data.dataset import Dataset, ReadNote
from limbeck.data.label_sets import LABEL_SETS
from limbeck.data.names import name_key, shown
from limbeck.data.write import write
from limbeck.display.tables import Table
from limbeck.display.views import View, listed
from limbeck.errors import DataError, FaultLog
from limbeck.evaluation.spreadsheet import neutralise
from limbeck.review.sheet import Decision, Sheet, read_decided
from limbeck.storage import staged_folder, write_bytes, write_json
from limbeck.task import MULTI

CHANGES_SCHEMA = pa.schema(
    [
        pa.field("row_id", pa.large_string(), nullable=False),
        pa.field("split", pa.large_string(), nullable=False),
        pa.field("label", pa.large_string(), nullable=False),
        pa.field("new_label", pa.large_string(), nullable=False),
        pa.field("suggested_label", pa.large_string()),
        pa.field("label_quality", pa.large_string()),
        pa.field("text", pa.large_string(), nullable=False),
    ]
)
"""The log: one row for each changed label."""

CORRECTED_NAME = "data"
CHANGES_NAME = "changes.csv"
LABEL_COUNTS_NAME = "labels.json"

EXCEL_CELL_CHARS = 32_767
"""Excel cuts longer cells without a word."""


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Corrections(View):
    """What a review changed.

    Attributes:
        dataset: the same rows in the same order, some with another label, and a note that says so.
        changes: `CHANGES_SCHEMA`, in the order of the dataset.
        reviewed: rows of the sheet.
        kept: of those, rows whose label stays.
        origin: where the decisions come from: the sheet, its digest, the fingerprint of the data before.
    """

    dataset: Dataset
    changes: pa.Table
    reviewed: int
    kept: int
    origin: dict[str, str] = field(default_factory=dict)

    def _lines(self) -> tuple[str, str]:
        return (
            f"Corrections of {len(self.dataset):,} rows: {self.reviewed:,} reviewed, {self.changes.num_rows:,} labels "
            f"changed, {self.kept:,} kept",
            f"changed: {listed([f'{pair} {count:,}' for pair, count in self._pairs().items()])}",
        )

    def _tables(self) -> Iterator[Table]:
        yield Table(
            title="Changed labels",
            header=("label → new label", "rows"),
            rows=tuple((pair, f"{count:,}") for pair, count in self._pairs().items()),
        )
        if self.changes.num_rows:
            yield Table(
                title="The first changed rows",
                header=("text", "label", "new label", "split"),
                rows=tuple(
                    (row["text"], row["label"], row["new_label"], row["split"])
                    for row in self.changes.slice(0, 5).to_pylist()
                ),
                prose=("label", "new label", "split"),
            )

    def _pairs(self) -> dict[str, int]:
        """Return how often each label became which, the most frequent first."""
        rows = self.changes.to_pylist()
        return dict(Counter(map(_arrow, rows)).most_common())

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON: counts by split and by pair of labels."""
        rows = self.changes.to_pylist()
        return {
            **self.origin,
            "source": self.dataset.source,
            "rows": len(self.dataset),
            "reviewed": self.reviewed,
            "kept": self.kept,
            "changed": len(rows),
            "changed_by_split": dict(Counter(row["split"] for row in rows)),
            "changed_by_pair": self._pairs(),
            "suggestions_taken": sum(row["new_label"] == row["suggested_label"] for row in rows),
            "fingerprint": self.dataset.fingerprint(),
        }


def apply_corrections(dataset: Dataset, sheet: Path | Sheet, out: Path | None = None) -> Corrections:
    """Give rows the labels that a review sheet decides, and write the new data where `out` names a folder to make.

    Args:
        dataset: the rows that were reviewed.
        sheet: a file that came back from a spreadsheet, or what `read_decided` read from it.
        out: the folder; None writes nothing.

    Raises:
        StorageError: the sheet is unreadable, or `out` is there already.
        DataError: it is no review sheet, no cell of new_label is filled in, or a decision does not fit the data.
    """
    decided = sheet if isinstance(sheet, Sheet) else read_decided(sheet)
    origin = {**decided.origin, "fingerprint_before": dataset.fingerprint()}
    corrections = replace(correct(dataset, decided), origin=origin)
    if out is not None:
        write_corrections(corrections, out)
    return corrections


def correct(dataset: Dataset, sheet: Sheet) -> Corrections:
    """Give rows the labels that a reviewer decided on.

    Raises:
        DataError: gathers every decision that does not fit the data.
    """
    if dataset.task == MULTI:
        return _correct_sets(dataset, sheet)
    dataset.task.require(("single", "ordinal"), doing="limbeck labels")
    places = {row_id: place for place, row_id in enumerate(dataset.row_ids)}
    texts, labels = dataset.texts, dataset.label_name_list()
    splits = dataset.table["split"].cast(pa.string()).to_pylist()
    faults = FaultLog()
    decided: dict[int, tuple[str, Decision]] = {}
    respelled: list[tuple[Decision, str]] = []
    kept = 0
    for decision in sheet.decisions:
        where = f"line {decision.line}, row_id {decision.row_id!r}"
        if decision.row_id not in places:
            faults.add(f"{where}: no row has this id{_hint(decision.row_id, places)}")
            continue
        place = places[decision.row_id]
        if decision.new_label is None:
            kept += 1
            continue
        if decision.text is not None and not _same_text(texts[place], decision.text, sheet.encoding):
            faults.add(f"{where}: the text is not that of the data ({decision.text[:40]!r}, {texts[place][:40]!r})")
            continue
        stands = labels[place] or ""
        if decision.label != stands and _class_of(decision.label, dataset.label_names) != stands:
            faults.add(f"{where}: the sheet was written when the label was {decision.label!r}; it is {labels[place]!r}")
            continue
        chosen = _choose(decision, dataset.label_names)
        if chosen is None:
            faults.add(f"{where}: new_label {decision.new_label!r} is no class{_near(decision, dataset.label_names)}")
        elif place in decided and decided[place][0] != chosen:
            faults.add(f"{where}: decided twice, {decided[place][0]!r} on line {decided[place][1].line} and {chosen!r}")
        else:
            # A decision for the label that stands counts as well: another line may not contradict it.
            kept += place in decided or chosen == stands
            decided.setdefault(place, (chosen, decision))
            if decision.label != stands or not (decision.accepts or decision.new_label == chosen):
                respelled.append((decision, chosen))
    faults.raise_as(
        DataError,
        what=f"the sheet does not fit {dataset.source}; nothing was changed",
        todo=f"correct these rows of the sheet, or give the data that it was made from; "
        f"classes: {', '.join(dataset.label_names)}",
    )
    changed = {place: one for place, one in decided.items() if one[0] != labels[place]}
    found = _corrected(dataset, changed, splits, reviewed=len(sheet.decisions), kept=kept)
    return _with_note(found, respelled)


def _correct_sets(dataset: Dataset, sheet: Sheet) -> Corrections:
    """Add and take out the labels that a reviewer decided on, where rows have any number of them."""
    places = {row_id: place for place, row_id in enumerate(dataset.row_ids)}
    texts, names = dataset.texts, dataset.label_names
    sets: list[set[str] | None] = [None if one is None else set(one) for one in dataset.label_name_sets()]
    splits = dataset.table["split"].cast(pa.string()).to_pylist()
    faults, rows, kept = FaultLog(), [], 0
    for decision in sheet.decisions:
        where = f"line {decision.line}, row_id {decision.row_id!r}"
        if decision.row_id not in places:
            faults.add(f"{where}: no row has this id{_hint(decision.row_id, places)}")
            continue
        place = places[decision.row_id]
        has = sets[place]
        old = _class_of(decision.label, names) if decision.label else ""
        if decision.new_label is None:
            kept += 1
        elif decision.text is not None and not _same_text(texts[place], decision.text, sheet.encoding):
            faults.add(f"{where}: the text is not that of the data ({decision.text[:40]!r}, {texts[place][:40]!r})")
        elif has is None:
            faults.add(f"{where}: the labels of this row are not known")
        elif old is None or (old and old not in has):
            faults.add(f"{where}: the row has not the label {decision.label!r}, which the sheet says it has")
        elif (new := _set_choice(decision, names)) is None:
            faults.add(f"{where}: new_label {decision.new_label!r} is no label{_near(decision, names)}")
        elif new == old or (new in has and not old):
            kept += 1
        else:
            has.discard(old)
            has.update([new] if new else [])
            row = {"label": old, "new_label": new, "suggested_label": decision.suggested_label or ""}
            known = {"row_id": decision.row_id, "split": splits[place], "text": texts[place]}
            rows.append({**known, **row, "label_quality": decision.label_quality})
    faults.raise_as(
        DataError,
        what=f"the sheet does not fit {dataset.source}; nothing was changed",
        todo="correct these rows of the sheet, or give the data that it was made from",
    )
    codes = [None if one is None else sorted(names.index(name) for name in one) for one in sets]
    column = pa.array(codes, LABEL_SETS)
    notes = dataset.notes
    if rows:
        example = f"{rows[0]['row_id']}, {_arrow(rows[0])}"
        notes = (*notes, ReadNote(what="labels added or taken out after review", rows=len(rows), example=example))
    table = dataset.table.set_column(3, dataset.table.schema.field("label"), column)
    return Corrections(
        dataset=replace(dataset, table=table, notes=notes),
        changes=pa.Table.from_pylist(rows, schema=CHANGES_SCHEMA),
        reviewed=len(sheet.decisions),
        kept=kept,
    )


def _set_choice(decision: Decision, names: tuple[str, ...]) -> str | None:
    """Return the label that shall stand for the one that the sheet's row is about, "" for none; None if unknown."""
    chosen = _class_of(decision.new_label or "", names)
    if chosen is None and decision.accepts:
        return _class_of(decision.suggested_label, names) if decision.suggested_label else ""
    return chosen


def _arrow(row: Mapping[str, Any]) -> str:
    """Say what became of a label; where it was added or taken out, a dash stands for none."""
    return f"{row['label'] or '–'} → {row['new_label'] or '–'}"


def _with_note(corrections: Corrections, respelled: list[tuple[Decision, str]]) -> Corrections:
    """Note labels that the sheet spells in another way than the data, as a spreadsheet makes TRUE of true."""
    if not respelled:
        return corrections
    decision, chosen = respelled[0]
    written = decision.new_label if decision.new_label != chosen and not decision.accepts else decision.label
    note = ReadNote(
        what="labels corrected after review, spelled in another way in the sheet",
        rows=len(respelled),
        example=f"line {decision.line}, {shown(written or '')}",
    )
    dataset = replace(corrections.dataset, notes=(*corrections.dataset.notes, note))
    return replace(corrections, dataset=dataset)


def _corrected(
    dataset: Dataset, decided: dict[int, tuple[str, Decision]], splits: list[str], *, reviewed: int, kept: int
) -> Corrections:
    names, texts = dataset.label_name_list(), dataset.texts
    codes = dataset.table["label"].to_pylist()
    rows = []
    for place, (chosen, decision) in sorted(decided.items()):
        codes[place] = dataset.label_names.index(chosen)
        rows.append(
            {
                "row_id": decision.row_id,
                "split": splits[place],
                "label": names[place] or "",
                "new_label": chosen,
                "suggested_label": decision.suggested_label,
                "label_quality": decision.label_quality,
                "text": texts[place],
            }
        )
    table = dataset.table.set_column(3, dataset.table.schema.field("label"), pa.array(codes, pa.int32()))
    notes = dataset.notes
    if rows:
        example = f"{rows[0]['row_id']}, {rows[0]['label']} → {rows[0]['new_label']}"
        notes = (*notes, ReadNote(what="labels corrected after review", rows=len(rows), example=example))
    return Corrections(
        dataset=replace(dataset, table=table, notes=notes),
        changes=pa.Table.from_pylist(rows, schema=CHANGES_SCHEMA),
        reviewed=reviewed,
        kept=kept,
    )


def _choose(decision: Decision, label_names: tuple[str, ...]) -> str | None:
    """Return the class that a person meant: a name, however it is spelled where that is plain, or the suggested one."""
    chosen = _class_of(decision.new_label or "", label_names)
    if chosen is None and decision.accepts:
        return _class_of(decision.suggested_label or "", label_names)
    return chosen


def _class_of(written: str, label_names: tuple[str, ...]) -> str | None:
    """Return the class of this name: the very one, else the only one that `name_key` calls the same."""
    if written in label_names:
        return written
    same = [name for name in label_names if name_key(name) == name_key(written)]
    return same[0] if len(same) == 1 else None


def _same_text(text: str, written: str, encoding: str) -> bool:
    """Compare a text with what a spreadsheet made of it: line ends, a cell's length, characters beyond cp949."""
    ours, theirs = _plain(text, encoding), _plain(written, encoding)
    if ours == theirs:
        return True
    return len(written) >= EXCEL_CELL_CHARS - 1 and ours.startswith(theirs.rstrip("?"))


def _plain(text: str, encoding: str) -> str:
    text = text.replace("\r\n", "\n").replace("\r", "\n").replace("\x00", "").strip()
    # A character that the sheet's encoding lacks became one "?", or two where Excel counts it as two.
    return re.sub(r"\?+", "?", text.encode(encoding, "replace").decode(encoding))


def _hint(row_id: str, places: dict[str, int]) -> str:
    """Guess what a spreadsheet did to an id."""
    if (bare := row_id.removesuffix(".0")) in places:
        return f": did the spreadsheet change {bare!r}?"
    if row_id.isdigit() and (padded := next((known for known in places if known.lstrip("0") == row_id), None)):
        return f": did the spreadsheet take the zeros off {padded!r}?"
    return ""


def _near(decision: Decision, label_names: tuple[str, ...]) -> str:
    if decision.accepts:
        return " and the row has no suggested_label"
    near = get_close_matches(decision.new_label or "", label_names, n=1)
    return f": did you mean {near[0]!r}?" if near else ""


def write_corrections(corrections: Corrections, folder: Path) -> None:
    """Write corrections as a new folder.

    Raises:
        StorageError: the folder is there already and not empty, or cannot be written.
        DataError: a split has a name that cannot be a file's.
    """
    content = io.StringIO()
    writer = csv.writer(content, lineterminator="\r\n")
    writer.writerow(CHANGES_SCHEMA.names)
    for row in corrections.changes.to_pylist():
        writer.writerow([neutralise(str(value or "")) for value in row.values()])
    with staged_folder(folder) as staged:
        write(corrections.dataset, staged / CORRECTED_NAME)
        write_bytes(staged / CHANGES_NAME, content.getvalue().encode("utf-8-sig", "replace"))
        write_json(staged / LABEL_COUNTS_NAME, corrections.to_dict())
