"""`predict_udf` in a pipeline of Spark: the answers that `limbeck predict` writes, as structs."""

import os
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

import limbeck
from limbeck.evaluation.conformal import ConformalWidth
from limbeck.evaluation.prediction_files import table_of
from limbeck.model.bundle import Bundle, save_bundle
from limbeck.model.heads import LinearHead
from limbeck.scale.spark import predict_udf
from limbeck.settings import HeadKind

sql = pytest.importorskip("pyspark.sql", reason="pyspark is not installed (the extra spark)")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:PySpark does not yet fully support pandas:FutureWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]
TEXTS = [
    ("i feel fine", "so sad"),
    ("so sad today .", "it is rain !"),
    ("기분이 좋다", "sun"),
    ("very very sad", "i feel"),
]
WIDTH = ConformalWidth(level=0.9, half_width=1.5, rows=100, found_on="validation")
SHAPES: dict[str, dict[str, Any]] = {
    "single": {"thresholds": (0.5, 0.9, 1.0)},
    "ordinal": {"task": "ordinal"},
    "multi": {"task": "multi", "label_thresholds": (0.2, 0.5, 0.9)},
    "regression": {
        "task": "regression",
        "label_names": (),
        "value_width": ConformalWidth(level=0.9, half_width=1.5, rows=100, found_on="validation"),
    },
    "pairs": {"pair": ("first", "second")},
}


@pytest.fixture(scope="module")
def spark() -> Iterator[Any]:
    """A Spark of one core, in this process's own Java."""
    os.environ["PYSPARK_PYTHON"] = sys.executable
    builder = sql.SparkSession.builder.master("local[1]")
    for name in ("bindAddress", "host"):
        builder = builder.config(f"spark.driver.{name}", "127.0.0.1")
    session = builder.config("spark.ui.enabled", "false").getOrCreate()
    session.sparkContext.setLogLevel("FATAL")
    yield session
    session.stop()


@pytest.mark.parametrize("shape", SHAPES)
def test_every_shape_of_answer(
    spark: Any, make_bundle: Callable[[HeadKind], Bundle], tmp_path: Path, shape: str
) -> None:
    """Fields are the columns of `limbeck predict`, with the same numbers; probabilities are one map."""
    bundle = make_bundle("linear")
    facts, head = replace(bundle.facts, **SHAPES[shape]), bundle.head
    if count := {"regression": 1, "ordinal": 2}.get(shape):
        width = bundle.loaded.config.dim * len(facts.blocks)
        head = LinearHead(torch.randn(count, width), torch.randn(count)).eval()
    bundle = Bundle(loaded=bundle.loaded, head=head, facts=facts)
    save_bundle(bundle, tmp_path / "RUN", card="")
    pair = shape == "pairs"
    expected = table_of(limbeck.load(tmp_path / "RUN").predict(TEXTS if pair else [one for one, _ in TEXTS]))

    answer = predict_udf(tmp_path / "RUN", threads=1)
    rows = spark.createDataFrame(TEXTS, ["first", "second"]).coalesce(1)
    found = rows.select(answer("first", "second") if pair else answer("first")).collect()

    assert [as_columns(row[0].asDict()) for row in found] == expected.drop_columns(["row_id", "text"]).to_pylist()


def as_columns(struct: dict[str, Any]) -> dict[str, Any]:
    """Return the columns that a struct stands for."""
    columns: dict[str, Any] = {}
    for name, value in struct.items():
        if name == "probabilities":
            columns |= {f"probability.{label}": one for label, one in value.items()}
        else:
            columns[name] = value
    return columns


def test_a_row_without_a_text_is_named(spark: Any, model: Path) -> None:
    """It ends the job, with what to do."""
    rows = spark.createDataFrame([("so sad",), (None,)], "text string").coalesce(1)
    with pytest.raises(sql.utils.PythonException, match="rows without a text: 1; leave them out"):
        rows.select(predict_udf(model, threads=1)("text")).collect()


def test_workers_refuse_another_model(spark: Any, make_bundle: Callable[[HeadKind], Bundle], model: Path) -> None:
    """One that was changed after the function was made."""
    answer = predict_udf(model, threads=1)
    shutil.rmtree(model / "bundle")
    other = make_bundle("classification")
    save_bundle(replace(other, facts=replace(other.facts, max_tokens=10)), model / "bundle", card="")
    rows = spark.createDataFrame([("so sad",)], "text string")
    with pytest.raises(sql.utils.PythonException, match="is another model here"):
        rows.select(answer("text")).collect()
