"""The one label map of all files: names or integers, declared or found, become indices into one tuple of names.

In: every file's `Part` with its label column as written. Out: the names (C,), and int32 indices for each part.
It does not know texts, nor formats.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from functools import partial

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from limbeck.data.bad_rows import BadRows
from limbeck.data.rows import Part, RowFault, is_true, reject_rows
from limbeck.errors import DataError, SettingsError
from limbeck.settings import ReadSettings

UNLABELLED_SPLIT = "unsupervised"
_INTEGER = re.compile(r"-?(0|[1-9]\d{0,17})(\.0+)?")
_NAME_CHARS = 60
_MOST_CLASSES = 100_000


@dataclass(frozen=True, kw_only=True)
class Labelled:
    """One file's rows with their labels.

    Attributes:
        part: the rows.
        label: int32 (R,), indices into the names; null where there is no label.
    """

    part: Part
    label: pa.Array


@dataclass(frozen=True, kw_only=True)
class LabelMap:
    """The names (C,), and every part's rows with indices into them."""

    names: tuple[str, ...]
    parts: tuple[Labelled, ...]


@dataclass(frozen=True, kw_only=True)
class _Written:
    """One part's labels as names or as integers.

    Attributes:
        values: large_string (R,) names or int64 (R,) integers; null where there is none.
        declared: index → name, where the file says so.
    """

    part: Part
    values: pa.Array
    declared: Mapping[int, str]

    @property
    def is_names(self) -> bool:
        return pa.types.is_large_string(self.values.type)


def map_labels(parts: Sequence[Part], settings: ReadSettings, bad: BadRows) -> LabelMap:
    """Find the one label map and put every label into it.

    The names are, in this order: those of the settings; those that the data declare (an Arrow dictionary, a Hugging
    Face ClassLabel, a `label_name` column beside integers); the integers that occur, in order; the names that occur,
    sorted.

    Raises:
        SettingsError: a name is given twice, or is empty.
    """
    given = _check_given(settings.label_names)
    written: list[_Written] = []
    for part in parts:
        try:
            written.append(_read_labels(part, bad))
        except DataError as error:
            bad.refuse(str(error))
    written = _numbers_as_integers(written, given)
    names = given if given is not None else _find_names(written, bad)
    positions = given is not None or any(column.declared for column in written)
    labelled = [_index(column, names, positions, settings, bad) for column in written]
    if not bad.faults.count:
        labelled = _check_splits(labelled, names, bad)
    return LabelMap(names=names, parts=tuple(labelled))


def _check_given(names: tuple[str, ...] | None) -> tuple[str, ...] | None:
    if names is not None and (len(set(names)) < len(names) or not all(name.strip() for name in names) or not names):
        raise SettingsError(
            f"label_names = {list(names)!r} is wrong: give each class one name of its own, in the order of the integers"
        )
    return names


def _read_labels(part: Part, bad: BadRows) -> _Written:
    """Return a part's labels as names or integers.

    Raises:
        DataError: the column holds what no label can be.
    """
    if part.label is None or part.columns.label is None:
        return _Written(part=part, values=pa.nulls(len(part), pa.large_string()), declared={})
    column = part.columns.label
    odd = part.odd_cells(column)
    fault = RowFault(
        "rows with something else than a label name",
        np.isin(np.asarray(part.numbers), list(odd)),
        lambda position: f"is {odd[part.numbers[position].as_py()]} where other rows have a label name",
    )
    part = reject_rows(part, [fault], column=column, bad=bad)
    label, kind = part.label, part.label.type
    declared = dict(part.raw.label_names.get(column, {}))
    if pa.types.is_dictionary(kind) and _is_text(kind.value_type):
        declared = dict(enumerate(label.dictionary.to_pylist()))
        label = label.dictionary_decode()
    elif pa.types.is_dictionary(kind):
        label = label.dictionary_decode()
    kind = label.type
    if pa.types.is_null(kind) or _is_text(kind):
        part, label = _without_blanks(part, label.cast(pa.large_string()), bad)
    elif pa.types.is_boolean(kind):
        declared = declared or {0: "false", 1: "true"}
        label = label.cast(pa.int64())
    elif pa.types.is_floating(kind):
        part, label = _whole_numbers(part, label, bad)
    elif pa.types.is_integer(kind):
        label = label.cast(pa.int64())
    else:
        raise DataError(
            f"{part.raw.name}: column {column!r} holds {kind}, where label names or integers were expected; "
            "one label a row is read: give the label column by name (--label-column)"
        )
    if part.label_index is not None:
        return _join_index(part, label, declared, bad)
    return _Written(part=part, values=label, declared=declared)


