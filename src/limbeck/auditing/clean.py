"""Cleaning: the rows that are asked for go, each with a reason; no other row changes.

In: a Dataset and `CleanSettings`. Out: a `Cleaning`: the rows that stay and a log of every row that went; on disk a
folder with `data/` (one Parquet file per split), `removed.jsonl` (one line per removed row) and `clean.json`. The
folder is whole or absent.

Kinds are worked through in the order of `KINDS`, each on the rows that are left, so that every removed row has one
reason. A row goes because of a row that stays and that is equal to it, or nearly so; no chain of others counts.
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from limbeck.auditing.audit import check_threshold
from limbeck.auditing.faults import fault_masks
from limbeck.auditing.grouping import distinct_within, group_equal
from limbeck.auditing.lengths import split_words
from limbeck.auditing.near import all_pairs, find_near_duplicates
from limbeck.auditing.rows import RowColumns, row_columns_of
from limbeck.auditing.staying import leaking, repeating
from limbeck.data.dataset import Dataset, ReadNote
from limbeck.data.write import write
from limbeck.display.tables import Table
from limbeck.display.views import View, listed
from limbeck.errors import DataError, FaultLog, SettingsError
from limbeck.progress import SILENT, Progress, Steps
from limbeck.settings import CleanSettings
from limbeck.storage import staged_folder, write_json, write_text

FAULT_KINDS: dict[str, tuple[str, ...]] = {
    "empty": ("empty", "white_space_only"),
    "one-token": ("one_token",),
    "equal-to-label": ("equal_to_label",),
    "mojibake": ("mojibake",),
    "control-characters": ("control_characters",),
    "html": ("html",),
}
"""Kinds that look at one text by itself, and the audit's faults that they mean."""
NEAR_KINDS = ("near-leaks", "near-duplicates")
KINDS = (*FAULT_KINDS, "conflicts", "leaks", "near-leaks", "exact-duplicates", "near-duplicates")
"""Everything that can be dropped, in the order in which it is."""

STAYING_SPLITS = ("test", "validation")
"""Of a leak, the row of the first of these stays, so that scores stay comparable; then that of other splits by their
order, and an unlabelled row never pushes out a labelled one."""

DATA_NAME = "data"
REMOVED_NAME = "removed.jsonl"
CLEAN_COUNTS_NAME = "clean.json"

REMOVED_SCHEMA = pa.schema(
    [
        pa.field("row_id", pa.large_string(), nullable=False),
        pa.field("split", pa.large_string(), nullable=False),
        pa.field("label", pa.large_string()),
        pa.field("reason", pa.large_string(), nullable=False),
        pa.field("because_of", pa.large_string()),
        pa.field("text", pa.large_string(), nullable=False),
    ]
)
"""The log: one row for each removed row. `because_of` is the row that stays instead, or that it contradicts."""


_NO_PAIRS = np.zeros((0, 2), dtype=np.int64)


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Cleaning(View):
    """What cleaning did.

    Attributes:
        dataset: the rows that stay, in their order, with a note for each kind of row that went.
        removed: `REMOVED_SCHEMA`, one row for each row that went, in the order of the dataset.
        counts: kind → rows removed, in the order of the work.
    """

    dataset: Dataset
    removed: pa.Table
    counts: dict[str, int]

    def _lines(self) -> tuple[str, str]:
        rows, gone = len(self.dataset), self.removed.num_rows
        said = listed([f"{kind} {count:,}" for kind, count in self.counts.items()])
        return f"Cleaning: {rows + gone:,} rows read, {rows:,} kept, {gone:,} removed", f"removed: {said}"

    def _tables(self) -> Iterator[Table]:
        yield Table(
            title="Removed",
            header=("because of", "rows"),
            rows=tuple((kind, f"{count:,}") for kind, count in self.counts.items()),
        )
        if self.removed.num_rows:
            columns = ("text", "label", "split", "reason", "because_of")
            yield Table(
                title="The first removed rows",
                header=("text", "label", "split", "reason", "row that stays"),
                rows=tuple(
                    tuple("–" if row[name] is None else row[name] for name in columns)
                    for row in self.removed.slice(0, 5).to_pylist()
                ),
                prose=("label", "split", "reason", "row that stays"),
            )


