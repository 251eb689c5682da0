"""The dialect of the Open Inference Protocol V2, with Triton's extensions: raw tensors, classification, time-outs.

In: one tensor of texts, [N] or [N, 1] ([N, 2] of a model that reads pairs), of any name. Out: named tensors.

    label          BYTES [N], one label per text       value      FP32 [N], of numbers
    probabilities  FP32 [N, C]                          low, high  FP64 [N], of numbers with an interval
    unsure         BOOL [N], one label per text         tokens     INT32 [N]
    decided        BOOL [N, C], of several labels       truncated  BOOL [N]
    embedding      FP32 [N, W], only where it is asked for

The parameter `classification` of `probabilities` gives "value:index:label" of the most probable labels.

Source: Open Inference Protocol, specification/protocol/inference_rest.md; Triton, docs/protocol/.
"""

from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any

import numpy as np
from starlette.responses import Response

import limbeck
from limbeck.errors import DataError, RequestError
from limbeck.evaluation.multi_predictions import MultiPredictions
from limbeck.evaluation.predictions import Predictions
from limbeck.evaluation.value_predictions import ValuePredictions
from limbeck.serving.asked_texts import PAIR_LENGTH, read_text_rows
from limbeck.serving.call import Call
from limbeck.serving.dialects.kserve import sentence_body
from limbeck.serving.dialects.tei import vectors_of
from limbeck.serving.dialects.tensors import Tensor, flat_texts, raw_size, raw_texts, split_body
from limbeck.serving.forms import Field, Form
from limbeck.serving.guards import TENSORS_HEADER, TENSORS_TYPE
from limbeck.serving.replies import compact_json, json_response, shortest, told_headers
from limbeck.serving.routes import Endpoint, WireDialect
from limbeck.serving.service import Answered, ServedModel
from limbeck.task import MULTI

OPEN_INFERENCE = WireDialect(
    name="open_inference",
    words="Open Inference Protocol V2",
    wrong_body=sentence_body,
    wrong_schema={"type": "object", "properties": {"error": {"type": "string"}}, "required": ["error"]},
)
MODEL_VERSION = "1"
EXTENSIONS = ("binary_tensor_data", "classification", "schedule_policy")
_MOST_RANK = 2
_MOST_NAME_CHARS = 256
INFER = Form(
    name="Infer",
    fields=(
        Field(name="id", meaning="Given back with the answer.", schema={"type": "string"}),
        Field(
            name="model_name",
            meaning="As in the path; another is refused. KServe's client says it twice.",
            schema={"type": "string"},
        ),
        Field(
            name="parameters",
            meaning="timeout in microseconds, binary_data_output for all outputs; a priority or a sequence is refused.",
            schema={"type": "object"},
        ),
        Field(
            name="inputs",
            meaning="One tensor of texts, BYTES [N] or [N, 1].",
            schema={"type": "array", "items": {"type": "object"}, "minItems": 1, "maxItems": 1},
            is_required=True,
        ),
        Field(
            name="outputs",
            meaning="Names of the tensors to answer with. All but `embedding` where it is not given.",
            schema={"type": "array", "items": {"type": "object"}},
        ),
    ),
    example={"inputs": [{"name": "text", "shape": [1], "datatype": "BYTES", "data": ["i feel fine"]}]},
)
INFER_INPUT = Form(
    name="InferInput",
    fields=(
        Field(name="name", meaning="Any.", schema={"type": "string"}, is_required=True),
        Field(name="shape", meaning="[N] or [N, 1].", schema={"type": "array"}, is_required=True),
        Field(name="datatype", meaning="BYTES.", schema={"type": "string", "enum": ["BYTES"]}, is_required=True),
        Field(name="parameters", meaning="binary_data_size, of raw texts.", schema={"type": "object"}),
        Field(name="data", meaning="The texts.", schema={"type": "array"}),
    ),
)
INFER_OUTPUT = Form(
    name="InferOutput",
    fields=(
        Field(name="name", meaning="Of the tensor.", schema={"type": "string"}, is_required=True),
        Field(name="parameters", meaning="classification, a number of labels; binary_data.", schema={"type": "object"}),
    ),
)
Output = Callable[[Answered], np.ndarray]


async def _infer(call: Call) -> Response:
    """Answer `POST /v2/models/{model}/infer`."""
    _require(call)
    content, raw = split_body(call.body, call.headers.get(TENSORS_HEADER))
    wanted = INFER.read(content)
    call.require_model(wanted["model_name"])
    parameters = _parameters(wanted["parameters"])
    texts = _texts(wanted["inputs"], raw, call.model)
    offered = outputs_of(call.model)
    chosen = _chosen(wanted["outputs"], offered, is_raw=bool(parameters.get("binary_data_output")))
    timeout_us = parameters.get("timeout") or None
    answered = await call.ask(
        texts,
        vectors=any(name == "embedding" for name, _ in chosen),
        timeout_s=None if timeout_us is None else timeout_us / 1e6,
    )
    heads, blobs = [], []
    for name, more in chosen:
        tensor = Tensor(name=name, values=offered[name](answered))
        if more.get("classification"):
            tensor = Tensor(name=name, values=_top(answered, more["classification"]))
        head, blob = tensor.described(is_raw=bool(more.get("binary_data")))
        heads.append(head)
        blobs.append(blob)
    body = {"model_name": call.model.name, "model_version": MODEL_VERSION, "outputs": heads}
    if wanted["id"] is not None:
        body["id"] = wanted["id"]
    return _response(compact_json(body), b"".join(blobs), told_headers(answered))


async def _server(_: Call) -> Response:
    """Answer `GET /v2`."""
    return json_response({"name": "limbeck", "version": limbeck.__version__, "extensions": list(EXTENSIONS)})


async def _model_metadata(call: Call) -> Response:
    """Answer `GET /v2/models/{model}`."""
    _require(call)
    model, labels = call.model, len(call.model.facts.label_names)
    columns = {"probabilities": labels, "decided": labels, "embedding": model.vector_width}
    types = {"label": "BYTES", "probabilities": "FP32", "value": "FP32", "embedding": "FP32"}
    types |= {"tokens": "INT32", "low": "FP64", "high": "FP64"}
    return json_response(
        {
            "name": model.name,
            "versions": [MODEL_VERSION],
            "platform": "limbeck",
            "inputs": [{"name": "text", "datatype": "BYTES", "shape": [-1, *([2] if model.facts.pair else [])]}],
            "outputs": [
                {
                    "name": name,
                    "datatype": types.get(name, "BOOL"),
                    "shape": [-1, *([columns[name]] if name in columns else [])],
                }
                for name in outputs_of(model)
            ],
            "parameters": {"label_names": list(model.facts.label_names), "task": model.facts.task},
        }
    )


async def _model_ready(call: Call) -> Response:
    """Answer `GET /v2/models/{model}/ready`."""
    _require(call)
    is_ready = call.condition.is_ready
    return json_response({"name": call.model.name, "ready": is_ready}, status=200 if is_ready else 503)


async def _index(call: Call) -> Response:
    """Answer `POST /v2/repository/index`."""
    return json_response(
        [{"name": call.model.name, "version": MODEL_VERSION, "state": "READY", "reason": call.condition.why}]
    )


def outputs_of(model: ServedModel) -> dict[str, Output]:
    """Return what a model of its task can be asked for, by name."""
    facts = model.facts
    own: dict[str, Output]
    if not facts.shape.has_classes:
        own = {"value": lambda answered: np.asarray(_values(answered).values, np.float32)}
        if facts.value_width is not None and facts.value_width.is_promised:
            half = facts.value_width.half_width
            own["low"] = lambda answered: _values(answered).values.astype(np.float64) - half
            own["high"] = lambda answered: _values(answered).values.astype(np.float64) + half
    elif facts.shape == MULTI:
        own = {"probabilities": lambda answered: _labels(answered).probabilities, "decided": _decided}
    else:
        own = {
            "label": lambda answered: np.array(_one_label(answered).predicted_names, dtype=object),
            "probabilities": lambda answered: _labels(answered).probabilities,
            "unsure": _unsure,
        }
    return {
        **own,
        "tokens": lambda answered: answered.predictions.tokens,
        "truncated": lambda answered: answered.predictions.truncated,
        "embedding": lambda answered: vectors_of(answered, normalize=True),
    }


def _one_label(answered: Answered) -> Predictions:
    assert isinstance(answered.predictions, Predictions)  # noqa: S101  # the model's task says so
    return answered.predictions


def _labels(answered: Answered) -> Predictions | MultiPredictions:
    assert not isinstance(answered.predictions, ValuePredictions)  # noqa: S101  # the model's task says so
    return answered.predictions


def _values(answered: Answered) -> ValuePredictions:
    assert isinstance(answered.predictions, ValuePredictions)  # noqa: S101  # the model's task says so
    return answered.predictions


def _decided(answered: Answered) -> np.ndarray:
    assert isinstance(answered.predictions, MultiPredictions)  # noqa: S101  # the model's task says so
    return answered.predictions.decided_NC


def _unsure(answered: Answered) -> np.ndarray:
    found = _one_label(answered)
    return np.zeros(len(found), np.bool_) if found.unsure is None else found.unsure


def _top(answered: Answered, most: int) -> np.ndarray:
    """Return "value:index:label" of the most probable labels, (N, K) strings."""
    found = _labels(answered)
    top = found.top_k(min(most, len(found.label_names)))
    said = [
        [f"{share}:{label}:{found.label_names[label]}" for label, share in zip(labels, shares, strict=True)]
        for labels, shares in zip(top.labels.tolist(), shortest(top.probabilities), strict=True)
    ]
    return np.array(said, dtype=object)


def _require(call: Call) -> None:
    call.require_model(call.path["model"])
    if call.path.get("version", MODEL_VERSION) != MODEL_VERSION:
        raise RequestError(f"there is no such version; {MODEL_VERSION} is served", http_status=HTTPStatus.NOT_FOUND)


def _parameters(found: Mapping[str, Any] | None) -> Mapping[str, Any]:
    """Refuse what would change the answer and is not done."""
    found = found or {}
    for name, value in found.items():
        if name in ("priority", "sequence_id", "sequence_start", "sequence_end") and value not in (0, False, "", None):
            raise DataError(f"the parameter {name} is not served: leave it out")
    timeout_us = found.get("timeout")
    is_number = isinstance(timeout_us, int) and not isinstance(timeout_us, bool)
    if timeout_us is not None and (not is_number or not 0 <= timeout_us <= 2**63):
        raise DataError("the parameter timeout must be a number of microseconds")
    return found


def _texts(inputs: list[Any], raw: bytes, model: ServedModel) -> list[str]:
    """Return the texts of the one input."""
    if len(inputs) != 1:
        raise DataError(f"there are {len(inputs):,} inputs; one was expected, a tensor of texts")
    wanted = INFER_INPUT.read(inputs[0], where="inputs[0]")
    size = raw_size(wanted["parameters"])
    if size is not None and size != len(raw):
        raise RequestError(f"binary_data_size is {size:,}, and {len(raw):,} bytes stand behind the JSON")
    if (size is None) == (wanted["data"] is None):
        raise DataError("inputs[0] needs either data, or binary_data_size and raw bytes behind the JSON")
    name = "inputs[0].data"
    values = flat_texts(wanted["data"]) if size is None else raw_texts(raw, name=name)
    shape = wanted["shape"]
    if not shape or len(shape) > _MOST_RANK or any(not isinstance(n, int) or isinstance(n, bool) for n in shape):
        raise DataError("inputs[0].shape must be [N] or [N, 1]")
    columns = shape[1] if len(shape) == _MOST_RANK else 1
    if shape[0] * columns != len(values) or shape[0] < 1:
        raise DataError(f"inputs[0].shape is {shape}, and there are {len(values):,} texts")
    if columns == PAIR_LENGTH and model.facts.pair is not None:
        return read_text_rows([values[row : row + 2] for row in range(0, len(values), 2)], model.facts, name=name)
    if columns != 1:
        raise DataError(f"inputs[0].shape is {shape}: [N] or [N, 1] was expected")
    return read_text_rows(values, model.facts, name=name)


def _chosen(
    outputs: list[Any] | None, offered: Mapping[str, Output], *, is_raw: bool
) -> list[tuple[str, Mapping[str, Any]]]:
    """Return the names of the tensors to answer with, and what is asked of each.

    Raises:
        DataError: one is not offered.
    """
    if outputs is None:
        return [(name, {"binary_data": is_raw}) for name in offered if name != "embedding"]
    chosen: list[tuple[str, Mapping[str, Any]]] = []
    for place, value in enumerate(outputs):
        wanted = INFER_OUTPUT.read(value, where=f"outputs[{place}]")
        name, more = wanted["name"], {"binary_data": is_raw, **(wanted["parameters"] or {})}
        if name not in offered:
            raise DataError(f"outputs[{place}] is {name[:_MOST_NAME_CHARS]!a}, and the model has {', '.join(offered)}")
        top = more.get("classification", 0)
        if not isinstance(top, int) or isinstance(top, bool) or top < 0 or (top and name != "probabilities"):
            raise DataError(f"outputs[{place}]: classification is a number of labels, and of probabilities only")
        chosen.append((name, more))
    return chosen


def _response(head: bytes, raw: bytes, headers: Mapping[str, str]) -> Response:
    if not raw:
        return Response(head, 200, dict(headers), "application/json")
    return Response(head + raw, 200, {**headers, TENSORS_HEADER: str(len(head))}, TENSORS_TYPE)


_ANSWER = {"type": "object", "required": ["model_name", "model_version", "outputs"]}
_METADATA = {"type": "object", "required": ["name", "versions", "platform", "inputs", "outputs"]}


def _of(path: str, reply: Any, says: str, answer_schema: Mapping[str, Any], *statuses: int) -> Endpoint:
    return Endpoint(
        method="GET",
        path=path,
        dialect=OPEN_INFERENCE,
        reply=reply,
        says=says,
        answer_schema=answer_schema,
        statuses=statuses,
    )


OPEN_INFERENCE_ROUTES = (
    _of("/v2", _server, "Say which server this is.", {"type": "object"}),
    *(
        Endpoint(
            method="POST",
            path=f"/v2/models/{{model}}{version}/infer",
            dialect=OPEN_INFERENCE,
            reply=_infer,
            says="Answer a tensor of texts with named tensors.",
            answer_schema=_ANSWER,
            form=INFER,
            body="tensors",
            statuses=(404,),
        )
        for version in ("", "/versions/{version}")
    ),
    *(
        _of(f"/v2/models/{{model}}{version}", _model_metadata, "Say what a model takes and gives.", _METADATA, 404)
        for version in ("", "/versions/{version}")
    ),
    *(
        _of(f"/v2/models/{{model}}{version}/ready", _model_ready, "Say whether a model would answer.", {}, 404, 503)
        for version in ("", "/versions/{version}")
    ),
    Endpoint(
        method="POST",
        path="/v2/repository/index",
        dialect=OPEN_INFERENCE,
        reply=_index,
        says="Name the models.",
        answer_schema={"type": "array"},
    ),
)
