"""The arithmetic of a training: which precision it computes in.

In: a setting and a device. Out: the answer. It does not know what is trained.
"""

import torch

from limbeck.runtime import cpu_features
from limbeck.settings import Precision


def computes_in_bf16(precision: Precision, device: torch.device) -> bool:
    """Tell whether to compute in bfloat16: where the processor has units for it, unless told otherwise."""
    if precision == "auto":
        return cpu_features().bf16 if device.type == "cpu" else device.type == "cuda"
    return precision == "bfloat16"