def _without_blanks(part: Part, label: pa.Array, bad: BadRows) -> tuple[Part, pa.Array]:
    """Return label names with blank ones as null, and refuse those with a NUL character."""
    nul = is_true(pc.match_substring(label, "\0"))
    fault = RowFault("rows with a NUL character", nul, lambda _: "holds a NUL character: a label name was expected")
    part = reject_rows(part, [fault], column=part.columns.label or "label", bad=bad)
    if bad.skips and nul.any():
        label = label.filter(pa.array(~nul))
    blank = pc.or_(pc.equal(pc.binary_length(label), 0), pc.utf8_is_space(label))
    return part, pc.if_else(pc.fill_null(blank, False), None, label)


def _whole_numbers(part: Part, label: pa.Array, bad: BadRows) -> tuple[Part, pa.Array]:
    """Return float labels as integers; pandas makes floats of integers as soon as one is missing."""
    values = np.asarray(label.cast(pa.float64()).fill_null(np.nan), dtype=np.float64)
    broken = ~np.isnan(values) & ((values != np.floor(values)) | (np.abs(values) > 2**53))
    fault = RowFault(
        "rows whose label is a fraction",
        broken,
        lambda position: f"is {values[position]}, where a name or an integer was expected",
    )
    part = reject_rows(part, [fault], column=part.columns.label or "label", bad=bad)
    values = values[~broken] if bad.skips else np.where(broken, np.nan, values)
    missing = np.isnan(values)
    return part, pa.array(np.where(missing, 0, values).astype(np.int64), pa.int64(), mask=missing)


def _join_index(part: Part, names: pa.Array, declared: Mapping[int, str], bad: BadRows) -> _Written:
    """Check label names against the integers beside them, which give the names their order.

    Raises:
        DataError: the column beside the names holds no integers.
    """
    index = _as_integers(part)
    pairs = pc.unique(pa.StructArray.from_arrays([index, names], ["index", "name"])).to_pylist()
    order = dict(declared)
    for pair in pairs:
        if pair["index"] is not None and pair["name"] is not None and pair["index"] >= 0:
            order.setdefault(pair["index"], pair["name"])
    position = {name: place for place, name in order.items()}
    expected = pa.array([position.get(name) for name in names.dictionary_encode().dictionary.to_pylist()], pa.int64())
    expected = expected.take(names.dictionary_encode().indices)
    fault = RowFault(
        "rows whose label and label_name disagree",
        is_true(pc.and_(names.is_valid(), pc.fill_null(pc.not_equal(index, expected), True))),
        lambda row: (
            f"is {names[row].as_py()!r}, but label is {index[row].as_py()}, "
            f"which is {order.get(index[row].as_py(), 'no class')!r} in other rows"
        ),
    )
    if order and max(order) > _MOST_CLASSES:
        raise DataError(
            f"{part.raw.name}: column 'label' goes up to {max(order):,}: small integers from 0 were expected"
        )
    kept = reject_rows(part, [fault], column="label_name", bad=bad)
    values = names if len(kept) == len(part) else names.filter(pa.array(~fault.mask))
    return _Written(part=kept, values=values, declared=order)


def _as_integers(part: Part) -> pa.Array:
    index = part.label_index
    try:
        if _is_text(index.type):
            index = pc.if_else(pc.equal(index, ""), None, index)
        return index.cast(pa.int64())
    except pa.ArrowInvalid as error:
        raise DataError(
            f"{part.raw.name}: column 'label' holds no integers, and there is a column 'label_name' too: "
            "say which one is the label (--label-column)"
        ) from error


def _numbers_as_integers(written: Sequence[_Written], given: tuple[str, ...] | None) -> list[_Written]:
    """Turn text labels into integers where all of them are, as CSV has no integers, unless they are known names."""
    texts = [column for column in written if column.is_names and not column.declared]
    distinct = {name for column in texts for name in pc.unique(column.values).to_pylist() if name is not None}
    known = {*(given or ()), *(name for column in written for name in column.declared.values())}
    if not distinct or distinct & known or not all(_INTEGER.fullmatch(name) for name in distinct):
        return list(written)
    whole = [
        column if column.declared or not column.is_names else replace(column, values=_parse_integers(column.values))
        for column in written
    ]
    return whole


def _parse_integers(values: pa.Array) -> pa.Array:
    """Return texts such as "3" and "3.0" as integers."""
    return pc.replace_substring_regex(values, r"\.0+$", "").cast(pa.int64())


def _find_names(written: Sequence[_Written], bad: BadRows) -> tuple[str, ...]:
    """Return the label names that the data declare or hold."""
    declared = [column.declared for column in written if column.declared]
    names = _merge(declared)
    held = [column for column in written if not column.declared and len(column.values.drop_null())]
    found = {name for column in held if column.is_names for name in pc.unique(column.values.drop_null()).to_pylist()}
    integers = {
        value for column in held if not column.is_names for value in pc.unique(column.values.drop_null()).to_pylist()
    }
    if names:
        return (*names, *sorted(found - set(names)))
    if found and integers:
        kinds = {kind: next(c.part.raw.name for c in held if c.is_names is kind) for kind in (True, False)}
        bad.refuse(
            f"labels are names in {kinds[True]} and integers in {kinds[False]}: "
            "write them alike, or give --label-names in the order of the integers"
        )
    return tuple(sorted(found)) or tuple(str(value) for value in sorted(integers))


