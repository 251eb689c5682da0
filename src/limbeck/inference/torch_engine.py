"""The torch engine: token batches through the encoder in plain torch, on any device and CPU.

In: `Tokenized` texts and the blocks wanted. Out: features (N, F) in the order of the texts.
It does not know texts, heads or caches.
"""

import copy
from collections.abc import Sequence
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from limbeck.errors import NoMemoryError
from limbeck.inference.engine import require_fit
from limbeck.inference.packing import each_once
from limbeck.model.blocks import Block
from limbeck.model.config import EncoderConfig
from limbeck.model.encoder import Encoder
from limbeck.model.fused_encoder import FusedEncoder
from limbeck.model.loaded_encoder import LoadedEncoder
from limbeck.model.packed_attention import PackedAttention, find_varlen, pack_texts
from limbeck.model.pooling import pool
from limbeck.progress import SILENT, Progress
from limbeck.runtime import GpuFeatures, choose_device, gpu_features
from limbeck.settings import Device
from limbeck.tokens import TokenBatch, Tokenized, batches

TorchPrecision = Literal["float32", "bfloat16", "float16"]
DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
TOKEN_BUDGET = 4096
"""Real tokens computed at a time in float32 on a CPU unless told otherwise."""
BF16_TOKEN_BUDGET = 2048
"""The same in bfloat16, where hidden states of this many tokens suit the caches better."""
GROUPED_GPU_TOKEN_BUDGET = 16_384
"""The same on a GPU where texts are attended in groups by length, each with calls of its own."""
PACKED_GPU_TOKEN_BUDGETS = (65_536, 131_072, 262_144)
"""The same on a GPU that attends packed texts: which of them is best is measured."""
GPU_MEMORY_SHARE = 0.25
"""Of a GPU's memory a batch's hidden states take at most this: others may use it too."""
MOST_PACKED_TEXTS = 65_535
"""Texts of a batch: a GPU's grid has no more blocks in the direction in which the kernels count texts."""
GATHERED_BYTES = 2**28
"""Results that wait on a device before they are copied: each copy waits for all that was begun before it."""


