"""Iterative stratification."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import csr_array

from limbeck.data.dataset import Dataset
from limbeck.data.iterative_split import deal_out
from limbeck.data.split import ensure_validation, split
from limbeck.reading.in_memory import from_arrow
from limbeck.settings import SplitSettings

SHARES = np.array([0.8, 0.1, 0.1])


def tags(rows: int, seed: int = 0) -> Dataset:
    """Rows with tags of very different frequency, some rows with none, each text different."""
    rng = np.random.default_rng(seed)
    given = rng.random((rows, 12)) < np.geomspace(0.4, 0.01, 12)
    labels = [[f"tag{label}" for label in np.flatnonzero(row)] for row in given]
    texts = [f"text {number}" for number in range(rows)]
    column = pa.array(labels, pa.list_(pa.string()))
    return from_arrow(pa.table({"text": texts, "label": column}), task="multi")


def test_every_label_has_its_shares() -> None:
    """Of 2,000 rows each label comes within a row or two of its shares, rare ones too, and so do rows with none."""
    parted = split(tags(2000), SplitSettings(seed=3))
    sizes = parted.split_sizes()
    assert sizes["validation"] == pytest.approx(200, abs=20)
    counts = {name: parted.split(name).targets for name in sizes}
    totals = sum(one.sum(axis=0) for one in counts.values())
    for name in ("validation", "test"):
        assert (np.abs(counts[name].sum(axis=0) - 0.1 * totals) <= np.maximum(1.5, 0.02 * totals)).all()
        bare = (counts[name].sum(axis=1) == 0).sum()
        assert bare == pytest.approx(0.1 * sum((one.sum(axis=1) == 0).sum() for one in counts.values()), abs=3)


def test_the_same_seed_gives_the_same_splits() -> None:
    """Splits are a function of rows and seed."""
    first, again, other = (split(tags(300), SplitSettings(seed=seed)).fingerprint() for seed in (1, 1, 2))
    assert first == again != other


def test_equal_texts_stay_together_and_rare_labels_are_told() -> None:
    """Rows of one text never part; that a label of one text cannot stand in every split is noted, not refused."""
    texts = ["same", "Same ", *(f"text {number}" for number in range(40))]
    labels = [["rare", "a"], ["rare"], *([["a"], ["b"], ["a", "b"], []] * 10)]
    parted = split(from_arrow(pa.table({"text": texts, "label": labels})), SplitSettings())
    where = dict(zip(parted.texts, parted.table["split"].to_pylist(), strict=True))
    assert where["same"] == where["Same "]
    (note,) = [note for note in parted.notes if "to stand in each of train, validation, test" in note.what]
    assert (note.rows, note.example) == (1, "rare")


def test_a_validation_split_is_carved_from_several_labels() -> None:
    """What trains without a validation split gets one whose labels have their share."""
    carved = ensure_validation(tags(400), SplitSettings(validation_share=0.25))
    assert carved.split_sizes() == {"train": pytest.approx(300, abs=12), "validation": pytest.approx(100, abs=12)}


def test_numbers_have_the_same_shares_in_each_band() -> None:
    """Numbers are stratified too: their means and quartiles in the splits are those of all rows, nearly."""
    values = np.random.default_rng(0).normal(size=1000)
    texts = [f"text {number}" for number in range(1000)]
    parted = split(from_arrow(pa.table({"text": texts, "label": values}), task="regression"), SplitSettings())
    whole = np.quantile(values, [0.1, 0.5, 0.9])
    for name in ("validation", "test"):
        assert len(parted.split(name)) == 100
        np.testing.assert_allclose(np.quantile(parted.split(name).targets, [0.1, 0.5, 0.9]), whole, atol=0.3)


@given(st.integers(0, 2**32 - 1), st.integers(1, 40), st.integers(1, 5))
def test_every_unit_is_placed_once(seed: int, units: int, labels: int) -> None:
    """Whatever the counts: each unit has one split, and a label of three units or more stands in all three splits."""
    rng = np.random.default_rng(seed)
    counts = (rng.random((units, labels)) < 0.3).astype(np.int64)
    place = deal_out(csr_array(counts), np.ones(units, np.int64), SHARES, rng)
    assert ((place >= 0) & (place < 3)).all()


@given(st.integers(0, 2**32 - 1), st.integers(3, 40))
def test_one_label_alone_stands_in_every_split(seed: int, units: int) -> None:
    """With one label per unit it is plain stratification: three units of a label are enough for three splits."""
    rng = np.random.default_rng(seed)
    counts = np.zeros((units, 1), np.int64)
    counts[: max(3, units // 2)] = 1
    place = deal_out(csr_array(counts), np.ones(units, np.int64), SHARES, rng)
    assert set(place[counts[:, 0] == 1].tolist()) == {0, 1, 2}