def _merge(declared: Sequence[Mapping[int, str]]) -> tuple[str, ...]:
    """Make one order of the orders that files declare: by index where they agree, else one after the other."""
    merged: dict[int, str] = {}
    for order in declared:
        for index, name in order.items():
            if merged.setdefault(index, name) != name:
                break
    agree = len(set(merged.values())) == len(merged) and all(
        merged[index] == name for order in declared for index, name in order.items()
    )
    if not merged or not agree:
        return tuple(dict.fromkeys(order[index] for order in declared for index in sorted(order)))
    return tuple(merged.get(index, str(index)) for index in range(max(merged) + 1))


def _index(column: _Written, names: tuple[str, ...], positions: bool, settings: ReadSettings, bad: BadRows) -> Labelled:
    """Return a part's labels as indices into the names.

    Args:
        column: the labels as written.
        names: the label map.
        positions: whether integers that a file does not explain are places in the map, rather than names.
        settings: whether a label is needed.
        bad: takes rows without a label, or with one that is not in the map.
    """
    part, values = column.part, column.values
    unlabelled = is_true(pc.equal(part.split, UNLABELLED_SPLIT))
    if not column.is_names:
        no_label = is_true(pc.equal(values, -1)) & (unlabelled | (settings.labels != "required") & positions)
        values = pc.if_else(pa.array(no_label), None, values)
    distinct = pc.unique(values.drop_null()).to_pylist()
    meaning: dict[int | str, int] = {name: index for index, name in enumerate(names)}
    if not column.is_names:
        spoken = {value: str(value) for value in distinct}
        if column.declared and not settings.label_names:
            spoken = dict(column.declared)
        elif positions:
            spoken = dict(enumerate(names))
        meaning = {value: meaning[name] for value, name in spoken.items() if name in meaning}
    target = pa.array([meaning.get(value) for value in distinct], pa.int32())
    label = target.take(pc.index_in(values, value_set=pa.array(distinct, values.type)))
    faults = [
        RowFault(
            "rows whose label is not known",
            is_true(pc.and_(values.is_valid(), label.is_null())),
            lambda row: _unknown(values[row].as_py(), names),
        )
    ]
    if settings.labels == "required":
        missing = is_true(values.is_null()) & ~unlabelled
        faults.append(
            RowFault("rows without a label", missing, lambda _: "has no label: a name or an integer was expected")
        )
    kept = reject_rows(part, faults, column=part.columns.label or "label", bad=bad)
    if len(kept) < len(part):
        label = label.filter(pa.array(~np.logical_or.reduce([fault.mask for fault in faults])))
    return Labelled(part=kept, label=label)


def _unknown(value: int | str, names: tuple[str, ...]) -> str:
    """Say why a label is not in the map."""
    known = ", ".join(names)[:_NAME_CHARS]
    if isinstance(value, int):
        hint = "; -1, not labelled, belongs to the split unsupervised only" if value == -1 else ""
        return f"is {value}, out of range: 0 to {len(names) - 1} were expected ({known}){hint}"
    near = get_close_matches(value, names, n=1)
    return f"is {value[:_NAME_CHARS]!r}, none of the label names ({known})" + (
        f"; did you mean {near[0]!r}?" if near else ""
    )


def _check_splits(labelled: list[Labelled], names: tuple[str, ...], bad: BadRows) -> list[Labelled]:
    """Refuse labels that stand outside the train split only: no model could learn them."""
    trained: set[int] = set()
    for rows in labelled:
        trained.update(rows.label.filter(pc.equal(rows.part.split, "train")).drop_null().unique().to_pylist())
    if not trained:
        return labelled
    kept = []
    for rows in labelled:
        known = pc.is_in(rows.label, value_set=pa.array(sorted(trained), pa.int32()))
        tested = is_true(pc.and_(rows.label.is_valid(), pc.not_equal(rows.part.split, UNLABELLED_SPLIT)))
        mask = tested & ~is_true(known)
        for label in sorted({rows.label[int(place)].as_py() for place in np.flatnonzero(mask)}):
            places = np.flatnonzero(mask & is_true(pc.equal(rows.label, label))).tolist()
            column = rows.part.columns.label or "label"
            split = rows.part.split[places[0]].as_py()
            bad.reject(
                "rows whose label is not in the train split",
                places if bad.skips else places[:1],
                partial(_untrained, rows.part, column, f"{names[label]!r} stands in {split} ({len(places):,} rows)"),
            )
        if bad.skips and mask.any():
            keep = pa.array(~mask)
            rows = Labelled(part=rows.part.keep(~mask), label=rows.label.filter(keep))
        kept.append(rows)
    return kept


def _untrained(part: Part, column: str, what: str, position: int) -> str:
    return f"{part.place(position, column)}: label {what} but in no row of train: no model can learn it"


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))
