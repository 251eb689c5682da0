"""A service without an engine of its own, and ways to ask it: what the tests of routes stand on.

`InProcess` answers with a `Predictor` of a tiny model, in the test's own process; so a test of a route takes
milliseconds. `ask` speaks to the application without a socket; `running` gives it a port for real clients.
"""

import asyncio
import contextlib
import hashlib
import json
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch

from limbeck.errors import LimbeckError, OverloadedError, RowError
from limbeck.evaluation.conformal import ConformalWidth
from limbeck.inference.predictor import Predictor
from limbeck.model.blocks import blocks_for
from limbeck.model.bundle import Bundle
from limbeck.model.facts import BundleFacts
from limbeck.model.heads import LinearHead
from limbeck.model.loaded_encoder import LoadedEncoder
from limbeck.serving.app import Front
from limbeck.serving.guards import make_guard
from limbeck.serving.serve_settings import ServeSettings
from limbeck.serving.service import Answered, Asked, Condition, ServedModel
from limbeck.tokens.windows import Window

WIDTH = 8
DIGEST = "5" * 64
KINDS: dict[str, dict[str, Any]] = {
    "single": {},
    "unsure": {"thresholds": (0.95, 0.5, 0.99)},
    "multi": {"task": "multi", "label_thresholds": (0.2, 0.5, 0.4)},
    "ordinal": {"task": "ordinal"},
    "regression": {
        "task": "regression",
        "label_names": (),
        "value_width": ConformalWidth(level=0.9, half_width=0.25, rows=40, found_on="validation"),
    },
    "pair": {"pair": ("question", "answer")},
    "tail": {"window": "tail"},
}
"""Facts of the models of each kind, beside those of "single"."""


def bundle_of(kind: str, loaded: LoadedEncoder) -> Bundle:
    """Make a model of a kind; equal for equal kinds."""
    torch.manual_seed(11)
    blocks = blocks_for("layers", None, loaded.config.n_layers)
    facts = replace(
        BundleFacts(
            head="linear", blocks=blocks, max_tokens=12, label_names=("joy", "sadness", "슬픔"), provenance={"seed": 11}
        ),
        **KINDS[kind],
    )
    outputs = facts.shape.n_logits(len(facts.label_names))
    head = LinearHead(torch.randn(outputs, loaded.config.dim * len(blocks)) * 0.1, torch.randn(outputs))
    return Bundle(loaded=loaded, head=head.eval(), facts=facts)


@dataclass(eq=False)
class InProcess:
    """A service around a predictor.

    Attributes:
        predictor: that answers.
        delay_s: seconds that every answer takes.
        fault: what it raises instead of answering.
        is_full: whether it refuses at the door with an `OverloadedError` that is its fault.
        asked: all that it was asked.
        cancelled: how many of these nobody waited for.
    """

    predictor: Predictor
    delay_s: float = 0.0
    fault: LimbeckError | None = None
    is_ready: bool = True
    is_full: bool = False
    asked: list[Asked] = field(default_factory=list)
    cancelled: int = 0
    digest: str = DIGEST

    @property
    def model(self) -> ServedModel:
        bundle = self.predictor.bundle
        return ServedModel(
            name="tiny",
            digest=self.digest,
            facts=bundle.facts,
            tokenizer=bundle.loaded.tokenizer,
            window=bundle.window,
            numerics="torch, float32",
            vector_width=WIDTH,
            vector_pooling="mean@2",
        )

    @property
    def condition(self) -> Condition:
        return Condition(
            is_ready=self.is_ready,
            why="" if self.is_ready else "the engine is being replaced",
            waiting_tokens=0,
            waiting_texts=0,
            tokens_per_s=1000.0,
            predicted_wait_s=0.0,
            engine_restarts=0,
            swaps={"ok": 0, "refused": 0},
        )

    @property
    def is_crowded(self) -> bool:
        return self.is_full

    def refusal(self, asked: Asked) -> OverloadedError | None:
        return self.fault if self.is_full and isinstance(self.fault, OverloadedError) else None

    async def start(self) -> None:
        """Nothing is to be done."""

    async def answer(self, asked: Asked) -> Answered:
        self.asked.append(asked)
        try:
            await asyncio.sleep(self.delay_s)
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        if self.fault is not None:
            raise self.fault
        bundle = self.predictor.bundle
        read = bundle.loaded.tokenizer.read(bundle.facts.as_read(list(asked.texts)), bundle.window)
        if not asked.truncate and read.truncated.any():
            raise RowError("a text is too long, and may not be cut", row=int(read.truncated.argmax()))
        return Answered(
            predictions=self.predictor.predict(list(asked.texts)),
            cut_tokens=read.cut_tokens,
            vectors=np.stack([vector_of(text) for text in asked.texts]) if asked.vectors else None,
            model_digest=self.digest,
            queue_s=0.001,
            engine_s=0.002,
        )

    async def swap(self, folder: str) -> ServedModel:
        self.digest = hashlib.sha256(folder.encode()).hexdigest()
        return self.model

    async def stop(self) -> None:
        """Nothing is to be done."""


