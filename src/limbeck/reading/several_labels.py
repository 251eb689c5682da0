"""Several labels per row: the many ways of writing them become sets of indices into the one label map.

In: every file's `FileRows` with its label column as written: lists, texts with a separator, columns of 0 and 1, JSON
in a cell, scores by name, or one label. Out: the names (C,), and the parts with a label set per row. A row without any
label has an empty set; a row that is not labelled has none. Names, integers and spellings are treated as those of one
label per row are (`label_map`): each pair of a row and a label stands for a row there.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from limbeck.data.dataset import UNLABELLED_SPLIT
from limbeck.data.label_sets import LABEL_SETS, label_pairs, list_rows, sets_of_pairs
from limbeck.data.names import shown
from limbeck.errors import DataError
from limbeck.reading.bad_rows import BadRows
from limbeck.reading.columnar import is_text
from limbeck.reading.file_rows import FileRows, RowFault, is_true, reject_rows
from limbeck.reading.implied_labels import imply_parents
from limbeck.reading.label_map import LabelMap, index_labels, note_odd_classes
from limbeck.reading.written_labels import CHOICES, is_score, labels_in, reject_odd, reject_shares
from limbeck.settings import ReadSettings
from limbeck.task import MULTI

_TRUE = frozenset(("1", "1.0", "true"))
_FALSE = frozenset(("0", "0.0", "false"))
_INTEGERS = re.compile(r"\[\s*-?\d+(\s*,\s*-?\d+)*\s*\]")
_SHOWN = 5


@dataclass(frozen=True, kw_only=True)
class WrittenSets:
    """One part's labels as lists.

    Shapes: R rows.

    Attributes:
        part: the rows.
        lists: (R,) large lists of names or integers; null where a row is not labelled.
        declared: integer → name, where the way of writing says so.
    """

    part: FileRows
    lists: pa.Array
    declared: Mapping[int, str]

    @property
    def most(self) -> int:
        """Labels of the row that has the most."""
        longest: int | None = pc.max(pc.list_value_length(self.lists)).as_py()
        return longest or 0


def sets_written(part: FileRows, settings: ReadSettings) -> WrittenSets | None:
    """Return a part's labels as lists, where its column can hold several per row; None where it holds one label each.

    Nothing is refused here: whether labels are sets may still be asked.
    """
    label, kind = part.label, part.label.type
    if part.columns.indicators:
        return _of_indicators(part)
    if pa.types.is_struct(kind) and [field.name for field in kind.fields] == [CHOICES]:
        label = pc.if_else(label.is_valid(), pc.struct_field(label, CHOICES), None)
        kind = label.type
    if pa.types.is_struct(kind) and kind.num_fields and all(is_score(field.type) for field in kind.fields):
        return _of_scores(part)
    is_list = pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind)
    if is_list and not pa.types.is_nested(kind.value_type):
        lists = label.cast(pa.large_list(kind.value_type))
        return WrittenSets(part=part, lists=lists, declared={})
    texts = _texts_of(label)
    if texts is None:
        return None
    if settings.label_separator is None and not any(_sets_in(cell) is not None for cell in _distinct_of(texts)):
        return None
    return _of_texts(part, texts, settings.label_separator)


def map_label_sets(parts: Sequence[FileRows], settings: ReadSettings, bad: BadRows) -> LabelMap:
    """Find the one label map and put every label set into it; what was understood is noted.

    Raises:
        DataError: a column holds what no label can be.
        SettingsError: the label names are wrong.
    """
    written = [_checked(part, settings, bad) for part in parts]
    pairs = [_pairs_of(one) for one in written]
    found = index_labels(pairs, replace(settings, labels="required"), bad)
    if bad.faults.count:
        return LabelMap(names=found.names, parts=tuple(parts), task=MULTI)
    sets = [_regrouped(one, part, settings, bad) for one, part in zip(written, found.parts, strict=True)]
    result = LabelMap(names=found.names, parts=tuple(sets), task=MULTI)
    note_odd_classes(found.parts, found.names, bad)
    result = imply_parents(result, bad, wanted=settings.label_parents)
    if settings.min_label_rows is not None:
        result = _without_rare(result, settings.min_label_rows, bad)
    _note_understood(result, ", ".join(sorted({part.columns.label_place for part in parts})), bad)
    _note_untrained(result, bad)
    return result


def _of_indicators(part: FileRows) -> WrittenSets:
    """Return which columns hold 1; a row whose columns are all empty is not labelled."""
    names = part.columns.indicators
    values = [_truth(part.label.field(place)) for place in range(len(names))]
    matrix = np.stack(values, axis=1) if values else np.zeros((len(part), 0))
    rows, labels = np.nonzero(matrix == 1)
    return WrittenSets(
        part=part,
        lists=sets_of_pairs(rows, labels, np.asarray(np.isnan(matrix).all(axis=1))),
        declared=dict(enumerate(names)),
    )


def _truth(column: pa.Array) -> np.ndarray:
    """Return 1, 0, NaN for a missing value, and -1 for anything else, float64 (R,)."""
    kind = column.type
    if pa.types.is_null(kind):
        return np.full(len(column), np.nan)
    if pa.types.is_dictionary(kind):
        column, kind = column.dictionary_decode(), kind.value_type
    if is_text(kind):
        meant = {name: _truth_of(name) for name in pc.unique(column.drop_null()).to_pylist()}
        return np.array([np.nan if cell is None else meant[cell] for cell in column.to_pylist()], np.float64)
    if not is_score(kind):
        return np.where(np.asarray(column.is_null()), np.nan, -1.0)
    values = np.asarray(column.cast(pa.float64()).fill_null(np.nan))
    return np.where(np.isnan(values) | np.isin(values, (0, 1)), values, -1.0)


def _truth_of(cell: str) -> float:
    word = cell.strip().lower()
    return 1.0 if word in _TRUE else 0.0 if word in _FALSE else np.nan if not word else -1.0


def _of_scores(part: FileRows) -> WrittenSets:
    """Return the names whose score is not 0, of an object of scores per row (spaCy's `cats`)."""
    names = [field.name for field in part.label.type.fields]
    known = part.label.is_valid()
    values = [_truth(pc.if_else(known, pc.struct_field(part.label, name), None)) for name in names]
    rows, labels = np.nonzero(np.nan_to_num(np.stack(values, axis=1)) != 0)
    missing = np.asarray(part.label.is_null())
    return WrittenSets(part=part, lists=sets_of_pairs(rows, labels, missing), declared=dict(enumerate(names)))


def _of_texts(part: FileRows, label: pa.Array, separator: str | None) -> WrittenSets:
    """Return what cells of text hold: a list in JSON, labels with a separator between them, or else one label.

    An empty cell is an empty set, unless others write one as a list: then it is a row that is not labelled.
    """
    lists = {cell: _sets_in(cell) for cell in _distinct_of(label)}
    has_lists = any(found is not None for found in lists.values())
    meant: dict[str, list[str] | None] = {}
    for cell, found in lists.items():
        is_missing = has_lists and not cell.strip()
        meant[cell] = None if is_missing else _divided(cell, separator) if found is None else found
    cells = [None if cell is None else meant[cell] for cell in label.to_pylist()]
    return WrittenSets(part=part, lists=pa.array(cells, pa.large_list(pa.large_string())), declared={})


def _sets_in(cell: str | None) -> list[str] | None:
    """Return the labels of a list in JSON, names or integers; None where the cell is a plain name."""
    if cell and _INTEGERS.fullmatch(cell):
        return re.findall(r"-?\d+", cell)
    return labels_in(cell)


def _texts_of(label: pa.Array) -> pa.Array | None:
    """Return a column of texts, out of its dictionary; None where it holds something else."""
    kind = label.type
    if pa.types.is_dictionary(kind) and is_text(kind.value_type):
        return label.dictionary_decode()
    return label if is_text(kind) else None


def _distinct_of(texts: pa.Array) -> list[str]:
    cells: list[str] = pc.unique(texts.drop_null()).to_pylist()
    return cells


def _divided(cell: str, separator: str | None) -> list[str]:
    pieces = [cell] if separator is None else cell.split(separator)
    return [name for piece in pieces if (name := piece.strip())]


def _checked(part: FileRows, settings: ReadSettings, bad: BadRows) -> WrittenSets:
    """Return a part's labels as lists, without rows at fault that the policy leaves out.

    Raises:
        DataError: the column holds what no label can be.
    """
    place = part.columns.label_place
    if part.columns.label is None and not part.columns.indicators:
        return WrittenSets(part=part, lists=pa.nulls(len(part), LABEL_SETS), declared={})
    if part.columns.indicators:
        part = _reject_odd_indicators(part, bad)
    elif pa.types.is_struct(part.label.type) and [one.name for one in part.label.type.fields] != [CHOICES]:
        part = reject_shares(part, place, bad)
    else:
        part = reject_odd(part, place, bad)
    found = sets_written(part, settings) or _one_each(part)
    if (texts := _texts_of(part.label)) is not None:
        empty = np.flatnonzero(is_true(pc.equal(pc.list_value_length(found.lists), 0))).tolist()
        bad.mend(
            "rows with an empty label cell, read as rows with none of the labels (a missing value means not labelled)",
            [row for row in empty if _sets_in(texts[row].as_py()) is None],
            lambda row: part.place(row, place),
        )
    return found


def _one_each(part: FileRows) -> WrittenSets:
    """Return labels that stand alone as lists of one.

    Raises:
        DataError: the column holds what no label can be.
    """
    label, declared = part.label, {}
    if pa.types.is_nested(label.type):
        raise DataError(
            f"{part.raw.name}: column {part.columns.label_place!r} holds {label.type}, where a list of label names or "
            "integers per row was expected; if another column holds the labels, name it (--label-column)"
        )
    if pa.types.is_dictionary(label.type):
        declared = dict(enumerate(label.dictionary.to_pylist())) if is_text(label.type.value_type) else {}
        label = label.indices if declared else label.dictionary_decode()
    if is_text(label.type):
        return _of_texts(part, label, None)
    offsets = np.concatenate([[0], np.cumsum(np.asarray(label.is_valid()))])
    lists = pa.LargeListArray.from_arrays(pa.array(offsets, pa.int64()), label.drop_null(), mask=label.is_null())
    return WrittenSets(part=part, lists=lists, declared=declared)


def _reject_odd_indicators(part: FileRows, bad: BadRows) -> FileRows:
    """Refuse rows in which a column of 0 and 1 holds something else, or only some columns hold anything."""
    names = part.columns.indicators
    matrix = np.stack([_truth(part.label.field(place)) for place in range(len(names))], axis=1)
    odd, empty = matrix == -1, np.isnan(matrix)

    def first_of(mask: np.ndarray, row: int) -> str:
        return names[int(np.flatnonzero(mask[row])[0])]

    def said(row: int) -> str:
        name = first_of(odd, row)
        return f"{name} is {str(part.label[row][name].as_py())[:100]!r}, where 0 or 1 was expected"

    faults = [
        RowFault("rows with something else than 0 and 1 in a label column", odd.any(axis=1), said),
        RowFault(
            "rows in which some label columns are empty and others are not",
            empty.any(axis=1) & ~empty.all(axis=1),
            lambda row: f"{first_of(empty, row)} is empty: 0 or 1 was expected, or nothing in all of the label columns",
        ),
    ]
    return reject_rows(part, faults, column=part.columns.label_place, bad=bad)


def _pairs_of(written: WrittenSets) -> FileRows:
    """Return a row for each pair of a row and one of its labels; `others` says which row it is."""
    part, lists = written.part, written.lists
    place = part.columns.label_place
    rows = pa.array(list_rows(lists))
    declared = written.declared or part.raw.label_names.get(place, {})
    return replace(
        part,
        raw=replace(part.raw, odd={}, label_names={place: declared} if declared else {}),
        columns=replace(part.columns, label=place, indicators=()),
        numbers=part.numbers.take(rows),
        text=pa.nulls(len(rows), pa.large_string()),
        # Which rows may lack a label is asked of rows, not of pairs.
        split=pa.array(["train"], pa.string()).take(pa.array(np.zeros(len(rows), np.int32))),
        label=pc.list_flatten(lists),
        label_index=_flat_index(written),
        row_id=None,
        others=pa.table({"row": rows}),
    )


def _flat_index(written: WrittenSets) -> pa.Array | None:
    """Return the integers that the labels of each row stand beside, end to end, where the file has both.

    Raises:
        DataError: they are not as many as the labels.
    """
    part = written.part
    if part.label_index is None:
        return None
    found = sets_written(replace(part, label=part.label_index, label_index=None), ReadSettings())
    if found is None or not pc.list_value_length(found.lists).equals(pc.list_value_length(written.lists)):
        raise DataError(
            f"{part.raw.name}: the columns 'label' and 'label_name' do not hold as many labels in each row: say which "
            "one has the labels (--label-column)"
        )
    return pc.list_flatten(found.lists)


def _regrouped(written: WrittenSets, pairs: FileRows, settings: ReadSettings, bad: BadRows) -> FileRows:
    """Put the sets together again; a row that has lost a label to a fault is left out whole."""
    part, place = written.part, written.part.columns.label_place
    rows = np.asarray(pairs.others["row"].combine_chunks(), np.int64)
    labels = np.asarray(pairs.label, np.int64)
    before = np.asarray(pc.fill_null(pc.list_value_length(written.lists), 0), np.int64)
    missing = np.asarray(written.lists.is_null())
    sets = sets_of_pairs(rows, labels, missing)
    kept = np.bincount(rows, minlength=len(part))
    sizes = np.asarray(pc.fill_null(pc.list_value_length(sets), 0), np.int64)
    doubled = np.flatnonzero(sizes < kept).tolist()
    bad.mend("rows in which a label stands twice, read once", doubled, lambda row: part.place(row, place))
    part = replace(part, label=sets).keep(kept == before)
    if settings.empty_labels == "unlabelled":
        part = _without_empty(part, settings, bad)
    if settings.labels != "required":
        return part
    unlabelled = is_true(part.label.is_null()) & ~is_true(pc.equal(part.split, UNLABELLED_SPLIT))
    told = "is missing: labels were expected, [] for a row that has none"
    return reject_rows(part, [RowFault("rows without a label", unlabelled, lambda _: told)], column=place, bad=bad)


def _without_empty(part: FileRows, settings: ReadSettings, bad: BadRows) -> FileRows:
    """Take empty sets for rows that nobody labelled: they go where labels are needed, but for the unlabelled split."""
    empty = is_true(pc.equal(pc.list_value_length(part.label), 0))
    goes = empty & (settings.labels == "required") & ~is_true(pc.equal(part.split, UNLABELLED_SPLIT))
    for which, what in ((goes, "not labelled, so left out"), (empty & ~goes, "not labelled")):
        if rows := np.flatnonzero(which).tolist():
            bad.note(
                f"rows with an empty set of labels, {what}", len(rows), part.place(rows[0], part.columns.label_place)
            )
    label = pc.if_else(pa.array(empty), pa.scalar(None, part.label.type), part.label)
    return replace(part, label=label).keep(~goes)


def _without_rare(found: LabelMap, fewest: int, bad: BadRows) -> LabelMap:
    """Leave out the labels that fewer rows have, and renumber the others.

    Raises:
        DataError: none is left.
    """
    counts = np.zeros(len(found.names), np.int64)
    for part in found.parts:
        np.add.at(counts, np.asarray(pc.list_flatten(part.label), np.int64), 1)
    kept = np.flatnonzero(counts >= fewest)
    if not len(kept):
        raise DataError(
            f"no label has {fewest:,} rows (--min-label-rows), the most frequent has {int(counts.max(initial=0)):,}"
        )
    if len(kept) == len(counts):
        return found
    place = np.full(len(counts), -1)
    place[kept] = np.arange(len(kept))
    rare = [found.names[label] for label in np.flatnonzero(counts < fewest)[:_SHOWN]]
    bad.note(
        f"fewer than {fewest:,} rows have these labels, so they are not read; their rows stay",
        len(counts) - len(kept),
        ", ".join(rare),
    )
    parts = []
    for part in found.parts:
        rows, labels = label_pairs(part.label)
        labels = place[labels]
        sets = sets_of_pairs(rows[labels >= 0], labels[labels >= 0], np.asarray(part.label.is_null()))
        parts.append(replace(part, label=sets))
    return replace(found, names=tuple(found.names[label] for label in kept), parts=tuple(parts))


def _note_understood(found: LabelMap, place: str, bad: BadRows) -> None:
    """Say that rows have several labels, and how many."""
    sizes = np.concatenate([np.asarray(pc.list_value_length(part.label.drop_null())) for part in found.parts])
    if not len(sizes):
        return
    none = int((sizes == 0).sum())
    # The figures are no part of what is noted, so that notes of pieces of a file are one.
    figures = f"{int(sizes.max())} at most, {sizes.mean():.2g} on average, none in {none:,} rows"
    bad.note("any number of labels per row (multi)", len(sizes), f"{len(found.names):,} labels in {place}: {figures}")


def _note_untrained(found: LabelMap, bad: BadRows) -> None:
    """Note labels that stand in other splits and in no row of train: no model can learn them."""
    counts: dict[str, np.ndarray] = {}
    for part in found.parts:
        rows, labels = label_pairs(part.label)
        splits = np.array(part.split.to_pylist(), object)[rows]
        for name in set(splits.tolist()):
            counted = np.bincount(labels[splits == name], minlength=len(found.names))
            counts[name] = counts.get(name, 0) + counted
    if "train" not in counts:
        return
    others = np.zeros(len(found.names), np.int64)
    for name, count in counts.items():
        others += 0 if name in ("train", UNLABELLED_SPLIT) else count
    absent = np.flatnonzero((counts["train"] == 0) & (others > 0))
    if len(absent):
        first = ", ".join(shown(found.names[label]) for label in absent[:_SHOWN])
        bad.note("no row of train has these labels, and no model can learn them", len(absent), first)
