"""Splits: stratified, seeded, and no text on two sides."""

from collections import Counter
from itertools import product

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from limbeck.data.dataset import Dataset
from limbeck.data.normal_form import normal_form
from limbeck.data.split import ensure_validation, split
from limbeck.errors import DataError, SettingsError
from limbeck.reading.in_memory import from_arrow
from limbeck.settings import ReadSettings, SplitSettings


def of(texts: list[str], labels: list[str | None], splits: list[str] | None = None) -> Dataset:
    columns = {"text": texts, "label": labels, "split": splits or ["train"] * len(texts)}
    return from_arrow(pa.table(columns), ReadSettings(labels="optional"))


def counts(dataset: Dataset) -> Counter[tuple[str, str | None]]:
    """Count rows by split and class."""
    names = dataset.table["split"].cast(pa.string()).to_pylist()
    return Counter(zip(names, dataset.label_name_list(), strict=True))


def test_shares_are_exact_where_texts_are_distinct() -> None:
    """80/10/10 of every class, to the row; row ids and order stay."""
    dataset = of([f"t{n}" for n in range(300)], ["a"] * 200 + ["b"] * 100)
    parts = split(dataset)
    assert counts(parts) == {
        ("train", "a"): 160,
        ("validation", "a"): 20,
        ("test", "a"): 20,
        ("train", "b"): 80,
        ("validation", "b"): 10,
        ("test", "b"): 10,
    }
    assert parts.row_ids == dataset.row_ids
    assert parts.texts == dataset.texts


def test_the_seed_decides() -> None:
    """One seed gives one split, another seed another."""
    dataset = of([f"t{n}" for n in range(100)], ["a", "b"] * 50)
    first, again = split(dataset), split(dataset)
    other = split(dataset, SplitSettings(seed=1))
    assert first.fingerprint() == again.fingerprint()
    assert first.fingerprint() != other.fingerprint()
    assert counts(first) == counts(other)


@pytest.mark.slow
@settings(deadline=None, max_examples=60)
@given(st.lists(st.tuples(st.integers(0, 60), st.sampled_from("ab"), st.booleans()), max_size=150), st.integers(0, 3))
def test_no_text_stands_on_two_sides(rows: list[tuple[int, str, bool]], seed: int) -> None:
    """Whatever repeats, in whatever case and spacing, with whatever labels: a text is in one split."""
    base = [(1000 + n, label, False) for n in range(30) for label in "ab"]
    texts = [f"Text  {n} é" if odd else f"text {n} e\u0301" for n, _, odd in rows + base]
    parts = split(of(texts, [label for _, label, _ in rows + base]), SplitSettings(seed=seed))
    where: dict[str, set[str]] = {}
    for text, name in zip(parts.texts, parts.table["split"].cast(pa.string()).to_pylist(), strict=True):
        where.setdefault(normal_form(text), set()).add(name)
    assert all(len(names) == 1 for names in where.values())
    sizes = parts.split_sizes()
    assert sum(sizes.values()) == len(texts)
    assert set(sizes) == {"train", "validation", "test"}
    assert sizes["train"] > sizes["validation"]


def test_groups_stay_together() -> None:
    """Rows that share a group do not part, and groups join those of equal texts."""
    texts = [f"t{n}" for n in range(100)]
    texts[50] = "T0"
    groups = np.arange(100)
    groups[[0, 1, 2]] = 0
    groups[[50, 51]] = 50
    names = split(of(texts, ["a", "b"] * 50), groups=groups).table["split"].cast(pa.string()).to_pylist()
    assert len({names[row] for row in (0, 1, 2, 50, 51)}) == 1


def test_groups_of_another_length() -> None:
    """Groups for other rows than these are refused."""
    with pytest.raises(DataError, match="one a row was expected"):
        split(of([f"t{n}" for n in range(30)], ["a"] * 30), groups=np.arange(30).repeat(2)[:40])


def test_classes_too_small() -> None:
    """A class with fewer different texts than splits is named, with its size."""
    dataset = of([f"t{n}" for n in range(20)] + ["rare", "RARE ", "rare"], ["a"] * 20 + ["b"] * 3)
    with pytest.raises(DataError, match=r"class 'b': 3 different texts are needed, it has 1 \(in 3 rows\)"):
        split(dataset)


@pytest.mark.parametrize("rows", range(3, 12))
def test_small_classes_stand_in_every_split(rows: int) -> None:
    """However small the share, a class with enough texts has a row in each split."""
    dataset = of([f"t{n}" for n in range(100 + rows)], ["a"] * 100 + ["b"] * rows)
    assert all(counts(split(dataset))[name, "b"] >= 1 for name in ("train", "validation", "test"))


@pytest.mark.parametrize("shares", [(0.0, 0.0), (0.5, 0.5), (-0.1, 0.2), (1.0, 0.0)])
def test_impossible_shares(shares: tuple[float, float]) -> None:
    """Shares that leave nothing, or are no shares, are refused."""
    with pytest.raises(SettingsError, match="are wrong"):
        split(of(["a", "b"], ["x", "y"]), SplitSettings(validation_share=shares[0], test_share=shares[1]))


