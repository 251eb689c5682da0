"""The native step: an encoder forward and backward in two calls of C++, with float32 sums.

In: an `Encoder` with float32 weights on a CPU, kernels of one of its instruction sets, and batches. Out: hidden states
that torch differentiates, and gradients in the weights' own `.grad`. Plain torch stays the reference and computes
wherever this cannot.
It does not know heads, losses or optimizers.

Shapes: B texts, T tokens of all of them, D width, V vocabulary.
"""

import ctypes
import weakref
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.optim.optimizer import register_optimizer_step_post_hook

from limbeck.errors import NoMemoryError, SettingsError, TrainingError
from limbeck.inference import native_engine
from limbeck.model.encoder import LAYER_NORM_EPSILON, Encoder, Layer
from limbeck.native.kernels import (
    EMBEDDING_TENSORS,
    LAYER_TENSORS,
    BatchFields,
    GradientFields,
    Kernels,
    SizeFields,
    require_done,
)
from limbeck.tokens import TokenBatch

DROPOUT_STEPS = 2**16
"""A rate of dropout is rounded to a multiple of one over this; kept values are divided by what is then kept exactly."""
_MOST_SEED = 2**63 - 1


def step_numerics(kernels: Kernels) -> str:
    """Return the arithmetic of training with kernels, in words, as a run's record has it.

    Libraries of one arithmetic add in other orders, so the last bits of a training differ: the name is part of it.
    """
    return f"native {'bfloat16, weights float32' if kernels.about.is_bf16 else 'float32'} ({kernels.name}) cpu"


