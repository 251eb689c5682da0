"""What tests of the engine side stand on: folders for `plain_engine`, and a service over them."""

import json
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import numpy as np
from tests.serving.plain_engine import answer_to

from limbeck.model.blocks import Block
from limbeck.model.facts import BundleFacts
from limbeck.serving.local_service import LocalService
from limbeck.serving.service import Answered, Asked
from limbeck.settings import ServeSettings, WindowName
from limbeck.tokens import Tokenizer

PLAIN_PROGRAM = (sys.executable, str(Path(__file__).with_name("plain_engine.py")))
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
