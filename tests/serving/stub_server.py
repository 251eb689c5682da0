"""A server of its own process whose service needs no model: what the tests of starting and ending run.

    python -m tests.serving.stub_server '{"port": 0, "drain_s": 0.2}'

It prints the lines that `limbeck serve` prints. Every answer takes up to 20 ms, as texts say: `{"input": "3"}`, 3 ms.
"""

import asyncio
import json
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa

from limbeck.errors import BundleError, LimbeckError, OverloadedError
from limbeck.evaluation.predictions import Predictions
from limbeck.model.facts import BundleFacts
from limbeck.progress import for_stream
from limbeck.serving.serve_settings import ServeSettings
from limbeck.serving.server import Listeners, run_server
from limbeck.serving.service import Answered, Asked, Condition, ServedModel
from limbeck.tokens import Tokenizer
from limbeck.tokens.windows import Window

LABELS = ("no", "yes")


class StubService:
    """Answers "yes" after a while; a new model of a folder named "broken" is refused."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        self._digest = "0" * 64
        self.stopped = False

    @property
    def model(self) -> ServedModel:
        facts = BundleFacts(head="linear", blocks=(), max_tokens=12, label_names=LABELS)
        return ServedModel(
            name="stub",
            digest=self._digest,
            facts=facts,
            tokenizer=self._tokenizer,
            window=Window(name="head", max_tokens=12),
            numerics="none",
            vector_width=2,
            vector_pooling="mean@0",
        )

    @property
    def condition(self) -> Condition:
        return Condition(
            is_ready=True,
            why="",
            waiting_tokens=0,
            waiting_texts=0,
            tokens_per_s=1.0,
            predicted_wait_s=0.0,
            engine_restarts=0,
            swaps={},
        )

    is_crowded = False

    def refusal(self, asked: Asked) -> OverloadedError | None:
        return None

    async def start(self) -> None:
        await asyncio.sleep(0.05)

    async def answer(self, asked: Asked) -> Answered:
        digest = self._digest
        await asyncio.sleep(float(asked.texts[0]) / 1000)
        rows = len(asked.texts)
        predictions = Predictions(
            row_ids=tuple(map(str, range(rows))),
            label_names=LABELS,
            probabilities=np.tile(np.array([0.25, 0.75], np.float32), (rows, 1)),
            true_labels=pa.nulls(rows, pa.int32()),
            tokens=np.full(rows, 3, np.int32),
            truncated=np.zeros(rows, np.bool_),
        )
        return Answered(
            predictions=predictions,
            cut_tokens=np.zeros(rows, np.int32),
            vectors=None,
            model_digest=digest,
            queue_s=0.0,
            engine_s=0.0,
        )

    async def swap(self, folder: str) -> ServedModel:
        if Path(folder).name == "broken":
            raise BundleError("it is broken")
        self._digest = f"{int(self._digest, 16) + 1:064x}"
        return self.model

    async def stop(self) -> None:
        self.stopped = True


def main(words: list[str]) -> Iterator[int]:
    """Run; yields the exit status."""
    settings = ServeSettings(**json.loads(words[0]))
    tokenizer = Tokenizer.from_file(Path(words[1]), max_tokens=24)
    try:
        run_server(StubService(tokenizer), settings, folder=words[2], told=Listeners(progress=for_stream()))
    except LimbeckError as error:
        sys.stderr.write(f"limbeck: {error}\n")
        yield 1
    yield 0


if __name__ == "__main__":
    sys.exit(next(main(sys.argv[1:])))
