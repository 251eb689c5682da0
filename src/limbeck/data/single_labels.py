"""One label per row in the wrappings that annotation tools give it: a list of one, choices, an object of scores.

In: a part whose label column is lists, objects, or texts of JSON. Out: the same part with plain labels, and a note.
Rows of several labels are faults: limbeck reads one. It does not know what labels mean.
"""

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from limbeck.data.bad_rows import BadRows
from limbeck.data.plain import is_text
from limbeck.data.rows import Part, RowFault, reject_rows

CHOICES = "choices"
"""The key under which Label Studio keeps what was chosen."""
_MOST_CHARS = 10_000


def unwrap_labels(part: Part, column: str, bad: BadRows) -> Part:
    """Return a part whose labels are out of their wrapping, where its label column has a type that wraps them."""
    kind = part.label.type
    if pa.types.is_struct(kind) and [field.name for field in kind.fields] == [CHOICES]:
        cells = [None if cell is None else cell[CHOICES] for cell in part.label.to_pylist()]
        part, kind = replace(part, label=pa.array(cells, kind.field(0).type)), kind.field(0).type
    if pa.types.is_struct(kind) and kind.num_fields and all(_is_score(field.type) for field in kind.fields):
        part = _reject_shares(part, column, bad)
        return _unwrap(part, list(map(_of_scores, part.label.to_pylist())), column, bad)
    is_list = pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind)
    if is_list and not pa.types.is_nested(kind.value_type):
        return _unwrap(part, part.label.to_pylist(), column, bad)
    return part


def unwrap_names(part: Part, column: str, bad: BadRows) -> Part:
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


def _is_score(kind: pa.DataType) -> bool:
    return bool(pa.types.is_floating(kind) or pa.types.is_integer(kind) or pa.types.is_boolean(kind))


def _reject_shares(part: Part, column: str, bad: BadRows) -> Part:
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


def _unwrap(part: Part, cells: list[Any], column: str, bad: BadRows) -> Part:
    """Put labels for lists of one, null for empty lists, and refuse rows of several."""
    several = np.array([isinstance(cell, list) and len(cell) > 1 for cell in cells], bool)
    wrapped = [row for row, cell in enumerate(cells) if isinstance(cell, list) and len(cell) == 1]
    if wrapped:
        where = part.place(wrapped[0], column)
        bad.note("labels written as a list or object of one label, read as that label", len(wrapped), where)
    fault = RowFault(
        "rows of several labels",
        several,
        lambda row: f"holds {len(cells[row])} labels ({_shown(cells[row])}): limbeck reads one label per row, keep one",
    )
    plain = [cell if not isinstance(cell, list) else cell[0] if cell else None for cell in cells]
    return reject_rows(replace(part, label=pa.array(plain)), [fault], column=column, bad=bad)


def _shown(labels: list[Any]) -> str:
    return ", ".join(map(repr, labels[:5]))[:100]
