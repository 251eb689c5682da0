"""Tables of predictions as values again, whatever was asked: one label a row, any number of labels, a number.

In: an Arrow table as `to_arrow` made it, and as a file gave it back. Out: the value that it was made of.
It does not know the formats of files (see `prediction_files`).

A table says by its columns what it holds: `prediction`, `predictions` or `predicted_value`. Tables of limbeck before
this layout have `label` for `prediction`, and always a column `true_label`; they are read too.
"""

import json
import math
from collections.abc import Iterable
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from limbeck.data.label_sets import LABEL_SETS
from limbeck.errors import DataError
from limbeck.evaluation.conformal import ConformalWidth
from limbeck.evaluation.multi_predictions import MULTI_COLUMNS, THRESHOLDS_KEY, MultiPredictions, targets_of
from limbeck.evaluation.predictions import PROBABILITY_PREFIX, Predictions, expected_positions, is_own_column
from limbeck.evaluation.value_predictions import VALUE_COLUMNS, ValuePredictions
from limbeck.task import ORDINAL, SINGLE, Task

AnyPredictions = Predictions | MultiPredictions | ValuePredictions
"""Answers to rows of every shape."""

_EVERY: dict[str, pa.DataType] = {
    "row_id": pa.large_string(),
    "text": pa.large_string(),
    "tokens": pa.int32(),
    "truncated": pa.bool_(),
    "unknown": pa.int32(),
}
_SINGLE = {
    **_EVERY,
    "prediction": pa.string(),
    "probability": pa.float32(),
    "true_label": pa.string(),
    "loss": pa.float32(),
    "margin": pa.float32(),
    "unsure": pa.bool_(),
}
_VALUE = {**_EVERY, "true_value": pa.float64(), "predicted_value": pa.float32(), "error": pa.float64()}
_MAY_BE_NULL = ("true_label", "true_labels", "true_value", "loss", "margin", "wrong_labels", "error")


def column_types(names: Iterable[str], *, nested: bool) -> dict[str, pa.DataType]:
    """Return the types of the columns that a table of predictions has by itself, by the names of all its columns.

    Args:
        names: of the columns.
        nested: whether lists are lists, as in JSON; else they are text.
    """
    names = set(names)
    probabilities = {name: pa.float32() for name in names if _is_probability(name)}
    if _is_multi(names):
        lists = pa.large_list(pa.string()) if nested else pa.large_string()
        return {**_EVERY, **probabilities, "true_labels": lists, "predictions": lists, "wrong_labels": pa.int32()}
    if _is_value(names):
        return {**_VALUE, **{name: pa.float64() for name in names if name.startswith(("value_low_", "value_high_"))}}
    return {**_SINGLE, **probabilities, "label": pa.string()} if not nested else {**_SINGLE, **probabilities}


def predictions_of_table(where: object, table: pa.Table) -> AnyPredictions:
    """Return what a table of predictions was made of.

    Args:
        where: the table came from, for messages.
        table: as `to_arrow` made it.

    Raises:
        DataError: it does not hold predictions, or what it holds does not agree.
    """
    names = set(table.column_names)
    if _is_multi(names):
        return _multi_of(where, table)
    return _values_of(where, table) if _is_value(names) else _single_of(where, table)


def _single_of(where: object, table: pa.Table) -> Predictions:
    table = _as_now(table)
    names = _require_columns(where, table, ("prediction",), is_probable=True)
    probabilities_NC = np.column_stack([table[PROBABILITY_PREFIX + name].to_numpy() for name in names])
    task = _task_of(table, probabilities_NC)
    predictions = Predictions(
        **_common(table, [name for name in table.column_names if not is_own_column(name, task)]),
        label_names=names,
        probabilities=probabilities_NC,
        task=task,
        true_labels=_true_labels(where, table, names),
        unsure=table["unsure"].to_numpy() if "unsure" in table.column_names else None,
    )
    answer = "most probable" if task == SINGLE else "median"
    for row, (written, said) in enumerate(
        zip(table["prediction"].to_pylist(), predictions.predicted_names, strict=True)
    ):
        if written != said:
            raise DataError(
                f"{where}: row {row} has the prediction {written!r} but the {answer} label is {said!r}: "
                "was the file edited? Predict again"
            )
    return predictions


def _task_of(table: pa.Table, probabilities_NC: np.ndarray) -> Task:
    """Tell ordered labels by the column of their mean place; one of that name may be the rows' own, and differs."""
    if "expected_position" not in table.column_names or not pa.types.is_floating(table["expected_position"].type):
        return SINGLE
    written_N = table["expected_position"].to_numpy()
    return ORDINAL if np.allclose(written_N, expected_positions(probabilities_NC), atol=1e-3) else SINGLE


