"""An encoder that is ready to use, with the tokenizer that belongs to it; and the folder that keeps both.

In: an encoder and a tokenizer. Out: one value, or a folder in DistilBERT's layout. It does not know names of encoders.
"""

from dataclasses import dataclass
from pathlib import Path

from limbeck.errors import WeightsError
from limbeck.model.config import EncoderConfig
from limbeck.model.encoder import Encoder
from limbeck.model.weights import CONFIG_NAME, WEIGHTS_NAME, write_tensors
from limbeck.storage import write_json, write_text
from limbeck.tokens import TOKENIZER_CONFIG_NAME, TOKENIZER_NAME, Tokenizer


@dataclass(frozen=True, kw_only=True, eq=False)
class LoadedEncoder:
    """An encoder that is ready to use, with the tokenizer that belongs to it.

    Attributes:
        name: the preset's name or the folder, as it was given; of a hub encoder the id with the exact commit.
        tokenizer: never makes a text longer than the encoder can read.
        encoder: in evaluation mode, on the CPU, in float32.
        fingerprint: SHA-256 of everything that decides the encoder's output.
    """

    name: str
    tokenizer: Tokenizer
    encoder: Encoder
    fingerprint: str

    @property
    def config(self) -> EncoderConfig:
        """The encoder's sizes."""
        return self.encoder.config


def require_same_vocabulary(tokenizer: Tokenizer, config: EncoderConfig, *, where: str) -> None:
    """Refuse a tokenizer that makes ids for which the encoder has no embedding.

    Raises:
        WeightsError: names both sizes.
    """
    if tokenizer.highest_id >= config.vocab_size:
        raise WeightsError(
            f"{where}: {TOKENIZER_NAME} has ids up to {tokenizer.highest_id:,} but the encoder has embeddings for "
            f"{config.vocab_size:,} tokens only: use the tokenizer that belongs to the encoder"
        )


def write_encoder(encoder: Encoder, tokenizer: Tokenizer, folder: Path) -> None:
    """Write an encoder without a head as a folder in DistilBERT's layout that `transformers` opens too.

    Args:
        encoder: the weights.
        tokenizer: the one that belongs to it.
        folder: exists and is empty; use `storage.staged_folder` around this.
    """
    write_json(folder / CONFIG_NAME, {"architectures": ["DistilBertModel"], **encoder.config.to_hugging_face()})
    write_tensors(encoder.state_dict(), folder / WEIGHTS_NAME)
    write_text(folder / TOKENIZER_NAME, tokenizer.content)
    write_json(folder / TOKENIZER_CONFIG_NAME, tokenizer.config())
