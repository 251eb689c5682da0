"""The torch engine: token batches through the encoder in plain torch, on any device and CPU.

In: `Tokenized` texts and the blocks wanted. Out: features (N, F) in the order of the texts.
It does not know texts, heads or caches.
"""

import copy
from collections.abc import Sequence
from typing import Literal

import numpy as np
import torch

from limbeck.inference.engine import require_fit
from limbeck.inference.packing import each_once
from limbeck.model.blocks import Block
from limbeck.model.loaded_encoder import LoadedEncoder
from limbeck.model.pooling import pool
from limbeck.progress import SILENT, Progress
from limbeck.runtime import choose_device
from limbeck.settings import Device
from limbeck.tokens import Tokenized, batches

TorchPrecision = Literal["float32", "bfloat16"]
TOKEN_BUDGET = 4096
"""Real tokens computed at a time in float32 unless told otherwise."""
BF16_TOKEN_BUDGET = 2048
"""The same in bfloat16, where hidden states of this many tokens suit the caches better."""


class TorchEngine:
    """Computes features with plain torch.

    In float32 on the CPU the loaded encoder's weights are shared, so later changes of them reach this engine. For
    another device or precision they are copied. The loaded encoder itself stays where and as it is.

    Example:
        >>> from limbeck.catalog.presets import load_encoder_folder
        >>> engine = TorchEngine(load_encoder_folder("minilm"), device="cpu")
        >>> engine.numerics
        'torch float32 cpu'
    """

    def __init__(
        self, loaded: LoadedEncoder, *, device: Device = "auto", precision: TorchPrecision = "float32"
    ) -> None:
        self.loaded = loaded
        self.device = choose_device(device)
        self.precision: TorchPrecision = precision
        weights = [*loaded.encoder.parameters(), *loaded.encoder.buffers()]
        is_shared = precision == "float32" and self.device.type == "cpu"
        # Modules of its own either way: whether they train is nobody else's business.
        self._encoder = copy.deepcopy(loaded.encoder, {id(one): one for one in weights} if is_shared else None)
        self._encoder.eval()
        if not is_shared:
            self._encoder.to(self.device, torch.bfloat16 if precision == "bfloat16" else torch.float32)

    @property
    def numerics(self) -> str:
        """Engine, precision and device, in words, as records of runs have them."""
        return f"torch {self.precision} {self.device.type}"

    @property
    def build(self) -> str:
        """Which version of the engine this is; with `numerics` it decides the bits of a result."""
        return f"torch {torch.__version__}"

    @property
    def width(self) -> int:
        """D, the columns of one block."""
        return self.loaded.config.dim

    @property
    def layers(self) -> int:
        """Number of transformer layers."""
        return self.loaded.config.n_layers

    def features(
        self,
        tokenized: Tokenized,
        blocks: Sequence[Block],
        *,
        token_budget: int | None = None,
        progress: Progress = SILENT,
    ) -> np.ndarray:
        """Return the features of every text, (N, F) float32, in the order of the texts.

        Args:
            tokenized: N texts.
            blocks: what to take of which hidden state; F is the encoder's width times their number.
            token_budget: real tokens computed at a time; what suits the precision when not given.
            progress: is told of tokens done.
        """
        require_fit(tokenized, blocks, self.loaded.config)
        tokenized, places_N = each_once(tokenized)
        budget = token_budget or (TOKEN_BUDGET if self.precision == "float32" else BF16_TOKEN_BUDGET)
        last = max(block.layer for block in blocks)
        features_NF = np.empty((len(tokenized), len(blocks) * self._encoder.config.dim), dtype=np.float32)
        with (
            torch.inference_mode(),
            progress.track("encoding", total=len(tokenized.ids), unit="tokens") as advance,
        ):
            for batch in batches(tokenized, budget):
                hidden_states = self._encoder.hidden_states(batch, last=last)
                offsets = torch.from_numpy(batch.offsets).to(self.device)
                features_NF[batch.rows] = pool(hidden_states, offsets, blocks).cpu().numpy()
                advance(len(batch.ids))
        return features_NF if places_N is None else features_NF[places_N]
