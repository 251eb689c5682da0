"""The same rows in two sets of predictions: found, put in one order, or refused with what differs.

In: two sets of predictions of one shape. Out: the second in the rows' order and the classes' order of the first.
It does not know runs, nor what is compared.
"""

from dataclasses import dataclass, replace
from typing import Any, TypeVar, cast

import numpy as np
import pyarrow as pa

from limbeck.data.label_sets import sets_of_indicators
from limbeck.display.views import listed
from limbeck.errors import DataError
from limbeck.evaluation.multi_predictions import MultiPredictions
from limbeck.evaluation.prediction_tables import AnyPredictions
from limbeck.evaluation.predictions import Predictions
from limbeck.evaluation.value_predictions import ValuePredictions
from limbeck.task import MULTI, REGRESSION, Task

_HINT = "compare runs that were judged by the same rows"
_P = TypeVar("_P", bound=AnyPredictions)


@dataclass(frozen=True, kw_only=True)
class Sides:
    """What the two are called, and the fingerprints of their data where those are known."""

    first: str
    second: str
    first_data: str | None = None
    second_data: str | None = None


def task_of(found: AnyPredictions) -> Task:
    """Return the shape of answers."""
    if isinstance(found, MultiPredictions):
        return MULTI
    return REGRESSION if isinstance(found, ValuePredictions) else found.task


def on_the_rows_of(first: _P, second: AnyPredictions, sides: Sides) -> _P:
    """Return the second predictions in the order of the first's rows and classes.

    Raises:
        DataError: shapes, classes, row ids, labels or texts differ; or texts are not kept and the data may differ.
    """
    if task_of(first) != task_of(second):
        raise DataError(
            f"the shapes of the answers differ: {sides.first} answers with {task_of(first).words} "
            f"({task_of(first)}), {sides.second} with {task_of(second).words} ({task_of(second)}); no figure means the "
            "same of both: compare runs of one shape"
        )
    _require_same_classes(first, second, sides)
    second = _with_rows(first, _with_classes(second, _names(first)), sides)
    _require_same_labels(first, second, sides)
    _require_same_texts(first, second, sides)
    return cast("_P", second)


def _names(found: AnyPredictions) -> tuple[str, ...]:
    return () if isinstance(found, ValuePredictions) else found.label_names


def _require_same_classes(first: AnyPredictions, second: AnyPredictions, sides: Sides) -> None:
    if sorted(_names(first)) != sorted(_names(second)):
        only = [
            f"only {name} has {', '.join(sorted(map(repr, names)))}"
            for name, names in (
                (sides.first, set(_names(first)) - set(_names(second))),
                (sides.second, set(_names(second)) - set(_names(first))),
            )
            if names
        ]
        raise DataError(f"the classes differ: {'; '.join(only)}: {_HINT}, with the same labels")
    if isinstance(first, Predictions) and task_of(first).name == "ordinal" and _names(first) != _names(second):
        raise DataError(
            f"the order of the classes differs: {sides.first} has {listed(_names(first))}, {sides.second} "
            f"{listed(_names(second))}: {_HINT}, with classes in the same order"
        )


def _with_classes(found: AnyPredictions, names: tuple[str, ...]) -> AnyPredictions:
    if isinstance(found, ValuePredictions) or found.label_names == names:
        return found
    order = [found.label_names.index(name) for name in names]
    if isinstance(found, MultiPredictions):
        targets_NC = np.zeros((len(found), len(names)), np.bool_)
        targets_NC[found.labelled_rows] = found.known_targets[:, order]
        sets = sets_of_indicators(targets_NC)
        return replace(
            found,
            label_names=names,
            probabilities=found.probabilities[:, order],
            true_labels=pa.array(sets.to_pylist(), sets.type, mask=~found.true_labels.is_valid().to_numpy(False)),
            thresholds=None if found.thresholds is None else found.thresholds[order],
            decided=found.decided_NC[:, order],
        )
    place = pa.array(np.argsort(order), pa.int32())
    return replace(
        found,
        label_names=names,
        probabilities=found.probabilities[:, order],
        true_labels=place.take(found.true_labels),
    )


def _with_rows(first: AnyPredictions, second: AnyPredictions, sides: Sides) -> AnyPredictions:
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
    return _taken(second, np.array([places[row_id] for row_id in first.row_ids]))


def _taken(found: AnyPredictions, order_N: np.ndarray) -> AnyPredictions:
    """Return the rows in another order."""
    every: dict[str, Any] = {
        "row_ids": tuple(found.row_ids[place] for place in order_N),
        "tokens": found.tokens[order_N],
        "truncated": found.truncated[order_N],
        "texts": None if found.texts is None else tuple(found.texts[place] for place in order_N),
        "unknown": None if found.unknown is None else found.unknown[order_N],
        "others": None if found.others is None else found.others.take(pa.array(order_N)),
    }
    if isinstance(found, ValuePredictions):
        true_values = found.true_values.take(pa.array(order_N))
        return replace(found, **every, values=found.values[order_N], true_values=true_values)
    every |= {
        "probabilities": found.probabilities[order_N],
        "true_labels": found.true_labels.take(pa.array(order_N)),
    }
    if isinstance(found, MultiPredictions):
        return replace(found, **every, decided=found.decided_NC[order_N])
    return replace(found, **every, unsure=None if found.unsure is None else found.unsure[order_N])


def _truths(found: AnyPredictions) -> list[Any]:
    """Return what is true of each row: names, a number, a name; None where it is not known."""
    if isinstance(found, MultiPredictions):
        return found.true_names
    if isinstance(found, ValuePredictions):
        return list(found.true_values.to_pylist())
    return [None if label is None else found.label_names[label] for label in found.true_labels.to_pylist()]


def _said(truth: Any) -> str:
    if truth is None:
        return "not labelled"
    return (listed(truth) if truth else "without a label") if isinstance(truth, tuple) else str(truth)


def _require_same_labels(first: AnyPredictions, second: AnyPredictions, sides: Sides) -> None:
    one, other = _truths(first), _truths(second)
    differing = [row for row, (true, said) in enumerate(zip(one, other, strict=True)) if true != said]
    if differing:
        row = differing[0]
        raise DataError(
            f"{len(differing):,} rows have other labels (first: {first.row_ids[row]} is {_said(one[row])} in "
            f"{sides.first} and {_said(other[row])} in {sides.second}): {_HINT}, with the same labels"
        )


def _require_same_texts(first: AnyPredictions, second: AnyPredictions, sides: Sides) -> None:
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
