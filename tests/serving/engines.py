"""What tests of the engine side stand on: folders for `plain_engine`, and a service over them."""

import asyncio
import json
import random
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import numpy as np
from tests.serving.plain_engine import answer_to

from limbeck.errors import LimbeckError
from limbeck.model.blocks import Block
from limbeck.model.facts import BundleFacts
from limbeck.serving.local_service import LocalService
from limbeck.serving.serve_settings import ServeSettings
from limbeck.serving.service import Answered, Asked
from limbeck.settings import WindowName
from limbeck.tokens import Tokenizer

PLAIN_PROGRAM = (sys.executable, str(Path(__file__).with_name("plain_engine.py")))
Make = Callable[..., Path]
WORDS = ("i", "feel", "fine", "sad", "so", "very", "today", "it", "is", "rain", "sun")


def plain_folder(folder: Path, tokenizer: Tokenizer, **changed: Any) -> Path:
    """Write what a plain engine says of itself.

    Args:
        folder: is made.
        tokenizer: of the model that it pretends to have.
        changed: "plain" settings (token_s, start_s, load_s, harm), "digest", "label_names", "window".
    """
    window: WindowName = changed.pop("window", "head")
    facts = BundleFacts(
        head="linear",
        blocks=(Block(layer=1, pooling="mean"),),
        max_tokens=8,
        label_names=changed.pop("label_names", ("joy", "sadness")),
        window=window,
    )
    digest = changed.pop("digest", "0" * 64)
    about = {
        "facts": facts.to_json(),
        "tokenizer": {
            "definition": tokenizer.content,
            "max_tokens": tokenizer.max_tokens,
            "truncation_side": tokenizer.truncation_side,
        },
        "digest": digest,
        "numerics": "plain",
        "vector_width": 1,
        "vector_pooling": "mean@1",
        "short": [8, 8 * changed.get("token_s", 1e-5) + changed.get("start_s", 1e-4)],
        "many": [1024, 1024 * changed.get("token_s", 1e-5) + changed.get("start_s", 1e-4)],
        "plain": changed,
    }
    folder.mkdir(exist_ok=True)
    (folder / "about.json").write_text(json.dumps(about))
    return folder


@asynccontextmanager
async def serving(folder: Path, **settings: Any) -> AsyncIterator[LocalService]:
    """Serve a plain engine's folder; stopped at the end, whatever happened."""
    service = LocalService(str(folder), ServeSettings(**{"spare": False, **settings}), program=PLAIN_PROGRAM)
    await service.start()
    try:
        yield service
    finally:
        await service.stop()


def asking(*texts: str, **changed: Any) -> Asked:
    """Ask for texts, as one client with ten seconds."""
    return Asked(**{"texts": texts, "client": "me", "timeout_s": 10.0, **changed})


def expected(service: LocalService, texts: tuple[str, ...]) -> np.ndarray:
    """Return what a plain engine answers, computed here."""
    model = service.model
    read = model.tokenizer.read(texts, model.window)
    rows = [answer_to(read.rows.ids[a:b]) for a, b in zip(read.rows.offsets, read.rows.offsets[1:], strict=False)]
    return read.mean(np.array(rows)).astype(np.float32)


def probabilities(answered: Answered) -> np.ndarray:
    """Return the probabilities of an answer."""
    found = answered.predictions
    assert hasattr(found, "probabilities")
    return np.asarray(found.probabilities)


def engine_pid(service: LocalService) -> int | None:
    """Return the number of the process that computes now."""
    served: Mapping[str, Any] = vars(service)
    engine = served["_served"].lane.keeper.engine
    return None if engine is None else engine.pid


def drawn(chance: random.Random, most: int = 4) -> tuple[str, ...]:
    """Some texts of some words."""
    return tuple(" ".join(chance.choices(WORDS, k=chance.randint(1, 6))) for _ in range(chance.randint(1, most)))


async def until(is_so: Callable[[], bool], within_s: float = 5.0) -> None:
    """Wait for something to be so."""
    started = time.monotonic()
    while not is_so():
        assert time.monotonic() - started < within_s, "it did not come to be so"
        await asyncio.sleep(0.01)


async def outcome(task: Awaitable[Answered]) -> Answered | LimbeckError:
    """Return an answer or the error."""
    try:
        return await task
    except LimbeckError as error:
        return error


def run(work: Coroutine[Any, Any, None]) -> None:
    """Run a test on a loop; none takes longer than half a minute."""

    async def bounded() -> None:
        async with asyncio.timeout(30):
            await work

    asyncio.run(bounded())


def is_dead(pid: int) -> bool:
    """Tell whether a process has ended, though its parent did not look yet."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True
