"""One file's label column as it was written: names or integers, and what the file says its integers mean.

In: a `FileRows`. Out: a `WrittenLabels`, with every odd way of writing labels (floats, truth values, dictionaries,
texts of digits, integers beside names) made names or integers, and the wrappings of annotation tools (a list of one,
choices, an object of scores) taken off. Rows of several labels are faults here; `several_labels` reads those. It does
not know the other files.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from limbeck.errors import DataError
from limbeck.reading.bad_rows import BadRows
from limbeck.reading.columnar import EXACT_FLOAT, is_text
from limbeck.reading.file_rows import FileRows, RowFault, is_true, reject_rows

MOST_PLACES = 100_000
"""More places than this in a list of names are no list of names."""
_INTEGER = re.compile(r"-?(0|[1-9]\d{0,17})(\.0+)?")
_LARGEST = 2**63 - 1


@dataclass(frozen=True, kw_only=True)
class WrittenLabels:
    """One part's labels.

    Attributes:
        part: the rows; `label` is large_string (R,) names, or int64 (R,) integers; null where there is none.
        declared: integer → name, where the file says so.
    """

    part: FileRows
    declared: Mapping[int, str]

    @property
    def values(self) -> pa.Array:
        """The names or integers (R,)."""
        return self.part.label

    @property
    def is_names(self) -> bool:
        """True when the labels are names, not integers."""
        return bool(pa.types.is_large_string(self.values.type))

    def distinct(self) -> set[Any]:
        """Return the names or integers that occur."""
        return set(pc.unique(self.values.drop_null()).to_pylist())

    def with_integers(self) -> "WrittenLabels":
        """Return names such as "3" and "3.0" as the integers they are."""
        integers = pc.replace_substring_regex(self.values, r"\.0+$", "").cast(pa.int64())
        return replace(self, part=replace(self.part, label=integers))


def is_integer(name: str) -> bool:
    """Tell whether a label name is an integer as a file of texts writes it.

    Example:
        >>> is_integer("12"), is_integer("-1"), is_integer("3.0"), is_integer("007"), is_integer("3.5")
        (True, True, True, False, False)
    """
    return _INTEGER.fullmatch(name) is not None


def read_labels(part: FileRows, bad: BadRows) -> WrittenLabels:
    """Return a part's labels as names or integers.

    Raises:
        DataError: the column holds what no label can be.
    """
    column = part.columns.label
    if column is None:
        return WrittenLabels(part=replace(part, label=pa.nulls(len(part), pa.large_string())), declared={})
    part = unwrap_labels(reject_odd(part, column, bad), column, bad)
    declared = dict(part.raw.label_names.get(column, {}))
    label = part.label
    if pa.types.is_dictionary(label.type):
        if is_text(label.type.value_type) and not declared:
            declared = dict(enumerate(label.dictionary.to_pylist()))
        label = label.dictionary_decode()
    kind = label.type
    if pa.types.is_null(kind) or is_text(kind):
        part = unwrap_names(replace(part, label=label.cast(pa.large_string())), column, bad)
        label = part.label.cast(pa.large_string())
        part = _read_names(replace(part, label=label), column, bad, trims=not declared)
    elif pa.types.is_boolean(kind):
        part, declared = replace(part, label=label.cast(pa.int64())), declared or {0: "false", 1: "true"}
    elif pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        part = _read_floats(replace(part, label=label.cast(pa.float64())), column, bad)
    elif pa.types.is_integer(kind):
        part = _read_integers(replace(part, label=label), column, bad)
    else:
        raise DataError(
            f"{part.raw.name}: column {column!r} holds {kind}, where one label name or integer per row was expected; "
            "if another column holds the labels, name it (--label-column)"
        )
    return WrittenLabels(part=part, declared=declared) if part.label_index is None else _join_index(part, declared, bad)


def reject_odd(part: FileRows, column: str, bad: BadRows) -> FileRows:
    """Refuse cells that are no text among names, unless they wrap one."""
    odd = part.odd_cells(column)
    if odd:
        numbers, names = part.numbers.to_pylist(), part.label.to_pylist()
        wrapped = {number for number, name in zip(numbers, names, strict=True) if labels_in(name) is not None}
        odd = {number: what for number, what in odd.items() if number not in wrapped}
    if not odd:
        return part
    fault = RowFault(
        "rows with something else than a label name",
        np.isin(np.asarray(part.numbers), list(odd)),
        lambda row: f"is {odd[part.numbers[row].as_py()]} where other rows have a label name",
    )
    return reject_rows(part, [fault], column=column, bad=bad)


def _read_names(part: FileRows, column: str, bad: BadRows, *, trims: bool) -> FileRows:
    """Make blank names null, take white space off their ends, and refuse those with a NUL character."""
    nul = is_true(pc.match_substring(part.label, "\0"))
    fault = RowFault("rows with a NUL character", nul, lambda _: "holds a NUL character: a label name was expected")
    part = reject_rows(part, [fault], column=column, bad=bad)
    trimmed = pc.utf8_trim(pc.utf8_trim_whitespace(part.label), " \t\r\n\ufeff")
    names = pc.if_else(pc.fill_null(pc.equal(trimmed, ""), False), None, trimmed if trims else part.label)
    changed = np.flatnonzero(is_true(pc.not_equal(names, part.label))).tolist()
    bad.mend(
        "labels with white space at an end, read without it",
        changed,
        lambda row: f"{part.place(row, column)}: {part.label[row].as_py()!r}",
    )
    return replace(part, label=names)


def _read_floats(part: FileRows, column: str, bad: BadRows) -> FileRows:
    """Make floats integers, and refuse fractions; pandas makes floats of integers as soon as one is missing."""
    values = np.asarray(part.label.fill_null(np.nan))
    if np.isinf(values).any():
        part = replace(part, label=pa.array(np.where(np.isinf(values), np.nan, values), from_pandas=True))
        values = np.asarray(part.label.fill_null(np.nan))
    fault = RowFault(
        "rows whose label is a fraction (--task regression reads numbers)",
        ~np.isnan(values) & ((values != np.floor(values)) | (np.abs(values) > EXACT_FLOAT)),
        lambda row: f"is {values[row]}, where a name or an integer was expected",
    )
    if fault.mask.any():
        bad.hint("Labels that are numbers are read with --task regression.")
    part = reject_rows(part, [fault], column=column, bad=bad)
    values = np.asarray(part.label.fill_null(np.nan))
    missing = np.isnan(values) | (np.abs(values) > EXACT_FLOAT)
    integers = pa.array(np.where(missing, 0, values).astype(np.int64), pa.int64(), mask=missing)
    return replace(part, label=integers)


def _read_integers(part: FileRows, column: str, bad: BadRows) -> FileRows:
    """Make integers of any width int64, and refuse those that are too large for it."""
    labels = part.label
    too_large = (
        is_true(pc.greater(labels, pa.scalar(_LARGEST, pa.uint64())))
        if labels.type == pa.uint64()
        else np.zeros(len(part), bool)
    )
    fault = RowFault(
        "rows whose label is too large",
        too_large,
        lambda row: f"is {labels[row].as_py()}, where a name or an integer up to {_LARGEST} was expected",
    )
    part = reject_rows(part, [fault], column=column, bad=bad)
    return replace(part, label=part.label.cast(pa.int64(), safe=False))


def _join_index(part: FileRows, declared: Mapping[int, str], bad: BadRows) -> WrittenLabels:
    """Check label names against the integers beside them, which give the names their order.

    Raises:
        DataError: the column beside the names holds no integers, or integers that are no places in a list.
    """
    names, index = part.label, _index_column(part, part.label_index)
    order = dict(declared)
    pairs = pa.table({"index": index, "name": names}).group_by(["index", "name"], use_threads=False).aggregate([])
    for pair in pairs.to_pylist():
        if pair["name"] is not None and pair["index"] is not None and pair["index"] >= 0:
            order.setdefault(pair["index"], pair["name"])
    if order and max(order) > MOST_PLACES:
        raise DataError(
            f"{part.raw.name}: column 'label' goes up to {max(order):,} beside label_name: "
            f"places in the list of names, 0 to {MOST_PLACES:,} at most, were expected"
        )
    position = {name: place for place, name in order.items()}
    encoded = names.dictionary_encode()
    expected = pa.array([position.get(name) for name in encoded.dictionary.to_pylist()], pa.int64())
    differs = pc.fill_null(pc.not_equal(index, expected.take(encoded.indices)), True)
    fault = RowFault(
        "rows whose label and label_name disagree",
        is_true(pc.and_(names.is_valid(), differs)),
        lambda row: (
            f"is {names[row].as_py()!r}, but label is {index[row].as_py()}, "
            f"which is {order.get(index[row].as_py(), 'no class')!r} in other rows"
        ),
    )
    return WrittenLabels(part=reject_rows(part, [fault], column="label_name", bad=bad), declared=order)


def _index_column(part: FileRows, index: pa.Array) -> pa.Array:
    try:
        if is_text(index.type):
            index = pc.if_else(pc.equal(index, ""), None, index)
        return index.cast(pa.int64())
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise DataError(
            f"{part.raw.name}: column 'label' holds no integers, and there is a column 'label_name' too: "
            "say which one is the label (--label-column)"
        ) from error


CHOICES = "choices"
"""The key under which Label Studio keeps what was chosen."""
_MOST_CHARS = 10_000


def unwrap_labels(part: FileRows, column: str, bad: BadRows) -> FileRows:
    """Return a part whose labels are out of their wrapping, where its label column has a type that wraps them."""
    kind = part.label.type
    if pa.types.is_struct(kind) and [field.name for field in kind.fields] == [CHOICES]:
        cells = [None if cell is None else cell[CHOICES] for cell in part.label.to_pylist()]
        part, kind = replace(part, label=pa.array(cells, kind.field(0).type)), kind.field(0).type
    if pa.types.is_struct(kind) and kind.num_fields and all(is_score(field.type) for field in kind.fields):
        part = reject_shares(part, column, bad)
        return _unwrap(part, list(map(_of_scores, part.label.to_pylist())), column, bad)
    is_list = pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind)
    if is_list and not pa.types.is_nested(kind.value_type):
        return _unwrap(part, part.label.to_pylist(), column, bad)
    return part


def unwrap_names(part: FileRows, column: str, bad: BadRows) -> FileRows:
    """Return a part whose names are out of JSON that wraps them: `["joy"]` or `{"choices": ["joy"]}`."""
    if not is_text(part.label.type):
        return part
    wrapped = {name: found for name in _distinct(part.label) if (found := labels_in(name)) is not None}
    if not wrapped:
        return part
    cells = [wrapped.get(name, name) for name in part.label.to_pylist()]
    return _unwrap(part, cells, column, bad)


def labels_in(cell: str | None) -> list[str] | None:
    """Return the labels that a text of JSON wraps; None where it is a plain name.

    Example:
        >>> labels_in('{"choices": ["joy"]}'), labels_in("['a', 'b']"), labels_in("joy")
        (['joy'], ['a', 'b'], None)
    """
    if not cell or len(cell) > _MOST_CHARS or (cell[0], cell[-1]) not in (("[", "]"), ("{", "}")):
        return None
    # Python writes a list in single quotes.
    for text in (cell, cell.replace("'", '"')):
        try:
            value = json.loads(text)
        except (ValueError, RecursionError):
            continue
        if isinstance(value, dict) and value.keys() == {CHOICES}:
            value = value[CHOICES]
        if isinstance(value, list) and all(isinstance(name, str) for name in value):
            return value
        return None
    return None


def _distinct(names: pa.Array) -> Sequence[str]:
    listed: list[str] = pc.unique(names.drop_null()).to_pylist()
    return listed


def is_score(kind: pa.DataType) -> bool:
    """Tell whether an Arrow type holds numbers or truth values."""
    return bool(pa.types.is_floating(kind) or pa.types.is_integer(kind) or pa.types.is_boolean(kind))


def reject_shares(part: FileRows, column: str, bad: BadRows) -> FileRows:
    """Refuse rows of scores that are neither 0 nor 1: which label is meant is not said."""
    cells = part.label.to_pylist()
    fault = RowFault(
        "rows of scores that are neither 0 nor 1",
        np.array([any(score not in (None, 0, 1) for score in (cell or {}).values()) for cell in cells], bool),
        lambda row: f"holds {str(cells[row])[:100]}, where 1 was expected for one label and 0 for the others",
    )
    return reject_rows(part, [fault], column=column, bad=bad)


def _of_scores(cell: dict[str, Any] | None) -> list[str] | None:
    return None if cell is None else [name for name, score in cell.items() if score]


def _unwrap(part: FileRows, cells: list[Any], column: str, bad: BadRows) -> FileRows:
    """Put labels for lists of one, null for empty lists, and refuse rows of several."""
    several = np.array([isinstance(cell, list) and len(cell) > 1 for cell in cells], bool)
    wrapped = [row for row, cell in enumerate(cells) if isinstance(cell, list) and len(cell) == 1]
    if wrapped:
        where = part.place(wrapped[0], column)
        bad.note("labels written as a list or object of one label, read as that label", len(wrapped), where)
    fault = RowFault(
        "rows of several labels",
        several,
        lambda row: (
            f"holds {len(cells[row])} labels ({_shown(cells[row])}), where one was expected; --task multi reads all"
        ),
    )
    plain = [cell if not isinstance(cell, list) else cell[0] if cell else None for cell in cells]
    return reject_rows(replace(part, label=pa.array(plain)), [fault], column=column, bad=bad)


def _shown(labels: list[Any]) -> str:
    return ", ".join(map(repr, labels[:5]))[:100]
