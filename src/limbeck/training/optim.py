"""How weights follow gradients: AdamW, its groups, the schedule of the learning rate, clipping.

In: named parameters and settings. Out: a torch optimizer; rates as pure functions of the step, so that a resumed run
needs no schedule of its own to be saved. It does not know models beyond the names of their weights.
"""

import math
import re
from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from limbeck.errors import TrainingError
from limbeck.settings import Schedule

BETAS = (0.9, 0.999)
EPSILON = 1e-8
REFERENCE_RATE = 2e-4
REFERENCE_WIDTH = 384
HIGHEST_RATE = 1e-3
_LAYER = re.compile(r"transformer\.layer\.(\d+)\.")


def default_learning_rate(width: int) -> float:
    """Return the learning rate that suits an encoder of this width when all of it is trained.

    It falls with the square of the width from 2e-4 at 384, found on emotion with the embedded encoder, to the
    textbook's 5e-5 at 768; it is never above 1e-3.

    Example:
        >>> default_learning_rate(384), default_learning_rate(768)
        (0.0002, 5e-05)
    """
    return min(HIGHEST_RATE, REFERENCE_RATE * (REFERENCE_WIDTH / width) ** 2)


def warmup_steps(total_steps: int, share: float) -> int:
    """Return how many of the steps warm up: the share, rounded to the nearest step."""
    return round(total_steps * share)


def rate_factor(step: int, *, total_steps: int, warmup: int, schedule: Schedule) -> float:
    """Return what the learning rate is multiplied with in step `step`, the first being 0.

    Warm-up: (step + 1) / (warmup + 1), so that no step is lost to a rate of 0. Then, with t from 0 to 1 over the steps
    that follow: "linear" 1 - t, "cosine" ½ (1 + cos πt), "constant" 1.

    Source: Goyal et al., "Accurate, Large Minibatch SGD" (2017), section 2.2, for the warm-up; Loshchilov, Hutter,
    "SGDR" (2017), equation 5, for the cosine.

    Example:
        >>> [rate_factor(step, total_steps=5, warmup=1, schedule="linear") for step in range(5)]
        [0.5, 1.0, 0.75, 0.5, 0.25]
    """
    if step < warmup:
        return (step + 1) / (warmup + 1)
    gone = (step - warmup) / max(1, total_steps - warmup)
    if schedule == "linear":
        return 1.0 - gone
    if schedule == "cosine":
        return 0.5 * (1.0 + math.cos(math.pi * gone))
    return 1.0


def parameter_groups(
    named: Iterable[tuple[str, nn.Parameter]], *, weight_decay: float, layer_decay: float = 1.0, n_layers: int = 0
) -> list[dict[str, Any]]:
    """Sort the weights that are trained into groups of one weight decay and one share of the learning rate.

    Biases and norms, that is all weights of one dimension, are not decayed. A weight of depth d has the rate
    multiplied by `layer_decay` ** (n_layers + 1 - d): embeddings have depth 0, layer i has i + 1, the head has
    n_layers + 1.

    Returns:
        Groups as torch's optimizers take them, each with `scale` beside, the share of the learning rate.

    Source: Howard, Ruder, "Universal Language Model Fine-tuning" (2018), section 3.2, for the rates.
    """
    groups: dict[tuple[float, float], list[nn.Parameter]] = {}
    for name, weight in named:
        if weight.requires_grad:
            scale = layer_decay ** (n_layers + 1 - depth_of(name, n_layers))
            groups.setdefault((weight_decay if weight.ndim > 1 else 0.0, scale), []).append(weight)
    return [{"params": weights, "weight_decay": decay, "scale": scale} for (decay, scale), weights in groups.items()]


def make_adamw(groups: list[dict[str, Any]]) -> torch.optim.AdamW:
    """Make AdamW over groups; the learning rate is set before each step.

    m ← β₁m + (1 - β₁)g; v ← β₂v + (1 - β₂)g²; w ← w - lr (m̂ / (√v̂ + ε) + λw), m̂ and v̂ corrected for their start at 0.
    With no weight decay this is Adam.

    Source: Loshchilov, Hutter, "Decoupled Weight Decay Regularization" (2019), algorithm 2.
    """
    is_plain = all(weight.device.type in ("cpu", "cuda") for group in groups for weight in group["params"])
    return torch.optim.AdamW(groups, lr=0.0, betas=BETAS, eps=EPSILON, fused=True if is_plain else None)


def set_learning_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    """Give every group its share of the learning rate."""
    for group in optimizer.param_groups:
        group["lr"] = rate * group["scale"]


def clip_gradients(weights: Iterable[nn.Parameter], most: float | None) -> float:
    """Shorten the gradient, all weights together, to the norm `most` where it is longer; return its norm before.

    With `most` None its norm is measured alone.

    Source: Pascanu, Mikolov, Bengio, "On the difficulty of training recurrent neural networks" (2013), algorithm 1.

    Raises:
        TrainingError: the norm is NaN or infinite.
    """
    norm = float(nn.utils.clip_grad_norm_(list(weights), math.inf if most is None else most))
    if not math.isfinite(norm):
        raise TrainingError(f"the gradient's norm is {norm}: lower the learning rate, or train in float32")
    return norm


def optimizer_state(optimizer: torch.optim.Optimizer, named: Mapping[str, nn.Parameter]) -> dict[str, Tensor]:
    """Return what the optimizer remembers, one tensor a weight and quantity ("exp_avg/classifier.bias")."""
    return {
        f"{quantity}/{name}": values
        for name, weight in named.items()
        for quantity, values in optimizer.state.get(weight, {}).items()
    }


def restore_optimizer(
    optimizer: torch.optim.Optimizer, named: Mapping[str, nn.Parameter], state: Mapping[str, Tensor]
) -> None:
    """Give an optimizer back what `optimizer_state` returned."""
    optimizer.state.clear()
    for key, values in state.items():
        quantity, _, name = key.partition("/")
        weight = named[name]
        # A copy, because what was read from a file may still be mapped to it.
        optimizer.state[weight][quantity] = values.to(weight.device, copy=True)


def depth_of(name: str, n_layers: int) -> int:
    """Return how far up a weight is: 0 in the embeddings, i + 1 in layer i, `n_layers` + 1 in the head.

    Example:
        >>> depth_of("encoder.transformer.layer.2.ffn.lin1.weight", 6), depth_of("head.classifier.bias", 6)
        (3, 7)
    """
    if found := _LAYER.search(name):
        return int(found.group(1)) + 1
    return 0 if "embeddings." in name else n_layers + 1