@dataclass(frozen=True, kw_only=True, eq=False)
class _Work:
    """What the steps share: columns, pairs of nearly equal texts, which rows are there, why the others went."""

    columns: RowColumns
    exact: np.ndarray
    pairs: np.ndarray
    present: np.ndarray
    reason: np.ndarray
    because: np.ndarray

    def drop(self, rows: np.ndarray, reason: str, because: np.ndarray | None = None) -> None:
        """Take rows out."""
        self.present[rows] = False
        self.reason[rows] = reason
        self.because[rows] = -1 if because is None else because


def clean(dataset: Dataset, settings: CleanSettings, progress: Progress = SILENT) -> Cleaning:
    """Remove rows.

    - "conflicts": of equal texts with different labels, all go; with `on_conflict="keep-first"` only those whose label
      is not that of the first row; with "keep-majority" only those whose label is not the most frequent one, and all
      where no label is more frequent than every other.
    - "leaks" and "near-leaks": of equal (nearly equal) texts in several splits, the rows of one split stay: test
      before validation before any other, labelled before unlabelled.
    - "exact-duplicates" and "near-duplicates": of equal (nearly equal) texts inside one split with one label, the first
      row stays; of equal texts an unlabelled row goes if there is a labelled one. Rows whose labels differ are
      conflicts: with "exact-duplicates" they go as `on_conflict` says; nearly equal texts with different labels stay.
    - the others: rows with that fault go.

    Raises:
        SettingsError: a kind is not known, or none was given.
        DataError: no row would be left.
    """
    _check(settings)
    columns = row_columns_of(dataset)
    rows = len(columns)
    pairs = _NO_PAIRS
    if any(kind in NEAR_KINDS for kind in settings.drop):
        with progress.track("Cleaning", total=3 * Steps.UNITS, unit="parts") as advance:
            steps = Steps(advance, progress)
            near = find_near_duplicates(columns.plain, threshold=settings.near_threshold, progress=steps)
            pairs = all_pairs(columns.plain, near, steps)
    work = _Work(
        columns=columns,
        exact=group_equal(columns.text),
        pairs=pairs,
        present=np.ones(rows, dtype=bool),
        reason=np.full(rows, "", dtype=object),
        because=np.full(rows, -1, dtype=np.int64),
    )
    faulty = [kind for kind in FAULT_KINDS if kind in settings.drop]
    if faulty:
        masks = fault_masks(columns, split_words(columns.plain, progress).per_text)
        for kind in faulty:
            wanted = np.logical_or.reduce([masks[fault] for fault in FAULT_KINDS[kind]])
            work.drop(np.flatnonzero(wanted & work.present), kind)
    for kind, step in _STEPS.items():
        if kind in settings.drop:
            step(work, settings)
    return _result(dataset, work, settings)


def _check(settings: CleanSettings) -> None:
    faults = FaultLog()
    known = f"known: {', '.join(KINDS)}"
    if not settings.drop:
        faults.add(f"nothing to drop was named; {known}")
    faults.extend(f"{kind!r} cannot be dropped; {known}" for kind in settings.drop if kind not in KINDS)
    faults.raise_as(SettingsError, what="--drop is wrong", todo="name kinds of rows, separated by commas")
    check_threshold(settings.near_threshold)


def _drop_conflicts(work: _Work, settings: CleanSettings) -> None:
    labelled = np.where(work.present, work.columns.label, -1)
    rows = np.flatnonzero((distinct_within(work.exact, labelled) > 1) & (labelled >= 0))
    _settle(work, rows, work.exact[rows], settings.on_conflict, "conflicts")


