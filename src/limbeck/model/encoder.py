"""DistilBERT in plain torch, on packed tokens.

In: a `TokenBatch`. Out: hidden states, one row a real token. Padding is computed nowhere except inside an attention
call over texts of unlike lengths, and there the mask is always applied.
It does not know files, heads or training. Submodule names are those of Hugging Face's DistilBertModel, so that
weights go in and out by name.

Shapes: B texts, T real tokens of all of them, L tokens of one text, D width, H heads, V vocabulary.
Source: Sanh, Debut, Chaumond, Wolf, "DistilBERT, a distilled version of BERT" (2019); Vaswani et al., "Attention Is
All You Need" (2017), section 3.
"""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from limbeck.errors import SettingsError
from limbeck.model.config import EncoderConfig
from limbeck.model.grouped_attention import PlacedGroup, attend_in_groups, place_groups
from limbeck.tokens import TokenBatch

LAYER_NORM_EPSILON = 1e-12
"""Fixed in DistilBERT: its configuration has no key for it."""


class Embeddings(nn.Module):
    """Word plus position, normalised."""

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        self.word_embeddings = _undrawn_embedding(config.vocab_size, config.dim)
        self.position_embeddings = _undrawn_embedding(config.max_position_embeddings, config.dim)
        self.LayerNorm = nn.LayerNorm(config.dim, eps=LAYER_NORM_EPSILON)
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, ids_T: Tensor, positions_T: Tensor) -> Tensor:
        """Return (T, D)."""
        summed_TD = self.word_embeddings(ids_T) + self.position_embeddings(positions_T)
        hidden_TD: Tensor = self.dropout(self.LayerNorm(summed_TD))
        return hidden_TD


class SelfAttention(nn.Module):
    """Scaled dot-product attention among the tokens of each text, with several heads."""

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        self.n_heads = config.n_heads
        self.dropout = config.attention_dropout
        self.q_lin = nn.Linear(config.dim, config.dim)
        self.k_lin = nn.Linear(config.dim, config.dim)
        self.v_lin = nn.Linear(config.dim, config.dim)
        self.out_lin = nn.Linear(config.dim, config.dim)

    def forward(self, hidden_TD: Tensor, groups: Sequence[PlacedGroup]) -> Tensor:
        """Return (T, D); `groups` says which tokens belong together."""
        mixed_TD = attend_in_groups(
            self.q_lin(hidden_TD),
            self.k_lin(hidden_TD),
            self.v_lin(hidden_TD),
            groups,
            n_heads=self.n_heads,
            dropout=self.dropout if self.training else 0.0,
        )
        out_TD: Tensor = self.out_lin(mixed_TD)
        return out_TD


class FeedForward(nn.Module):
    """Two linear maps with an activation between them, token by token."""

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        self.lin1 = nn.Linear(config.dim, config.hidden_dim)
        self.lin2 = nn.Linear(config.hidden_dim, config.dim)
        self.activation = nn.GELU() if config.activation == "gelu" else nn.ReLU()
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, hidden_TD: Tensor) -> Tensor:
        """Return (T, D)."""
        out_TD: Tensor = self.dropout(self.lin2(self.activation(self.lin1(hidden_TD))))
        return out_TD


class Layer(nn.Module):
    """One transformer layer: attention, then the feed-forward net, each added to its input and normalised."""

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        self.attention = SelfAttention(config)
        self.sa_layer_norm = nn.LayerNorm(config.dim, eps=LAYER_NORM_EPSILON)
        self.ffn = FeedForward(config)
        self.output_layer_norm = nn.LayerNorm(config.dim, eps=LAYER_NORM_EPSILON)

    def forward(self, hidden_TD: Tensor, groups: Sequence[PlacedGroup]) -> Tensor:
        """Return (T, D)."""
        attended_TD = self.sa_layer_norm(self.attention(hidden_TD, groups) + hidden_TD)
        out_TD: Tensor = self.output_layer_norm(self.ffn(attended_TD) + attended_TD)
        return out_TD


class LayerStack(nn.Module):
    """Holds the layers under Hugging Face's name, `transformer.layer.N`."""

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        self.layer = nn.ModuleList(Layer(config) for _ in range(config.n_layers))


