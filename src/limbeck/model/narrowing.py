"""A narrower encoder: the columns, heads and neurons whose weights are largest.

In: an encoder and a width. Out: another encoder, of that width; its feed-forward nets are narrower in proportion. It
does not know what follows: what is cut off has to be learnt again.

Kept are, in their order: of the hidden state the columns in which the word embeddings have the largest norm; of each
layer the attention heads whose output map has the largest norm, and the neurons whose weights in and out have the
largest product of norms.

Sources: Li et al., "Pruning Filters for Efficient ConvNets" (2017), section 3.1, for choosing by norm; Michel, Levy,
Neubig, "Are Sixteen Heads Really Better than One?" (2019), for dropping whole heads.
"""

from dataclasses import replace

import torch
from torch import Tensor

from limbeck.model.encoder import Encoder


@torch.no_grad()
def narrow_encoder(encoder: Encoder, width: int) -> Encoder:
    """Return an encoder with `width` columns of the hidden state, a multiple of the width of a head."""
    config = encoder.config
    head_width = config.dim // config.n_heads
    n_heads, hidden_dim = width // head_width, config.hidden_dim * width // config.dim
    columns = _largest(encoder.embeddings.word_embeddings.weight.norm(dim=0), width)
    state = encoder.state_dict()
    kept: dict[str, Tensor] = {
        name: weight[..., columns] for name, weight in state.items() if name.startswith("embeddings.")
    }
    for number in range(config.n_layers):
        at = f"transformer.layer.{number}."
        out_DD = state[f"{at}attention.out_lin.weight"]
        heads = _largest(out_DD.view(config.dim, config.n_heads, head_width).norm(dim=(0, 2)), n_heads)
        inner = (heads[:, None] * head_width + torch.arange(head_width, device=heads.device)).flatten()
        norm_F = state[f"{at}ffn.lin1.weight"].norm(dim=1) * state[f"{at}ffn.lin2.weight"].norm(dim=0)
        neurons = _largest(norm_F, hidden_dim)
        # What each map reads and what it writes.
        maps = {
            "attention.q_lin": (columns, inner),
            "attention.k_lin": (columns, inner),
            "attention.v_lin": (columns, inner),
            "attention.out_lin": (inner, columns),
            "ffn.lin1": (columns, neurons),
            "ffn.lin2": (neurons, columns),
        }
        for name, (reads, writes) in maps.items():
            kept[f"{at}{name}.weight"] = state[f"{at}{name}.weight"][writes][:, reads]
            kept[f"{at}{name}.bias"] = state[f"{at}{name}.bias"][writes]
        for name in ("sa_layer_norm", "output_layer_norm"):
            for part in ("weight", "bias"):
                kept[f"{at}{name}.{part}"] = state[f"{at}{name}.{part}"][columns]
    with torch.device("meta"):
        narrow = Encoder(replace(config, dim=width, n_heads=n_heads, hidden_dim=hidden_dim))
    narrow.load_state_dict({name: weight.contiguous() for name, weight in kept.items()}, assign=True)
    return narrow


def _largest(values: Tensor, count: int) -> Tensor:
    """Return the positions of the largest values, rising."""
    return values.topk(count).indices.sort().values
