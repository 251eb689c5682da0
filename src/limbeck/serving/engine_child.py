"""The engine's own process: loads a model, answers batches, and ends with the front that started it.

In: a wish (JSON, the first argument) and a socket, its standard input. Out: frames. It begins with `{"ready": …}`, or
`{"refused": kind, "why": …}` where the model cannot be served; while it loads it says `{"loading": …}` every second.
What would be printed goes to standard error. It knows neither requests nor clients.
"""

import json
import os
import socket
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from limbeck.errors import LimbeckError
from limbeck.os_files import end_with_parent
from limbeck.serving.engine_frames import EngineFrame, FrameReader, frame_bytes

TELLING_EVERY_S = 1.0
"""While it loads, it says so."""
_PIECE_BYTES = 2**18
_SHORT_TOKENS, _MANY_TOKENS = 24, 1_024
_CALLS = 3


def serve_front() -> None:
    """Serve one front; to be started by `EngineProcess`."""
    wish = json.loads(sys.argv[1])
    end_with_parent(wish["parent"])
    line = _Line(_take_standard_input())
    from limbeck.runtime import honour_quota, keep_what_is_loaded, tolerate_full_disk

    honour_quota()
    tolerate_full_disk()
    try:
        with line.loading():
            from limbeck.inference.predictor import load
            from limbeck.serving.engine_batches import BatchAnswerer

            predictor = load(Path(wish["folder"]), device=wish["device"], engine=wish["engine"], progress=_Told(line))
            answerer = BatchAnswerer(predictor)
            ready = _about(predictor, answerer)
    except LimbeckError as error:
        line.send(frame_bytes({"refused": type(error).__name__, "why": str(error)}))
        return
    line.send(frame_bytes({"ready": ready}))
    keep_what_is_loaded()
    for frame in line.frames():
        line.send(answerer.answer(frame))


class _Line:
    """The socket to the front; whoever writes to it holds the lock."""

    def __init__(self, ours: socket.socket) -> None:
        self._ours = ours
        self._lock = threading.Lock()

    def send(self, frame: bytes) -> None:
        with self._lock:
            try:
                self._ours.sendall(frame)
            except OSError:  # the front is gone, and nobody waits for anything
                os._exit(0)

    def frames(self) -> Iterator[EngineFrame]:
        reader = FrameReader()
        while piece := self._come():
            yield from reader.feed(piece)

    def _come(self) -> bytes:
        try:
            return self._ours.recv(_PIECE_BYTES)
        except OSError:  # the front is gone
            return b""

    @contextmanager
    def loading(self) -> Iterator[None]:
        """Tell the front every second that this process is alive."""
        ended = threading.Event()

        def tell() -> None:
            while not ended.wait(TELLING_EVERY_S):
                self.send(frame_bytes({"loading": True}))

        thread = threading.Thread(target=tell, daemon=True)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()


class _Told:
    """Hands on what is said while a model loads: that kernels are compiled, that engines are measured."""

    def __init__(self, line: _Line) -> None:
        self._line = line

    @contextmanager
    def track(self, label: str, *, total: int, unit: str) -> Iterator[Any]:
        yield lambda done, note="": None

    def say(self, line: str) -> None:
        self._line.send(frame_bytes({"note": line}))


def _take_standard_input() -> socket.socket:
    """Take the socket away from standard input, and let what is printed go to standard error."""
    ours = socket.socket(fileno=os.dup(sys.stdin.fileno()))
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, sys.stdin.fileno())
    os.close(nothing)
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    return ours


def _about(predictor: Any, answerer: Any) -> dict[str, Any]:
    """Say what the front must know of the model, and how fast it is here."""
    bundle, tokenizer = predictor.bundle, predictor.bundle.loaded.tokenizer
    short_s, many_s, many_tokens = _speeds(predictor)
    return {
        "facts": bundle.facts.to_json(),
        "tokenizer": {
            "definition": tokenizer.content,
            "max_tokens": tokenizer.max_tokens,
            "truncation_side": tokenizer.truncation_side,
        },
        "digest": bundle.digest(),
        "numerics": predictor.numerics,
        "vector_width": predictor.engine.width,
        "vector_pooling": str(answerer.vector_block),
        "short": [_short_of(bundle), short_s],
        "many": [many_tokens, many_s],
    }


def _speeds(predictor: Any) -> tuple[float, float, int]:
    """Return the seconds of one short text and of many, and the tokens of the many; all is warm then."""
    import numpy as np

    from limbeck.tokens import Tokenized

    bundle = predictor.bundle
    short = _short_of(bundle)
    drawn = np.random.default_rng(0)

    def seconds(texts: int) -> float:
        offsets = np.arange(texts + 1, dtype=np.int64) * short
        ids = drawn.integers(0, bundle.loaded.config.vocab_size, texts * short, dtype=np.int32)
        rows = Tokenized(ids=ids, offsets=offsets, cut_tokens=np.zeros(texts, dtype=np.int32))
        started = time.perf_counter()
        bundle.answers(predictor.engine.features(rows, bundle.facts.blocks))
        return time.perf_counter() - started

    many = max(2, _MANY_TOKENS // short)
    for texts in (1, many):  # what is first is slow
        seconds(texts)
    return min(seconds(1) for _ in range(_CALLS)), seconds(many), many * short


def _short_of(bundle: Any) -> int:
    return int(min(_SHORT_TOKENS, bundle.facts.max_tokens))


if __name__ == "__main__":
    serve_front()
