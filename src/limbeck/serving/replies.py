"""Replies: answers as bytes of JSON, and what every dialect tells in headers.

In: plain values, and what a model answered. Out: responses. It does not know dialects.

A large answer is written piece by piece, so that other requests are served between two pieces.
"""

import asyncio
import json
import time
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pyarrow as pa
from starlette.responses import Response

from limbeck.evaluation.predictions import Predictions
from limbeck.serving.service import Answered
from limbeck.serving.wrong import Wrong

PIECE_S = 0.005
"""Seconds of writing after which others have their turn."""
EVERYWHERE = {"x-content-type-options": "nosniff", "cache-control": "no-store"}
"""Headers of every answer."""
_ENCODER = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"))
_FEW = 64
_SHOWN_ROWS = 50
"""Numbers of rows that a header names."""


def compact_json(value: Any) -> bytes:
    """Write a value as JSON in UTF-8."""
    return _ENCODER.encode(value).encode()


def json_response(value: Any, *, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """Return a response with a value that is not large."""
    return Response(compact_json(value), status, dict(headers or {}), "application/json")


async def json_rows(rows: Iterable[Any]) -> bytes:
    """Write a list of any length as JSON, and let others have their turn meanwhile."""
    parts: list[bytes] = []
    begun = time.perf_counter()
    for row in rows:
        parts.append(compact_json(row))
        if time.perf_counter() - begun > PIECE_S:
            await asyncio.sleep(0)
            begun = time.perf_counter()
    return b"[" + b",".join(parts) + b"]"


async def rows_response(
    rows: Iterable[Any], headers: Mapping[str, str], *, around: Mapping[str, Any] | None = None, name: str = "data"
) -> Response:
    """Return a response that is a list, or an object that has it.

    Args:
        rows: of the list.
        headers: of the response.
        around: the object's other values; None for the list alone.
        name: of the list in the object.
    """
    body = await json_rows(rows)
    if around is not None:
        head = compact_json({**around, name: None})
        body = head[: -len("null}")] + body + b"}"
    return Response(body, 200, dict(headers), "application/json")


def wrong_response(wrong: Wrong, body: Any, *, headers: Mapping[str, str] | None = None) -> Response:
    """Return the response to a request that is not answered, whose body a dialect made; with further headers."""
    return json_response(body, status=wrong.status, headers={**wrong.headers, **(headers or {})})


def shortest(values: np.ndarray) -> list[Any]:
    """Return float32 values, of any number of axes, as plain numbers that `json` writes with the fewest digits.

    Reading them back gives the same float32: as `limbeck predict` writes them.

    Example:
        >>> shortest(np.array([[0.1, 1.0]], np.float32))
        [[0.1, 1.0]]
    """
    exact = np.asarray(values, np.float32).ravel()
    # Arrow is quick at many and slow to begin; `pa.array` would import pandas, while everybody waits.
    digits = map(str, exact) if exact.size <= _FEW else _arrow_of(exact).cast(pa.string()).to_pylist()
    flat = [float(one) for one in digits]
    if values.ndim == 1:
        return flat
    columns = values.shape[1]
    return [flat[start : start + columns] for start in range(0, len(flat), columns)]


def _arrow_of(values: np.ndarray) -> pa.Array:
    return pa.Array.from_buffers(pa.float32(), len(values), [None, pa.py_buffer(values)])


def told_headers(answered: Answered) -> dict[str, str]:
    """Return what every dialect tells in headers of an answer: the model, what was cut, of what it is unsure."""
    headers = {"x-limbeck-model-sha": answered.model_digest}
    if rows := int((answered.cut_tokens > 0).sum()):
        headers["x-limbeck-truncated"] = f"rows={rows};tokens={int(answered.cut_tokens.sum())}"
    found = answered.predictions
    if isinstance(found, Predictions) and found.unsure is not None and found.unsure.any():
        rows_unsure = np.flatnonzero(found.unsure).tolist()
        shown = ",".join(map(str, rows_unsure[:_SHOWN_ROWS]))
        headers["x-limbeck-unsure"] = f"count={len(rows_unsure)};rows={shown}"
    return headers
