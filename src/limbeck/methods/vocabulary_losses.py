"""The two losses over a vocabulary, a few tokens at a time: the arithmetic of `objectives`, without its traffic.

Logits of a vocabulary are large: 600 masked tokens have 18 million, and each operation on them reads and writes 70 MB.
Here a block of tokens that fits the processor's cache goes through all of them before the next; the backward pass makes
the probabilities anew. Values and gradients are those of `objectives.cross_entropy` and
`distillation_objectives.soft_divergence`, which stay the reference.

In: logits of student and teacher. Out: losses a token. It does not know rows, batches or models.

Shapes: M masked tokens, V vocabulary.
"""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

BLOCK_VALUES = 2**17
"""Logits that are worked on at a time: half a mebibyte in float32, of which a few copies fit a core's own cache."""


def vocabulary_costs(
    student_MV: Tensor, targets_M: Tensor, teacher_MV: Tensor | None = None, *, temperature: float = 1.0
) -> tuple[Tensor, Tensor]:
    """Return the cross-entropy of each token, and T² times its divergence from the teacher, both (M,) float32.

    Args:
        student_MV: logits, in float32 or bfloat16; the gradient comes back in the same.
        targets_M: ids of the tokens that were masked.
        teacher_MV: logits of the teacher; without them the divergence is 0.
        temperature: T, of the divergence alone.

    Example:
        >>> masked_M, soft_M = vocabulary_costs(torch.zeros(1, 4), torch.tensor([2]))
        >>> masked_M.item(), soft_M.item()  # log 4, and no teacher
        (1.3862943649291992, 0.0)
    """
    masked_M, soft_M = _VocabularyCosts.apply(student_MV, targets_M, teacher_MV, temperature)  # type: ignore[no-untyped-call]
    return masked_M, soft_M


class _VocabularyCosts(torch.autograd.Function):
    """Both losses; the logits are kept as they came, nothing of their size beside them."""

    @staticmethod
    def forward(
        ctx: Any, student_MV: Tensor, targets_M: Tensor, teacher_MV: Tensor | None, temperature: float
    ) -> tuple[Tensor, Tensor]:
        masked_M = torch.empty(len(targets_M), device=student_MV.device)
        soft_M = torch.zeros_like(masked_M)
        for block in _blocks(student_MV):
            own = student_MV[block].float()
            masked_M[block] = own.logsumexp(dim=1) - own.gather(1, targets_M[block, None]).squeeze(1)
            if teacher_MV is not None:
                log_t = teacher_MV[block].float().div(temperature).log_softmax(dim=1)
                log_s = own.div(temperature).log_softmax(dim=1)
                soft_M[block] = temperature**2 * log_t.exp().mul_(log_t.sub_(log_s)).sum(dim=1)
        ctx.save_for_backward(student_MV, targets_M, teacher_MV)
        ctx.temperature = temperature
        return masked_M, soft_M

    @staticmethod
    def backward(ctx: Any, *backs: Tensor) -> tuple[Tensor, None, None, None]:
        student_MV, targets_M, teacher_MV = ctx.saved_tensors
        masked_back_M, soft_back_M = (back.float() for back in backs)
        out_MV = torch.empty_like(student_MV)
        for block in _blocks(student_MV):
            own, back = student_MV[block].float(), masked_back_M[block, None]
            slope = own.softmax(dim=1).mul_(back).scatter_add_(1, targets_M[block, None], -back)
            if teacher_MV is not None:
                differs = own.div(ctx.temperature).softmax(dim=1)
                differs -= teacher_MV[block].float().div(ctx.temperature).softmax(dim=1)
                slope.addcmul_(differs, ctx.temperature * soft_back_M[block, None])
            out_MV[block] = slope
        return out_MV, None, None, None


def _blocks(logits_MV: Tensor) -> Iterator[slice]:
    rows = max(1, BLOCK_VALUES // logits_MV.shape[1])
    return (slice(begin, begin + rows) for begin in range(0, len(logits_MV), rows))