class Encoder(nn.Module):
    """DistilBERT.

    A new one has random weights as the paper's code draws them; `limbeck.model.weights` gives it trained ones. Made
    on torch's "meta" device it has shapes only.

    Example:
        >>> from limbeck.model.config import EncoderConfig
        >>> tiny = EncoderConfig(vocab_size=10, dim=8, n_layers=2, n_heads=2, hidden_dim=16, max_position_embeddings=6)
        >>> sorted({name.split(".")[0] for name in Encoder(tiny).state_dict()})
        ['embeddings', 'transformer']
    """

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        self.config = config
        self.embeddings = Embeddings(config)
        self.transformer = LayerStack(config)
        self.embeddings.position_embeddings.weight.requires_grad_(not config.sinusoidal_pos_embds)
        if not self.embeddings.word_embeddings.weight.is_meta:
            self._draw_weights()

    def forward(self, batch: TokenBatch) -> Tensor:
        """Return the last hidden state, (T, D).

        Raises:
            SettingsError: a text is longer than the encoder has positions.
        """
        return self.hidden_states(batch)[-1]

    def hidden_states(self, batch: TokenBatch, *, last: int | None = None) -> list[Tensor]:
        """Return the embeddings' output and the output of every layer, each (T, D).

        Args:
            batch: the texts.
            last: index of the last hidden state that is needed; the layers above it are not computed. All of them
                when not given.

        Raises:
            SettingsError: a text is longer than the encoder has positions, or there is no such hidden state.
        """
        n_layers = self.config.n_layers
        if last is not None and not 0 <= last <= n_layers:
            raise SettingsError(f"layer {last} does not exist: this encoder has hidden states 0 to {n_layers}")
        lengths_B = batch.lengths
        if lengths_B.max(initial=0) > self.config.max_position_embeddings:
            raise SettingsError(
                f"a text of {lengths_B.max()} tokens does not fit the encoder's {self.config.max_position_embeddings} "
                f"positions: tokenize with max_tokens={self.config.max_position_embeddings} or less"
            )
        device = self.embeddings.word_embeddings.weight.device
        ids_T, positions_T = (torch.from_numpy(values).to(device) for values in (batch.ids, batch.positions))
        hidden_TD = self.embeddings(ids_T, positions_T)
        states = [hidden_TD]
        groups = place_groups(lengths_B, device)
        for layer in self.transformer.layer[: n_layers if last is None else last]:
            states.append(layer(states[-1], groups))
        return states

    @torch.no_grad()
    def _draw_weights(self) -> None:
        """Draw linear and embedding weights from a normal distribution; biases are 0 and norms 1."""
        for module in self.modules():
            if isinstance(module, nn.Linear | nn.Embedding):
                module.weight.normal_(mean=0.0, std=self.config.initializer_range)
            if isinstance(module, nn.Linear):
                module.bias.zero_()
        if self.config.sinusoidal_pos_embds:
            waves_PD = sinusoidal_positions(self.config.max_position_embeddings, self.config.dim)
            self.embeddings.position_embeddings.weight.copy_(waves_PD)


def draw_linear(linear: nn.Linear, *, std: float) -> None:
    """Draw a weight from a normal distribution, and set the bias to 0; where they have no values yet, do nothing.

    Drawing on the device "meta" would draw nothing either, and import torch's compiler for that: 2 s.
    """
    if not linear.weight.is_meta:
        nn.init.normal_(linear.weight, std=std)
        nn.init.zeros_(linear.bias)


def sinusoidal_positions(n_positions: int, dim: int) -> Tensor:
    """Return the fixed position embeddings, (positions, D) float32.

    Source: Vaswani et al. (2017), section 3.5: sin(p / 10000^(2i/D)) in even columns, cos in odd ones.
    """
    columns_D = np.arange(dim)
    angles_PD = np.arange(n_positions)[:, None] / np.power(10000.0, 2 * (columns_D // 2) / dim)
    waves_PD = np.where(columns_D % 2 == 0, np.sin(angles_PD), np.cos(angles_PD))
    return torch.from_numpy(waves_PD.astype(np.float32))


def _undrawn_embedding(rows: int, dim: int) -> nn.Embedding:
    """Make an embedding whose weights `Encoder` draws.

    nn.Embedding would draw them too, and on the meta device it imports torch's whole compiler for that (2 s).
    """
    return nn.Embedding(rows, dim, _weight=torch.empty(rows, dim))
