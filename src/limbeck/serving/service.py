"""Service: what answers texts for whoever asks, and what the routes know of it.

In: texts of one request, its client and its time. Out: what the model says of them, or one error of `limbeck.errors`.
It does not know HTTP, nor how engines are kept alive.

Shapes: N texts of a request, W columns of a vector.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from limbeck.errors import OverloadedError
from limbeck.evaluation.prediction_tables import AnyPredictions
from limbeck.model.facts import BundleFacts
from limbeck.tokens import Tokenizer
from limbeck.tokens.windows import Window


@dataclass(frozen=True, kw_only=True)
class Asked:
    """The texts of one request, as a client sent them.

    Attributes:
        texts: N texts, each as `Predictor.predict` takes them ("first [SEP] second" of a model that reads pairs).
        client: whose turn it is: requests of one client wait for each other before those of another do.
        timeout_s: seconds from now after which nobody waits for the answer.
        vectors: whether the texts' vectors are asked for, too.
        truncate: whether a text that is too long may be cut; else the request is refused.
    """

    texts: Sequence[str]
    client: str
    timeout_s: float
    vectors: bool = False
    truncate: bool = True


@dataclass(frozen=True, kw_only=True, eq=False)
class Answered:
    """What the model says of the texts of one request.

    Attributes:
        predictions: as `Predictor.predict` returns them (with limbeck's kernels to the bit): probabilities, labels,
            unsure, tokens, truncated.
        cut_tokens: tokens of each text that were not read, int32 (N,).
        vectors: float32 (N, W), not normalised; None where they were not asked for.
        model_digest: SHA-256 of the bundle that answered, as 64 hexadecimal digits.
        queue_s: seconds that the request waited for the engine.
        engine_s: seconds of the batches that it was in.
    """

    predictions: AnyPredictions
    cut_tokens: np.ndarray
    vectors: np.ndarray | None
    model_digest: str
    queue_s: float
    engine_s: float


@dataclass(frozen=True, kw_only=True, eq=False)
class ServedModel:
    """The model that answers now.

    Attributes:
        name: under which clients ask for it.
        digest: SHA-256 of the bundle, as 64 hexadecimal digits.
        facts: of the bundle.
        tokenizer: of the bundle.
        window: what is read of a long text.
        numerics: engine and precision that compute, in words.
        vector_width: W, columns of a vector.
        vector_pooling: what of the encoder a vector is, as "mean@6".
    """

    name: str
    digest: str
    facts: BundleFacts
    tokenizer: Tokenizer
    window: Window
    numerics: str
    vector_width: int
    vector_pooling: str


@dataclass(frozen=True, kw_only=True)
class Condition:
    """How the service stands now.

    Attributes:
        is_ready: whether a request that comes now would be answered; true under overload, too.
        why: what keeps it from being ready, as a sentence; empty when it is.
        waiting_tokens: tokens of texts that wait or are computed.
        waiting_texts: how many texts these are.
        tokens_per_s: the rate that was measured last.
        predicted_wait_s: seconds that a text which comes now would wait.
        engine_restarts: engines that were replaced since the start.
        swaps: models exchanged since the start, by outcome: "ok", "refused".
    """

    is_ready: bool
    why: str
    waiting_tokens: int
    waiting_texts: int
    tokens_per_s: float
    predicted_wait_s: float
    engine_restarts: int
    swaps: dict[str, int]


class Service(Protocol):
    """Answers texts. All methods are called from the thread of one event loop."""

    @property
    def model(self) -> ServedModel:
        """The model that answers now."""
        ...

    @property
    def condition(self) -> Condition:
        """How the service stands now."""
        ...

    @property
    def is_crowded(self) -> bool:
        """Whether a request that comes now may be refused because too much waits."""
        ...

    async def start(self) -> None:
        """Load the model and warm it; returns when the first text can be answered.

        Raises:
            ModelError: the model cannot be served.
            EngineError: no engine stays alive.
        """
        ...

    def refusal(self, asked: Asked) -> OverloadedError | None:
        """Return what `answer` would raise now because too much waits; None where it would not, or is not sure to."""
        ...

    async def answer(self, asked: Asked) -> Answered:
        """Answer the texts of one request. Cancelling the task takes them out: nothing more is computed for them.

        Raises:
            DataError: a text cannot be read, or may not be cut and is too long; the message names its place.
            TooLargeError: more texts, characters or tokens than a request may have.
            OverloadedError: it would wait too long.
            NotReadyError: no engine answers.
            DeadlineError: its time was over.
            EngineError: one of its texts breaks the engine.
        """
        ...

    async def swap(self, folder: str) -> ServedModel:
        """Answer with another model from the next batch on, after it was checked and warmed; else keep this one.

        Raises:
            ModelError: it is broken, has other labels, or answers the canary texts otherwise than its record says.
        """
        ...

    async def stop(self) -> None:
        """Answer what was taken, take nothing more, and end the engines."""
        ...