def test_unlabelled_rows_become_unsupervised() -> None:
    """Rows without a label are not mixed into the labelled splits; without any label all rows are split."""
    texts = [f"t{n}" for n in range(60)]
    parts = split(of(texts, ["a", "b"] * 20 + [None] * 20, ["train"] * 40 + ["unsupervised"] * 20))
    assert parts.split_sizes() == {"train": 32, "validation": 4, "test": 4, "unsupervised": 20}
    assert split(of(texts, [None] * 60)).split_sizes() == {"train": 48, "validation": 6, "test": 6}


def test_validation_is_carved_from_train_once() -> None:
    """Train gives rows for validation when there is none; test stays; a note says so."""
    dataset = of([f"t{n}" for n in range(120)], ["a", "b"] * 60, ["train"] * 100 + ["test"] * 20)
    carved = ensure_validation(dataset)
    assert carved.split_sizes() == {"train": 90, "validation": 10, "test": 20}
    assert carved.split("test").row_ids == dataset.split("test").row_ids
    assert carved.notes[-1].rows == 10
    assert ensure_validation(carved) is carved
    only_test = dataset.split("test")
    assert ensure_validation(only_test) is only_test


def test_validation_needs_a_share() -> None:
    """A share of 0 cannot make a validation split."""
    dataset = of([f"t{n}" for n in range(10)], ["a", "b"] * 5)
    with pytest.raises(SettingsError):
        ensure_validation(dataset, SplitSettings(validation_share=0.0))


def missed(parts: Dataset, shares: dict[str, float]) -> float:
    """Return by how much the classes miss their shares, each class counting the same."""
    found, names = counts(parts), parts.label_name_list()
    total = Counter(names)
    return sum(
        abs(found[part, name] - wanted) / total[name]
        for name in total
        for part, wanted in wanted_of(total[name], shares).items()
    )


def wanted_of(rows: int, shares: dict[str, float]) -> dict[str, int]:
    wanted = {part: max(1, round(share * rows)) for part, share in shares.items() if part != "train"}
    return {"train": max(1, rows - sum(wanted.values())), **wanted}


def least_missed(groups: list[dict[str, int]], shares: dict[str, float]) -> float:
    """Return the least that any way of placing the groups misses, found by trying all."""
    names = sorted({name for group in groups for name in group})
    rows_GC = np.array([[group.get(name, 0) for name in names] for group in groups])
    total_C = rows_GC.sum(axis=0)
    wanted_CP = np.array([[wanted_of(rows, shares)[part] for part in shares] for rows in total_C.tolist()])
    placed_WG = np.array(list(product(range(len(shares)), repeat=len(groups))))
    got_WPC = np.stack([(placed_WG == part) @ rows_GC for part in range(len(shares))], axis=1)
    off_W = (np.abs(got_WPC - wanted_CP.T) / total_C).sum(axis=(1, 2))
    return float(off_W[(got_WPC > 0).all(axis=(1, 2))].min(initial=np.inf))


SHARES = {"train": 0.8, "validation": 0.1, "test": 0.1}


@pytest.mark.parametrize(
    ("sizes", "expected"),
    [
        ([300, 300, *[1] * 400], (800, 100, 100)),
        ([10, 10, 1, 1], (20, 1, 1)),
        ([40, 40, 10, 10], (80, 10, 10)),
        ([5, 5, 5, 5], (10, 5, 5)),
        ([97, 1, 1, 1], (97, 1, 2)),
    ],
)
def test_large_groups_take_no_more_than_their_share(sizes: list[int], expected: tuple[int, int, int]) -> None:
    """Copies of one text overfill no split where another can hold them."""
    texts = [f"text {group}" for group, size in enumerate(sizes) for _ in range(size)]
    assert tuple(split(of(texts, ["a"] * len(texts))).split_sizes().values()) == expected


@pytest.mark.slow
@settings(deadline=None, max_examples=25)
@given(
    st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)).filter(any), min_size=4, max_size=7),
    st.booleans(),
    st.integers(0, 2),
)
def test_no_way_of_placing_groups_is_nearer_to_the_shares(sizes: list[tuple[int, int]], pure: bool, seed: int) -> None:
    """Groups of one class or of two come as near to 80/10/10 of each class as the best of all placings."""
    groups = [{"a": one, "b": 0 if pure else two} for one, two in sizes] + [{"b": two} for _, two in sizes if pure]
    groups = [{name: rows for name, rows in group.items() if rows} for group in groups]
    groups = [group for group in groups if group][:7]
    best = least_missed(groups, SHARES)
    assume(best < float("inf"))
    texts = [f"text {n}" for n, group in enumerate(groups) for rows in group.values() for _ in range(rows)]
    labels = [name for group in groups for name, rows in group.items() for _ in range(rows)]
    parts = split(of(texts, labels), SplitSettings(seed=seed))
    assert missed(parts, SHARES) == pytest.approx(best)
