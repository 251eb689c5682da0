"""Which weights of an encoder are trained, and how much of what it computes is dropped meanwhile.

In: an encoder and settings. Out: the same encoder, marked. It does not know heads.
"""

from torch import nn

from limbeck.errors import SettingsError
from limbeck.model.encoder import Encoder, SelfAttention
from limbeck.settings import FinetuneSettings


def freeze(encoder: Encoder, settings: FinetuneSettings) -> None:
    """Let gradients flow only where the settings want them.

    Raises:
        SettingsError: `top_layers` is more than the encoder has, or below 1.
    """
    n_layers, top = encoder.config.n_layers, settings.top_layers
    encoder.requires_grad_(True)
    encoder.embeddings.position_embeddings.weight.requires_grad_(not encoder.config.sinusoidal_pos_embds)
    if settings.freeze_words:
        encoder.embeddings.word_embeddings.weight.requires_grad_(False)
    if top is None:
        return
    if not 1 <= top <= n_layers:
        raise SettingsError(
            f"top_layers = {top} is not possible: this encoder has {n_layers} layers; to train a head alone use "
            "--method head"
        )
    encoder.embeddings.requires_grad_(False)
    for layer in encoder.transformer.layer[: n_layers - top]:
        layer.requires_grad_(False)


def set_dropout(encoder: Encoder, rate: float) -> None:
    """Give every dropout of an encoder this rate; what its configuration says stays."""
    for module in encoder.modules():
        if isinstance(module, nn.Dropout):
            module.p = rate
        elif isinstance(module, SelfAttention):
            module.dropout = rate
