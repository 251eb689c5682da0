"""Datasets built in memory, the way a reader would."""

from collections.abc import Callable, Sequence
from pathlib import Path

import pyarrow as pa
import pytest

from limbeck.data.dataset import CORE_SCHEMA, Dataset
from limbeck.reading.read import read_with
from limbeck.settings import ReadSettings

SHARED = Path(__file__).parents[3] / "shared" / "data"

MakeDataset = Callable[..., Dataset]


@pytest.fixture
def make_dataset() -> MakeDataset:
    """Make a dataset of texts, labels by name (None: not labelled) and splits."""

    def make(
        texts: Sequence[str],
        labels: Sequence[str | None] | None = None,
        splits: Sequence[str] | None = None,
        label_names: tuple[str, ...] | None = None,
    ) -> Dataset:
        labels = labels if labels is not None else ["a"] * len(texts)
        names = label_names if label_names is not None else tuple(sorted({name for name in labels if name is not None}))
        table = pa.table(
            {
                "row_id": [f"r{place}" for place in range(len(texts))],
                "split": pa.array(splits or ["train"] * len(texts), pa.string()).dictionary_encode(),
                "text": list(texts),
                "label": [None if name is None else names.index(name) for name in labels],
            },
            schema=CORE_SCHEMA,
        )
        return Dataset(table=table, label_names=names, source="memory")

    return make


@pytest.fixture(scope="session")
def emotion() -> Dataset:
    """The 20,000 emotion tweets."""
    return _shared("emotion")


@pytest.fixture(scope="session")
def imdb() -> Dataset:
    """The 100,000 film reviews."""
    return _shared("imdb")


def _shared(name: str) -> Dataset:
    folder = SHARED / name
    if not folder.is_dir():
        pytest.skip(f"../shared/data/{name} is not here")
    return read_with(folder, ReadSettings(on_bad_row="mend", labels="optional"))
