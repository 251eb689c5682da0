"""TextEstimator: what limbeck's scikit-learn estimators of texts share: parameters, fitting, copies and saving.

In: the rows of a fit as a `Dataset`. Out: a fitted model. It does not know what is learned, classes or numbers.
It trains through the same functions as the command line.
"""

from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from limbeck.classifier.column import note_column
from limbeck.classifier.packed_bundle import pack_bundle, unpack_bundle
from limbeck.classifier.parameters import Parameters, run_method
from limbeck.classifier.value_errors import value_errors
from limbeck.data.dataset import Dataset
from limbeck.errors import SettingsError
from limbeck.evaluation.prediction_tables import AnyPredictions
from limbeck.features.cache import FeatureCache
from limbeck.inference.predictor import Predictor
from limbeck.model.bundle import CARD_NAME, load_bundle, save_bundle
from limbeck.progress import SILENT, Progress, for_stream
from limbeck.settings import Device, EngineName, Pooling, Precision, SplitSettings, WindowChoice
from limbeck.storage import free_folder

_PACKED = "packed_bundle"


class TextEstimator(BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """An estimator whose X are texts; `TextClassifier` and `TextRegressor` say what its parameters mean."""

    predictor_: Predictor

    def __init__(  # noqa: PLR0913  # scikit-learn's clone asks for one argument a parameter
        self,
        method: str = "probe",
        *,
        encoder: str | Path = "minilm",
        pooling: Pooling | None = None,
        layer: int | None = None,
        max_tokens: int | None = None,
        window: WindowChoice | None = None,
        epochs: int | None = None,
        learning_rate: float | None = None,
        settings: Mapping[str, Any] | None = None,
        validation_share: float | None = None,
        random_state: int = 0,
        device: Device = "auto",
        precision: Precision = "auto",
        engine: EngineName | None = None,
        cache_dir: str | Path | None = None,
        out: str | Path | None = None,
        verbose: bool = False,
    ) -> None:
        self.method = method
        self.encoder = encoder
        self.pooling = pooling
        self.layer = layer
        self.max_tokens = max_tokens
        self.window = window
        self.epochs = epochs
        self.learning_rate = learning_rate
        self.settings = settings
        self.validation_share = validation_share
        self.random_state = random_state
        self.device = device
        self.precision = precision
        self.engine = engine
        self.cache_dir = cache_dir
        self.out = out
        self.verbose = verbose

    def save(self, folder: str | Path) -> Path:
        """Write the model as a bundle, which `limbeck.load`, and if it was fine-tuned `transformers`, opens.

        Raises:
            NotFittedError: `fit` was not called.
            StorageError: the folder exists, or cannot be written.
        """
        check_is_fitted(self)
        save_bundle(self.predictor_.bundle, Path(folder), card=self._card)
        return Path(folder)

    def _train(self, dataset: Dataset, texts: Any) -> None:
        """Train on rows, and set what every fit sets; a fit that fails changes nothing."""
        with TemporaryDirectory(prefix="limbeck-") as place:
            parameters = self._parameters()
            run = run_method(
                dataset,
                Path(place) / "run" if self.out is None else free_folder(Path(self.out)),
                parameters,
                cache=FeatureCache(None if self.cache_dir is None else Path(self.cache_dir)),
                progress=self._progress(),
            )
            bundle = load_bundle(run.folder.bundle)
            card = (run.folder.bundle / CARD_NAME).read_text("utf-8")
            predictor = Predictor(bundle, device=self.device, precision=self.precision, engine=self.engine)
        note_column(self, texts, pairs=dataset.pair is not None)
        self.predictor_ = predictor
        self.validation_ = run.validation
        self.run_folder_ = None if self.out is None else run.folder.path
        self.metrics_ = dict(run.metrics)
        self._card = card

    def _answer(self, texts: Any) -> AnyPredictions:
        """Return what the model says of texts.

        Raises:
            NotFittedError: `fit` was not called.
            DataError: a row is not a text.
        """
        check_is_fitted(self)
        with value_errors():
            return self.predictor_.predict(texts, progress=self._progress())

    def __getstate__(self) -> dict[str, Any]:
        """Return what a copy or a pickle holds: the model as the bytes of its bundle."""
        state = dict(super().__getstate__())
        if (predictor := state.pop("predictor_", None)) is not None:
            state[_PACKED] = pack_bundle(predictor.bundle, card=self._card)
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Take the model from the bytes of its bundle."""
        state = dict(state)
        files = state.pop(_PACKED, None)
        super().__setstate__(state)
        if files is not None:
            self.predictor_ = Predictor(
                unpack_bundle(files), device=self.device, precision=self.precision, engine=self.engine
            )

    def __sklearn_tags__(self) -> Any:
        """Tell scikit-learn that rows are texts."""
        tags = super().__sklearn_tags__()
        tags.input_tags.string = True
        tags.input_tags.two_d_array = False
        return tags

    def _progress(self) -> Progress:
        return for_stream() if self.verbose else SILENT

    def _share(self) -> float:
        if self.validation_share is None:
            return 0.0 if self.method == "probe" else SplitSettings().validation_share
        return float(self.validation_share)

    def _fitting(self) -> dict[str, Any]:
        """Return the parameters that are settings of the method, by the names of these; None where not given."""
        return {"epochs": _plain(self.epochs), "learning_rate": _plain(self.learning_rate)}

    def _parameters(self) -> Parameters:
        seed = _plain(self.random_state)
        if not isinstance(seed, int) or isinstance(seed, bool):
            raise SettingsError(
                f"random_state = {seed!r} is not possible: give a whole number, so that the same rows "
                "give the same model"
            )
        further = {name: _plain(value) for name, value in (self.settings or {}).items()}
        named = {**self._fitting(), "seed": seed}
        if twice := sorted(name for name in named.keys() & further.keys() if named[name] is not None):
            hint = "random_state" if twice == ["seed"] else "one of them"
            raise SettingsError(f"settings has {', '.join(twice)}, which is a parameter of its own: give {hint} only")
        return Parameters(
            method=self.method,
            split=SplitSettings(validation_share=self._share(), test_share=0.0, seed=seed),
            features={
                "encoder": str(self.encoder),
                "pooling": self.pooling,
                "layer": _plain(self.layer),
                "max_tokens": _plain(self.max_tokens),
                "window": _plain(self.window),
                "device": self.device,
                "precision": self.precision,
                "engine": self.engine,
            },
            # None is the method's default, but to a method without such a setting it must not be named at all.
            fitting={name: value for name, value in {**named, **further}.items() if value is not None},
        )


def _plain(value: Any) -> Any:
    """Return a NumPy number, as grids of parameters hold them, as Python's own."""
    return value.item() if isinstance(value, np.generic) else value
