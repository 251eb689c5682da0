"""TextRegressor: limbeck's ways of training as a scikit-learn regressor over texts.

In: texts and a number each, in any container. Out: numbers. Nothing is left on disk unless a folder is given.
It trains through the same functions as the command line.
"""

from typing import Any, cast

import numpy as np
from sklearn.base import RegressorMixin

from limbeck.classifier.fit_rows import number_rows
from limbeck.classifier.text_estimator import TextEstimator
from limbeck.classifier.value_errors import value_errors
from limbeck.evaluation.value_predictions import ValuePredictions


class TextRegressor(RegressorMixin, TextEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """Learn to give texts a number.

    A parameter that is None has the method's default, the command line's. Row weights are not taken. A fitted one can
    be copied and pickled, but `save` makes what is meant to last: a bundle, which `limbeck.load` opens and no pickle is
    needed for. `score` is scikit-learn's for regressors, R².

    Args:
        method: "probe", ridge regression on frozen features, cross-validated; "head", trained by gradients on them;
            "finetune", encoder and head together.
        encoder: a preset's name or a folder.
        pooling: "cls", "mean", "max", "layers", or for the probe "auto".
        layer: hidden state that is pooled.
        max_tokens: of longer texts, `window` is read.
        window: "head", "tail", "both" (half of each), "all", in windows that overlap, or "auto", chosen among the
            first three by cross-validation on the training rows.
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
        predictor_: the model, as `limbeck.load` gives it.
        validation_: the figures on the validation rows, or where there are none those of cross-validation, each with
            its interval and the baseline.
        run_folder_: where the run was left; None when it was not.
        metrics_: what `metrics.json` of the run holds.
        n_features_in_: 1, the column of texts; 2 where they are pairs.

    Example:
        >>> texts = [f"i feel {mood} on day {day}" for day in range(10) for mood in ("fine", "sad")]
        >>> model = TextRegressor().fit(texts, [1.5, -2.0] * 10)
        >>> model.predict(["i feel fine", "i feel sad"]).shape
        (2,)
    """

    def fit(self, X: Any, y: Any = None, *, validation: Any = None) -> "TextRegressor":
        """Train on texts X and numbers y.

        Args:
            X: N texts in a list, an array, or a column of pandas, polars, Arrow or Hugging Face's datasets.
                Of pairs: a list of tuples (first, second), or a table of two columns.
            y: N numbers.
            validation: a pair of texts and numbers to judge by; `validation_share` says what is done when not given.

        Raises:
            DataError: rows at fault, or too few of them; a `ValueError` too.
            SettingsError: a parameter is not possible; a `ValueError` too.
            ModelError: the encoder is unusable.
        """
        with value_errors():
            self._train(number_rows(X, y, validation), X)
        return self

    def predict(self, X: Any) -> np.ndarray:
        """Return the number of each text, float64 (N,).

        Raises:
            NotFittedError: `fit` was not called.
            DataError: a row is not a text; a `ValueError` too.
        """
        return np.asarray(cast("ValuePredictions", self._answer(X)).values, dtype=np.float64)
