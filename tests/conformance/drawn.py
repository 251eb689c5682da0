"""Encoders and texts that are drawn, so that an engine cannot be right by chance."""

import numpy as np
import torch

from limbeck.model.config import EncoderConfig
from limbeck.model.encoder import Encoder
from limbeck.model.loaded_encoder import LoadedEncoder
from limbeck.model.weights import fingerprint_of
from limbeck.tokens import Tokenized, Tokenizer

LENGTHS = (2, 3, 15, 16, 17, 31, 32, 33, 64, 100, 129, 300)
"""Around the edges of tiles."""


def make_loaded(tokenizer: Tokenizer, *, dim: int, **sizes: object) -> LoadedEncoder:
    """Draw an encoder whose texts differ: scores, biases and norms are far from trivial."""
    torch.manual_seed(3)
    config = EncoderConfig(
        vocab_size=20, dim=dim, n_layers=2, max_position_embeddings=600, initializer_range=dim**-0.5, **sizes
    )
    encoder = Encoder(config).eval()
    with torch.no_grad():
        for name, values in encoder.named_parameters():
            if name.endswith("bias"):
                values.normal_(0, 0.1)
            elif "norm" in name.lower():
                values.normal_(1, 0.1)
    return LoadedEncoder(name="drawn", tokenizer=tokenizer, encoder=encoder, fingerprint=fingerprint_of(encoder))


def draw_texts(lengths: tuple[int, ...], seed: int = 0) -> Tokenized:
    """Draw texts of these lengths."""
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    ids = np.random.default_rng(seed).integers(0, 20, int(offsets[-1]), dtype=np.int32)
    return Tokenized(ids=ids, offsets=offsets, cut_tokens=np.zeros(len(lengths), np.int32))
