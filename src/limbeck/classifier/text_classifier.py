"""TextClassifier: all of limbeck's ways of training as one scikit-learn classifier over texts.

In: texts and labels in any container. Out: classes and probabilities. Nothing is left on disk unless a folder is given.
It trains through the same functions as the command line.
"""

from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.validation import check_is_fitted

from limbeck.classifier.column import note_column
from limbeck.classifier.fit_rows import fit_rows
from limbeck.classifier.packed_bundle import pack_bundle, unpack_bundle
from limbeck.classifier.parameters import Parameters, run_method
from limbeck.classifier.value_errors import value_errors
from limbeck.errors import SettingsError
from limbeck.features.cache import FeatureCache
from limbeck.inference.answers import classes_of
from limbeck.inference.predictor import Predictor
from limbeck.model.bundle import CARD_NAME, load_bundle, save_bundle
from limbeck.progress import SILENT, Progress, for_stream
from limbeck.settings import Device, EngineName, Pooling, Precision, SplitSettings, WindowChoice
from limbeck.storage import free_folder

_PACKED = "packed_bundle"


class TextClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """Learn to label texts.

    A parameter that is None has the method's default, the command line's. Row weights are not taken; `balance` meets
    unequal classes. A fitted one can be copied and pickled, but `save` makes what is meant to last: a bundle, which
    `limbeck.load` opens and no pickle is needed for.

    Args:
        method: "probe", a linear classifier on frozen features, cross-validated; "head", trained by gradients on them;
            "finetune", encoder and head together.
        encoder: a preset's name or a folder.
        pooling: "cls", "mean", "max", "layers", or for the probe "auto".
        layer: hidden state that is pooled.
        max_tokens: of longer texts, `window` is read.
        window: "head", "tail", "both" (half of each), "all", in windows that overlap, or "auto", chosen among the
            first three by cross-validation on the training rows.
        balance: how unequal class sizes are met: "none", "weights", for the probe "oversample" and "smote", for the
            others "focal".
        epochs: times that every row is seen; not for the probe.
        learning_rate: the highest; not for the probe.
        settings: further settings of the method, by the names of `ProbeSettings`, `HeadSettings`, `FinetuneSettings`.
        validation_share: of the rows, kept out of training to judge by; not used with `fit(…, validation=…)`. By
            default 0 for the probe: it is fitted on all rows, and judged by the answers of cross-validation; 0.1 for
            the others, which choose their epoch by these rows.
        random_state: a whole number; seeds splits, folds, drawn weights and order.
        device: where to compute.
        precision: of the arithmetic.
        engine: the engine that computes, as `limbeck doctor` names it; what `precision` means when not given.
        cache_dir: where features are kept; the user's cache folder when not given.
        out: a run folder to leave, with figures and predictions; a temporary one when not given. Nothing is
            overwritten: a second fit, or one within a cross-validation, leaves OUT-2, then OUT-3.
        verbose: show progress.

    Attributes:
        classes_: (C,) the labels, sorted.
        predictor_: the model, as `limbeck.load` gives it.
        validation_: the figures on the validation rows, or where there are none those of cross-validation, each with
            its interval and the baseline.
        run_folder_: where the run was left; None when it was not.
        metrics_: what `metrics.json` of the run holds.
        n_features_in_: 1, the column of texts; 2 where they are pairs.

    Example:
        >>> texts = [f"i feel {mood} on day {day}" for day in range(10) for mood in ("fine", "sad")]
        >>> model = TextClassifier("finetune", epochs=2).fit(texts, ["joy", "sadness"] * 10)
        >>> len(model.predict(["i feel fine", "so sad"]))
        2
    """

    def __init__(  # noqa: PLR0913  # scikit-learn's clone asks for one argument a parameter
        self,
        method: str = "probe",
        *,
        encoder: str | Path = "minilm",
        pooling: Pooling | None = None,
        layer: int | None = None,
        max_tokens: int | None = None,
        window: WindowChoice | None = None,
        balance: str | None = None,
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
        self.balance = balance
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

    def fit(self, X: Any, y: Any = None, *, validation: Any = None) -> "TextClassifier":
        """Train on texts X and labels y.

        Args:
            X: N texts in a list, an array, or a column of pandas, polars, Arrow or Hugging Face's datasets.
                Of pairs: a list of tuples (first, second), or a table of two columns.
            y: N labels: text, whole numbers or truth values.
            validation: a pair of texts and labels to judge by; `validation_share` says what is done when not given.

        Raises:
            DataError: rows at fault, or too few of a class; a `ValueError` too.
            SettingsError: a parameter is not possible; a `ValueError` too.
            ModelError: the encoder is unusable.
        """
        with value_errors(), TemporaryDirectory(prefix="limbeck-") as place:
            rows = fit_rows(X, y, validation, where="the rows given to fit()")
            parameters = self._parameters()
            run = run_method(
                rows.dataset,
                Path(place) / "run" if self.out is None else free_folder(Path(self.out)),
                parameters,
                cache=FeatureCache(None if self.cache_dir is None else Path(self.cache_dir)),
                progress=self._progress(),
            )
            bundle = load_bundle(run.folder.bundle)
            card = (run.folder.bundle / CARD_NAME).read_text("utf-8")
            predictor = Predictor(bundle, device=self.device, precision=self.precision, engine=self.engine)
        note_column(self, X, pairs=rows.dataset.pair is not None)
        self.classes_ = rows.classes.values
        self.predictor_ = predictor
        self.validation_ = run.validation
        self.run_folder_ = None if self.out is None else run.folder.path
        self.metrics_ = dict(run.metrics)
        self._card = card
        return self

    def predict_proba(self, X: Any) -> np.ndarray:
        """Return the probability of each class, float64 (N, C), in the order of `classes_`.

        Raises:
            NotFittedError: `fit` was not called.
            DataError: a row is not a text.
        """
        check_is_fitted(self)
        with value_errors():
            found = classes_of(self.predictor_.predict(X, progress=self._progress()))
        probabilities_NC = found.probabilities.astype(np.float64)
        return np.asarray(probabilities_NC / probabilities_NC.sum(axis=1, keepdims=True))

    def predict(self, X: Any) -> np.ndarray:
        """Return the most probable class of each text, (N,), as y had it.

        Raises:
            NotFittedError: `fit` was not called.
            DataError: a row is not a text.
        """
        places_N = self.predict_proba(X).argmax(axis=1)
        return np.asarray(self.classes_[places_N])

    def save(self, folder: str | Path) -> Path:
        """Write the model as a bundle, which `limbeck.load`, and if it was fine-tuned `transformers`, opens.

        Raises:
            NotFittedError: `fit` was not called.
            StorageError: the folder exists, or cannot be written.
        """
        check_is_fitted(self)
        save_bundle(self.predictor_.bundle, Path(folder), card=self._card)
        return Path(folder)

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

    def _parameters(self) -> Parameters:
        seed = _plain(self.random_state)
        if not isinstance(seed, int) or isinstance(seed, bool):
            raise SettingsError(
                f"random_state = {seed!r} is not possible: give a whole number, so that the same rows "
                "give the same model"
            )
        further = {name: _plain(value) for name, value in (self.settings or {}).items()}
        named = {
            "balance": self.balance,
            "epochs": _plain(self.epochs),
            "learning_rate": _plain(self.learning_rate),
            "seed": seed,
        }
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
