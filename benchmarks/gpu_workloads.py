"""What `gpu.py` computes: models of two sizes and texts of two kinds, of whatever this machine has; no network.

In: a size, the kind of texts. Out: a folder with a model in DistilBERT's layout; texts. Emotion and IMDb are read where
they are; elsewhere tweets are those of the embedded sample, or lines of our docs, and reviews are several of them in
a row. Without the embedded MiniLM weights are drawn, and a tokenizer learns its words from the texts.
It does not know who computes.
"""

import json
from pathlib import Path

import numpy as np
import torch
from measure import SHARED_DATA
from tokenizers import Tokenizer as RawTokenizer
from tokenizers import decoders, models, normalizers, pre_tokenizers, processors, trainers
from workloads import BASE_SEED, corpus

from limbeck.catalog.presets import load_encoder_folder
from limbeck.errors import LimbeckError
from limbeck.model.config import EncoderConfig
from limbeck.model.encoder import Encoder
from limbeck.model.loaded_encoder import write_encoder
from limbeck.reading.sample import read_sample
from limbeck.tokens import SPECIAL_TOKENS, Tokenizer

MAX_TOKENS = 512
SIZES = {
    "mini": {"dim": 384, "n_layers": 6, "n_heads": 12, "hidden_dim": 1536},
    "base": {"dim": 768, "n_layers": 6, "n_heads": 12, "hidden_dim": 3072},
    "tiny": {"dim": 64, "n_layers": 2, "n_heads": 2, "hidden_dim": 128},
}
WORDS_OF_A_REVIEW = 230
"""As IMDb's reviews have in the mean."""


def texts_of(kind: str, count: int) -> list[str]:
    """Return so many texts, "tweets" or "reviews", in an order in which any beginning has short and long ones."""
    name = {"tweets": "emotion", "reviews": "imdb"}[kind]
    if (SHARED_DATA / name).is_dir():
        return corpus(name)[0][:count]
    short = _short_texts()
    if kind == "tweets":
        return (short * -(-count // len(short)))[:count]
    words = " ".join(short).split()
    draw, found = np.random.default_rng(0), []
    for _ in range(count):
        length = min(int(draw.lognormal(np.log(WORDS_OF_A_REVIEW) - 0.18, 0.6)) + 10, len(words) // 2)
        start = int(draw.integers(0, len(words) - length))
        found.append(" ".join(words[start : start + length]))
    return found


def gpu_model_folder(size: str, parent: Path) -> Path:
    """Write the model of a size: the embedded MiniLM where it is there, else drawn weights."""
    torch.manual_seed(BASE_SEED)
    try:
        loaded = load_encoder_folder("minilm")
        tokenizer, embedded = loaded.tokenizer, loaded.encoder
    except LimbeckError as error:
        print(f"no embedded MiniLM ({error}): weights are drawn, and a tokenizer is made", flush=True)
        tokenizer, embedded = _learned_tokenizer(_short_texts()), None
    folder = parent / size
    folder.mkdir()
    encoder = embedded if size == "mini" and embedded is not None else None
    vocab_size = tokenizer.highest_id + 1
    sizes = EncoderConfig(vocab_size=vocab_size, max_position_embeddings=MAX_TOKENS, **SIZES[size])
    write_encoder(encoder or Encoder(sizes), tokenizer, folder)
    return folder


def _short_texts() -> list[str]:
    """Return the sample's tweets, or lines of our docs."""
    try:
        return list(read_sample().texts)
    except LimbeckError:
        docs = Path(__file__).parents[1] / "docs"
        lines = [line.strip() for page in sorted(docs.glob("*.md")) for line in page.read_text("utf-8").splitlines()]
        return [line for line in lines if 20 < len(line) < 400]


def _learned_tokenizer(texts: list[str]) -> Tokenizer:
    """Learn a lower-casing WordPiece tokenizer from texts."""
    raw = RawTokenizer(models.WordPiece(unk_token="[UNK]"))  # noqa: S106  # a token, not a password
    raw.normalizer, raw.pre_tokenizer = normalizers.BertNormalizer(), pre_tokenizers.BertPreTokenizer()
    raw.decoder = decoders.WordPiece()
    raw.train_from_iterator(texts, trainers.WordPieceTrainer(vocab_size=30_522, special_tokens=list(SPECIAL_TOKENS)))
    ids = {token: raw.token_to_id(token) for token in ("[CLS]", "[SEP]")}
    raw.post_processor = processors.TemplateProcessing(single="[CLS] $A [SEP]", special_tokens=list(ids.items()))
    return Tokenizer(json.loads(raw.to_str()), max_tokens=MAX_TOKENS, where="the tokenizer of this benchmark")
