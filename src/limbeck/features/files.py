"""Features in a file, for other tools.

In: `Features` and the rows that they belong to. Out: a .npy array, or a Parquet table with row ids and labels.
It does not know how features were made.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from limbeck import storage
from limbeck.data.dataset import Dataset
from limbeck.features.extraction import Features
from limbeck.model.blocks import Block

FEATURE_SUFFIXES = (".npy", ".parquet")
FEATURE_COLUMN = "features"


def write_features(features: Features, dataset: Dataset, path: Path) -> None:
    """Write features: `.npy` holds the float32 (N, F) array; `.parquet` row_id, split, label_name and features.

    Labels that are numbers have no names: they stand in `label`.

    Raises:
        SettingsError: the suffix is another one.
        StorageError: the file cannot be written.
    """
    suffix = storage.check_place(path, FEATURE_SUFFIXES)
    with storage.staged_file(path) as staged:
        if suffix == ".npy":
            with staged.open("wb") as file:
                np.save(file, features.values_NF, allow_pickle=False)
        else:
            pq.write_table(_table(features, dataset), staged)


def _table(features: Features, dataset: Dataset) -> pa.Table:
    width = features.values_NF.shape[1]
    vectors = pa.FixedSizeListArray.from_arrays(pa.array(features.values_NF.ravel()), width)
    label = "label_name" if dataset.task.has_classes else "label"
    rows = dataset.to_arrow().select(["row_id", "split", label])
    return rows.append_column(vectors_field(vectors.type, features.blocks), vectors)


def vectors_field(kind: pa.DataType, blocks: Sequence[Block]) -> pa.Field:
    """Return the column of vectors, which says what they are made of."""
    return pa.field(FEATURE_COLUMN, kind, metadata={"limbeck.blocks": ",".join(map(str, blocks))})
