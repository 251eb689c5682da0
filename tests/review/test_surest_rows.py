"""Surest rows: those that a stable sort puts first, found in batches."""

import numpy as np
import pytest

from limbeck.review.surest_rows import SurestRows


@pytest.mark.parametrize(("rows", "steps", "batch"), [(1, 3, 1), (50, 4, 7), (400, 5, 64), (400, 100_000, 400)])
def test_the_first_of_a_stable_sort_are_meant(rows, steps, batch):
    """As many of each class as are asked for, none and all included; of equals the first rows."""
    generator = np.random.default_rng(rows)
    shares_NC = (np.round(generator.random((rows, 5)) * steps) / steps).astype(np.float32)
    shares_NC[:, 4] = 0.5
    numbers_C = np.array([0, rows, rows // 2, max(1, rows // 10), rows // 3])

    def batches():
        for start in range(0, rows, batch):
            yield shares_NC[start : start + batch]

    surest = SurestRows(batches, numbers_C)
    found_NC = np.concatenate([surest.among(shares_BC) for shares_BC in batches()])
    for column, number in enumerate(numbers_C):
        first = np.argsort(-shares_NC[:, column], kind="stable")[:number]
        assert np.flatnonzero(found_NC[:, column]).tolist() == sorted(first.tolist())
