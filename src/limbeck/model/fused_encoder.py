"""The fused encoder: an encoder's weights put together for inference, on packed tokens, where calls are what costs.

In: `PackedTexts`. Out: features, one row a text. Queries, keys and values are one product; of the last layer only what
the blocks read is computed; each hidden state is pooled as soon as it is there, and forgotten.
It has weights of its own. It does not know training; `limbeck.model.encoder` is what it must agree with.

Shapes: B texts, T tokens of all of them, Q rows of which a layer's output is wanted (T, or B), D width, H heads.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from limbeck.model.blocks import Block
from limbeck.model.encoder import LAYER_NORM_EPSILON, Encoder, Layer
from limbeck.model.packed_attention import PackedAttention, PackedTexts, TextRows
from limbeck.model.pooling import POOLINGS

_Affine = tuple[Tensor, Tensor]
"""Weight and bias of a linear map or of a layer norm."""


@dataclass(frozen=True, kw_only=True, eq=False)
class _FusedLayer:
    """The weights of a layer.

    Attributes:
        query_key_value: one map, (3D, D): queries, then keys, then values.
        mixed: from attention's heads.
        attention_norm: after attention was added.
        wide: into the feed-forward net.
        narrow: out of it.
        output_norm: after that was added.
    """

    query_key_value: _Affine
    mixed: _Affine
    attention_norm: _Affine
    wide: _Affine
    narrow: _Affine
    output_norm: _Affine


class FusedEncoder:
    """An encoder's copy for inference.

    Args:
        encoder: stays as it is.
        attend: how texts attend.
        device: where to compute.
        dtype: in which precision; pooling is in float32.
    """

    def __init__(self, encoder: Encoder, attend: PackedAttention, *, device: torch.device, dtype: torch.dtype) -> None:
        def copied(*modules: nn.Module) -> _Affine:
            weight, bias = (torch.cat([getattr(one, name).detach() for one in modules]) for name in ("weight", "bias"))
            return weight.to(device, dtype), bias.to(device, dtype)

        def fused(layer: Layer) -> _FusedLayer:
            attention, net = layer.attention, layer.ffn
            return _FusedLayer(
                query_key_value=copied(attention.q_lin, attention.k_lin, attention.v_lin),
                mixed=copied(attention.out_lin),
                attention_norm=copied(layer.sa_layer_norm),
                wide=copied(net.lin1),
                narrow=copied(net.lin2),
                output_norm=copied(layer.output_layer_norm),
            )

        self.config = encoder.config
        self._attend = attend
        self._activate = functional.gelu if self.config.activation == "gelu" else functional.relu
        embeddings = encoder.embeddings
        self._words, self._positions = (
            table.weight.detach().to(device, dtype, copy=True)
            for table in (embeddings.word_embeddings, embeddings.position_embeddings)
        )
        self._embedding_norm = copied(embeddings.LayerNorm)
        self._layers = tuple(fused(cast("Layer", layer)) for layer in encoder.transformer.layer)

    def features(self, texts: PackedTexts, blocks: Sequence[Block]) -> Tensor:
        """Return the features of each text, (B, F) float32, F being D times the number of blocks.

        Args:
            texts: on the device, none longer than the encoder has positions.
            blocks: what to take of which hidden state, in this order.
        """
        last = max(block.layer for block in blocks)
        only_firsts = last > 0 and all(block.pooling == "cls" for block in blocks if block.layer == last)
        hidden_TD = self._embedded(texts)
        parts = self._pooled(0, hidden_TD, texts.tokens, blocks)
        for number, layer in enumerate(self._layers[:last], 1):
            rows = texts.firsts if only_firsts and number == last else texts.tokens
            hidden_TD = self._compute(layer, hidden_TD, texts, rows)
            parts |= self._pooled(number, hidden_TD, rows, blocks)
        return torch.cat([parts[block] for block in blocks], dim=1)

    def _embedded(self, texts: PackedTexts) -> Tensor:
        """Return the first hidden state, (T, D)."""
        words_TD = functional.embedding(texts.ids_T, self._words)
        return self._norm(words_TD + functional.embedding(texts.positions_T, self._positions), self._embedding_norm)

    def _compute(self, layer: _FusedLayer, hidden_TD: Tensor, texts: PackedTexts, rows: TextRows) -> Tensor:
        """Return a layer's output for all tokens or for the first of each text, (Q, D)."""
        dim, heads = self.config.dim, (self.config.n_heads, self.config.head_width)
        weight, bias = layer.query_key_value
        if rows is texts.tokens:
            kept_QD = hidden_TD
            query, key, value = functional.linear(hidden_TD, weight, bias).view(-1, 3, *heads).unbind(1)
        else:
            kept_QD = hidden_TD.index_select(0, texts.tokens.offsets[:-1])
            query = functional.linear(kept_QD, weight[:dim], bias[:dim]).view(-1, *heads)
            key, value = functional.linear(hidden_TD, weight[dim:], bias[dim:]).view(-1, 2, *heads).unbind(1)
        mixed_QD = self._attend(query, key, value, rows, texts.tokens).flatten(1)
        attended_QD = self._norm(functional.linear(mixed_QD, *layer.mixed) + kept_QD, layer.attention_norm)
        wide_QM = self._activate(functional.linear(attended_QD, *layer.wide))
        return self._norm(functional.linear(wide_QM, *layer.narrow) + attended_QD, layer.output_norm)

    def _norm(self, values_TD: Tensor, norm: _Affine) -> Tensor:
        return functional.layer_norm(values_TD, (self.config.dim,), *norm, eps=LAYER_NORM_EPSILON)

    def _pooled(self, number: int, hidden_QD: Tensor, rows: TextRows, blocks: Sequence[Block]) -> dict[Block, Tensor]:
        """Pool one hidden state in every way that is asked for."""
        return {block: POOLINGS[block.pooling](hidden_QD, rows.offsets) for block in blocks if block.layer == number}
