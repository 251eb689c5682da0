"""`Predict` in a pipeline: the rows of each batch, with the answers that `limbeck predict` writes."""

from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from tests.scale.conftest import rows_of

import limbeck
from limbeck.errors import DataError, SettingsError
from limbeck.evaluation.prediction_files import table_of
from limbeck.scale.ray import Predict

ROWS = rows_of(9)


@pytest.fixture
def expected(model: Path) -> pa.Table:
    """What the file has."""
    return table_of(limbeck.load(model).predict(ROWS["text"])).drop_columns(["row_id", "text"])


def test_an_arrow_batch_keeps_its_columns(model: Path, expected: pa.Table) -> None:
    """They come first, as they are; answers have the names that `limbeck predict` gives them."""
    found = Predict(model)(ROWS)
    assert found.select(ROWS.column_names).equals(ROWS)
    assert found.drop_columns(ROWS.column_names).equals(expected)


def test_a_numpy_batch_stays_one(model: Path, expected: pa.Table) -> None:
    """Dictionaries of arrays, as Ray has them by default."""
    batch = {name: ROWS[name].to_numpy() for name in ROWS.column_names}
    found = Predict(model)(batch)
    assert list(found) == [*ROWS.column_names, *expected.column_names]
    assert found["prediction"].tolist() == expected["prediction"].to_pylist()
    np.testing.assert_array_equal(found["probability"], expected["probability"].to_numpy())


def test_more_labels_of_a_text(model: Path) -> None:
    """As `--top-k`."""
    assert {"top_1.label", "top_2.probability"} <= set(Predict(model, top_k=2)(ROWS).column_names)


@pytest.mark.parametrize(
    ("batch", "kind", "advice"),
    [
        (ROWS.rename_columns(["id", "words", "stars"]), SettingsError, "no column 'text' .it has id, words, stars"),
        (ROWS.append_column("probability", ROWS["stars"]), SettingsError, "a column 'probability' already"),
        (pa.table({"text": pa.array(["so sad", None])}), DataError, "without a text: 1"),
        (pa.table({"text": [1, 2]}), DataError, "not a string"),
        ([ROWS], SettingsError, 'batch_format="pyarrow"'),
    ],
    ids=["no texts", "taken name", "null", "number", "format"],
)
def test_batches_that_will_not_do_are_refused(model: Path, batch: Any, kind: type[Exception], advice: str) -> None:
    """With what to do."""
    with pytest.raises(kind, match=advice):
        Predict(model)(batch)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning:ray.*")
@pytest.mark.skipif(find_spec("ray") is None, reason='Ray is not installed: pip install "limbeck[ray]"')
def test_a_pipeline_answers_every_row_with_its_actors_threads(
    ray_cluster: Any, model: Path, expected: pa.Table
) -> None:
    """`map_batches` over a cluster: an actor computes with the CPUs that it asked for."""
    import ray

    class Telling(Predict):
        def __call__(self, batch: pa.Table) -> pa.Table:
            from limbeck.runtime import allowed_threads

            found = super().__call__(batch)
            return found.append_column("threads", pa.array([allowed_threads()] * len(batch)))

    ray.init(address=ray_cluster.address, log_to_driver=False)
    try:
        ray.data.DataContext.get_current().enable_progress_bars = False
        rows = ray.data.from_arrow(ROWS).map_batches(
            Telling, fn_constructor_args=[model], batch_size=4, batch_format="pyarrow", num_cpus=1, concurrency=1
        )
        found = {row["id"]: row for row in rows.take_all()}
    finally:
        ray.shutdown()
    assert [found[one]["prediction"] for one in ROWS["id"].to_pylist()] == expected["prediction"].to_pylist()
    assert {row["threads"] for row in found.values()} == {1}
