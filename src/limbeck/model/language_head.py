"""A masked-language-model head: hidden states become one logit a token of the vocabulary.

In: hidden states of the places to guess at, and the word embeddings, which it shares. Out: logits. Under the names of
Hugging Face's DistilBertForMaskedLM, whose folders it reads and writes; those of BertForMaskedLM are read too.

Shapes: M places, D width, V vocabulary.
"""

from pathlib import Path

import torch
from torch import Tensor, nn

from limbeck.errors import WeightsError
from limbeck.model.config import EncoderConfig
from limbeck.model.encoder import LAYER_NORM_EPSILON, Encoder, draw_linear
from limbeck.model.weights import CONFIG_NAME, WEIGHTS_NAME, check_shapes, read_tensors, write_tensors
from limbeck.storage import write_json, write_text
from limbeck.tokens import TOKENIZER_CONFIG_NAME, TOKENIZER_NAME, Tokenizer

_NAMES = {
    "vocab_transform.weight": "vocab_transform.weight",
    "vocab_transform.bias": "vocab_transform.bias",
    "vocab_layer_norm.weight": "vocab_layer_norm.weight",
    "vocab_layer_norm.bias": "vocab_layer_norm.bias",
    "vocab_projector.bias": "vocab_projector.bias",
    "cls.predictions.transform.dense.weight": "vocab_transform.weight",
    "cls.predictions.transform.dense.bias": "vocab_transform.bias",
    "cls.predictions.transform.LayerNorm.weight": "vocab_layer_norm.weight",
    "cls.predictions.transform.LayerNorm.bias": "vocab_layer_norm.bias",
    "cls.predictions.bias": "vocab_projector.bias",
}
"""DistilBERT's or BERT's name → ours, DistilBERT's."""


class _Bias(nn.Module):
    """Holds the bias of the projector, whose weight is the word embeddings'."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(size))


class LanguageHead(nn.Module):
    """D → D, activation, norm, then the scalar product with every word embedding, and a bias.

    Source: Devlin, Chang, Lee, Toutanova, "BERT" (2019), section 3.1; the code of Hugging Face's DistilBERT.
    """

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        self.vocab_transform = nn.Linear(config.dim, config.dim)
        self.vocab_layer_norm = nn.LayerNorm(config.dim, eps=LAYER_NORM_EPSILON)
        self.vocab_projector = _Bias(config.vocab_size)
        self.activation = nn.GELU() if config.activation == "gelu" else nn.ReLU()
        draw_linear(self.vocab_transform, std=config.initializer_range)

    def forward(self, hidden_MD: Tensor, words_VD: Tensor) -> Tensor:
        """Return logits_MV."""
        changed_MD = self.vocab_layer_norm(self.activation(self.vocab_transform(hidden_MD)))
        return nn.functional.linear(changed_MD, words_VD, self.vocab_projector.bias)


def load_language_head(folder: Path, config: EncoderConfig) -> LanguageHead | None:
    """Read the head that lies beside an encoder; None where there is none.

    Raises:
        WeightsError: there is a part of one, or of another size.
    """
    path = folder / WEIGHTS_NAME
    tensors = read_tensors(path, unread=lambda name: name not in _NAMES)
    if not tensors:
        return None
    head = LanguageHead(config)
    renamed = {_NAMES[name]: tensor for name, tensor in tensors.items()}
    check_shapes({name: tuple(values.shape) for name, values in head.state_dict().items()}, renamed, where=str(path))
    head.load_state_dict(renamed)
    return head.eval()


def write_language_model(encoder: Encoder, head: LanguageHead, tokenizer: Tokenizer, folder: Path) -> None:
    """Write encoder and head as a folder that `transformers` opens as DistilBertForMaskedLM.

    The encoder alone is opened by `--encoder FOLDER`.

    Args:
        encoder: the weights.
        head: on its last hidden state.
        tokenizer: the one that belongs to it.
        folder: exists and is empty; use `storage.staged_folder` around this.

    Raises:
        WeightsError: head and encoder have different vocabularies.
    """
    if len(head.vocab_projector.bias) != encoder.config.vocab_size:
        raise WeightsError(
            f"the head knows {len(head.vocab_projector.bias):,} tokens and the encoder {encoder.config.vocab_size:,}: "
            "they must belong together"
        )
    state = {f"distilbert.{name}": weight for name, weight in encoder.state_dict().items()} | head.state_dict()
    write_json(folder / CONFIG_NAME, {"architectures": ["DistilBertForMaskedLM"], **encoder.config.to_hugging_face()})
    ready = {name: weight.detach().to("cpu", torch.float32).contiguous() for name, weight in state.items()}
    write_tensors(ready, folder / WEIGHTS_NAME)
    write_text(folder / TOKENIZER_NAME, tokenizer.content)
    write_json(folder / TOKENIZER_CONFIG_NAME, tokenizer.config())
