"""Encoder, pooling and head as one module: what training changes and inference runs.

In: a `TokenBatch`. Out: logits_BC. It does not know label names or files.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from limbeck.errors import SettingsError
from limbeck.model.blocks import Block
from limbeck.model.encoder import Encoder
from limbeck.model.heads import ClassificationHead, Head, LinearHead
from limbeck.model.pooling import pool
from limbeck.tokens import TokenBatch


class Network(nn.Module):
    """A text classifier without its label names.

    Args:
        encoder: makes hidden states.
        blocks: what the head sees of them.
        head: makes logits.

    Raises:
        SettingsError: the head takes another number of features than the blocks give.
    """

    head: LinearHead | ClassificationHead | Head

    def __init__(self, *, encoder: Encoder, blocks: Sequence[Block], head: Head) -> None:
        super().__init__()
        n_features = encoder.config.dim * len(blocks)
        if head.n_features != n_features:
            raise SettingsError(
                f"the head takes {head.n_features:,} features, but {len(blocks)} blocks of {encoder.config.dim} give "
                f"{n_features:,}: use the blocks that the head was trained on"
            )
        self.encoder = encoder
        self.blocks = tuple(blocks)
        self.head = head

    def features(self, batch: TokenBatch) -> Tensor:
        """Return features_BF of a batch."""
        hidden_states = self.encoder.hidden_states(batch, last=max(block.layer for block in self.blocks))
        offsets = torch.from_numpy(batch.offsets).to(hidden_states[0].device)
        return pool(hidden_states, offsets, self.blocks)

    def forward(self, batch: TokenBatch) -> Tensor:
        """Return logits_BC of a batch, in its order."""
        logits_BC: Tensor = self.head(self.features(batch))
        return logits_BC

    def hugging_face_state(self) -> dict[str, Tensor]:
        """Return every weight under the name that a bundle gives it: Hugging Face's, and `head.*` for a linear head."""
        state = {f"distilbert.{name}": weight for name, weight in self.encoder.state_dict().items()}
        prefix = "head." if self.head.kind == "linear" else ""
        return state | {f"{prefix}{name}": weight for name, weight in self.head.state_dict().items()}
