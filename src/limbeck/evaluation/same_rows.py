"""The same rows in two sets of predictions: found, put in one order, or refused with what differs.

In: two `Predictions`. Out: the second in the rows' order and the classes' order of the first.
It does not know runs, nor what is compared.
"""

from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa

from limbeck.errors import DataError
from limbeck.evaluation.predictions import Predictions

_HINT = "compare runs that were judged by the same rows"


@dataclass(frozen=True, kw_only=True)
class Sides:
    """What the two are called, and the fingerprints of their data where those are known."""

    first: str
    second: str
    first_data: str | None = None
    second_data: str | None = None


def on_the_rows_of(first: Predictions, second: Predictions, sides: Sides) -> Predictions:
    """Return the second predictions in the order of the first's rows and classes.

    Raises:
        DataError: classes, row ids, labels or texts differ; or texts are not kept and the data may be different.
    """
    if sorted(first.label_names) != sorted(second.label_names):
        only = [
            f"only {name} has {', '.join(sorted(map(repr, names)))}"
            for name, names in (
                (sides.first, set(first.label_names) - set(second.label_names)),
                (sides.second, set(second.label_names) - set(first.label_names)),
            )
            if names
        ]
        raise DataError(f"the classes differ: {'; '.join(only)}: {_HINT}, with the same labels")
    second = _with_classes(second, first.label_names)
    second = _with_rows(first, second, sides)
    _require_same_labels(first, second, sides)
    _require_same_texts(first, second, sides)
    return second


def _with_classes(found: Predictions, names: tuple[str, ...]) -> Predictions:
    if found.label_names == names:
        return found
    order = [found.label_names.index(name) for name in names]
    place = pa.array(np.argsort(order), pa.int32())
    return replace(
        found,
        label_names=names,
        probabilities=found.probabilities[:, order],
        true_labels=place.take(found.true_labels),
    )


def _with_rows(first: Predictions, second: Predictions, sides: Sides) -> Predictions:
    if first.row_ids == second.row_ids:
        return second
    places = {row_id: place for place, row_id in enumerate(second.row_ids)}
    missing = [row_id for row_id in first.row_ids if row_id not in places]
    added = places.keys() - set(first.row_ids)
    if missing or added or len(first) != len(second):
        example = next(iter(missing or sorted(added)), None)
        raise DataError(
            f"the rows differ: {sides.first} has {len(first):,} rows and {sides.second} {len(second):,}; "
            f"{len(missing):,} are only in the first, {len(added):,} only in the second (such as {example!r}): {_HINT}"
        )
    order = np.array([places[row_id] for row_id in first.row_ids])
    texts = None if second.texts is None else tuple(second.texts[place] for place in order)
    return replace(
        second,
        row_ids=first.row_ids,
        probabilities=second.probabilities[order],
        true_labels=second.true_labels.take(pa.array(order)),
        tokens=second.tokens[order],
        truncated=second.truncated[order],
        texts=texts,
        unsure=None if second.unsure is None else second.unsure[order],
    )


def _require_same_labels(first: Predictions, second: Predictions, sides: Sides) -> None:
    one, other = (found.true_labels.fill_null(-1).to_numpy() for found in (first, second))
    differing = np.flatnonzero(one != other)
    if len(differing):
        row = int(differing[0])
        names = (*first.label_names, "no label")
        raise DataError(
            f"{len(differing):,} rows have other labels (first: {first.row_ids[row]} is {names[one[row]]} in "
            f"{sides.first} and {names[other[row]]} in {sides.second}): {_HINT}, with the same labels"
        )


def _require_same_texts(first: Predictions, second: Predictions, sides: Sides) -> None:
    if first.texts is not None and second.texts is not None:
        differing = [
            row for row, (one, other) in enumerate(zip(first.texts, second.texts, strict=True)) if one != other
        ]
        if differing:
            raise DataError(
                f"{len(differing):,} rows have the same ids but other texts (first: {first.row_ids[differing[0]]}): "
                f"the data of {sides.first} and {sides.second} differ; {_HINT}"
            )
        return
    if sides.first_data is None or sides.first_data != sides.second_data:
        raise DataError(
            f"nothing shows that {sides.first} and {sides.second} were judged by the same rows: one keeps no texts, "
            f"and the fingerprints of their data are {sides.first_data or 'not known'} and "
            f"{sides.second_data or 'not known'}; {_HINT}"
        )