class NativeStep:
    """Computes an encoder's last hidden state, and its gradients, with the compiled kernels.

    The weights stay torch's own; the kernels' copies are made anew after each backward pass, after each step of any
    optimizer of torch, and when torch says that they have changed (its fused optimizers change them without its saying
    so; who writes through `.data` calls `forget`). A forward pass keeps what its backward pass needs in memory that the
    next forward pass uses again, so each backward pass must come before the next forward pass.

    Gradients are written straight into `.grad`, not returned through torch: a weight's first gradient since `.grad` was
    None is written, further ones are added. The tensors are the same in every step.

    Args:
        encoder: its weights are float32, on the CPU.
        kernels: the library.
        has_tied_words: a head computes with the word embeddings too, so torch adds to the same gradient.
    """

    def __init__(self, encoder: Encoder, kernels: Kernels, *, has_tied_words: bool = False) -> None:
        if reason := native_engine.why_not(encoder.config, kernels.about.width_step):
            raise SettingsError(f"the native step cannot train this encoder: {reason}; train it with torch")
        self._touched: NDArray[np.int64] = np.zeros(0, np.int64)
        self._has_company = has_tied_words
        self._encoder = encoder
        self._library = kernels.library
        self.kernels = kernels
        self._weights = _ordered_weights(encoder)
        config = encoder.config
        sizes = SizeFields(
            dim=config.dim,
            n_heads=config.n_heads,
            hidden_dim=config.hidden_dim,
            n_layers=config.n_layers,
            gelu=config.activation == "gelu",
            epsilon=LAYER_NORM_EPSILON,
        )
        address = self._library.limbeck_step_new(sizes)
        if not address:
            raise NoMemoryError(
                "no memory for the packed weights: close other programs, or train with precision float32"
            )
        self._address: int = address
        weakref.finalize(self, self._library.limbeck_step_free, address)
        self._gradients: dict[nn.Parameter, Tensor] = {}
        self._packed_versions: tuple[int, ...] | None = None
        self._ticket = 0
        _forget_after_steps(self)

    @property
    def numerics(self) -> str:
        """How is computed, in words, as a run's record has it."""
        return step_numerics(self.kernels)

    @property
    def held_bytes(self) -> int:
        """Bytes that the kernels hold: packed weights, and memory for the largest batch so far."""
        return int(self._library.limbeck_step_bytes(self._address))

    @property
    def touched_rows(self) -> NDArray[np.int64] | None:
        """Ids, sorted, whose word embeddings have a gradient, the others' being 0; None when others wrote into it."""
        return None if self._has_company else self._touched

    def forget(self) -> None:
        """Pack the weights anew before the next batch."""
        self._packed_versions = None

    def first_states(self, batch: TokenBatch) -> Tensor:
        """Return the last hidden state of each text's first token, (B, D); the rest of the last layer is not computed.

        Raises:
            SettingsError: a text is empty or too long for the encoder, or an id is not in its vocabulary.
        """
        return self._states(batch, firsts_only=True)

    def last_states(self, batch: TokenBatch) -> Tensor:
        """Return the last hidden state of every token, (T, D).

        Raises:
            SettingsError: a text is empty or too long for the encoder, or an id is not in its vocabulary.
        """
        return self._states(batch, firsts_only=False)

    def _states(self, batch: TokenBatch, *, firsts_only: bool) -> Tensor:
        self._check(batch)
        trained = [weight for weight in self._weights if weight.requires_grad]
        if not (torch.is_grad_enabled() and trained):
            return self.run_forward(batch, firsts_only=firsts_only, keep=False)
        # The weight is there so that torch calls the backward pass; its gradient goes another way.
        states: Tensor = _Differentiable.apply(trained[0], self, batch, firsts_only)  # type: ignore[no-untyped-call]
        return states

    def _check(self, batch: TokenBatch) -> None:
        config, lengths_B = self._encoder.config, batch.lengths
        if not len(lengths_B) or lengths_B.min() < 1:
            raise SettingsError("a text has no token: each needs at least its special tokens")
        if lengths_B.max() > config.max_position_embeddings:
            raise SettingsError(
                f"a text of {lengths_B.max()} tokens does not fit the encoder's {config.max_position_embeddings} "
                f"positions: tokenize with max_tokens={config.max_position_embeddings} or less"
            )
        if not 0 <= batch.ids.min() <= batch.ids.max() < config.vocab_size:
            raise SettingsError("a token id is not in the encoder's vocabulary: use the tokenizer that belongs to it")

    def run_forward(self, batch: TokenBatch, *, firsts_only: bool, keep: bool) -> Tensor:
        """Compute, and keep what `run_backward` needs where that is asked for."""
        threads = torch.get_num_threads()
        tensors = _addresses(self._weights)
        self._pack(tensors, threads)
        thresholds = self._thresholds()
        ids_T = np.ascontiguousarray(batch.ids, np.int32)
        offsets = np.ascontiguousarray(batch.offsets, np.int32)
        out = torch.empty(len(batch) if firsts_only else len(ids_T), self._encoder.config.dim)
        fields = BatchFields(
            ids=ids_T.ctypes.data,
            offsets=offsets.ctypes.data,
            tensors=ctypes.addressof(tensors),
            thresholds=thresholds.ctypes.data,
            seed=int(torch.randint(_MOST_SEED, ())) if thresholds.any() else 0,
            texts=len(batch),
            firsts_only=firsts_only,
            keep=keep,
        )
        self._ticket += 1
        answer = self._library.limbeck_step_forward(self._address, fields, threads, out.data_ptr())
        require_done(answer, doing=f"a batch of {len(ids_T):,} tokens")
        return out

    def run_backward(self, ticket: int, out_back: Tensor, ids_T: NDArray[np.integer]) -> None:
        """Add the gradients of the batch of this ticket to `.grad`; the weights are expected to change next.

        Raises:
            TrainingError: another batch was computed since.
        """
        if ticket != self._ticket:
            raise TrainingError(
                "the native step keeps one batch at a time: call backward before the next batch is computed"
            )
        wanted = [self._gradient(weight) if weight.requires_grad else None for weight in self._weights]
        is_new = [
            gradient is not None and weight.grad is not gradient
            for weight, gradient in zip(self._weights, wanted, strict=True)
        ]
        add = any(
            gradient is not None and weight.grad is not None
            for weight, gradient in zip(self._weights, wanted, strict=True)
        )
        self._begin_gradients(wanted, is_new, add=add)
        if wanted[0] is not None:
            self._touched = np.union1d(np.zeros(0, np.int64) if is_new[0] else self._touched, ids_T).astype(np.int64)
        pointers = (ctypes.c_void_p * len(wanted))(*(None if one is None else one.data_ptr() for one in wanted))
        out_back = out_back.to(torch.float32).contiguous()
        fields = GradientFields(tensors=ctypes.addressof(pointers), add=add)
        answer = self._library.limbeck_step_backward(
            self._address, _addresses(self._weights), out_back.data_ptr(), fields
        )
        require_done(answer, doing=f"the gradients of {len(ids_T):,} tokens")
        for weight, gradient in zip(self._weights, wanted, strict=True):
            if gradient is not None:
                weight.grad = gradient
        self.forget()

    @property
    def ticket(self) -> int:
        """Number of the batch that was computed last."""
        return self._ticket

    def _gradient(self, weight: nn.Parameter) -> Tensor:
        if weight not in self._gradients:
            self._gradients[weight] = torch.zeros_like(weight, requires_grad=False)
        return self._gradients[weight]

    @torch.no_grad()
    def _begin_gradients(self, wanted: list[Tensor | None], is_new: list[bool], *, add: bool) -> None:
        """Bring the gradients into the state that the kernels start from.

        Of the words' gradient only the rows of the step before are set to 0, unless other losses or other processes may
        have written into it.
        """
        words = self._weights[0]
        is_foreign = is_new[0] and words.grad is not None
        self._has_company |= is_foreign or (torch.distributed.is_available() and torch.distributed.is_initialized())
        for place, (weight, gradient, new) in enumerate(zip(self._weights, wanted, is_new, strict=True)):
            if gradient is None or not new:
                continue
            if weight.grad is not None:
                gradient.copy_(weight.grad)  # somebody else's: go on from it
            elif place == 0 and not self._has_company:
                gradient.index_fill_(0, torch.from_numpy(self._touched), 0.0)
            elif add or place < len(EMBEDDING_TENSORS):
                gradient.zero_()

    def _pack(self, tensors: "ctypes.Array[ctypes.c_void_p]", threads: int) -> None:
        versions = tuple(number for weight in self._weights for number in (weight.data_ptr(), weight._version))
        if versions != self._packed_versions:
            require_done(self._library.limbeck_step_pack(self._address, tensors, threads), doing="the weights")
            self._packed_versions = versions

    def _thresholds(self) -> NDArray[np.uint32]:
        """Return the rates of dropout in the kernels' order, 0 where nothing is dropped now."""
        embeddings = self._encoder.embeddings
        rates = [embeddings.dropout.p if embeddings.training else 0.0]
        for module in self._encoder.transformer.layer:
            layer = cast("Layer", module)
            rates += [layer.ffn.dropout.p, layer.attention.dropout] if layer.training else [0.0, 0.0]
        thresholds: NDArray[np.uint32] = np.rint(np.array(rates) * DROPOUT_STEPS).astype(np.uint32)
        return np.minimum(thresholds, np.uint32(DROPOUT_STEPS - 1))


