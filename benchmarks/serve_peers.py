"""Peers of `limbeck serve`: each as its own pages show it, over the same model folder.

    python benchmarks/serve_peers.py fastapi|litserve|infinity|ray FOLDER PORT

In: the name of a peer, a folder that `transformers` opens, a port. Out: a server on 127.0.0.1, until it is ended. Each
gets batching where it has it, two threads, and the model's own limit of tokens. It does not know who asks.
"""

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

THREADS = 2
MOST_BATCH = 32
BATCH_WAIT_S = 0.005
"""Those that wait to fill a batch wait so long, which their pages recommend."""
PATHS = {"fastapi": "/predict", "litserve": "/predict", "infinity": "/classify", "ray": "/"}
"""Where each takes a text."""


def body_for(name: str, text: str) -> dict[str, Any]:
    """Return what each is sent for one text."""
    return {"model": "peer", "input": [text]} if name == "infinity" else {"text": text}


class Classifier:
    """A model of transformers: texts in, labels and probabilities out, padded to the longest."""

    def __init__(self, folder: str) -> None:
        import torch
        from transformers import AutoModelForSequenceClassification, AutoTokenizer

        torch.set_num_threads(THREADS)
        self._torch = torch
        self._tokenizer = AutoTokenizer.from_pretrained(folder)
        self._model = AutoModelForSequenceClassification.from_pretrained(folder).eval()

    def answer(self, texts: Sequence[str]) -> list[dict[str, Any]]:
        """Classify texts together."""
        with self._torch.inference_mode():
            ids = self._tokenizer(list(texts), padding=True, truncation=True, return_tensors="pt")
            rows = self._model(**ids).logits.softmax(dim=1)
        names = self._model.config.id2label
        return [{names[place]: float(value) for place, value in enumerate(row)} for row in rows]


def fastapi(folder: str, port: int) -> None:
    """Twenty lines of FastAPI around `pipeline`, as most tutorials have them."""
    import torch
    import uvicorn
    from fastapi import FastAPI
    from transformers import pipeline

    torch.set_num_threads(THREADS)
    classify = pipeline("text-classification", model=folder, device="cpu", top_k=None, truncation=True)
    app = FastAPI()

    @app.post("/predict")
    def predict(asked: dict[str, str]) -> Any:
        return classify(asked["text"])

    uvicorn.run(app, host="127.0.0.1", port=port, log_level="warning")


def litserve(folder: str, port: int) -> None:
    """LitServe with its batching."""
    import litserve as ls
    from serve_litserve import Api

    os.environ["LITSERVE_FOLDER"] = folder
    try:
        server = ls.LitServer(Api(max_batch_size=MOST_BATCH, batch_timeout=BATCH_WAIT_S), accelerator="cpu")
    except TypeError:  # older releases take these here
        server = ls.LitServer(Api(), accelerator="cpu", max_batch_size=MOST_BATCH, batch_timeout=BATCH_WAIT_S)
    server.run(host="127.0.0.1", port=port, generate_client_file=False, log_level="warning")


def infinity(folder: str, port: int) -> None:
    """Infinity with the engine that it has for a CPU, without telemetry."""
    os.environ |= {"DO_NOT_TRACK": "1", "INFINITY_ANONYMOUS_USAGE_STATS": "0", "OMP_NUM_THREADS": str(THREADS)}
    words = ["v2", "--model-id", folder, "--served-model-name", "peer", "--host", "127.0.0.1", "--port", str(port)]
    words += ["--engine", "torch", "--device", "cpu", "--no-bettertransformer", "--batch-size", str(MOST_BATCH)]
    command = str(Path(sys.executable).with_name("infinity_emb"))
    os.execv(command, [command, *words, "--log-level", "warning"])  # noqa: S606  # its own command


def ray(folder: str, port: int) -> None:
    """Ray Serve with its batching, one replica."""
    import time

    import ray as ray_library
    from ray import serve
    from starlette.requests import Request

    @serve.deployment(num_replicas=1, max_ongoing_requests=1000, ray_actor_options={"num_cpus": 1})
    class Deployed:
        def __init__(self) -> None:
            self.model = Classifier(folder)

        @serve.batch(max_batch_size=MOST_BATCH, batch_wait_timeout_s=BATCH_WAIT_S)
        async def many(self, texts: list[str]) -> list[dict[str, Any]]:
            return self.model.answer(texts)

        async def __call__(self, request: Request) -> Any:
            return await self.many((await request.json())["text"])

    ray_library.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
    serve.start(http_options={"host": "127.0.0.1", "port": port})
    serve.run(Deployed.bind())
    while True:
        time.sleep(1)


PEERS = {"fastapi": fastapi, "litserve": litserve, "infinity": infinity, "ray": ray}


if __name__ == "__main__":
    PEERS[sys.argv[1]](sys.argv[2], int(sys.argv[3]))
