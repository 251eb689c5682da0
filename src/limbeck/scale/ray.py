"""For pipelines of `ray.data`: a model that answers batch after batch in an actor, with the threads of that actor.

In: a batch of rows (an Arrow table, or a dictionary of NumPy arrays). Out: the same rows with the columns that `limbeck
predict` writes. Whoever wants a folder that is whole, in order and goes on after a kill takes `predict --on ray`.
"""

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from limbeck.errors import DataError, SettingsError
from limbeck.evaluation.prediction_files import table_of
from limbeck.settings import Device, EngineName

_OWN_ROWS = ("row_id", "text")
"""Columns of answers that the batch has itself, in its own way."""


class Predict:
    """Answers batches: `dataset.map_batches(Predict, …)`; each actor opens the model once.

    Args:
        run: the model, as `load` takes it: a folder that every machine sees, or "hub:OWNER/NAME".
        text_column: that holds the texts. A model of pairs reads its own two columns.
        top_k: number of labels per text in columns of their own: top_1.label, top_1.probability, ….
        device: to compute on.
        engine: that computes, by name; the fastest one that is close enough to float32 when not given, which may be
            another one on another kind of machine, whose answers differ in their last bits.
        threads: to compute with; the `num_cpus` of the actor when not given, and outside Ray all cores.

    Raises:
        LimbeckError: as `load` says.

    It needs a cluster, so it is no example that a test runs here:

        rows = ray.data.read_parquet("texts/")
        answered = rows.map_batches(
            Predict, fn_constructor_args=["RUN"], batch_size=4096, batch_format="pyarrow", num_cpus=4, concurrency=2
        )
    """

    def __init__(
        self,
        run: str | Path,
        *,
        text_column: str = "text",
        top_k: int | None = None,
        device: Device = "auto",
        engine: EngineName | None = None,
        threads: int | None = None,
    ) -> None:
        from limbeck.inference.predictor import load
        from limbeck.runtime import set_threads

        if (own := threads or _cpus_of_actor()) is not None:
            set_threads(own)
        self._predictor = load(run, device=device, engine=engine)
        self._top_k = top_k
        self._columns = self._predictor.bundle.facts.pair or (text_column,)

    def __call__(self, batch: Any) -> Any:
        """Return the rows of a batch with their answers behind them, in the batch's own format.

        Raises:
            SettingsError: the batch is of another format, lacks the column of texts, or has one of an answer's name.
            DataError: a row has no text.
        """
        if not isinstance(batch, pa.Table | dict):
            raise SettingsError('Predict takes batches as Arrow or NumPy: give batch_format="pyarrow" or "numpy"')
        names = batch.column_names if isinstance(batch, pa.Table) else list(batch)
        if missing := [name for name in self._columns if name not in names]:
            raise SettingsError(
                f"a batch has no column {missing[0]!r} (it has {', '.join(names)}): name that of the texts, with "
                'fn_constructor_kwargs={"text_column": …}'
            )
        answers = table_of(self._predictor.predict(self._texts(batch)), top_k=self._top_k).drop_columns([*_OWN_ROWS])
        if taken := [name for name in answers.column_names if name in names]:
            raise SettingsError(f"a batch has a column {taken[0]!r} already, as answers have: rename it before")
        if isinstance(batch, pa.Table):
            for name in answers.column_names:
                batch = batch.append_column(name, answers[name])
            return batch
        return {**batch, **{name: answers[name].to_numpy() for name in answers.column_names}}

    def _texts(self, batch: pa.Table | dict[str, np.ndarray]) -> Any:
        """Return the texts, or the two texts of each row, as `Predictor.predict` takes them."""
        columns = {name: _as_arrow(batch[name]) for name in self._columns}
        for name, column in columns.items():
            if column.null_count:
                raise DataError(f"column {name!r} has rows without a text: {column.null_count:,}; leave them out")
        return next(iter(columns.values())) if len(columns) == 1 else pa.table(columns)


def _as_arrow(column: Any) -> pa.ChunkedArray:
    return pa.chunked_array([pa.array(column)]) if isinstance(column, np.ndarray) else column


def _cpus_of_actor() -> int | None:
    """Return the CPUs that Ray gave to this process; None where it is none of Ray's."""
    ray = sys.modules.get("ray")
    if ray is None or not ray.is_initialized():
        return None
    cpus = ray.get_runtime_context().get_assigned_resources().get("CPU", 0.0)
    return max(1, int(cpus)) if cpus else None
