"""LitServe's worker, in a module of its own: LitServe starts it in a process that must be able to import it.

In: a folder that `transformers` opens, in LITSERVE_FOLDER. Out: LitServe's API. It does not know who asks.
"""

import os
from typing import Any

import litserve as ls
from serve_peers import Classifier


class Api(ls.LitAPI):  # type: ignore[misc]  # without types
    """Classifies the texts of a batch together."""

    def setup(self, device: str) -> None:
        """Open the model."""
        self.model = Classifier(os.environ["LITSERVE_FOLDER"])

    def decode_request(self, request: dict[str, str]) -> str:
        """Return the text of a request."""
        return request["text"]

    def predict(self, texts: Any) -> Any:
        """Classify."""
        return self.model.answer(texts if isinstance(texts, list) else [texts])

    def encode_response(self, output: Any) -> Any:
        """Return what is sent."""
        return output
