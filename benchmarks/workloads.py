"""What the benchmarks of speed compute: models of two sizes, texts of two kinds, and how much arithmetic that is.

In: a size, the name of a data set. Out: a folder with a model, texts whose every beginning has short and long alike,
their count of multiplications and additions. It does not know who computes.
"""

import os
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from measure import SHARED_DATA

from limbeck.catalog.presets import load_encoder_folder
from limbeck.model.blocks import blocks_for
from limbeck.model.bundle import Bundle, save_bundle
from limbeck.model.config import EncoderConfig
from limbeck.model.encoder import Encoder
from limbeck.model.facts import BundleFacts
from limbeck.model.heads import ClassificationHead
from limbeck.model.loaded_encoder import LoadedEncoder, write_encoder
from limbeck.model.weights import fingerprint_of
from limbeck.runtime import set_threads
from limbeck.tokens import Tokenized, Tokenizer

THREADS = 2
BASE_SEED = 0
LABELS = ("anger", "fear", "joy", "love", "sadness", "surprise")


@dataclass(frozen=True, eq=False)
class Rows:
    """Texts to encode, tokenized before any clock runs."""

    texts: list[str]
    tokenized: Tokenized

    @classmethod
    def of(cls, texts: list[str], tokenizer: Tokenizer) -> "Rows":
        """Tokenize texts; what is longer than the model reads is cut."""
        return cls(texts, tokenizer.encode(texts))

    @cached_property
    def ids(self) -> list[list[int]]:
        """The ids of each text."""
        return [part.tolist() for part in np.split(self.tokenized.ids, self.tokenized.offsets[1:-1])]

    @cached_property
    def lengths(self) -> np.ndarray:
        """The tokens of each text."""
        return self.tokenized.lengths


def keep_to_two_cores() -> None:
    """Let this process have two cores and two threads, however many the machine has."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:THREADS])
    set_threads(THREADS)


def model_folder(size: str, parent: Path) -> Path:
    """Write the model of a size in DistilBERT's layout: "mini" is the embedded one, "base" has drawn weights."""
    loaded = load_encoder_folder("minilm")
    encoder = loaded.encoder
    if size == "base":
        torch.manual_seed(BASE_SEED)
        encoder = Encoder(EncoderConfig(vocab_size=30_522, dim=768, n_layers=6, n_heads=12, hidden_dim=3072,
                                        max_position_embeddings=512))  # fmt: skip
    folder = parent / size
    folder.mkdir()
    write_encoder(encoder, loaded.tokenizer, folder)
    return folder


def small_classifier(parent: Path) -> Path:
    """Write a classifier that computes thousands of texts per second: two narrow layers of drawn weights."""
    loaded = load_encoder_folder("minilm")
    torch.manual_seed(BASE_SEED)
    config = EncoderConfig(vocab_size=loaded.config.vocab_size, dim=64, n_layers=2, n_heads=4, hidden_dim=128,
                           max_position_embeddings=512)  # fmt: skip
    encoder = Encoder(config).eval()
    small = LoadedEncoder(
        name="small", tokenizer=loaded.tokenizer, encoder=encoder, fingerprint=fingerprint_of(encoder)
    )
    facts = BundleFacts(head="classification", blocks=blocks_for("cls", None, config.n_layers), max_tokens=512,
                        label_names=LABELS, provenance={"data": "none"})  # fmt: skip
    head = ClassificationHead(dim=config.dim, n_labels=len(LABELS), initializer_range=0.5).eval()
    save_bundle(Bundle(loaded=small, head=head, facts=facts), parent / "small", card="")
    return parent / "small"


def corpus(name: str) -> tuple[list[str], np.ndarray]:
    """Return a set's training texts, each once, and their labels, in an order that spreads short and long evenly."""
    if name == "emotion":
        lines = (SHARED_DATA / "emotion" / "train.txt").read_text("utf-8").splitlines()
        found = dict(line.rpartition(";")[::2] for line in lines)
    else:
        import pyarrow.parquet as pq

        table = pq.read_table(SHARED_DATA / "imdb" / "train.parquet", columns=["text", "label"])
        found = dict(zip(table["text"].to_pylist(), table["label"].to_pylist(), strict=True))
    pairs = sorted(found.items(), key=lambda pair: len(pair[0]))
    bits = len(pairs).bit_length()
    # Counting with reversed bits visits the sorted texts evenly (van der Corput), so slices of any size compare.
    order = [place for place in (int(f"{n:0{bits}b}"[::-1], 2) for n in range(2**bits)) if place < len(pairs)]
    return [pairs[place][0] for place in order], np.array([pairs[place][1] for place in order])


def validation_texts() -> list[str]:
    """Return emotion's 2,000 validation tweets."""
    lines = (SHARED_DATA / "emotion" / "val.txt").read_text("utf-8").splitlines()
    return [line.rpartition(";")[0] for line in lines if line]


def floating_operations(config: EncoderConfig, lengths: np.ndarray) -> float:
    """Return the multiplications and additions of products and attention, on real tokens."""
    linear = 2.0 * lengths.sum() * (4 * config.dim**2 + 2 * config.dim * config.hidden_dim)
    return config.n_layers * (linear + 4.0 * float((lengths.astype(float) ** 2).sum()) * config.dim)
