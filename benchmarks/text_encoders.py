"""Ways from texts to vectors that tokenize themselves: what most users call, and the course's way.

In: a model folder in DistilBERT's layout. Out: calls that take texts and give float32 (N, D). Each is used as its own
documentation shows, with two threads. It does not know what is measured.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from transformers import AutoModel, AutoTokenizer, DistilBertModel

EncodeTexts = Callable[[Sequence[str]], np.ndarray]
MAX_TOKENS = 512


def course(folder: Path) -> EncodeTexts:
    """The course's way: `datasets.map` over everything padded to the longest, float32, batches of 64."""
    from datasets import Dataset, disable_progress_bars

    disable_progress_bars()
    tokenizer, model = AutoTokenizer.from_pretrained(folder), AutoModel.from_pretrained(folder).eval()

    def tokenize(batch: dict) -> dict:
        return tokenizer(batch["text"], padding=True, truncation=True, max_length=MAX_TOKENS)

    def hidden(batch: dict) -> dict:
        with torch.no_grad():
            return {"vector": masked_mean(model, batch["input_ids"], batch["attention_mask"]).numpy()}

    def encode(texts: Sequence[str]) -> np.ndarray:
        data = Dataset.from_dict({"text": list(texts)})
        data = data.map(tokenize, batched=True, batch_size=None, load_from_cache_file=False)
        data.set_format("torch", columns=["input_ids", "attention_mask"])
        data = data.map(hidden, batched=True, batch_size=64, load_from_cache_file=False, keep_in_memory=True)
        data.set_format("numpy", columns=["vector"])
        return np.asarray(data["vector"][:])

    return encode


def pipeline(folder: Path, dtype: torch.dtype) -> EncodeTexts:
    """`transformers.pipeline("feature-extraction")`, batches of 32."""
    from transformers import pipeline as make

    extract = make(
        "feature-extraction",
        model=DistilBertModel.from_pretrained(folder, dtype=dtype).eval(),
        tokenizer=AutoTokenizer.from_pretrained(folder),
        device="cpu",
        batch_size=32,
        tokenize_kwargs={"truncation": True, "max_length": MAX_TOKENS},
        return_tensors=True,
    )
    # The pipeline gives padded states without their mask, so its mean takes the padding in: only its speed counts.
    return lambda texts: np.stack([one[0].float().mean(0).numpy() for one in extract(list(texts))])


def sentence_transformers(folder: Path, dtype: torch.dtype) -> EncodeTexts:
    """sentence-transformers, which sorts by length itself."""
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.models import Pooling, Transformer

    words = Transformer(str(folder), max_seq_length=MAX_TOKENS)
    model = SentenceTransformer(modules=[words, Pooling(words.get_word_embedding_dimension())], device="cpu").to(dtype)
    return lambda texts: model.encode(list(texts), batch_size=32, convert_to_numpy=True).astype(np.float32)


def masked_mean(model: torch.nn.Module, ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """Return the mean of a model's last hidden states over real tokens."""
    hidden = model(input_ids=ids, attention_mask=mask).last_hidden_state
    weights = mask.unsqueeze(-1).to(hidden.dtype)
    return (hidden * weights).sum(1) / weights.sum(1)
