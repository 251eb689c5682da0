"""What every engine is: token ids in, features out.

It does not know how they are computed.
"""

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from limbeck.errors import SettingsError
from limbeck.model.blocks import Block
from limbeck.model.config import EncoderConfig
from limbeck.model.loaded_encoder import LoadedEncoder
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

    @property
    def token_budget(self) -> int:
        """Real tokens computed at a time unless told otherwise."""
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


def require_fit(tokenized: Tokenized, blocks: Sequence[Block], config: EncoderConfig) -> None:
    """Refuse what an encoder cannot compute, before an engine reads past an array.

    Raises:
        SettingsError: a text is empty or too long, an id is not in the vocabulary, or a layer does not exist.
    """
    lengths_N, positions = tokenized.lengths, config.max_position_embeddings
    if lengths_N.min(initial=1) < 1:
        raise SettingsError(
            f"text {int((lengths_N < 1).argmax())} has no token: each needs at least its special tokens"
        )
    if (longest := int(lengths_N.max(initial=0))) > positions:
        raise SettingsError(
            f"a text of {longest} tokens does not fit the encoder's {positions} positions: tokenize with "
            f"max_tokens={positions} or less"
        )
    for block in blocks:
        if not 0 <= block.layer <= config.n_layers:
            raise SettingsError(
                f"layer {block.layer} does not exist: this encoder has hidden states 0 to {config.n_layers}"
            )
    ids = tokenized.ids
    if len(ids) and not 0 <= ids.min() <= ids.max() < config.vocab_size:
        raise SettingsError("a token id is not in the encoder's vocabulary: use the tokenizer that belongs to it")
