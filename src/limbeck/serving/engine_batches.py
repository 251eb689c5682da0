"""Engine batches: rows of token ids in, answers of whole requests out, inside the engine's process.

In: a `Predictor` and frames of rows. Out: frames of answers, equal to those of `Predictor.predict`, with limbeck's
kernels to the bit: a request's rows may come in several batches and in any company; when its last row was computed,
its head sees all of them together, as `predict` shows them to it. It does not know sockets or processes.

Shapes: R rows, N texts of a request, F features, D width, C columns of an answer.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from limbeck.errors import LimbeckError
from limbeck.inference.long_texts import answer_rows
from limbeck.inference.predictor import Predictor
from limbeck.model.blocks import Block, blocks_for
from limbeck.serving.engine_frames import EngineFrame, frame_bytes
from limbeck.tokens import Tokenized
from limbeck.tokens.windows import mean_of_rows

_SHOWN_CHARS = 300


@dataclass(kw_only=True)
class _Partial:
    """A request of which rows were computed, or will be.

    Attributes:
        first_N1: the first row of each text, and the number of rows.
        with_vectors: whether vectors are asked for.
        missing: rows that were not computed yet.
        features_RF: what the head sees of each row.
        vectors_RD: the rows' vectors.
    """

    first_N1: NDArray[np.int64]
    with_vectors: bool
    missing: int
    features_RF: np.ndarray
    vectors_RD: np.ndarray


class BatchAnswerer:
    """Computes batches, and answers each request when its last row is there.

    A frame of rows says `{"batch": number, "new": [[request, with_vectors, texts], …], "parts": [[request, start,
    stop], …], "gone": [request, …]}`, where `texts` is their number, or the rows of each text where one has several;
    its arrays are ids (T,) and offsets (R+1,). The answer says `{"batch": number, "done": [[request, N, with_vectors,
    [bad text, …]], …]}` with answers (sum of N, C) and the vectors (sum of N, D) of those who asked; or
    `{"failed": number, "why": …}`.
    """

    def __init__(self, predictor: Predictor) -> None:
        self._bundle, self._engine = predictor.bundle, predictor.engine
        self._partial: dict[int, _Partial] = {}
        self._blocks: tuple[Block, ...] = tuple(self._bundle.facts.blocks)
        self.vector_block = vector_block(predictor)
        with_vectors = self._blocks if self.vector_block in self._blocks else (*self._blocks, self.vector_block)
        self._with_vectors = with_vectors
        self._columns = slice(0, len(self._blocks) * self._engine.width)
        start = with_vectors.index(self.vector_block) * self._engine.width
        self._vector_columns = slice(start, start + self._engine.width)

    def answer(self, frame: EngineFrame) -> bytes:
        """Compute the rows of a frame, and return the frame that says what is done now."""
        said = frame.said
        for request in said["gone"]:
            self._partial.pop(request, None)
        try:
            return self._computed(said, frame.arrays)
        except (LimbeckError, ArithmeticError, LookupError, TypeError, ValueError, RuntimeError, MemoryError) as error:
            for request, _, _ in said["parts"]:
                self._partial.pop(request, None)
            return frame_bytes({"failed": said["batch"], "why": f"{type(error).__name__}: {error}"[:_SHOWN_CHARS]})

    def _computed(self, said: Mapping[str, Any], arrays: Sequence[np.ndarray]) -> bytes:
        parts: list[tuple[int, int, int]] = said["parts"]
        for request, with_vectors, texts in said["new"]:
            self._partial[request] = self._begun(texts, with_vectors=bool(with_vectors))
        if not parts:  # it asks whether the engine is alive
            return frame_bytes({"batch": said["batch"], "done": []})
        ids, offsets = arrays
        rows = Tokenized(ids=ids, offsets=offsets, cut_tokens=np.zeros(len(offsets) - 1, dtype=np.int32))
        wanted = any((known := self._partial.get(request)) and known.with_vectors for request, _, _ in parts)
        features_RF = self._engine.features(rows, self._with_vectors if wanted else self._blocks)
        done: list[list[Any]] = []
        answers: list[np.ndarray] = []
        vectors: list[np.ndarray] = []
        at = 0
        for request, start, stop in parts:
            own_RF = features_RF[at : at + stop - start]
            at += stop - start
            partial = self._partial.get(request)
            if partial is None:  # a batch before this one failed, and its requests begin anew
                continue
            partial.features_RF[start:stop] = own_RF[:, self._columns]
            if partial.with_vectors:
                partial.vectors_RD[start:stop] = own_RF[:, self._vector_columns]
            partial.missing -= stop - start
            if partial.missing == 0:
                del self._partial[request]
                found_NC = answer_rows(self._bundle, partial.features_RF, partial.first_N1)
                bad_N = ~np.isfinite(found_NC).all(axis=1)
                bad = np.flatnonzero(bad_N).tolist()
                done.append([request, len(found_NC), int(partial.with_vectors), bad])
                answers.append(found_NC)
                if partial.with_vectors:
                    vectors.append(mean_of_rows(partial.vectors_RD, partial.first_N1))
        return frame_bytes({"batch": said["batch"], "done": done}, *_joined(answers), *_joined(vectors))

    def _begun(self, texts: int | list[int], *, with_vectors: bool) -> _Partial:
        rows_N = np.ones(texts, np.int64) if isinstance(texts, int) else np.array(texts, np.int64)
        first_N1 = np.concatenate([[0], np.cumsum(rows_N)]).astype(np.int64)
        rows, width = int(first_N1[-1]), self._engine.width
        return _Partial(
            first_N1=first_N1,
            with_vectors=with_vectors,
            missing=rows,
            features_RF=np.empty((rows, len(self._blocks) * width), dtype=np.float32),
            vectors_RD=np.empty((rows if with_vectors else 0, width), dtype=np.float32),
        )


def vector_block(predictor: Predictor) -> Block:
    """Return what of the encoder a text's vector is: the mean of the last hidden state, as `load_encoder` has it."""
    return blocks_for("mean", None, predictor.engine.layers)[0]


def _joined(arrays: Sequence[np.ndarray]) -> Sequence[np.ndarray]:
    return [np.concatenate(arrays)] if len(arrays) > 1 else arrays
