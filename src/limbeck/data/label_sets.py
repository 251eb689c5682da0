"""Several labels per row: sets of labels as Arrow lists of indices, and as a matrix of truth values.

In: lists or pairs of row and label. Out: lists that are sorted and hold no label twice, or bool (N, C). A row that is
not labelled is null in a list, which an empty set is not. It does not know names.

Shapes: N rows, C labels, P pairs of a row and one of its labels.
"""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

LABEL_SETS = pa.large_list(pa.int32())
"""The Arrow type of several labels per row."""


def label_pairs(sets: pa.ChunkedArray | pa.Array) -> tuple[np.ndarray, np.ndarray]:
    """Return the row and the label of each pair, int64 (P,) each, row by row."""
    lists = one_list_array(sets)
    return list_rows(lists), np.asarray(pc.list_flatten(lists), np.int64)


def list_rows(lists: pa.Array) -> np.ndarray:
    """Return the row of each value of lists that are laid end to end, int64 (P,); lists that are null hold none.

    Arrow's own `list_parent_indices` counts what lies hidden under a null, which `list_flatten` leaves out.
    """
    sizes = np.asarray(pc.fill_null(pc.list_value_length(lists), 0), np.int64)
    return np.repeat(np.arange(len(lists)), sizes)


def sets_of_pairs(rows: np.ndarray, labels: np.ndarray, missing: np.ndarray) -> pa.LargeListArray:
    """Return the label set of each row.

    Args:
        rows: (P,), in any order.
        labels: (P,); the same label of one row may stand there twice.
        missing: bool (N,), rows that are not labelled; they have no pair.
    """
    pairs = np.unique(np.stack([rows, labels], axis=1), axis=0) if len(rows) else np.zeros((0, 2), np.int64)
    ends = np.cumsum(np.bincount(pairs[:, 0], minlength=len(missing)))
    offsets = pa.array(np.concatenate([[0], ends]), pa.int64())
    values = pa.array(pairs[:, 1], pa.int32())
    return pa.LargeListArray.from_arrays(offsets, values, mask=pa.array(missing, pa.bool_()))


def indicators(sets: pa.ChunkedArray | pa.Array, labels: int) -> np.ndarray:
    """Return which labels each row has, bool (N, C); a row that is not labelled has none."""
    rows, columns = label_pairs(sets)
    given = np.zeros((len(sets), labels), bool)
    given[rows, columns] = True
    return given


def sets_of_indicators(given: np.ndarray) -> pa.LargeListArray:
    """Return the label set of each row of a matrix, bool (N, C)."""
    rows, labels = np.nonzero(given)
    return sets_of_pairs(rows, labels, np.zeros(len(given), bool))


def set_codes(sets: pa.ChunkedArray | pa.Array) -> tuple[np.ndarray, list[tuple[int, ...]]]:
    """Return which of the different label sets each row has, int64 (N,), below zero for none, and the sets, sorted."""
    cells = [None if cell is None else tuple(cell) for cell in sets.to_pylist()]
    different = sorted({cell for cell in cells if cell is not None})
    places = {cell: place for place, cell in enumerate(different)}
    return np.array([-1 if cell is None else places[cell] for cell in cells], np.int64), different


def one_list_array(sets: pa.ChunkedArray | pa.Array) -> pa.Array:
    """Return one array of lists whatever it comes in."""
    return sets.combine_chunks() if isinstance(sets, pa.ChunkedArray) else sets
