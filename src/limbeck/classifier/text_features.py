"""TextFeatures: a frozen encoder as a scikit-learn transformer, texts in and columns out.

In: texts in any container. Out: float32 (N, F). It knows no labels. Features are kept in the cache, so the same texts
are encoded once, whatever is grid-searched behind it.
"""

from pathlib import Path
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from limbeck.catalog.presets import load_encoder_folder
from limbeck.classifier.column import note_column
from limbeck.classifier.value_errors import value_errors
from limbeck.data.text_pairs import are_pairs
from limbeck.data.texts import as_texts
from limbeck.errors import WeightsError
from limbeck.features.cache import FeatureCache
from limbeck.features.extraction import extract_features
from limbeck.inference.choice import open_engine
from limbeck.inference.engine import Engine
from limbeck.model.blocks import blocks_for
from limbeck.progress import SILENT, for_stream
from limbeck.settings import Device, EngineName, Pooling, Precision, WindowName

_ENGINE = "_engine"


class TextFeatures(TransformerMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """Turn texts into the pooled hidden states of a frozen encoder.

    Args:
        encoder: a preset's name or a folder.
        pooling: "cls", "mean" or "max" of one layer, or "layers" for all three of every layer side by side.
        layer: hidden state that is pooled, 0 the embeddings; the last when not given.
        max_tokens: of longer texts, `window` is read; the encoder's maximum when not given.
        window: "head", "tail", "both" (half of each), or "all", in windows that overlap, whose features are averaged;
            the head when not given, unless the encoder's tokenizer cuts on the left.
        device: where to compute.
        precision: of the arithmetic.
        engine: the engine that computes, as `limbeck doctor` names it; what `precision` means when not given.
        cache: keep features on disk, and take them from there.
        cache_dir: where; the user's cache folder when not given.
        verbose: show progress.

    Attributes:
        fingerprint_: SHA-256 of everything that decides the encoder's output.
        blocks_: what the columns are, in order.
        n_features_in_: 1, the column of texts.

    Example:
        >>> from sklearn.pipeline import make_pipeline
        >>> texts, labels = ["i feel fine", "i feel sad"] * 4, ["joy", "sadness"] * 4
        >>> model = make_pipeline(TextFeatures(pooling="layers"), ProbeClassifier(folds=2)).fit(texts, labels)
        >>> model.predict(["i feel sad"]).tolist()
        ['sadness']
    """

    def __init__(  # noqa: PLR0913  # scikit-learn's clone asks for one argument a parameter
        self,
        encoder: str | Path = "minilm",
        *,
        pooling: Pooling = "mean",
        layer: int | None = None,
        max_tokens: int | None = None,
        window: WindowName | None = None,
        device: Device = "auto",
        precision: Precision = "auto",
        engine: EngineName | None = None,
        cache: bool = True,
        cache_dir: str | Path | None = None,
        verbose: bool = False,
    ) -> None:
        self.encoder = encoder
        self.pooling = pooling
        self.layer = layer
        self.max_tokens = max_tokens
        self.window = window
        self.device = device
        self.precision = precision
        self.engine = engine
        self.cache = cache
        self.cache_dir = cache_dir
        self.verbose = verbose

    def fit(self, X: Any, y: Any = None) -> "TextFeatures":
        """Open the encoder; nothing is learned from X, and y is not looked at.

        Raises:
            SettingsError: a parameter is not possible; a `ValueError` too.
            DataError: a row is not a text; a `ValueError` too.
            ModelError: the encoder is unusable.
        """
        with value_errors():
            texts = as_texts(X, where="fit()")
            engine = self._open()
            self.blocks_ = tuple(map(str, blocks_for(self.pooling, self.layer, engine.layers)))
        note_column(self, X, pairs=are_pairs(texts))
        self.fingerprint_ = engine.loaded.fingerprint
        self._width = engine.width
        self._engine: Engine | None = engine
        return self

    def transform(self, X: Any) -> np.ndarray:
        """Return the features of texts, float32 (N, F).

        Raises:
            NotFittedError: `fit` was not called.
            DataError: a row is not a text; a `ValueError` too.
            WeightsError: the encoder's folder holds another encoder than when it was fitted.
        """
        check_is_fitted(self)
        with value_errors():
            texts = as_texts(X, where="transform()")
            engine = self._reopened()
            found = extract_features(
                texts,
                engine,
                blocks_for(self.pooling, self.layer, engine.layers),
                window=engine.loaded.tokenizer.window(self.window, self.max_tokens),
                cache=FeatureCache(None if self.cache_dir is None else Path(self.cache_dir)) if self.cache else None,
                progress=for_stream() if self.verbose else SILENT,
            )
        return found.values_NF

    def get_feature_names_out(self, input_features: Any = None) -> np.ndarray:
        """Return a name a column: what was pooled, and the place in it ("mean@6_0").

        Raises:
            NotFittedError: `fit` was not called.
        """
        check_is_fitted(self)
        names = [f"{block}_{place}" for block in self.blocks_ for place in range(self._width)]
        return np.array(names, dtype=object)

    def __getstate__(self) -> dict[str, Any]:
        """Return what a copy or a pickle holds: parameters, and the encoder's fingerprint instead of the encoder."""
        state = dict(super().__getstate__())
        if _ENGINE in state:
            state[_ENGINE] = None
        return state

    def __sklearn_tags__(self) -> Any:
        """Tell scikit-learn that rows are texts, and that float32 comes out."""
        tags = super().__sklearn_tags__()
        tags.input_tags.string = True
        tags.input_tags.two_d_array = False
        tags.transformer_tags.preserves_dtype = []
        return tags

    def _open(self) -> Engine:
        return open_engine(
            load_encoder_folder(self.encoder), device=self.device, precision=self.precision, engine=self.engine
        )

    def _reopened(self) -> Engine:
        """Return the engine; in a copy it is opened again, and must be the same encoder."""
        if self._engine is None:
            engine = self._open()
            if engine.loaded.fingerprint != self.fingerprint_:
                raise WeightsError(
                    f"{self.encoder} holds another encoder than when this was fitted (fingerprint "
                    f"{engine.loaded.fingerprint[:12]}, it was {self.fingerprint_[:12]}): give the old one, or fit "
                    "again"
                )
            self._engine = engine
        return self._engine
