"""Neighbours: for each row the nearest others.

In: standardised rows. Out: positions. It does not know labels; the caller hands in the rows of one class.
"""

import numpy as np
import torch
from numpy.typing import NDArray

BLOCK_ROWS = 1024
"""Rows whose distances to all others are held at a time."""


def nearest_rows(rows_MF: torch.Tensor, *, number: int) -> NDArray[np.int64]:
    """Return for each row the positions of the `number` nearest others by Euclidean distance, nearest first.

    Example:
        >>> nearest_rows(torch.tensor([[0.0], [1.0], [3.0]]), number=1).tolist()
        [[1], [0], [1]]
    """
    square_M = rows_MF.square().sum(1)
    near = []
    for start in range(0, len(rows_MF), BLOCK_ROWS):
        block_BF = rows_MF[start : start + BLOCK_ROWS]
        # ‖a - b‖² less ‖a‖², which is the same for every b.
        distance_BM = torch.addmm(square_M, block_BF, rows_MF.T, alpha=-2)
        distance_BM[torch.arange(len(block_BF)), torch.arange(start, start + len(block_BF))] = torch.inf
        near.append(distance_BM.topk(number, dim=1, largest=False, sorted=True).indices)
    return torch.cat(near).numpy()
