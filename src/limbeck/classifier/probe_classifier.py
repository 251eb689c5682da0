"""ProbeClassifier: limbeck's probe over any numeric array, as a scikit-learn classifier.

In: numbers (N, F) and labels (N,). Out: classes and probabilities. It does not know texts or encoders.
"""

from typing import Any

import numpy as np
from scipy.special import softmax
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.validation import check_is_fitted, validate_data

from limbeck.classifier.labels import find_classes
from limbeck.classifier.value_errors import value_errors
from limbeck.linear.fit import ProbeRows, fit_probe
from limbeck.settings import Balance, ProbeSettings, check_seed

_DEFAULT = ProbeSettings()


class ProbeClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """Logistic regression on standardised columns, its penalty chosen by cross-validation inside the rows it is given.

    It is what `train_probe` fits on an encoder's features. Every class needs two rows at least, as one is held out.

    Args:
        penalties: candidate values of C; scikit-learn's meaning.
        folds: of the cross-validation that chooses among them; fewer where a class has fewer rows.
        balance: "none", "weights", "oversample" or "smote".
        random_state: a whole number; seeds folds and resampling.

    Attributes:
        classes_: (C,) the labels, sorted.
        coef_: float32 (C, F), on raw columns.
        intercept_: float32 (C,).
        penalty_: the chosen C.
        out_of_fold_: float32 (N, C), probabilities of each training row from a fit that did not see it.
        n_iter_: passes that the last fits took.

    Example:
        >>> columns = np.array([[0.0], [0.2], [0.9], [1.1], [0.1], [1.0]])
        >>> ProbeClassifier(folds=2).fit(columns, ["no", "no", "yes", "yes", "no", "yes"]).predict([[0.05]]).tolist()
        ['no']
    """

    def __init__(
        self,
        *,
        penalties: tuple[float, ...] = _DEFAULT.penalties,
        folds: int = _DEFAULT.folds,
        balance: Balance = _DEFAULT.balance,
        random_state: int = _DEFAULT.seed,
    ) -> None:
        self.penalties = penalties
        self.folds = folds
        self.balance = balance
        self.random_state = random_state

    def fit(self, X: Any, y: Any) -> "ProbeClassifier":
        """Fit on numeric columns X (N, F) and labels y (N,).

        Raises:
            ValueError: X or y are not such, a class has a single row, or a parameter is impossible.
            TrainingError: the fit does not converge.
        """
        # scikit-learn checks y against X; `find_classes` takes more kinds of containers.
        X, y = validate_data(self, X, y, dtype=np.float32, order="C", ensure_min_samples=2)
        with value_errors():
            classes = find_classes(y)
            check_seed(self.random_state)
            fit = fit_probe(
                X,
                ProbeRows(labels_N=classes.places(y, where="y"), label_names=classes.names),
                settings=ProbeSettings(
                    penalties=tuple(self.penalties), folds=self.folds, balance=self.balance, seed=self.random_state
                ),
            )
        self.classes_ = classes.values
        self.coef_, self.intercept_ = fit.weight_CF, fit.bias_C
        self.penalty_ = fit.penalty
        self.out_of_fold_ = fit.out_of_fold_NC
        self.n_iter_ = fit.iterations
        return self

    def decision_function(self, X: Any) -> np.ndarray:
        """Return the logits, float64 (N, C); for two classes (N,), the second's above the first's."""
        logits_NC = self._logits(X)
        return logits_NC[:, 1] - logits_NC[:, 0] if len(self.classes_) == 2 else logits_NC

    def predict_proba(self, X: Any) -> np.ndarray:
        """Return the probability of each class, float64 (N, C), in the order of `classes_`."""
        return np.asarray(softmax(self._logits(X), axis=1))

    def predict(self, X: Any) -> np.ndarray:
        """Return the most probable class of each row, (N,)."""
        places_N = self._logits(X).argmax(axis=1)
        return np.asarray(self.classes_[places_N])

    def _logits(self, X: Any) -> np.ndarray:
        check_is_fitted(self)
        X = validate_data(self, X, dtype=np.float32, order="C", reset=False)
        return np.asarray(X.astype(np.float64) @ self.coef_.T.astype(np.float64) + self.intercept_)
