from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from limbeck.audit.audit import audit
from limbeck.audit.profile import is_sorted, lookalikes


@pytest.mark.parametrize(
    ("one", "other"),
    [("Joy", "joy "), ("not-ok", "not ok"), ("complaint", "complaints"), ("class", "classes"), ("postive", "positive"),
     ("recieved", "received"), ("중립", "중립 ")],
)  # fmt: skip
def test_names_meant_as_one_are_found(one: str, other: str) -> None:
    """Case, white space, punctuation, plural, one letter: in either order."""
    assert len(lookalikes((one, other))) == len(lookalikes((other, one))) == 1


@pytest.mark.parametrize(
    ("one", "other"),
    [("pos", "neg"), ("level 1", "level 2"), ("typical", "atypical"), ("happy", "unhappy"), ("+", "-"),
     ("긍정", "부정"),
     ("possible", "impossible"), ("a", "b"), ("responsible", "irresponsible"), ("cat", "car")],
)  # fmt: skip
def test_names_meant_apart_are_left_alone(one: str, other: str) -> None:
    """Opposites, numbers, short names."""
    assert lookalikes((one, other)) == ()


@settings(deadline=None)
@given(st.permutations([0, 1] * 60))
def test_shuffled_rows_are_not_sorted(labels: list[int]) -> None:
    """Only a run of one label after the other is sorted."""
    assert not is_sorted(np.array(labels)) or sum(a != b for a, b in pairwise(labels)) < 10


def test_sorted_rows() -> None:
    """Sorted counts; a few rows or one class do not."""
    assert is_sorted(np.repeat([0, 1, 2], 50))
    assert not is_sorted(np.tile([0, 1, 2], 50))
    assert not is_sorted(np.repeat([0, 1], 5))
    assert not is_sorted(np.zeros(100, dtype=int))
    assert not is_sorted(np.zeros(0, dtype=int))


def test_shape_by_hand(make_dataset) -> None:
    """Counts, shares, ratio, rare and missing classes."""
    labels = ["big"] * 12 + ["small"] * 4 + ["late", None]
    splits = ["train"] * 16 + ["test", "test"]
    shape = audit(make_dataset([f"text {n}" for n in range(18)], labels, splits)).shape
    assert shape.classes["big"].rows == 12
    assert shape.classes["big"].share == pytest.approx(12 / 17)
    assert shape.classes["late"].by_split == {"train": 0, "test": 1}
    assert (shape.unlabelled_rows, shape.imbalance_ratio) == (1, 12.0)
    assert shape.splits["test"].rows == 2
    assert shape.splits["test"].labelled == 1
    assert shape.too_rare_to_split == ("late",)
    assert shape.too_rare_to_learn == ("small",)
    assert shape.missing_in_training == ("late",)
