"""The certificate: how far an engine's answers are from float32, measured on the model at hand.

In: engines and the float32 engine of the same encoder, and the classifier if there is one. Out: a `Certificate` each;
an engine that fails is not chosen. It does not know speed.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from limbeck.inference.certificate_texts import Sentences, certificate_texts, in_its_words, more_texts, speaks_of
from limbeck.inference.engine import Engine
from limbeck.model.bundle import Bundle
from limbeck.model.pooling import blocks_for

MOST_COSINE_DISTANCE = 1e-3
"""Largest cosine distance of a mean-pooled vector from its float32 value."""
MOST_FLIPS = 0.005
"""Largest share of texts whose label changes."""


@dataclass(frozen=True, kw_only=True)
class Certificate:
    """What was found.

    Attributes:
        texts: how many were compared.
        worst_cosine_distance: of a mean-pooled vector of the last layer from its float32 value.
        mean_cosine_distance: the same, averaged.
        flips: share of texts, 0 to 1, whose label changes: the classifier's own, or the nearest class mean (of float32
            vectors) where there is only an encoder.
    """

    texts: int
    worst_cosine_distance: float
    mean_cosine_distance: float
    flips: float

    @property
    def is_near(self) -> bool:
        """Whether vectors stay where they are."""
        return self.worst_cosine_distance <= MOST_COSINE_DISTANCE

    @property
    def passed(self) -> bool:
        """Whether both limits are kept."""
        return self.is_near and self.flips <= MOST_FLIPS


def certify(engines: Mapping[str, Engine], exact: Engine, classifier: Bundle | None = None) -> dict[str, Certificate]:
    """Compare engines with the float32 engine of the same encoder.

    An encoder that was trained for one question may hardly tell feelings apart; what counts of a classifier is whether
    its own labels stay. Two labels of a few hundred that change may be chance: where there are too many, they are
    counted again in four times as many texts.

    Args:
        engines: to be compared, by name.
        exact: computes in float32.
        classifier: the model whose labels are compared; the nearest of six class means when not given.
    """
    certificates = _compare(engines, exact, classifier, certificate_texts())
    doubted = {name: engines[name] for name, one in certificates.items() if one.is_near and not one.passed}
    if doubted:
        certificates |= _compare(doubted, exact, classifier, more_texts())
    return certificates


def _compare(
    engines: Mapping[str, Engine], exact: Engine, classifier: Bundle | None, sentences: Sentences
) -> dict[str, Certificate]:
    seen_by_head = () if classifier is None else classifier.facts.blocks
    blocks = (*blocks_for("mean", None, exact.layers), *seen_by_head)
    # Lengths that sentences do not reach: a few long ones of everything in a row.
    texts = [*sentences.texts, *(" ".join(sentences.texts[start::7]) for start in range(4))]
    tokenizer = exact.loaded.tokenizer
    tokenized = tokenizer.encode(texts)
    speaks = speaks_of(tokenized, texts, tokenizer)
    if not speaks:
        tokenized = in_its_words(texts, tokenizer)
    true_NF = exact.features(tokenized, blocks)
    if speaks and classifier is not None and _answers_one_label(classifier, true_NF[:, exact.width :]):
        tokenized = in_its_words(texts, tokenizer)
        true_NF = exact.features(tokenized, blocks)
    true_ND = true_NF[:, : exact.width]
    means_CD = np.stack(
        [
            true_ND[: len(sentences.texts)][sentences.feelings_N == feeling].mean(axis=0)
            for feeling in np.unique(sentences.feelings_N)
        ]
    )

    def label(features_NF: np.ndarray) -> np.ndarray:
        if classifier is None:
            return _nearest(features_NF, means_CD)
        answered_N: np.ndarray = classifier.head.probabilities(features_NF[:, exact.width :]).argmax(axis=1)
        return answered_N

    true_labels_N = label(true_NF)
    certificates = {}
    for name, engine in engines.items():
        found_NF = engine.features(tokenized, blocks)
        distances_N = cosine_distances(true_ND, found_NF[:, : exact.width])
        certificates[name] = Certificate(
            texts=len(distances_N),
            worst_cosine_distance=_finite(distances_N.max()),
            mean_cosine_distance=_finite(distances_N.mean()),
            flips=float((true_labels_N != label(found_NF)).mean()),
        )
    return certificates


def _answers_one_label(classifier: Bundle, features_NF: np.ndarray) -> bool:
    """Tell whether labels cannot change, since all are the same: then nothing was compared."""
    return len(np.unique(classifier.head.probabilities(features_NF).argmax(axis=1))) == 1


def cosine_distances(left_ND: np.ndarray, right_ND: np.ndarray) -> np.ndarray:
    """Return 1 - cosine of each pair of rows, (N,) float64."""
    left_ND, right_ND = left_ND.astype(np.float64), right_ND.astype(np.float64)
    norms_N = np.linalg.norm(left_ND, axis=1) * np.linalg.norm(right_ND, axis=1)
    distances_N: np.ndarray = 1.0 - np.einsum("nd,nd->n", left_ND, right_ND) / np.maximum(norms_N, 1e-30)
    return distances_N


def _nearest(vectors_ND: np.ndarray, means_CD: np.ndarray) -> np.ndarray:
    nearest_N: np.ndarray = (vectors_ND @ means_CD.T - 0.5 * (means_CD**2).sum(axis=1)).argmax(axis=1)
    return nearest_N


def _finite(value: float) -> float:
    """A distance that is not a number is the largest there is: the engine fails."""
    return float(value) if np.isfinite(value) else 2.0