def _multi_of(where: object, table: pa.Table) -> MultiPredictions:
    names = _require_columns(where, table, ("predictions",), is_probable=True)
    thresholds = json.loads((table.schema.metadata or {}).get(THRESHOLDS_KEY.encode(), b"null"))
    true = pa.nulls(len(table), LABEL_SETS)
    if "true_labels" in table.column_names:
        true = _label_lists(where, table["true_labels"], names)
    return MultiPredictions(
        **_common(table, [name for name in table.column_names if not MULTI_COLUMNS.fullmatch(name)]),
        label_names=names,
        probabilities=np.column_stack([table[PROBABILITY_PREFIX + name].to_numpy() for name in names]),
        true_labels=true,
        thresholds=None if thresholds is None else np.array(thresholds, dtype=np.float64),
        decided=targets_of(_label_lists(where, table["predictions"], names), len(names)),
    )


def _values_of(where: object, table: pa.Table) -> ValuePredictions:
    _require_columns(where, table, ("predicted_value",), is_probable=False)
    known = "true_value" in table.column_names
    return ValuePredictions(
        **_common(table, [name for name in table.column_names if not VALUE_COLUMNS.fullmatch(name)]),
        values=table["predicted_value"].to_numpy(),
        true_values=table["true_value"] if known else pa.nulls(len(table), pa.float64()),
        width=_width_of(table),
    )


def _common(table: pa.Table, others: list[str]) -> dict[str, Any]:
    """Return what rows of every shape have."""
    return {
        "row_ids": tuple(table["row_id"].to_pylist()),
        "tokens": table["tokens"].to_numpy(),
        "truncated": table["truncated"].to_numpy(),
        "texts": tuple(table["text"].to_pylist()) if "text" in table.column_names else None,
        "unknown": table["unknown"].to_numpy() if "unknown" in table.column_names else None,
        "others": table.select(others) if others else None,
    }


def _require_columns(where: object, table: pa.Table, needed: tuple[str, ...], *, is_probable: bool) -> tuple[str, ...]:
    """Refuse a table without the columns of its kind; return the names that have a probability."""
    columns = table.column_names
    missing = [name for name in ("row_id", *needed, "tokens", "truncated") if name not in columns]
    names = tuple(name.removeprefix(PROBABILITY_PREFIX) for name in columns if _is_probability(name))
    if is_probable and not names:
        missing.append(PROBABILITY_PREFIX + "<name>")
    if missing:
        raise DataError(f"{where} has no column {', '.join(missing)}: it does not hold predictions that limbeck wrote")
    own = column_types(columns, nested=True)
    if holes := [name for name in columns if name in own and name not in _MAY_BE_NULL and table[name].null_count]:
        holes = [name for name in holes if not name.startswith(("value_low_", "value_high_"))]
        if holes:
            raise DataError(f"{where} has rows without a value for {', '.join(holes)}: was it edited? Predict again")
    return names


def _true_labels(where: object, table: pa.Table, names: tuple[str, ...]) -> pa.Int32Array:
    """Turn names into labels; a name that is no class is an error, not a null."""
    if "true_label" not in table.column_names:
        return pa.nulls(table.num_rows, pa.int32())
    column = table["true_label"].combine_chunks()
    if unknown := sorted(set(column.drop_null().unique().to_pylist()) - set(names)):
        raise DataError(f"{where} has true labels that are no class: {', '.join(unknown)}; classes: {', '.join(names)}")
    return pc.index_in(column, value_set=pa.array(names, column.type))


def _label_lists(where: object, column: pa.ChunkedArray, names: tuple[str, ...]) -> pa.LargeListArray:
    """Turn lists of names, or JSON of such lists, into sorted lists of labels; null stays null."""
    places = {name: label for label, name in enumerate(names)}
    found: list[list[int] | None] = []
    for row, value in enumerate(column.to_pylist()):
        try:
            listed = json.loads(value) if isinstance(value, str) else value
            found.append(None if listed is None else sorted(places[name] for name in listed))
        except (KeyError, TypeError, ValueError) as error:
            raise DataError(f"{where}: row {row} has {value!r}, which is no list of known labels ({error})") from error
    return pa.array(found, LABEL_SETS)


def _width_of(table: pa.Table) -> ConformalWidth | None:
    """Return what the intervals promise: the level stands in the column's name, the width in every row."""
    high = [name for name in table.column_names if name.startswith("value_high_")]
    if not high or not len(table):
        return None
    percent = high[0].removeprefix("value_high_")
    ends = [table[f"value_{end}_{percent}"][0].as_py() for end in ("low", "high")]
    width = math.inf if None in ends else (ends[1] - ends[0]) / 2
    return ConformalWidth(level=float(percent) / 100, half_width=width, rows=None)


def _as_now(table: pa.Table) -> pa.Table:
    """Give a table of the older layout the names of today."""
    if "prediction" in table.column_names or not {"label", "true_label"} <= set(table.column_names):
        return table
    return table.rename_columns({"label": "prediction"})


def _is_old(names: set[str]) -> bool:
    return {"label", "true_label", "probability"} <= names


def _is_multi(names: set[str]) -> bool:
    return "predictions" in names and "prediction" not in names and not _is_old(names)


def _is_value(names: set[str]) -> bool:
    return "predicted_value" in names and "prediction" not in names and not _is_old(names)


def _is_probability(name: str) -> bool:
    return name.startswith(PROBABILITY_PREFIX)