def _settle(work: _Work, rows: np.ndarray, group: np.ndarray, on_conflict: str, reason: str) -> None:
    """Take out rows of groups whose labels differ: all, or all but those with the label that is kept.

    Args:
        work: is changed.
        rows: int64 (R,), labelled rows; each group has two labels at least.
        group: int64 (R,), of each of them.
        on_conflict: as in `CleanSettings`.
        reason: why they go.
    """
    label = work.columns.label[rows]
    stays = _majority_row(group, label, rows) if on_conflict == "keep-majority" else _first_by_group(group, rows)
    undecided = stays < 0
    if undecided.any():
        tied = f"{reason}, no label is the most frequent"
        work.drop(rows[undecided], tied, _another(group[undecided], label[undecided], rows[undecided]))
    if on_conflict == "drop":
        work.drop(rows, reason, _another(group, label, rows))
        return
    wrong = ~undecided & (label != work.columns.label[stays])
    work.drop(rows[wrong], reason, stays[wrong])


def _majority_row(group: np.ndarray, label: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Return for each of `rows` the first row of its group with the most frequent label; below zero for a tie."""
    pairs, counts = np.unique(np.stack([group, label], axis=1), axis=0, return_counts=True)
    order = np.lexsort((-counts, pairs[:, 0]))
    known, start = np.unique(pairs[order, 0], return_index=True)
    most, second = order[start], order[start + 1]
    place = np.searchsorted(known, group)
    agreeing = label == pairs[most, 1][place]
    first = np.zeros(len(known), dtype=np.int64)
    first[place[agreeing][::-1]] = rows[agreeing][::-1]
    return np.where((counts[most] == counts[second])[place], -1, first[place])


def _drop_leaks(work: _Work, pairs: np.ndarray, reason: str) -> None:
    columns = work.columns
    rows = np.flatnonzero(work.present)
    rank = np.array([_rank(name, place) for place, name in enumerate(columns.split_names)])
    # Rows without a label come after all others, so that they never push a labelled one out.
    order = rank[columns.split[rows]] + np.where(columns.label[rows] < 0, len(rank) + len(STAYING_SPLITS), 0)
    stays = leaking(work.exact[rows], columns.split[rows], order, pairs)
    leaving = stays >= 0
    work.drop(rows[leaving], reason, rows[stays[leaving]])


def _drop_exact_duplicates(work: _Work, settings: CleanSettings) -> None:
    columns = work.columns
    inside = work.exact * len(columns.split_names) + columns.split
    _, compact = np.unique(inside, return_inverse=True)
    labelled = np.where(work.present, columns.label, -1)
    some = np.flatnonzero((distinct_within(compact, labelled) > 1) & (labelled >= 0))
    _settle(work, some, compact[some], settings.on_conflict, "exact-duplicates, labels differ")
    rows = np.flatnonzero(work.present)
    stays = _first_by_group(compact[rows], rows, (columns.label[rows] < 0).astype(np.int64))
    leaving = rows != stays
    work.drop(rows[leaving], "exact-duplicates", stays[leaving])


def _drop_near_duplicates(work: _Work) -> None:
    columns = work.columns
    rows = np.flatnonzero(work.present)
    kind = columns.split[rows] * (len(columns.label_names) + 1) + columns.label[rows] + 1
    stays = repeating(work.exact[rows], kind, work.pairs)
    leaving = stays >= 0
    work.drop(rows[leaving], "near-duplicates", rows[stays[leaving]])


_STEPS: dict[str, Callable[[_Work, CleanSettings], None]] = {
    "conflicts": _drop_conflicts,
    "leaks": lambda work, _: _drop_leaks(work, _NO_PAIRS, "leaks"),
    "near-leaks": lambda work, _: _drop_leaks(work, work.pairs, "near-leaks"),
    "exact-duplicates": _drop_exact_duplicates,
    "near-duplicates": lambda work, _: _drop_near_duplicates(work),
}


def _rank(name: str, place: int) -> int:
    return STAYING_SPLITS.index(name) if name in STAYING_SPLITS else len(STAYING_SPLITS) + place


def _first_by_group(group: np.ndarray, rows: np.ndarray, order: np.ndarray | None = None) -> np.ndarray:
    """Return for each of `rows` the first row of its group: the least by `order`, then by position."""
    if not len(rows):
        return rows
    sequence = np.lexsort((rows, np.zeros(len(rows)) if order is None else order, group))
    leaders, place = np.unique(group[sequence], return_index=True)
    first: np.ndarray = rows[sequence[place]][np.searchsorted(leaders, group)]
    return first


def _another(group: np.ndarray, label: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Return for each of `rows` the first row of its group whose label differs; every group has two labels."""
    if not len(rows):
        return rows
    first = _first_by_group(group, rows)
    place = {int(row): position for position, row in enumerate(rows)}
    first_label = label[[place[int(row)] for row in first]]
    other = label != first_label
    leaders, where = np.unique(group[other], return_index=True)
    second = _first_by_group(group[other], rows[other])[where]
    return np.where(other, first, second[np.searchsorted(leaders, group)])


def _result(dataset: Dataset, work: _Work, settings: CleanSettings) -> Cleaning:
    columns = work.columns
    gone = np.flatnonzero(~work.present)
    if len(gone) == len(columns):
        raise DataError(f"nothing would be left of {dataset.source}: every row has a fault that --drop names")
    ids = columns.row_id.to_pylist()
    labels = columns.label[gone]
    reasons = work.reason[gone].tolist()
    removed = pa.table(
        {
            "row_id": columns.row_id.take(pa.array(gone)),
            "split": [columns.split_names[place] for place in columns.split[gone]],
            "label": [columns.label_names[label] if label >= 0 else None for label in labels],
            "reason": reasons,
            "because_of": [ids[row] if row >= 0 else None for row in work.because[gone]],
            "text": columns.text.take(pa.array(gone)),
        },
        schema=REMOVED_SCHEMA,
    )
    counts = {kind: sum(reason.split(",")[0] == kind for reason in reasons) for kind in KINDS if kind in settings.drop}
    notes = tuple(
        ReadNote(what=f"rows removed by limbeck clean: {kind}", rows=count, example=_example(removed, kind))
        for kind, count in counts.items()
        if count
    )
    kept = dataset.select(np.flatnonzero(work.present))
    return Cleaning(dataset=replace(kept, notes=(*dataset.notes, *notes)), removed=removed, counts=counts)


def _example(removed: pa.Table, kind: str) -> str:
    reasons = removed["reason"].to_pylist()
    place = next(place for place, reason in enumerate(reasons) if reason.split(",")[0] == kind)
    row = removed.slice(place, 1).to_pylist()[0]
    instead = f", because of {row['because_of']}" if row["because_of"] else ""
    return f"{row['row_id']}{instead}"


def counts_of(cleaning: Cleaning, settings: CleanSettings) -> dict[str, Any]:
    """Return the value of clean.json: `rows_in` is always `rows_out` and `rows_removed` together."""
    rows_out = len(cleaning.dataset)
    return {
        "source": cleaning.dataset.source,
        "settings": asdict(settings),
        "rows_in": rows_out + cleaning.removed.num_rows,
        "rows_out": rows_out,
        "rows_removed": cleaning.removed.num_rows,
        "removed_by_kind": cleaning.counts,
        "splits_out": cleaning.dataset.split_sizes(),
        "notes": [asdict(note) for note in cleaning.dataset.notes],
    }


def write_cleaning(cleaning: Cleaning, settings: CleanSettings, folder: Path) -> None:
    """Write a cleaning.

    Raises:
        StorageError: the folder is there already and not empty, or cannot be written.
    """
    with staged_folder(folder) as staged:
        write(cleaning.dataset, staged / DATA_NAME)
        lines = (json.dumps(row, ensure_ascii=False) + "\n" for row in cleaning.removed.to_pylist())
        write_text(staged / REMOVED_NAME, "".join(lines))
        write_json(staged / CLEAN_COUNTS_NAME, counts_of(cleaning, settings))
