"""Features in a file, beside the labels of any task."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from limbeck.features.extraction import Features
from limbeck.features.files import write_features
from limbeck.model.blocks import Block
from limbeck.reading.in_memory import from_lists


@pytest.mark.parametrize(
    ("labels", "options", "column", "written"),
    [
        (["a", "b"], {}, "label_name", ["a", "b"]),
        ([["a", "b"], []], {}, "label_name", [["a", "b"], []]),
        ([0.5, 2.0], {"task": "regression"}, "label", [0.5, 2.0]),
    ],
    ids=["single", "multi", "regression"],
)
def test_rows_stand_beside_their_labels(
    labels: list[Any], options: dict[str, Any], column: str, written: list[Any], tmp_path: Path
) -> None:
    """Names where labels have names, numbers where they are numbers; the vectors in the order of the rows."""
    values_NF = np.arange(6, dtype=np.float32).reshape(2, 3)
    features = Features(
        values_NF=values_NF,
        blocks=(Block(layer=1, pooling="mean"),),
        lengths_N=np.array([3, 4]),
        cut_tokens_N=np.zeros(2, np.int64),
        computed=2,
    )
    write_features(features, from_lists(["x", "y"], labels, **options), tmp_path / "features.parquet")
    table = pq.read_table(tmp_path / "features.parquet")
    assert table[column].to_pylist() == written
    assert table["features"].to_pylist() == values_NF.tolist()
