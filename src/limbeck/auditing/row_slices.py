"""Slices of a data set's rows: grouped by label, length, truncation, repeats, script, negation, or any column.

In: a dataset and what a model answered to one of its splits. Out: groupings, a term for each row; `Slices`.
It does not know models, nor how slices are shown or tested (see `evaluation.slices`).

Negation, by rule: English words (not, no, never, none, nobody, nothing, neither, nor, nowhere, without, cannot, and
the verbs that end in n't, with or without its apostrophe); Korean 안 and 못 as words of their own, 못하-, 않-, 아니-,
아닌, 아닙, 아냐, and 없-. So 안 "inside" (집 안) counts wrongly, and negation in other languages is not seen.
"""

import re
from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from limbeck.auditing.characters import SCRIPT_NAMES, one_array, script_counts
from limbeck.auditing.grouping import group_equal
from limbeck.auditing.near import find_near_duplicates
from limbeck.auditing.rows import plain_text
from limbeck.data.dataset import CORE_SCHEMA, Dataset
from limbeck.data.text_pairs import without_marks
from limbeck.errors import DataError, SettingsError
from limbeck.evaluation.predictions import Predictions
from limbeck.evaluation.slices import (
    FEWEST_SLICE_ROWS,
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

MIXED_SHARE = 0.1
"""A text in which another script has at least this share of the letters is called mixed."""
_CONTRACTED = "ai|are|ca|could|did|do|does|had|has|have|is|must|need|should|was|were|wo|would"
_ENGLISH = rf"\b(?:not|no|never|none|nobody|nothing|neither|nor|nowhere|without|cannot|(?:{_CONTRACTED})n['’]?t)\b"
_KOREAN = r"(?<![가-힣])[안못](?![가-힣])|못[하했한할해합]|않|아니|아닌|아닙|아냐|없"
_NEGATED = re.compile(f"{_ENGLISH}|{_KOREAN}", re.IGNORECASE)


def slice_answers(
    dataset: Dataset,
    split: str,
    found: Predictions,
    groupings: Groupings,
    *,
    fewest_rows: int = FEWEST_SLICE_ROWS,
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


def tell_negation(texts: list[str]) -> list[Term]:
    """Say of each text whether it negates; see the rule above.

    Example:
        >>> [str(one) for one in tell_negation(["i didnt like it", "knotty", "안 좋아요", "안녕"])]
        ['negation', 'no negation', 'negation', 'no negation']
    """
    negation, none = slice_term("negation"), slice_term("no_negation")
    return [negation if _NEGATED.search(text) else none for text in texts]


def tell_scripts(texts: list[str]) -> list[Term]:
    """Say of each text in which script it is written, or in which two, the more frequent first.

    Example:
        >>> [str(one) for one in tell_scripts(["fine", "좋아요", "좋아요 very good", "123"])]
        ['Latin', 'Hangul', 'Latin and Hangul', 'no letters']
    """
    counts = script_counts(one_array(pa.array(without_marks(texts), pa.large_string())))
    order = np.argsort(-counts, axis=1, kind="stable")[:, :2]
    said = []
    for row, (first, second) in enumerate(order):
        total = counts[row].sum()
        if not total:
            said.append(slice_term("no_letters"))
        elif counts[row, second] >= MIXED_SHARE * total:
            said.append(slice_term("scripts", SCRIPT_NAMES[first], SCRIPT_NAMES[second]))
        else:
            said.append(slice_term("script", SCRIPT_NAMES[first]))
    return said


def tell_repeats(dataset: Dataset, split: str, progress: Progress = SILENT) -> list[Term]:
    """Say of each row of a split whether its text stands elsewhere: in the training rows, else among its own.

    Returns:
        for each row of the split, in order: "equal text in train", "similar text in train", "repeated in this split" or
        "nowhere else". Similar means as `auditing.near` has it. Of the split train itself only the last two are said.
    """
    columns = dataset.table["split"].cast(pa.string())
    here = pc.equal(columns, split).to_numpy(zero_copy_only=False)
    train = pc.equal(columns, "train").to_numpy(zero_copy_only=False) & (split != "train")
    chosen = pa.array(here | train)
    is_train = train[here | train]
    near = find_near_duplicates(plain_text(dataset).filter(chosen), progress=progress).group
    exact = group_equal(one_array(dataset.table["text"].filter(chosen)))
    equal, similar = (np.isin(group, group[is_train]) for group in (exact, near))
    repeated = np.bincount(near[~is_train], minlength=len(near))[near] > 1
    kinds = ("equal_in_train", "similar_in_train", "repeated", "nowhere_else")
    terms = [slice_term(kind) for kind in kinds]
    first_N = np.select([equal, similar, repeated], [0, 1, 2], 3)
    return [terms[place] for place in first_N[~is_train]]
