"""For pipelines of Spark: a function of columns that answers texts, with the threads that a task has.

In: a column of texts, or the two of a model that reads pairs. Out: a column of structs, whose fields have the names of
the columns that `limbeck predict` writes. Whoever wants a folder that is whole, in order and goes on after a kill takes
`predict --on spark`.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import pyarrow as pa

from limbeck.errors import BundleError, DataError, MissingExtraError
from limbeck.evaluation.prediction_files import table_of
from limbeck.evaluation.predictions import PROBABILITY_PREFIX
from limbeck.hub.ids import is_hub_id
from limbeck.inference.predictor import Predictor, load
from limbeck.settings import Device, EngineName

_OWN_ROWS = ("row_id", "text")
"""Columns of answers that the rows have themselves, in their own way."""
PROBABILITIES = "probabilities"
"""The field that maps each label to its probability."""


@dataclass(frozen=True, kw_only=True)
class _Model:
    """What a worker is to open.

    Attributes:
        run: the model, as `load` takes it.
        sha256: its digest.
        device: to compute on.
        engine: that was chosen where the function was made.
        threads: to compute with; None for the CPUs of the task.
    """

    run: str
    sha256: str
    device: Device
    engine: EngineName
    threads: int | None


def predict_udf(
    run: str | Path, *, device: Device = "auto", engine: EngineName | None = None, threads: int | None = None
) -> Any:
    """Return a function of columns (a pandas UDF) that answers texts.

    Each worker of Spark opens the model once. The engine is chosen here, once, for all of them.

    Args:
        run: the model, as `load` takes it: a folder that every machine sees under this name, or "hub:OWNER/NAME".
        device: to compute on.
        engine: that computes, by name; the fastest one that is close enough to float32 on this machine when not given.
        threads: to compute with; `spark.task.cpus` when not given.

    Returns:
        A function of one column of texts, or of two where the model reads pairs. It gives structs: `prediction`,
        `probability`, `probabilities` (a map of each label to its probability), `unsure` where the model has
        thresholds, `predictions` of a model of several labels, `predicted_value` of one that answers with numbers,
        `tokens`, `truncated`, `unknown`, as `limbeck predict` has them. A row without a text ends the job.

    Raises:
        MissingExtraError: pyspark or pandas is not installed.
        LimbeckError: as `load` says.

    It needs a session of Spark, so it is no example that a test runs here:

        answer = predict_udf("/shared/RUN")
        rows = spark.read.parquet("texts").withColumn("answer", answer("text"))
        rows.select("id", "answer.prediction", "answer.probabilities.joy").write.parquet("answered")
    """
    try:
        import pandas as pd
        from pyspark.sql.functions import pandas_udf
        from pyspark.sql.types import StructType
    except ImportError as error:
        raise MissingExtraError(
            f'predict_udf needs pyspark and pandas: pip install "limbeck[spark]" ({error})'
        ) from error
    from limbeck.inference.choice import engine_name

    predictor = load(run, device=device, engine=engine)
    pair = predictor.bundle.facts.pair
    model = _Model(
        run=str(run) if is_hub_id(str(run)) else str(Path(run).absolute()),
        sha256=predictor.bundle.digest(),
        device=predictor.numerics.rpartition(" ")[2],  # type: ignore[arg-type]  # the last word of numerics is a device
        engine=engine_name(predictor.engine),  # type: ignore[arg-type]  # the names are those of the type
        threads=threads,
    )
    sample = table_of(predictor.predict([("a", "b")] if pair else ["a"]))
    fields = StructType.fromJson({"type": "struct", "fields": list(_fields_of(sample.schema))})
    if pair is None:

        def answer(texts: Iterator[pd.Series]) -> Iterator[pd.DataFrame]:
            return map(pd.DataFrame, _answers(model, ([column] for column in texts)))

        return pandas_udf(answer, fields)

    def answer_pairs(texts: Iterator[tuple[pd.Series, pd.Series]]) -> Iterator[pd.DataFrame]:
        return map(pd.DataFrame, _answers(model, texts))

    return pandas_udf(answer_pairs, fields)


def _answers(model: _Model, batches: Iterable[Iterable[Any]]) -> Iterator[dict[str, Any]]:
    """Answer batches of one column, or two, in a worker of Spark."""
    predictor = _opened(model)
    for columns in map(list, batches):
        if missing := sum(int(column.isna().sum()) for column in columns):
            raise DataError(f"rows without a text: {missing:,}; leave them out (where … is not null)")
        rows = list(zip(*columns, strict=True))
        yield _columns_of(table_of(predictor.predict([row[0] if len(row) == 1 else row for row in rows])))


@lru_cache(maxsize=2)
def _opened(model: _Model) -> Predictor:
    """Open a model, once in each worker; with the threads of the task that comes first, which all have."""
    from pyspark import TaskContext

    from limbeck.runtime import set_threads

    set_threads(model.threads or TaskContext.get().cpus())
    predictor = load(model.run, device=model.device, engine=model.engine)
    if predictor.bundle.digest() != model.sha256:
        raise BundleError(f"{model.run} is another model here than where predict_udf was called, or was changed since")
    return predictor


def _fields_of(schema: pa.Schema) -> Iterator[dict[str, Any]]:
    """Give the fields of a struct, as Spark's JSON has them; probabilities are one map, where the first of them is."""
    is_told = False
    for field in schema:
        kind: Any = None
        name = field.name
        if name in _OWN_ROWS:
            continue
        if name.startswith(PROBABILITY_PREFIX):
            if is_told:
                continue
            is_told, name = True, PROBABILITIES
            kind = {"type": "map", "keyType": "string", "valueType": "double", "valueContainsNull": False}
        elif pa.types.is_floating(field.type):
            kind = "double"
        elif pa.types.is_integer(field.type):
            kind = "integer"
        elif pa.types.is_boolean(field.type):
            kind = "boolean"
        elif pa.types.is_list(field.type) or pa.types.is_large_list(field.type):
            kind = {"type": "array", "elementType": "string", "containsNull": False}
        else:
            kind = "string"
        yield {"name": name, "type": kind, "nullable": True, "metadata": {}}


def _columns_of(table: pa.Table) -> dict[str, Any]:
    """Return the columns of answers as lists, in the order of `_fields_of`."""
    labels = [name for name in table.column_names if name.startswith(PROBABILITY_PREFIX)]
    names = [label.removeprefix(PROBABILITY_PREFIX) for label in labels]
    found: dict[str, Any] = {}
    for name in table.column_names:
        if name in labels:
            if name == labels[0]:
                rows = zip(*(table[label].to_pylist() for label in labels), strict=True)
                found[PROBABILITIES] = [dict(zip(names, row, strict=True)) for row in rows]
        elif name not in _OWN_ROWS:
            found[name] = table[name].to_pylist()
    return found
