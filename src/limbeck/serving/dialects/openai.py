"""The dialect of OpenAI: `/v1/embeddings` and `/v1/models`.

In: `input`, `model`. Out: one vector of length 1 per text, as numbers or as base64 of little-endian float32.
Numbers of tokens are refused: they are another tokenizer's, and their vectors would mean nothing.

Source: openai-python, resources/embeddings.py.
"""

import base64
from collections.abc import Iterator
from http import HTTPStatus
from typing import Any

import numpy as np
from starlette.responses import Response

from limbeck.errors import RequestError, RowError
from limbeck.serving.asked_texts import TEXTS_SCHEMA, read_texts
from limbeck.serving.call import Call
from limbeck.serving.dialects.tei import vectors_of
from limbeck.serving.forms import Field, Form
from limbeck.serving.replies import json_response, rows_response, shortest, told_headers
from limbeck.serving.routes import Endpoint, WireDialect
from limbeck.serving.wrong import Wrong

_TYPES = {
    HTTPStatus.UNAUTHORIZED: "authentication_error",
    HTTPStatus.FORBIDDEN: "permission_error",
    HTTPStatus.NOT_FOUND: "not_found_error",
    HTTPStatus.TOO_MANY_REQUESTS: "rate_limit_error",
}


def _wrong_body(wrong: Wrong) -> dict[str, Any]:
    """Say what is wrong as OpenAI does."""
    kind = "server_error" if wrong.status >= HTTPStatus.INTERNAL_SERVER_ERROR else "invalid_request_error"
    return {
        "error": {
            "message": wrong.message,
            "type": _TYPES.get(wrong.status, kind),
            "param": None if wrong.row is None else f"input[{wrong.row}]",
            "code": wrong.kind,
        }
    }


OPENAI = WireDialect(
    name="openai",
    words="OpenAI",
    wrong_body=_wrong_body,
    wrong_schema={
        "type": "object",
        "properties": {
            "error": {
                "type": "object",
                "properties": {
                    "message": {"type": "string"},
                    "type": {"type": "string"},
                    "param": {"type": ["string", "null"]},
                    "code": {"type": ["string", "null"]},
                },
                "required": ["message", "type", "param", "code"],
            }
        },
        "required": ["error"],
    },
)
EMBEDDINGS = Form(
    name="Embeddings",
    fields=(
        Field(
            name="input",
            meaning="A text, or a list of texts; numbers of tokens are refused.",
            schema=TEXTS_SCHEMA,
            is_required=True,
        ),
        Field(name="model", meaning="Name of the model.", schema={"type": "string"}, is_required=True),
        Field(
            name="encoding_format",
            meaning="How a vector is written. float where it is not given.",
            schema={"type": "string", "enum": ["float", "base64"]},
        ),
        Field(
            name="dimensions",
            meaning="Columns of a vector; another number than the model's is refused.",
            schema={"type": "integer", "minimum": 1},
        ),
        Field(name="user", meaning="Taken, and not used.", schema={"type": "string"}),
    ),
    example={"input": ["i feel fine"], "model": "MODEL"},
    texts="input",
)


async def _embeddings(call: Call) -> Response:
    """Answer `POST /v1/embeddings`."""
    wanted = call.read(EMBEDDINGS)
    model = call.model
    call.require_model(wanted["model"])
    if wanted["dimensions"] not in (None, model.vector_width):
        raise RequestError(
            f"dimensions is {wanted['dimensions']}, and the model's vectors have {model.vector_width}: leave it out"
        )
    _refuse_token_ids(wanted["input"])
    texts = read_texts(wanted["input"], model.facts, name="input").rows
    answered = await call.ask(texts, vectors=True)
    found = answered.predictions
    read = int(found.tokens.sum() - answered.cut_tokens.sum())
    around = {"object": "list", "model": model.name, "usage": {"prompt_tokens": read, "total_tokens": read}}
    rows = _embedding_rows(vectors_of(answered, normalize=True), is_base64=wanted["encoding_format"] == "base64")
    return await rows_response(rows, told_headers(answered), around=around)


async def _models(call: Call) -> Response:
    """Answer `GET /v1/models`, for clients of OpenAI and of KServe."""
    return json_response({"object": "list", "data": [_model(call)], "models": [call.model.name]})


async def _one_model(call: Call) -> Response:
    """Answer `GET /v1/models/{model}`, for clients of OpenAI and of KServe."""
    call.require_model(call.path["model"])
    return json_response({**_model(call), "name": call.model.name, "ready": call.condition.is_ready})


def _model(call: Call) -> dict[str, Any]:
    return {"id": call.model.name, "object": "model", "created": 0, "owned_by": "limbeck"}


def _embedding_rows(vectors_NW: np.ndarray, *, is_base64: bool) -> Iterator[dict[str, Any]]:
    little_NW = vectors_NW.astype("<f4")
    for row, vector in enumerate(little_NW):
        said = base64.b64encode(vector.tobytes()).decode() if is_base64 else shortest(vector)
        yield {"object": "embedding", "index": row, "embedding": said}


def _refuse_token_ids(value: Any) -> None:
    rows = value if isinstance(value, list) else []
    for place, row in enumerate(rows):
        numbers = row if isinstance(row, list) else [row]
        if numbers and all(isinstance(one, int) and not isinstance(one, bool) for one in numbers):
            raise RowError(
                f"input[{place}] has numbers of tokens, which are another tokenizer's: send the text itself; in "
                "LangChain give OpenAIEmbeddings(check_embedding_ctx_length=False)",
                row=place,
            )


_MODEL_SCHEMA = {
    "type": "object",
    "properties": {"id": {"type": "string"}, "object": {"const": "model"}},
    "required": ["id", "object", "created", "owned_by"],
}
OPENAI_ROUTES = (
    Endpoint(
        method="POST",
        path="/v1/embeddings",
        dialect=OPENAI,
        reply=_embeddings,
        says="Give a vector of length 1 for each text.",
        answer_schema={"type": "object", "required": ["object", "data", "model", "usage"]},
        form=EMBEDDINGS,
        statuses=(404,),
    ),
    Endpoint(
        method="GET",
        path="/v1/models",
        dialect=OPENAI,
        reply=_models,
        says="Name the model that is served.",
        answer_schema={"type": "object", "required": ["object", "data", "models"]},
    ),
    Endpoint(
        method="GET",
        path="/v1/models/{model}",
        dialect=OPENAI,
        reply=_one_model,
        says="Say that a model is served.",
        answer_schema=_MODEL_SCHEMA,
        statuses=(404,),
    ),
)