class _Differentiable(torch.autograd.Function):
    """Hidden states whose backward pass is the kernels'."""

    @staticmethod
    def forward(ctx: Any, _weight: Tensor, step: NativeStep, batch: TokenBatch, firsts_only: bool) -> Tensor:
        states = step.run_forward(batch, firsts_only=firsts_only, keep=True)
        ctx.step, ctx.ticket, ctx.ids_T = step, step.ticket, batch.ids
        return states

    @staticmethod
    def backward(ctx: Any, *out_back: Tensor) -> tuple[None, None, None, None]:
        ctx.step.run_backward(ctx.ticket, out_back[0], ctx.ids_T)
        return None, None, None, None


def _forget_after_steps(step: NativeStep) -> None:
    """Let a step pack anew after each step of an optimizer: a rank without a text in it has no backward pass before."""
    held = weakref.ref(step)

    def forget(*_arguments: object) -> None:
        if (alive := held()) is not None:
            alive.forget()

    weakref.finalize(step, register_optimizer_step_post_hook(forget).remove)


def _ordered_weights(encoder: Encoder) -> list[nn.Parameter]:
    """Return the weights in the order of the kernels.

    Raises:
        SettingsError: one is not float32 on the CPU, end to end in memory.
    """
    weights = [encoder.embeddings.get_parameter(name) for name in EMBEDDING_TENSORS]
    weights += [layer.get_parameter(name) for layer in encoder.transformer.layer for name in LAYER_TENSORS]
    for weight in weights:
        if weight.dtype != torch.float32 or weight.device.type != "cpu" or not weight.is_contiguous():
            raise SettingsError("the native step trains float32 weights on the CPU only; train others with torch")
    return weights


def _addresses(weights: list[nn.Parameter]) -> "ctypes.Array[ctypes.c_void_p]":
    return (ctypes.c_void_p * len(weights))(*(weight.data_ptr() for weight in weights))
