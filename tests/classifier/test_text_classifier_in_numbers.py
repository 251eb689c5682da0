"""Scikit-learn's checks against the estimators of texts, through texts that are written of numbers.

Estimators of texts get next to no checks by default: scikit-learn has only numbers to try them with. The adapters here
write each row of numbers as words that a tiny encoder reads back, so that everything behind X (classes, labels of any
type, errors, pickling, determinism, what is set by fit) is tried as for any other estimator.
"""

from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin, TransformerMixin
from sklearn.utils.estimator_checks import estimator_checks_generator, parametrize_with_checks
from sklearn.utils.validation import check_is_fitted, validate_data
from tokenizers import Tokenizer as RawTokenizer
from tokenizers import models, normalizers, pre_tokenizers, processors

from limbeck.classifier.text_classifier import TextClassifier
from limbeck.classifier.text_features import TextFeatures
from limbeck.classifier.text_regressor import TextRegressor
from limbeck.model.config import EncoderConfig
from limbeck.model.encoder import Encoder
from limbeck.model.loaded_encoder import write_encoder
from limbeck.tokens import SPECIAL_TOKENS, Tokenizer

COLUMNS, STEPS = 20, 64
PLACE: dict[str, Path] = {}
"""Where the encoder is, once a test has asked for it; estimators are named before any test runs."""


def written(rows: np.ndarray, like: np.ndarray) -> list[str]:
    """Write each row as words, a word a number: its column, and its step among those of the rows that it is like."""
    spread = np.maximum(like.std(axis=0), 1e-9)
    steps = np.round((np.arctan((rows - like.mean(axis=0)) / spread) / np.pi + 0.5) * (STEPS - 1)).astype(int)
    return [" ".join(f"c{column % COLUMNS}s{step}" for column, step in enumerate(row)) for row in steps.tolist()]


@pytest.fixture(scope="module", autouse=True)
def number_encoder(tmp_path_factory: pytest.TempPathFactory) -> None:
    """An encoder whose embedding of a number is a point on a quarter circle in two dimensions of its column's own."""
    words = [f"c{column}s{step}" for column in range(COLUMNS) for step in range(STEPS)]
    vocabulary = {token: number for number, token in enumerate((*SPECIAL_TOKENS, *words))}
    raw = RawTokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))  # noqa: S106
    raw.normalizer = normalizers.BertNormalizer()
    raw.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    raw.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    import json

    tokenizer = Tokenizer(json.loads(raw.to_str()), max_tokens=64, where="the tokenizer of numbers")
    encoder = Encoder(
        EncoderConfig(
            vocab_size=len(vocabulary), dim=2 * COLUMNS, n_layers=1, n_heads=2, hidden_dim=8, max_position_embeddings=64
        )
    ).eval()
    angles = torch.linspace(0, torch.pi / 2, STEPS)
    with torch.no_grad():
        embeddings = encoder.embeddings.word_embeddings.weight.zero_()
        encoder.embeddings.position_embeddings.weight.zero_()
        for column in range(COLUMNS):
            rows = slice(5 + column * STEPS, 5 + (column + 1) * STEPS)
            embeddings[rows, 2 * column], embeddings[rows, 2 * column + 1] = angles.cos(), angles.sin()
    PLACE["encoder"] = tmp_path_factory.mktemp("numbers")
    write_encoder(encoder, tokenizer, PLACE["encoder"])


class NumericClassifier(ClassifierMixin, BaseEstimator):
    """TextClassifier over numbers, with one label per row or with a multilabel indicator."""

    def __init__(self, random_state=0):
        self.random_state = random_state

    def fit(self, X, y):
        several = np.asarray(y).ndim == 2 and np.asarray(y).shape[1] > 1
        X, y = validate_data(self, X, y, dtype=np.float32, ensure_min_samples=2, multi_output=several)
        self.like_ = X.copy()
        model = TextClassifier(
            encoder=PLACE["encoder"],
            layer=0,
            settings={"penalties": (0.1,), "folds": 2},
            random_state=self.random_state,
        )
        # All rows are learned from, as the checks expect, and judged by.
        self.model_ = model.fit(self._written(X), y, validation=(self._written(X), y))
        self.classes_ = self.model_.classes_
        return self

    def predict_proba(self, X):
        check_is_fitted(self)
        return self.model_.predict_proba(self._written(validate_data(self, X, dtype=np.float32, reset=False)))

    def predict(self, X):
        check_is_fitted(self)
        return self.model_.predict(self._written(validate_data(self, X, dtype=np.float32, reset=False)))

    def _written(self, X):
        return written(X, self.like_)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = TextClassifier().__sklearn_tags__().classifier_tags.multi_label
        return tags


class NumericRegressor(RegressorMixin, BaseEstimator):
    """TextRegressor over numbers."""

    def __init__(self, random_state=0):
        self.random_state = random_state

    def fit(self, X, y):
        X, y = validate_data(self, X, y, dtype=np.float32, ensure_min_samples=2, y_numeric=True)
        self.like_ = X.copy()
        model = TextRegressor(encoder=PLACE["encoder"], layer=0, settings={"folds": 2}, random_state=self.random_state)
        texts = written(X, self.like_)
        self.model_ = model.fit(texts, y, validation=(texts, y))
        return self

    def predict(self, X):
        check_is_fitted(self)
        return self.model_.predict(written(validate_data(self, X, dtype=np.float32, reset=False), self.like_))


class NumericFeatures(TransformerMixin, BaseEstimator):
    """TextFeatures over numbers."""

    def fit(self, X, y=None):
        self.like_ = validate_data(self, X, dtype=np.float32).copy()
        self.model_ = TextFeatures(PLACE["encoder"], layer=0).fit(written(self.like_, self.like_))
        return self

    def transform(self, X):
        check_is_fitted(self)
        return self.model_.transform(written(validate_data(self, X, dtype=np.float32, reset=False), self.like_))

    def get_feature_names_out(self, input_features=None):
        check_is_fitted(self)
        return self.model_.get_feature_names_out()

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.transformer_tags = TextFeatures().__sklearn_tags__().transformer_tags
        return tags


EXPECTED_FAILURES = {
    "NumericClassifier": {
        "check_methods_subset_invariance": "1e-7 is asked: our float32 kernels give it, but where torch computes, "
        "the last bits of hidden states depend on the texts beside a text; probabilities then differ by about 1e-5",
    },
    "NumericRegressor": {
        "check_methods_subset_invariance": "as for the classifier",
    },
    "NumericFeatures": {},
}


@pytest.mark.slow
@parametrize_with_checks(
    [NumericClassifier(), NumericRegressor(), NumericFeatures()],
    expected_failed_checks=lambda estimator: EXPECTED_FAILURES[type(estimator).__name__],
)
def test_scikit_learns_checks(estimator, check):
    """What is expected to fail is so for a written reason."""
    check(estimator)


@pytest.mark.filterwarnings("ignore:Can't test estimator:sklearn.exceptions.SkipTestWarning")
def test_how_many_checks_ran():
    """The figures are stated, and those of the text estimators beside them: what they get is cloning and tags."""
    counts = {
        type(estimator).__name__: len(list(estimator_checks_generator(estimator)))
        for estimator in (
            *(NumericClassifier(), NumericRegressor(), NumericFeatures()),
            *(TextClassifier(), TextRegressor(), TextFeatures()),
        )
    }
    numeric = {"NumericClassifier": 59, "NumericRegressor": 52, "NumericFeatures": 46}
    assert counts == {**numeric, "TextClassifier": 1, "TextRegressor": 1, "TextFeatures": 1}