class TorchEngine:
    """Computes features with plain torch.

    In float32 on the CPU the loaded encoder's weights are shared, so later changes of them reach this engine. For
    another device or precision they are copied. The loaded encoder itself stays where and as it is.

    Args:
        loaded: the encoder.
        device: where to compute.
        precision: in what.
        attention: how packed texts attend. When not given, by torch's variable-length attention where the device has
            it, and elsewhere in groups of texts by length.

    Attributes:
        token_budgets: numbers of tokens at a time that may suit the device, the least first.
        token_budget: real tokens computed at a time unless told otherwise; at the beginning the first of those.

    Example:
        >>> from limbeck.catalog.presets import load_encoder_folder
        >>> engine = TorchEngine(load_encoder_folder("minilm"), device="cpu")
        >>> engine.numerics
        'torch float32 cpu'
    """

    def __init__(
        self,
        loaded: LoadedEncoder,
        *,
        device: Device = "auto",
        precision: TorchPrecision = "float32",
        attention: PackedAttention | None = None,
    ) -> None:
        self.loaded = loaded
        self.device = choose_device(device)
        self.precision: TorchPrecision = precision
        dtype, gpu = DTYPES[precision], gpu_features(self.device)
        if attention is None:
            found = find_varlen(gpu, self.device, dtype, loaded.config.head_width)
            attention = None if isinstance(found, str) else found
        self.token_budgets = token_budgets_for(gpu, precision, loaded.config, is_packed=attention is not None)
        self.token_budget = self.token_budgets[0]
        self._encoder: Encoder | FusedEncoder
        if attention is not None:
            self._encoder = FusedEncoder(loaded.encoder, attention, device=self.device, dtype=dtype)
            return
        weights = [*loaded.encoder.parameters(), *loaded.encoder.buffers()]
        is_shared = precision == "float32" and self.device.type == "cpu"
        # Modules of its own either way: whether they train is nobody else's business.
        self._encoder = copy.deepcopy(loaded.encoder, {id(one): one for one in weights} if is_shared else None)
        self._encoder.eval()
        if not is_shared:
            self._encoder.to(self.device, dtype)

    @property
    def numerics(self) -> str:
        """Engine, precision and device, in words, as records of runs have them."""
        return f"torch {self.precision} {self.device.type}"

    @property
    def build(self) -> str:
        """Which version of the engine this is; with `numerics` it decides the bits of a result."""
        return f"torch {torch.__version__}{', packed' if isinstance(self._encoder, FusedEncoder) else ''}"

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
            token_budget: real tokens computed at a time; what suits device and precision when not given.
            progress: is told of tokens done; on a GPU of those whose computing has begun.

        Raises:
            SettingsError: a text does not fit the encoder, or a block's layer does not exist.
            NoMemoryError: the GPU's memory is not enough.
        """
        require_fit(tokenized, blocks, self.loaded.config)
        tokenized, places_N = each_once(tokenized)
        features_NF = np.empty((len(tokenized), len(blocks) * self.width), dtype=np.float32)
        gathered = _Gathered(features_NF, most_bytes=0 if self.device.type == "cpu" else GATHERED_BYTES)
        budget = token_budget or self.token_budget
        try:
            with (
                torch.inference_mode(),
                progress.track("encoding", total=len(tokenized.ids), unit="tokens") as advance,
            ):
                for batch in batches(tokenized, budget, most_texts=MOST_PACKED_TEXTS):
                    gathered.add(batch.rows, self._pooled(batch, blocks))
                    advance(len(batch.ids))
                gathered.copy()
        except torch.cuda.OutOfMemoryError as error:
            raise NoMemoryError(
                f"the GPU's memory is not enough for {budget:,} tokens at a time: end what else computes on it, or "
                "compute on the CPU (--device cpu)"
            ) from error
        return features_NF if places_N is None else features_NF[places_N]

    def _pooled(self, batch: TokenBatch, blocks: Sequence[Block]) -> Tensor:
        """Return the features of a batch, (B, F), on the device."""
        if isinstance(self._encoder, FusedEncoder):
            return self._encoder.features(pack_texts(batch, self.device), blocks)
        hidden_states = self._encoder.hidden_states(batch, last=max(block.layer for block in blocks))
        return pool(hidden_states, torch.from_numpy(batch.offsets).to(self.device), blocks)


def token_budgets_for(
    gpu: GpuFeatures | None, precision: TorchPrecision, config: EncoderConfig, *, is_packed: bool
) -> tuple[int, ...]:
    """Return how many tokens at a time may be best, the least first; where there are several, measure.

    Args:
        gpu: what computes; None of the CPU, and of a GPU of which nothing is known.
        precision: in what.
        config: sizes of the encoder.
        is_packed: whether texts attend packed; else in groups by length.

    Example:
        >>> gpu = GpuFeatures(name="small", memory_bytes=16 * 2**30, bf16=True, has_flash=True)
        >>> token_budgets_for(gpu, "bfloat16", EncoderConfig(vocab_size=30_522), is_packed=True)
        (65536, 131072)
    """
    if gpu is None:
        return (TOKEN_BUDGET if precision == "float32" else BF16_TOKEN_BUDGET,)
    if not is_packed:
        return (GROUPED_GPU_TOKEN_BUDGET,)
    # Of one layer, most at a time: the wide rows before and after their activation, and eight narrow ones.
    token_bytes = DTYPES[precision].itemsize * (2 * config.hidden_dim + 8 * config.dim)
    room_bytes = GPU_MEMORY_SHARE * gpu.memory_bytes
    fitting = tuple(budget for budget in PACKED_GPU_TOKEN_BUDGETS if budget * token_bytes <= room_bytes)
    return fitting or (GROUPED_GPU_TOKEN_BUDGET,)


class _Gathered:
    """Results that wait on the device, to be copied together.

    Args:
        into_NF: where they go.
        most_bytes: that wait.
    """

    def __init__(self, into_NF: np.ndarray, *, most_bytes: int) -> None:
        self._into_NF, self._most_bytes = into_NF, most_bytes
        self._rows: list[np.ndarray] = []
        self._values: list[Tensor] = []

    def add(self, rows: np.ndarray, values_BF: Tensor) -> None:
        """Take the results of some rows, and copy what there is once it is much."""
        self._rows.append(rows)
        self._values.append(values_BF)
        if sum(values.nbytes for values in self._values) >= self._most_bytes:
            self.copy()

    def copy(self) -> None:
        """Copy what there is."""
        if self._rows:
            values_BF = self._values[0] if len(self._values) == 1 else torch.cat(self._values)
            self._into_NF[np.concatenate(self._rows)] = values_BF.cpu().numpy()
            self._rows, self._values = [], []
