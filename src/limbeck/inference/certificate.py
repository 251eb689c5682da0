"""The certificate: how far an engine's answers are from float32, measured on the model at hand.

In: engines and the float32 engine of the same encoder, and what the encoder is for. Out: a `Certificate` each;
an engine that fails is not chosen. It does not know speed.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from limbeck.inference.certificate_texts import (
    Sentences,
    certificate_texts,
    in_its_words,
    more_texts,
    one_after_other,
    speaks_of,
)
from limbeck.inference.engine import Engine
from limbeck.inference.usage import ANYTHING, Usage
from limbeck.model.blocks import blocks_for
from limbeck.model.bundle import Bundle
from limbeck.tokens import Tokenized

_NO_DISTANCE = 2.0
"""The largest distance there is: of a vector that is no numbers, so that its engine fails."""
_NO_LABEL = -1


@dataclass(frozen=True, kw_only=True)
class Limits:
    """How far an engine may be from float32.

    Attributes:
        cosine_distance: of a pooled vector from its float32 value, the largest.
        flips: largest share of texts, 0 to 1, whose label changes.
    """

    cosine_distance: float
    flips: float


FLOAT_LIMITS = Limits(cosine_distance=1e-4, flips=0.003)
"""Of products of float32 numbers, only weights are rounded: the embedded encoder shows 2.5e-5, and no label changes."""
BFLOAT16_LIMITS = Limits(cosine_distance=4e-4, flips=0.005)
"""Of products of bfloat16 numbers: the embedded encoder shows 5.3e-5 with our kernels, and 1.9e-4 with torch, which
rounds hidden states too. Of 2,001 tweets 0.30 % change their nearest class mean: a limit of 0.3 % would be chance."""


@dataclass(frozen=True, kw_only=True)
class Certificate:
    """What was found.

    Attributes:
        texts: how many were compared.
        own_texts: how many of these are the user's own.
        numerics: the engine's arithmetic, which says what it is held to.
        worst_cosine_distance: of a pooled vector from its float32 value, over all texts and blocks; 2 where one of
            the two is no number.
        worst_block: where that was ("mean@6").
        mean_cosine_distance: the same, averaged.
        flips: share of texts, 0 to 1, whose label changes: the classifier's own, or the nearest class mean (of float32
            vectors) where there is only an encoder. A text whose vector is no number has no label, and counts.
    """

    texts: int
    own_texts: int
    numerics: str
    worst_cosine_distance: float
    worst_block: str
    mean_cosine_distance: float
    flips: float

    @property
    def limits(self) -> Limits:
        """What it is held to."""
        return FLOAT_LIMITS if "float32" in self.numerics else BFLOAT16_LIMITS

    @property
    def is_near(self) -> bool:
        """Whether vectors stay where they are."""
        return self.worst_cosine_distance <= self.limits.cosine_distance

    @property
    def passed(self) -> bool:
        """Whether both limits are kept."""
        return self.is_near and self.flips <= self.limits.flips


def certify(engines: Mapping[str, Engine], exact: Engine, usage: Usage = ANYTHING) -> dict[str, Certificate]:
    """Compare engines with the float32 engine of the same encoder.

    An encoder that was trained for one question may hardly tell feelings apart; what counts of a classifier is whether
    its own labels stay. Two labels of a few hundred that change may be chance: where there are too many, they are
    counted again in four times as many texts.

    Args:
        engines: to be compared, by name.
        exact: computes in float32.
        usage: what the encoder is for: the pooled blocks that are compared, the model whose labels are, and texts of
            the user's own. The nearest of six class means is the label where there is no model.
    """
    certificates = _compare(engines, exact, usage, certificate_texts())
    doubted = {name: engines[name] for name, one in certificates.items() if one.is_near and not one.passed}
    if doubted:
        certificates |= _compare(doubted, exact, usage, more_texts())
    return certificates


def _compare(
    engines: Mapping[str, Engine], exact: Engine, usage: Usage, sentences: Sentences
) -> dict[str, Certificate]:
    judge, blocks = usage.judge, usage.blocks(exact.layers)
    tokenized = _tokens_of(exact, usage, sentences)
    true_NF = exact.features(tokenized, blocks)
    if judge is None:
        # The last mean pooling is what most features are.
        column = blocks.index(blocks_for("mean", None, exact.layers)[0]) * exact.width
        feelings_N = sentences.feelings_N
        means_CD = np.stack(
            [
                true_NF[: len(feelings_N), column : column + exact.width][feelings_N == feeling].mean(axis=0)
                for feeling in np.unique(feelings_N)
            ]
        )

    def label(features_NF: np.ndarray) -> np.ndarray:
        if judge is None:
            scores_NC = _closeness(features_NF[:, column : column + exact.width], means_CD)
        else:
            scores_NC = judge.head.probabilities(features_NF)
        # The first of scores that are no numbers would be called the largest.
        return np.where(np.isfinite(scores_NC).all(axis=1), scores_NC.argmax(axis=1), _NO_LABEL)

    true_labels_N = label(true_NF)
    certificates = {}
    for name, engine in engines.items():
        found_NF = engine.features(tokenized, blocks)
        distances_KN = np.stack(
            [
                cosine_distances(true_NF[:, start : start + exact.width], found_NF[:, start : start + exact.width])
                for start in range(0, true_NF.shape[1], exact.width)
            ]
        )
        distances_KN = np.where(np.isfinite(distances_KN), distances_KN, _NO_DISTANCE)
        labels_N = label(found_NF)
        certificates[name] = Certificate(
            texts=len(tokenized),
            own_texts=len(usage.texts),
            numerics=engine.numerics,
            worst_cosine_distance=float(distances_KN.max()),
            worst_block=str(blocks[int(distances_KN.max(axis=1).argmax())]),
            mean_cosine_distance=float(distances_KN.mean()),
            flips=float(((true_labels_N != labels_N) | (labels_N == _NO_LABEL)).mean()),
        )
    return certificates


def _tokens_of(exact: Engine, usage: Usage, sentences: Sentences) -> Tokenized:
    """Return the tokens of the sentences, of a few long texts, and of the user's own."""
    # Lengths that sentences do not reach: a few long ones of everything in a row.
    texts = [*sentences.texts, *(" ".join(sentences.texts[start::7]) for start in range(4))]
    tokenizer, judge = exact.loaded.tokenizer, usage.judge
    tokenized = tokenizer.encode(texts)
    if not speaks_of(tokenized, texts, tokenizer) or (
        judge is not None and _answers_one_label(judge, exact.features(tokenized, judge.facts.blocks))
    ):
        tokenized = in_its_words(texts, tokenizer)
    return one_after_other(tokenized, tokenizer.encode(list(usage.texts))) if usage.texts else tokenized


def _answers_one_label(classifier: Bundle, features_NF: np.ndarray) -> bool:
    """Tell whether labels cannot change, since all are the same: then nothing was compared."""
    return len(np.unique(classifier.head.probabilities(features_NF).argmax(axis=1))) == 1


def cosine_distances(left_ND: np.ndarray, right_ND: np.ndarray) -> np.ndarray:
    """Return 1 - cosine of each pair of rows, (N,) float64."""
    left_ND, right_ND = left_ND.astype(np.float64), right_ND.astype(np.float64)
    norms_N = np.linalg.norm(left_ND, axis=1) * np.linalg.norm(right_ND, axis=1)
    distances_N: np.ndarray = 1.0 - np.einsum("nd,nd->n", left_ND, right_ND) / np.maximum(norms_N, 1e-30)
    return distances_N


def _closeness(vectors_ND: np.ndarray, means_CD: np.ndarray) -> np.ndarray:
    """Return how near each class mean is; the nearest has the largest number."""
    closeness_NC: np.ndarray = vectors_ND @ means_CD.T - 0.5 * (means_CD**2).sum(axis=1)
    return closeness_NC
