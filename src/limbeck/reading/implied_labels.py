"""Implied labels: rows are given the parents that the names of their labels state, where that is asked for.

In: the label map of several labels per row. Out: the same with the parents as labels, and a note that counts them; or,
where it was not asked for, a note that the names state parents. What a parent is says `data.hierarchy`.
"""

from dataclasses import replace
from functools import partial

import numpy as np
import pyarrow.compute as pc

from limbeck.data.hierarchy import PART_OF, Hierarchy, hierarchy_of
from limbeck.data.label_sets import label_pairs
from limbeck.data.names import shown
from limbeck.errors import DataError
from limbeck.reading.bad_rows import BadRows
from limbeck.reading.file_rows import FileRows
from limbeck.reading.label_map import LabelMap

_SHOWN = 5


def imply_parents(found: LabelMap, bad: BadRows, *, wanted: bool) -> LabelMap:
    """Give every row the parents of its labels; they become labels, after the others.

    A parent that every row has tells no row from another, and is left out. To be called before rare labels are left
    out, so that their rows keep the parents of these.

    Raises:
        DataError: it is wanted, and no label names a parent.
    """
    hierarchy = hierarchy_of(found.names)
    if hierarchy is None and wanted:
        raise DataError(
            f"no label names a parent: names such as facet{PART_OF}value were expected, found were "
            f"{', '.join(map(shown, found.names[:_SHOWN]))}; give --no-label-parents, or leave --label-parents out"
        )
    everywhere = [] if hierarchy is None else _in_every_row(hierarchy, found)
    hierarchy = hierarchy and hierarchy.without(everywhere)
    if wanted and everywhere:
        what = "parents that every row has, which tell no row from another: they are not made labels"
        bad.note(what, len(everywhere), ", ".join(map(shown, everywhere[:_SHOWN])))
    if hierarchy is None:
        return found
    parts = tuple(replace(part, label=hierarchy.with_parents(part.label)) for part in found.parts)
    added = [_sizes(now) - _sizes(before) for now, before in zip(parts, found.parts, strict=True)]
    count = sum(int(one.sum()) for one in added)
    if not wanted:
        if count:
            _suggest(hierarchy, bad)
        return found
    for part, added_N in zip(found.parts, added, strict=True):
        rows = np.flatnonzero(added_N).tolist()
        what = f"rows given the parents of their labels ({PART_OF} in the names), {count:,} labels in all"
        bad.mend(what, rows, partial(part.place, column=part.columns.label_place))
    if hierarchy.implied_names:
        names = ", ".join(map(shown, hierarchy.implied_names[:_SHOWN]))
        bad.note("parents that became labels", len(hierarchy.implied_names), names)
    return replace(found, names=hierarchy.names, parts=parts)


def _in_every_row(hierarchy: Hierarchy, found: LabelMap) -> list[str]:
    """Return the parents, no labels so far, that every labelled row would have."""
    counts = np.zeros(len(hierarchy.names), np.int64)
    labelled = 0
    for part in found.parts:
        _, labels = label_pairs(hierarchy.with_parents(part.label))
        counts += np.bincount(labels, minlength=len(counts))
        labelled += len(part.label) - part.label.null_count
    return [name for name in hierarchy.implied_names if counts[hierarchy.names.index(name)] == labelled]


def _sizes(part: FileRows) -> np.ndarray:
    return np.asarray(pc.fill_null(pc.list_value_length(part.label), 0), np.int64)


def _suggest(hierarchy: Hierarchy, bad: BadRows) -> None:
    """Say that names state parents which rows do not have."""
    children = [name for name, parent in zip(hierarchy.names, hierarchy.parents, strict=True) if parent >= 0]
    what = "labels whose names say what they are a part of; --label-parents gives their rows the parents, too"
    bad.note(what, len(children), ", ".join(map(shown, children[:_SHOWN])))
