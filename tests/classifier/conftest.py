"""Texts about the weather that a tiny encoder can tell apart, and the encoder as a folder."""

import random
from pathlib import Path

import pytest
import torch

from limbeck.model.config import EncoderConfig
from limbeck.model.encoder import Encoder
from limbeck.model.loaded_encoder import write_encoder
from limbeck.tokens import Tokenizer

WORDS = ("i", "feel", "so", "very", "today", "it", "is", ".")


@pytest.fixture(autouse=True)
def computed_on_one_thread(one_thread: None) -> None:
    """Every test of this folder: bits are those of one number of threads."""


@pytest.fixture(scope="session")
def encoder_folder(tiny_tokenizer: Tokenizer, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny encoder in DistilBERT's layout, made once."""
    torch.manual_seed(7)
    sizes = EncoderConfig(
        vocab_size=20, dim=16, n_layers=2, n_heads=4, hidden_dim=32, max_position_embeddings=24, initializer_range=0.3
    )
    folder = tmp_path_factory.mktemp("encoder")
    write_encoder(Encoder(sizes), tiny_tokenizer, folder)
    return folder


@pytest.fixture(scope="session")
def weather() -> tuple[list[str], list[str]]:
    """60 different texts of three classes, each class with a word of its own, said twice."""
    drawn = random.Random(3)  # noqa: S311  # no secret
    told = {"joy": "fine", "sadness": "sad", "슬픔": "rain"}
    texts: dict[str, str] = {}
    while len(texts) < 60:
        label = list(told)[len(texts) % 3]
        words = [*drawn.choices(WORDS, k=3), told[label], told[label]]
        drawn.shuffle(words)
        texts.setdefault(" ".join(words), label)
    return list(texts), list(texts.values())
