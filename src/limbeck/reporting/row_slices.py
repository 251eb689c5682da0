"""Slices of a data set's rows: grouped by label, length, truncation, repeats, script, negation, or any column.

In: a dataset and what a model said of one of its splits. Out: `Slices`. It does not know models or how it is shown.
"""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from limbeck.auditing.traits import tell_negation, tell_repeats, tell_scripts
from limbeck.data.dataset import CORE_SCHEMA, Dataset
from limbeck.errors import DataError, SettingsError
from limbeck.evaluation.predictions import Predictions
from limbeck.evaluation.slices import (
    FEWEST_ROWS,
    MOST_SLICES,
    Groupings,
    Slices,
    Term,
    grouping_term,
    quarters,
    slice_rows,
    slice_term,
)
from limbeck.progress import SILENT, Progress


def slice_answers(
    dataset: Dataset,
    split: str,
    found: Predictions,
    groupings: Groupings,
    *,
    fewest_rows: int = FEWEST_ROWS,
) -> Slices:
    """Score the slices of one split.

    Args:
        dataset: with the split.
        split: whose rows were answered.
        found: the answers, in the order of the rows.
        groupings: a term for each row: `own_groupings`, `column_groupings`.
        fewest_rows: of a slice that is shown.

    Raises:
        DataError: a row has no label, or the answers are to other rows.
    """
    if list(found.row_ids) != dataset.split(split).row_ids:
        raise DataError(f"the answers are not to the rows of the {split} split of {dataset.source}: predict them again")
    if len(found.labelled_rows) < len(found):
        raise DataError(f"{len(found) - len(found.labelled_rows):,} rows have no label: slices are scored by labels")
    return slice_rows(found.predicted == found.known_labels, found.losses, groupings, fewest_rows=fewest_rows)


def own_groupings(
    dataset: Dataset, split: str, found: Predictions, progress: Progress = SILENT
) -> dict[Term, Sequence[Term]]:
    """Return the groupings that every data set has: label, tokens, truncation, repeats, script, negation."""
    rows = dataset.split(split)
    return {
        **_by_answers(found),
        grouping_term("elsewhere"): tell_repeats(dataset, split, progress),
        **_by_texts(rows.texts),
    }


def answer_groupings(found: Predictions) -> dict[Term, Sequence[Term]]:
    """Return the groupings that answers have without their data set: all but where else a text stands.

    Rows without a label must not be among them. Where no texts were kept, script and negation are not told.
    """
    return {**_by_answers(found), **({} if found.texts is None else _by_texts(list(found.texts)))}


def _by_answers(found: Predictions) -> dict[Term, Sequence[Term]]:
    classes = [Term(name) for name in found.label_names]
    cut, whole = slice_term("cut"), slice_term("whole")
    return {
        grouping_term("label"): [classes[label] for label in found.known_labels],
        grouping_term("tokens"): quarters(found.tokens),
        grouping_term("truncation"): [cut if truncated else whole for truncated in found.truncated],
    }


def _by_texts(texts: list[str]) -> dict[Term, Sequence[Term]]:
    return {grouping_term("script"): tell_scripts(texts), grouping_term("negation"): tell_negation(texts)}


def column_groupings(dataset: Dataset, split: str, columns: Sequence[str]) -> dict[Term, Sequence[Term]]:
    """Return a grouping for each of some columns of the data; a column of many numbers is grouped by quarters.

    Raises:
        SettingsError: there is no such column; names those there are.
    """
    rows = dataset.split(split)
    others = [name for name in rows.table.column_names if name not in CORE_SCHEMA.names]
    if missing := [name for name in columns if name not in others]:
        raise SettingsError(
            f"{dataset.source} has no column {missing[0]!r} to slice by beside its text and label: it has "
            f"{', '.join(others) or 'no other'}"
        )
    return {Term(name): _terms(rows.table[name]) for name in columns}


def _terms(column: pa.ChunkedArray) -> list[Term]:
    values = column.to_pylist()
    known = np.array([value is not None and value == value for value in values])  # noqa: PLR0124  # NaN differs from itself
    kind, nothing = column.type, slice_term("no_value")
    is_number = pa.types.is_integer(kind) or pa.types.is_floating(kind)
    if is_number and len({value for value, is_known in zip(values, known, strict=True) if is_known}) > MOST_SLICES:
        numbers = np.array([value for value, is_known in zip(values, known, strict=True) if is_known], dtype=np.float64)
        terms = iter(quarters(numbers))
        return [next(terms) if is_known else nothing for is_known in known]
    return [Term(str(value)) if is_known else nothing for value, is_known in zip(values, known, strict=True)]
