"""The peers of `gpu.py`: others that encode with DistilBERT on a GPU, each as its own documentation shows.

In: a model folder in DistilBERT's layout, a device, a precision. Out: calls that give mean-pooled vectors (N, D).
What is not installed is left out, and said. It does not know what is measured.
"""

from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch
from encoders import _groups, _pad
from text_encoders import masked_mean
from transformers import AutoModel, AutoTokenizer
from workloads import Rows

PADDED_TOKENS = 65_536
"""Of a batch of transformers', padding counted: its best on an H100."""
MAX_TOKENS = 512
TEXTS_AT_ONCE = 256
"""The batch size of sentence-transformers."""
Encode = Callable[[Rows], np.ndarray]


class SortedTransformers:
    """A careful user's `transformers`: sorted by length, fused attention, results copied once."""

    def __init__(self, folder: Path, device: str, dtype: torch.dtype) -> None:
        self.device = device
        self.tokenizer = AutoTokenizer.from_pretrained(folder)
        model = AutoModel.from_pretrained(folder, dtype=dtype, attn_implementation="sdpa")
        self.model = model.eval().to(device)

    def from_ids(self, rows: Rows) -> np.ndarray:
        """Return vectors of texts that are tokenized."""
        return self._encode(rows.ids, rows.lengths)

    def from_texts(self, rows: Rows) -> np.ndarray:
        """Return vectors of texts."""
        ids = self.tokenizer(rows.texts, truncation=True, max_length=MAX_TOKENS)["input_ids"]
        return self._encode(ids, np.array([len(one) for one in ids]))

    def _encode(self, ids: Sequence[Sequence[int]], lengths: np.ndarray) -> np.ndarray:
        parts, found = list(_groups(lengths, PADDED_TOKENS)), []
        with torch.inference_mode():
            for part in parts:
                padded, mask = (
                    torch.from_numpy(one).to(self.device, non_blocking=True) for one in _pad([ids[row] for row in part])
                )
                found.append(masked_mean(self.model, padded, mask))
        out = np.empty((len(ids), found[0].shape[1]), np.float32)
        out[np.concatenate(parts)] = torch.cat(found).float().cpu().numpy()
        return out


def sentence_transformers_on(folder: Path, device: str, dtype: torch.dtype) -> Encode | None:
    """Return sentence-transformers' way from texts, which sorts by length itself; None where it is not installed."""
    if find_spec("sentence_transformers") is None:
        return None
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.models import Pooling, Transformer

    words = Transformer(str(folder), max_seq_length=MAX_TOKENS)
    model = SentenceTransformer(modules=[words, Pooling(words.get_word_embedding_dimension())], device=device).to(dtype)
    return lambda rows: model.encode(rows.texts, batch_size=TEXTS_AT_ONCE, convert_to_numpy=True).astype(np.float32)
