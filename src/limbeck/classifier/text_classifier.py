"""TextClassifier: all of limbeck's ways of training as one scikit-learn classifier over texts.

In: texts and labels in any container. Out: classes and probabilities. Nothing is left on disk unless a folder is given.
It trains through the same functions as the command line.
"""

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.base import ClassifierMixin

from limbeck.classifier.fit_rows import FEWEST_OF_EITHER, fit_rows, several_rows
from limbeck.classifier.targets import has_columns
from limbeck.classifier.text_estimator import TextEstimator
from limbeck.classifier.value_errors import value_errors
from limbeck.evaluation.multi_predictions import MultiPredictions
from limbeck.inference.answers import classes_of
from limbeck.settings import Device, EngineName, Pooling, Precision, WindowChoice


class TextClassifier(ClassifierMixin, TextEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """Learn to label texts.

    A parameter that is None has the method's default, the command line's. Row weights are not taken; `balance` meets
    unequal classes. With y of several columns of 0 and 1 it learns any number of labels per row. A fitted one can be
    copied and pickled, but `save` makes what is meant to last: a bundle, which `limbeck.load` opens and no pickle is
    needed for. `score` is scikit-learn's for classifiers: accuracy; of several labels, the share of rows whose labels
    are all right.

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
        classes_: (C,) the labels, sorted; of several columns of y the names of these, else 0 to C-1, in their order.
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
        super().__init__(
            method,
            encoder=encoder,
            pooling=pooling,
            layer=layer,
            max_tokens=max_tokens,
            window=window,
            epochs=epochs,
            learning_rate=learning_rate,
            settings=settings,
            validation_share=validation_share,
            random_state=random_state,
            device=device,
            precision=precision,
            engine=engine,
            cache_dir=cache_dir,
            out=out,
            verbose=verbose,
        )
        self.balance = balance

    def fit(self, X: Any, y: Any = None, *, validation: Any = None) -> "TextClassifier":
        """Train on texts X and labels y.

        Args:
            X: N texts in a list, an array, or a column of pandas, polars, Arrow or Hugging Face's datasets.
                Of pairs: a list of tuples (first, second), or a table of two columns.
            y: N labels: text, whole numbers or truth values. Where a row may have any number of labels, (N, C) of 0
                and 1, scikit-learn's multilabel indicator: an array, a sparse matrix, or a table whose columns are
                named for the labels. Of a label that fewer than two rows have, or have not, nothing can be learned: the
                answer is what most rows are, and a warning names it.
            validation: a pair of texts and labels to judge by; `validation_share` says what is done when not given.

        Raises:
            DataError: rows at fault, or too few of a class; a `ValueError` too.
            SettingsError: a parameter is not possible; a `ValueError` too.
            ModelError: the encoder is unusable.
        """
        with value_errors():
            if has_columns(y):
                several = several_rows(X, y, validation)
                self._train(several.dataset, X)
                classes, learned, usual = several.labels.values, several.learned, several.usual
            else:
                rows = fit_rows(X, y, validation)
                self._train(rows.dataset, X)
                classes, learned, usual = rows.classes.values, np.arange(0), np.zeros(0, np.bool_)
        self.classes_ = classes
        self._learned, self._usual = learned, usual
        if len(learned) < len(usual):
            left = np.delete(classes, learned).tolist()
            warnings.warn(
                f"fewer than {FEWEST_OF_EITHER} rows of y have, or have not, {', '.join(map(str, left[:10]))}"
                f"{', …' if len(left) > 10 else ''}: nothing can be learned of that; the answer is always what "
                "most rows are",
                UserWarning,
                stacklevel=2,
            )
        return self

    def predict_proba(self, X: Any) -> np.ndarray:
        """Return the probability of each class, float64 (N, C), in the order of `classes_`.

        Rows add up to 1. Where a row may have any number of labels, each label has a probability by itself, in one
        array as scikit-learn's `MLPClassifier` gives it (its forests give a list of arrays instead).

        Raises:
            NotFittedError: `fit` was not called.
            DataError: a row is not a text; a `ValueError` too.
        """
        found = self._answer(X)
        if isinstance(found, MultiPredictions):
            return self._spread(found.probabilities, np.float64)
        probabilities_NC = classes_of(found).probabilities.astype(np.float64)
        return np.asarray(probabilities_NC / probabilities_NC.sum(axis=1, keepdims=True))

    def predict(self, X: Any) -> np.ndarray:
        """Return the most probable class of each text, (N,), as y had it.

        Where a row may have any number of labels: int64 (N, C), 1 for each label that reaches its threshold, else 0.
        The thresholds were chosen by the training, a threshold per label on answers to rows that were not learned from;
        they are not 0.5.

        Raises:
            NotFittedError: `fit` was not called.
            DataError: a row is not a text; a `ValueError` too.
        """
        found = self._answer(X)
        if isinstance(found, MultiPredictions):
            return self._spread(found.decided_NC, np.int64)
        return np.asarray(self.classes_[classes_of(found).probabilities.argmax(axis=1)])

    def _fitting(self) -> dict[str, Any]:
        return {"balance": self.balance, **super()._fitting()}

    def _spread(self, values_NL: np.ndarray, dtype: type[np.generic]) -> np.ndarray:
        """Return what was said of the L labels that were learned, and what most rows are of the others, (N, C)."""
        values_NC = np.tile(self._usual.astype(dtype), (len(values_NL), 1))
        values_NC[:, self._learned] = values_NL
        return values_NC

    def __sklearn_tags__(self) -> Any:
        """Tell scikit-learn that a row may have several labels."""
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags
