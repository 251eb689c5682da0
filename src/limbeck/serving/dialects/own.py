"""The own dialect: `POST /classify`, which can say everything that a model answers. A superset of vLLM's.

In: `input`, a text, a list of texts, or a list of pairs. Out: an object with one row per text, in their order.
It does not know HTTP, limits or the other dialects.

    {"id", "object": "list", "created", "model", "model_sha", "task", "label_names": [...], "thresholds": [...] or null,
     "data": [row, ...], "usage": {"prompt_tokens", "total_tokens"}}

    row of every task   "index", "tokens" (before the text was cut), "truncated", "tokens_cut"
    single              "label", "unsure", "probs" (in the order of label_names), "num_classes", "top"
    ordinal             the same, and "expected_position" (0 for the first label)
    multi               "labels" (those whose probability reaches their threshold), "probs", "num_classes", "top"
    regression          "value", "interval": {"level", "low", "high"} or null

`top` has the most probable labels, {"label", "probability"}, five of them or `top_k`. `thresholds` are those of
"unsure" (single) or of each label (multi). Reading a number gives the bits of `limbeck predict`.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from starlette.responses import Response

from limbeck.errors import DataError
from limbeck.evaluation.multi_predictions import MultiPredictions
from limbeck.evaluation.predictions import Predictions, expected_positions
from limbeck.evaluation.value_predictions import ValuePredictions
from limbeck.serving.asked_texts import TEXTS_SCHEMA, read_texts
from limbeck.serving.call import Call
from limbeck.serving.forms import Field, Form
from limbeck.serving.replies import rows_response, shortest, told_headers
from limbeck.serving.routes import Endpoint, WireDialect
from limbeck.serving.service import Answered, ServedModel
from limbeck.serving.wrong import Wrong
from limbeck.task import ORDINAL

USUAL_TOP = 5
"""Labels in `top` where the request does not say how many."""


def own_wrong_body(wrong: Wrong) -> dict[str, Any]:
    """Say what is wrong: a message, a word for a program, and the place and the limit where there are any."""
    body: dict[str, Any] = {
        "error": wrong.message,
        "error_type": wrong.kind,
        "request_id": wrong.request_id,
    }
    more = {
        "row": wrong.row,
        "limit": wrong.limit,
        "given": wrong.given,
        "retry_after_s": wrong.retry_after_s,
    }
    return {**body, **{name: value for name, value in more.items() if value is not None}}


WRONG_SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "error": {"type": "string"},
        "error_type": {"type": "string"},
        "request_id": {"type": "string"},
        "row": {"type": "integer"},
        "limit": {"type": "integer"},
        "given": {"type": "integer"},
        "retry_after_s": {"type": "integer"},
    },
    "required": ["error", "error_type", "request_id"],
}
OWN = WireDialect(name="own", words="limbeck's own", wrong_body=own_wrong_body, wrong_schema=WRONG_SCHEMA)
CLASSIFY = Form(
    name="Classify",
    fields=(
        Field(
            name="input",
            meaning="A text, or a list of texts; of a model that reads pairs a list of [first, second].",
            schema=TEXTS_SCHEMA,
            is_required=True,
        ),
        Field(name="model", meaning="Name of the model, to be sure of it.", schema={"type": "string"}),
        Field(
            name="top_k",
            meaning=f"Number of labels in `top`; {USUAL_TOP} where it is not given.",
            schema={"type": "integer", "minimum": 1},
        ),
        Field(
            name="truncate",
            meaning="Whether a text that is too long may be cut, which is told; false refuses it. True where it is not "
            "given.",
            schema={"type": "boolean"},
        ),
        Field(
            name="truncate_prompt_tokens",
            meaning="As vLLM has it: -1, or a number of tokens that is not below what the model reads; cutting more "
            "than the model was made for is refused.",
            schema={"type": "integer", "minimum": -1},
        ),
        Field(
            name="timeout_s",
            meaning="Seconds after which nobody waits for the answer; those of the server where it is not given.",
            schema={"type": "number", "exclusiveMinimum": 0},
        ),
        Field(name="user", meaning="Taken, and not used.", schema={"type": "string"}),
    ),
    example={"input": ["i feel fine", "so sad"]},
    texts="input",
)


async def _classify(call: Call) -> Response:
    """Answer `POST /classify`."""
    wanted = call.read(CLASSIFY)
    model = call.model
    call.require_model(wanted["model"])
    _check_cut(wanted["truncate_prompt_tokens"], model)
    top_k = _top_k(wanted["top_k"], model)
    texts = read_texts(wanted["input"], model.facts, name="input").rows
    answered = await call.ask(texts, truncate=wanted["truncate"], timeout_s=wanted["timeout_s"])
    # Another model may have come meanwhile: what is told is of the one that answered.
    model = model if model.digest == answered.model_digest else call.model
    around = classification(answered, model, request_id=call.request_id, created=call.created)
    return await rows_response(classification_rows(answered, top_k=top_k), told_headers(answered), around=around)


def classification(answered: Answered, model: ServedModel, *, request_id: str, created: int) -> dict[str, Any]:
    """Return what an answer says beside its rows."""
    found = answered.predictions
    read = int(found.tokens.sum() - answered.cut_tokens.sum())
    thresholds = None if isinstance(found, ValuePredictions) else model.facts.thresholds
    if isinstance(found, MultiPredictions) and found.thresholds is not None:
        thresholds = tuple(found.thresholds.tolist())
    return {
        "id": f"classify-{request_id}",
        "object": "list",
        "created": created,
        "model": model.name,
        "model_sha": answered.model_digest,
        "task": model.facts.task,
        "label_names": [] if isinstance(found, ValuePredictions) else list(found.label_names),
        "thresholds": None if thresholds is None else list(thresholds),
        "usage": {"prompt_tokens": read, "total_tokens": read},
    }


def classification_rows(answered: Answered, *, top_k: int = USUAL_TOP) -> Iterator[dict[str, Any]]:
    """Give the row of each text, in their order."""
    found = answered.predictions
    cut = answered.cut_tokens.tolist()
    for row, said in enumerate(_said(answered, top_k)):
        yield {
            "index": row,
            **said,
            "tokens": int(found.tokens[row]),
            "truncated": bool(found.truncated[row]),
            "tokens_cut": cut[row],
        }


def _said(answered: Answered, top_k: int) -> Iterator[dict[str, Any]]:
    found = answered.predictions
    if isinstance(found, ValuePredictions):
        yield from _said_values(found)
    elif isinstance(found, MultiPredictions):
        for labels, shares in zip(found.answers, _shares(found, top_k), strict=True):
            yield {"labels": list(labels), **shares}
    else:
        positions = shortest(expected_positions(found.probabilities)) if found.task == ORDINAL else None
        for row, (label, shares) in enumerate(zip(found.predicted_names, _shares(found, top_k), strict=True)):
            unsure = found.unsure is not None and bool(found.unsure[row])
            ordered = {} if positions is None else {"expected_position": positions[row]}
            yield {"label": label, "unsure": unsure, **ordered, **shares}


def _shares(found: Predictions | MultiPredictions, top_k: int) -> Iterator[dict[str, Any]]:
    """Give the probabilities of each row, all of them and the highest."""
    names = found.label_names
    top = found.top_k(min(top_k, len(names)))
    for shares, labels in zip(shortest(found.probabilities), top.labels.tolist(), strict=True):
        yield {
            "probs": shares,
            "num_classes": len(names),
            "top": [{"label": names[label], "probability": shares[label]} for label in labels],
        }


def _said_values(found: ValuePredictions) -> Iterator[dict[str, Any]]:
    width = found.width
    for value, exact in zip(shortest(found.values), found.answers, strict=True):
        interval = None
        if width is not None and width.is_promised:
            interval = {"level": width.level, "low": exact - width.half_width, "high": exact + width.half_width}
        yield {"value": value, "interval": interval}


def _check_cut(tokens: int | None, model: ServedModel) -> None:
    limit = model.window.max_tokens
    if tokens is not None and 0 <= tokens < limit:
        raise DataError(
            f"truncate_prompt_tokens is {tokens}, and the model reads {limit} tokens of a text: leave it out, or send "
            "shorter texts"
        )


def _top_k(wanted: int | None, model: ServedModel) -> int:
    labels = len(model.facts.label_names)
    if wanted is not None and wanted > max(labels, 1):
        raise DataError(f"top_k is {wanted}: the model has {labels} labels")
    return USUAL_TOP if wanted is None else wanted


_LABEL_SHARE = {
    "type": "object",
    "properties": {"label": {"type": "string"}, "probability": {"type": "number"}},
    "required": ["label", "probability"],
}
_ROW_SCHEMA: Mapping[str, Any] = {
    "type": "object",
    "properties": {
        "index": {"type": "integer"},
        "label": {"type": "string"},
        "labels": {"type": "array", "items": {"type": "string"}},
        "unsure": {"type": "boolean"},
        "expected_position": {"type": "number"},
        "probs": {"type": "array", "items": {"type": "number"}},
        "num_classes": {"type": "integer"},
        "top": {"type": "array", "items": _LABEL_SHARE},
        "value": {"type": "number"},
        "interval": {
            "type": ["object", "null"],
            "properties": {name: {"type": "number"} for name in ("level", "low", "high")},
        },
        "tokens": {"type": "integer"},
        "truncated": {"type": "boolean"},
        "tokens_cut": {"type": "integer"},
    },
    "required": ["index", "tokens", "truncated", "tokens_cut"],
}
_ANSWER_SCHEMA: Mapping[str, Any] = {
    "type": "object",
    "properties": {
        "id": {"type": "string"},
        "object": {"const": "list"},
        "created": {"type": "integer"},
        "model": {"type": "string"},
        "model_sha": {"type": "string", "pattern": "^[0-9a-f]{64}$"},
        "task": {"enum": ["single", "multi", "ordinal", "regression"]},
        "label_names": {"type": "array", "items": {"type": "string"}},
        "thresholds": {"type": ["array", "null"], "items": {"type": "number"}},
        "data": {"type": "array", "items": _ROW_SCHEMA},
        "usage": {
            "type": "object",
            "properties": {"prompt_tokens": {"type": "integer"}, "total_tokens": {"type": "integer"}},
        },
    },
    "required": ["id", "object", "created", "model", "model_sha", "task", "label_names", "data", "usage"],
}
OWN_ROUTES = (
    Endpoint(
        method="POST",
        path="/classify",
        dialect=OWN,
        reply=_classify,
        says="Say what the model answers to texts.",
        answer_schema=_ANSWER_SCHEMA,
        form=CLASSIFY,
        statuses=(404,),
    ),
)
