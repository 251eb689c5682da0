"""The certificate: how far an engine's answers are from float32, measured on the encoder at hand.

In: an engine and the float32 engine of the same encoder. Out: a `Certificate`. An engine that fails is not chosen.
It does not know speed. Its texts are made here, so that it needs no data: sentences about six feelings, from 3 tokens
to the longest that the encoder reads.
"""

from dataclasses import dataclass
from itertools import product

import numpy as np

from limbeck.inference.engine import Engine
from limbeck.model.pooling import blocks_for

MOST_COSINE_DISTANCE = 1e-3
"""Largest cosine distance of a mean-pooled vector from its float32 value."""
MOST_FLIPS = 0.005
"""Largest share of texts whose label changes."""

_FEELINGS = {
    "joy": ("happy", "delighted", "cheerful", "glad", "thrilled", "content"),
    "sadness": ("sad", "miserable", "gloomy", "lonely", "heartbroken", "hopeless"),
    "anger": ("angry", "furious", "annoyed", "bitter", "irritated", "outraged"),
    "fear": ("afraid", "scared", "anxious", "nervous", "terrified", "worried"),
    "love": ("loved", "caring", "tender", "devoted", "fond", "passionate"),
    "surprise": ("surprised", "amazed", "astonished", "stunned", "curious", "shocked"),
}
_SENTENCES = (
    "i feel {} today",
    "i am feeling rather {} about the whole thing and i do not know why",
    "she said that she had been {} ever since the letter came",
    "we left early because everyone was {} , even the children , and the rain would not stop",
    "{} !",
    "it is hard to write this down but i have been {} for weeks now and my friends keep asking what is going on",
    "he looked {} when they told him what the doctors had found on monday morning",
    "feeling {} again , same as last year around this time",
)


@dataclass(frozen=True, kw_only=True)
class Certificate:
    """What was found.

    Attributes:
        texts: how many were compared.
        worst_cosine_distance: of a mean-pooled vector of the last layer from its float32 value.
        mean_cosine_distance: the same, averaged.
        flips: share of texts, 0 to 1, whose nearest class mean (of float32 vectors) changes.
    """

    texts: int
    worst_cosine_distance: float
    mean_cosine_distance: float
    flips: float

    @property
    def passed(self) -> bool:
        """Whether both limits are kept."""
        return self.worst_cosine_distance <= MOST_COSINE_DISTANCE and self.flips <= MOST_FLIPS


def certify(engine: Engine, exact: Engine) -> Certificate:
    """Compare an engine with the float32 engine of the same encoder."""
    texts, labels_N = certificate_texts()
    tokenizer = engine.loaded.tokenizer
    tokenized = tokenizer.encode(texts)
    # Lengths that sentences do not reach: a few long ones of everything in a row.
    long_texts = [" ".join(texts[start::7]) for start in range(4)]
    long = tokenizer.encode(long_texts)
    blocks = blocks_for("mean", None, engine.layers)
    exact_ND, found_ND = exact.features(tokenized, blocks), engine.features(tokenized, blocks)
    distances_N = np.concatenate(
        [
            cosine_distances(exact_ND, found_ND),
            cosine_distances(exact.features(long, blocks), engine.features(long, blocks)),
        ]
    )
    means_CD = np.stack([exact_ND[labels_N == label].mean(axis=0) for label in range(len(_FEELINGS))])
    flips = float((_nearest(exact_ND, means_CD) != _nearest(found_ND, means_CD)).mean())
    return Certificate(
        texts=len(distances_N),
        worst_cosine_distance=_finite(distances_N.max()),
        mean_cosine_distance=_finite(distances_N.mean()),
        flips=flips,
    )


def certificate_texts() -> tuple[list[str], np.ndarray]:
    """Return the sentences and the number of the feeling in each, (N,)."""
    texts: list[str] = []
    labels: list[int] = []
    for label, words in enumerate(_FEELINGS.values()):
        for word, sentence in product(words, _SENTENCES):
            texts.append(sentence.format(word))
            labels.append(label)
    return texts, np.array(labels)


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
