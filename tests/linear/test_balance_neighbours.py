"""Neighbours are the nearest others."""

import numpy as np
import torch
from sklearn.neighbors import NearestNeighbors

from limbeck.linear import balance as neighbours
from limbeck.linear.balance import nearest_rows


def test_they_are_those_of_scikit_learn(monkeypatch):
    """The same rows in the same order as a brute-force search, across blocks; never the row itself."""
    monkeypatch.setattr(neighbours, "DISTANCE_ROWS", 16)
    rows_MF = np.random.default_rng(0).normal(size=(50, 5)).astype(np.float32)
    found = nearest_rows(torch.from_numpy(rows_MF), number=4)
    expected = NearestNeighbors(n_neighbors=5).fit(rows_MF).kneighbors(rows_MF, return_distance=False)[:, 1:]
    assert np.array_equal(found, expected)


def test_a_row_with_a_twin_has_the_twin():
    """Equal rows are each other's nearest neighbour, not their own."""
    rows_MF = torch.tensor([[0.0], [5.0], [0.0], [8.0]])
    assert nearest_rows(rows_MF, number=1)[:, 0].tolist() == [2, 3, 0, 1]
