"""What every engine is: token ids in, features out.

It does not know how they are computed.
"""

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from limbeck.model.pooling import Block
from limbeck.model.presets import LoadedEncoder
from limbeck.progress import SILENT, Progress
from limbeck.tokens import Tokenized


class Engine(Protocol):
    """Computes features of a loaded encoder. The same call gives the same bits."""

    loaded: LoadedEncoder

    @property
    def numerics(self) -> str:
        """Engine, precision and device, in words, as records of runs have them."""
        ...

    @property
    def build(self) -> str:
        """Which version of the engine this is; with `numerics` it decides the bits of a result."""
        ...

    @property
    def width(self) -> int:
        """D, the columns of one block."""
        ...

    @property
    def layers(self) -> int:
        """Number of transformer layers."""
        ...

    def features(
        self,
        tokenized: Tokenized,
        blocks: Sequence[Block],
        *,
        token_budget: int | None = None,
        progress: Progress = SILENT,
    ) -> np.ndarray:
        """Return the features of every text, (N, F) float32, in the order of the texts."""
        ...