def vector_of(text: str) -> np.ndarray:
    """Return a vector that depends on a text alone."""
    return np.frombuffer(hashlib.sha256(text.encode()).digest(), np.uint8)[:WIDTH].astype(np.float32) - 100


def front_of(service: InProcess, **settings: Any) -> Front:
    """Make the application, loaded."""
    serving = ServeSettings(**settings)
    front = Front(
        service, serving, make_guard(host=serving.host, allowed_hosts=serving.allowed_hosts, key_file=serving.key_file)
    )
    front.is_loaded = True
    front.accounts.know(service.model.facts.label_names)
    return front


@dataclass(frozen=True)
class Reply:
    """An answer as it came over the wire."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


def ask(
    front: Front,
    path: str,
    body: Any = None,
    *,
    method: str | None = None,
    headers: Mapping[str, str] | None = None,
    chunks: int = 1,
) -> Reply:
    """Ask the application without a socket.

    Args:
        front: to ask.
        path: of the route.
        body: bytes, or what is written as JSON; None for a GET.
        method: GET without a body, else POST.
        headers: beside the usual ones; an empty value takes one out.
        chunks: in which the body comes.
    """
    raw = b"" if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
    all_headers = {"host": "127.0.0.1:8080"}
    if body is not None:
        all_headers |= {"content-type": "application/json", "content-length": str(len(raw))}
    all_headers |= dict(headers or {})
    scope = {
        "type": "http",
        "method": method or ("GET" if body is None else "POST"),
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "root_path": "",
        "http_version": "1.1",
        "client": ("127.0.0.1", 1),
        "headers": [(name.encode(), value.encode("latin-1")) for name, value in all_headers.items() if value],
    }
    size = -(-len(raw) // chunks) or 1
    parts = [raw[start : start + size] for start in range(0, len(raw), size)] or [b""]
    messages = [
        {"type": "http.request", "body": part, "more_body": place + 1 < len(parts)} for place, part in enumerate(parts)
    ]
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        if messages:
            return messages.pop(0)
        await asyncio.Event().wait()
        raise AssertionError

    async def send(message: Any) -> None:
        sent.append(dict(message))

    asyncio.run(front(scope, receive, send))
    return Reply(
        status=sent[0]["status"],
        headers={name.decode(): value.decode("latin-1") for name, value in sent[0]["headers"]},
        body=b"".join(message["body"] for message in sent[1:]),
    )


@contextlib.contextmanager
def running(front: Front, **limits: Any) -> Iterator[str]:
    """Give the application a port of this machine, for clients that need one; yields its address.

    Args:
        front: to serve.
        limits: of connections.
    """
    from limbeck.serving.server import FrontServer, uvicorn_config

    server = FrontServer(uvicorn_config(front, ServeSettings(port=0, **limits)), grace_s=5)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    until = time.monotonic() + 10
    while not server.started:
        assert time.monotonic() < until, "the server did not start"
        time.sleep(0.005)
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join(timeout=10)


def identity_holds(front: Front) -> bool:
    """Tell whether every request that came was counted as one outcome."""
    accounts = front.accounts
    return accounts.received.total() == accounts.requests.total() and accounts.open_requests == 0


def window_of(name: Any, tokens: int) -> Window:
    """Make a window."""
    return Window(name=name, max_tokens=tokens)
