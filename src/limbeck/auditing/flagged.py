"""Flagged rows: every row that a finding is about, so that a person can go through them all.

In: what an audit looked at. Out: for each finding a mask of rows and, where they belong together, their groups; and
all of it as one table.
It does not know severities' meaning nor files.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from limbeck.auditing.duplicates import different_texts, fold
from limbeck.auditing.findings import Finding
from limbeck.auditing.grouping import Selection, group_equal, in_both, repeated, spanning
from limbeck.auditing.leaks_and_conflicts import half_groups
from limbeck.auditing.profile import Shape
from limbeck.auditing.rows import RowColumns

SHOWN_CHARACTERS = 200
"""Of a text; row_id, split and row tell where the whole text is."""

FLAGGED_SCHEMA = pa.schema(
    [
        pa.field("finding", pa.large_string(), nullable=False),
        pa.field("severity", pa.large_string(), nullable=False),
        pa.field("group", pa.int64()),
        pa.field("row_id", pa.large_string(), nullable=False),
        pa.field("split", pa.large_string(), nullable=False),
        pa.field("row", pa.int64(), nullable=False),
        pa.field("label", pa.large_string()),
        pa.field("text", pa.large_string(), nullable=False),
    ]
)
"""One line a finding and row. `group` counts the groups of a finding from 1; `row` counts a split's rows from 1."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Mark:
    """Rows of one finding: bool (N,), and int64 (N,) the group of each where they belong together."""

    rows: np.ndarray
    group: np.ndarray | None = None


def marks_of_repeats(columns: RowColumns, exact: np.ndarray, near: np.ndarray | None) -> dict[str, Mark]:
    """Mark the rows that stand there twice, by kind of finding.

    Args:
        columns: N rows.
        exact: int64 (N,), the group of equal texts of each row.
        near: int64 (N,), its group of nearly equal texts; None where they were not looked for.
    """
    folded = group_equal(fold(columns.text))

    def mark(group: np.ndarray, found: Selection) -> Mark:
        return Mark(rows=found.chosen, group=group)

    return {
        "leaks.exact": mark(exact, spanning(exact, columns.split)),
        "conflicts.exact": mark(exact, spanning(exact, columns.label)),
        "duplicates.exact": mark(exact, repeated(exact)),
        "duplicates.folded": mark(folded, different_texts(folded, exact)),
        **_marks_of_halves(columns, exact),
        **({} if near is None else _marks_of_near(columns, exact, near)),
    }


def _marks_of_near(columns: RowColumns, exact: np.ndarray, near: np.ndarray) -> dict[str, Mark]:
    different = different_texts(near, exact)
    found = {
        "leaks.near": in_both(near, spanning(near, columns.split), different),
        "conflicts.near": in_both(near, spanning(near, columns.label), different),
        "duplicates.near": different,
    }
    return {kind: Mark(rows=selection.chosen, group=near) for kind, selection in found.items()}


def _marks_of_halves(columns: RowColumns, exact: np.ndarray) -> dict[str, Mark]:
    """Mark pairs of which one text stands in another split; their group is that text, the first of two."""
    if columns.halves is None:
        return {}
    first, second = half_groups(columns, columns.halves, exact)
    group = np.where(first.chosen, columns.halves.first, columns.halves.second)
    return {"leaks.half": Mark(rows=first.chosen | second.chosen, group=group)}


def marks_of_labels(columns: RowColumns, shape: Shape) -> dict[str, Mark]:
    """Mark the rows whose class, or whose lack of one, is a finding."""
    labelled = columns.label >= 0
    splits = [place for place, name in enumerate(columns.split_names) if shape.splits[name].labelled]
    alike = tuple(name for pair in shape.lookalike_labels for name in (pair.one, pair.other))
    named = {
        "labels.lookalike": alike,
        "labels.like_missing": shape.like_missing,
        "labels.missing_in_training": shape.missing_in_training,
        "labels.too_rare_to_split": shape.too_rare_to_split,
        "labels.too_rare_to_learn": shape.too_rare_to_learn,
    }
    classes = columns.classes
    place = {name: index for index, name in enumerate(classes.names)}

    def having(names: tuple[str, ...]) -> np.ndarray:
        rows = np.zeros(len(columns), bool)
        rows[classes.row[np.isin(classes.label, [place[name] for name in names])]] = True
        return rows

    return {
        "labels.unlabelled": Mark(rows=~labelled & np.isin(columns.split, splits)),
        **{kind: Mark(rows=having(names), group=columns.label) for kind, names in named.items()},
    }


def flagged_rows(columns: RowColumns, findings: Iterable[Finding], marks: dict[str, Mark]) -> pa.Table:
    """Return the rows of all findings as one table, in the order of the findings, groups together.

    Findings about the data as a whole (an imbalance, an order) have no rows of their own and are left out.
    """
    row_in_split = _row_in_split(columns)
    parts = [
        _part(columns, finding, marks[finding.kind], row_in_split) for finding in findings if finding.kind in marks
    ]
    return pa.concat_tables([FLAGGED_SCHEMA.empty_table(), *parts])


def _part(columns: RowColumns, finding: Finding, mark: Mark, row_in_split: np.ndarray) -> pa.Table:
    rows = np.flatnonzero(mark.rows)
    group = None
    if mark.group is not None:
        rows = rows[np.argsort(mark.group[rows], kind="stable")]
        group = pa.array(np.unique(mark.group[rows], return_inverse=True)[1] + 1)
    places = pa.array(rows)
    text = columns.text.take(places)
    ellipsis, nothing = (pa.scalar(sign, pa.large_string()) for sign in ("…", ""))
    cut = pc.binary_join_element_wise(pc.utf8_slice_codeunits(text, 0, SHOWN_CHARACTERS - 1), ellipsis, nothing)
    is_long = pc.greater(pc.utf8_length(text), SHOWN_CHARACTERS)
    label = columns.label[rows]
    names = pa.array(columns.label_names, pa.large_string())
    return pa.table(
        {
            "finding": pa.array([finding.kind] * len(rows), pa.large_string()),
            "severity": pa.array([finding.severity] * len(rows), pa.large_string()),
            "group": pa.nulls(len(rows), pa.int64()) if group is None else group,
            "row_id": columns.row_id.take(places),
            "split": pa.array(columns.split_names, pa.large_string()).take(pa.array(columns.split[rows])),
            "row": pa.array(row_in_split[rows]),
            "label": names.take(pa.array(label, mask=label < 0)),
            "text": pc.if_else(is_long, cut, text),
        },
        schema=FLAGGED_SCHEMA,
    )


def _row_in_split(columns: RowColumns) -> np.ndarray:
    """Count the rows of each split from 1, int64 (N,)."""
    order = np.argsort(columns.split, kind="stable")
    sizes = np.bincount(columns.split, minlength=len(columns.split_names))
    counted = np.zeros(len(columns), dtype=np.int64)
    counted[order] = np.concatenate([np.arange(1, size + 1) for size in sizes])
    return counted
