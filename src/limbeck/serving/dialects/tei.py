"""The dialect of text-embeddings-inference: `/predict`, `/embed`, `/tokenize`, and their other names.

In: `inputs`. Out: lists of {"score", "label"}, the most probable first; vectors; tokens.
What it cannot say is told in headers (`x-limbeck-truncated`, `x-limbeck-unsure`), or refused: a number, raw scores, and
a list of two texts where the model reads one, since that is a pair here, and not two texts.

`/embed` and `/tokenize` are limbeck's own, too.

Source: text-embeddings-inference, router/src/http (types.rs, server.rs).
"""

import asyncio
from collections.abc import Iterator
from typing import Any

import numpy as np
from starlette.responses import Response

from limbeck.errors import DataError, RowError
from limbeck.evaluation.predictions import TopLabels
from limbeck.evaluation.value_predictions import ValuePredictions
from limbeck.serving.asked_texts import PAIR_LENGTH, TEXTS_SCHEMA, Texts, read_text_rows, read_texts
from limbeck.serving.call import Call
from limbeck.serving.dialects.own import WRONG_SCHEMA, own_wrong_body
from limbeck.serving.forms import Field, Form, json_kind
from limbeck.serving.replies import compact_json, json_response, rows_response, shortest, told_headers
from limbeck.serving.routes import Endpoint, WireDialect
from limbeck.serving.service import Answered, ServedModel
from limbeck.serving.wrong import Wrong
from limbeck.tokens.windows import Window, said_window

_TYPES = {422: "Validation", 413: "Validation", 429: "Overloaded", 503: "Unhealthy", 500: "Backend", 504: "Backend"}
_READ_SIDES = {"head": "right", "tail": "left"}
"""On which side a window cuts, where it cuts on one."""


def _wrong_body(wrong: Wrong) -> dict[str, Any]:
    """Say what is wrong as limbeck does, with the words of this dialect for its kind."""
    return {**own_wrong_body(wrong), "error_type": _TYPES.get(wrong.status, "Validation")}


TEI = WireDialect(name="tei", words="text-embeddings-inference", wrong_body=_wrong_body, wrong_schema=WRONG_SCHEMA)
_TRUNCATE = Field(
    name="truncate",
    meaning="Whether a text that is too long may be cut, which a header tells; false refuses it. True where it is not "
    "given.",
    schema={"type": "boolean"},
)
_DIRECTION = Field(
    name="truncation_direction",
    meaning="The side on which a text is cut; another than that of the model is refused where a text is cut.",
    schema={"type": "string", "enum": ["left", "right", "Left", "Right"]},
)
_INPUTS = Field(name="inputs", meaning="A text, or a list of texts.", schema=TEXTS_SCHEMA, is_required=True)
PREDICT = Form(
    name="Predict",
    fields=(
        Field(
            name="inputs",
            meaning='A text, a list of lists of one text ([["a"], ["b"]]), or, of a model that reads pairs, ["first", '
            '"second"] or a list of such.',
            schema={"type": ["string", "array"]},
            is_required=True,
        ),
        _TRUNCATE,
        _DIRECTION,
        Field(
            name="raw_scores",
            meaning="Whether to answer with what the model says before it is a probability; true is refused.",
            schema={"type": "boolean"},
        ),
    ),
    example={"inputs": "i feel fine"},
    texts="inputs",
)
EMBED = Form(
    name="Embed",
    fields=(
        _INPUTS,
        _TRUNCATE,
        _DIRECTION,
        Field(
            name="normalize",
            meaning="Whether a vector is divided by its length. True where it is not given.",
            schema={"type": "boolean"},
        ),
        Field(name="prompt_name", meaning="The model has no prompts: refused.", schema={"type": "string"}),
        Field(
            name="dimensions",
            meaning="Columns of a vector; another number than the model's is refused.",
            schema={"type": "integer", "minimum": 1},
        ),
    ),
    example={"inputs": ["i feel fine", "so sad"]},
    texts="inputs",
)
TOKENIZE = Form(
    name="Tokenize",
    fields=(
        _INPUTS,
        Field(
            name="add_special_tokens",
            meaning="Whether [CLS] and [SEP] are shown. True where it is not given.",
            schema={"type": "boolean"},
        ),
        Field(name="prompt_name", meaning="The model has no prompts: refused.", schema={"type": "string"}),
    ),
    example={"inputs": "i feel fine"},
)
VERTEX = Form(
    name="Vertex",
    fields=(
        Field(
            name="instances",
            meaning="Objects as /predict takes them.",
            schema={"type": "array", "items": {"type": "object"}},
            is_required=True,
        ),
    ),
    example={"instances": [{"inputs": "i feel fine"}]},
)


async def _predict(call: Call) -> Response:
    """Answer `POST /predict`: a flat list for one text, a list of lists for a batch."""
    wanted = call.read(PREDICT)
    texts = await _predictable(wanted, call)
    answered = await call.ask(texts.rows, truncate=wanted["truncate"])
    _check_direction(wanted["truncation_direction"], answered, call.model.window)
    scored = scored_rows(answered)
    headers = {**told_headers(answered), **_times(answered, texts.rows)}
    return json_response(next(scored), headers=headers) if texts.is_one else await rows_response(scored, headers)


async def _vertex(call: Call) -> Response:
    """Answer `POST /vertex`: the instances are one batch."""
    instances = call.read(VERTEX)["instances"]
    if not instances:
        raise RowError("instances is an empty list: give one or more")
    wanted = [PREDICT.read(one, where=f"instances[{place}]") for place, one in enumerate(instances)]
    if any(one["truncate"] is False for one in wanted) and not all(one["truncate"] is False for one in wanted):
        raise DataError("some instances say truncate=false, others not: send them in two requests")
    parts = [await _predictable(one, call) for one in wanted]
    rows = [row for part in parts for row in part.rows]
    answered = await call.ask(rows, truncate=wanted[0]["truncate"])
    for one in wanted:
        _check_direction(one["truncation_direction"], answered, call.model.window)
    scored = scored_rows(answered)
    found = [next(scored) if part.is_one else [next(scored) for _ in part.rows] for part in parts]
    return await rows_response(found, told_headers(answered), around={}, name="predictions")


async def _embed(call: Call) -> Response:
    """Answer `POST /embed`: a list of vectors, also for one text."""
    wanted = call.read(EMBED)
    width = call.model.vector_width
    if wanted["prompt_name"] is not None:
        raise DataError("prompt_name is given, and the model has no prompts: leave it out")
    if wanted["dimensions"] not in (None, width):
        raise DataError(f"dimensions is {wanted['dimensions']}, and the model's vectors have {width}: leave it out")
    texts = read_texts(wanted["inputs"], call.model.facts, name="inputs").rows
    answered = await call.ask(texts, vectors=True, truncate=wanted["truncate"])
    _check_direction(wanted["truncation_direction"], answered, call.model.window)
    vectors = vectors_of(answered, normalize=wanted["normalize"] is not False)
    return await rows_response(
        (shortest(row) for row in vectors), {**told_headers(answered), **_times(answered, texts)}
    )


async def _tokenize(call: Call) -> Response:
    """Answer `POST /tokenize`: all tokens of each text, those that are not read too."""
    wanted = call.read(TOKENIZE)
    if wanted["prompt_name"] is not None:
        raise DataError("prompt_name is given, and the model has no prompts: leave it out")
    texts = read_texts(wanted["inputs"], call.model.facts, name="inputs").rows
    limit = call.settings.max_characters
    for place, text in enumerate(texts):
        if len(text) > limit:
            raise RowError(
                f"inputs[{place}] has {len(text):,} characters, and the limit is {limit:,} (--max-characters)",
                row=place,
            )
    model, is_framed = call.model, wanted["add_special_tokens"] is not False

    async def listed() -> Response:
        # Beside the loop, which answers others meanwhile: one text can take a tenth of a second.
        rows = [await asyncio.to_thread(_tokens_as_json, text, model, is_framed=is_framed) for text in texts]
        body = b"[" + b",".join(rows) + b"]"
        return Response(body, 200, {"x-limbeck-model-sha": model.digest}, "application/json")

    # An answer has some thirty times the bytes of its request.
    return await call.in_turn(listed)


def scored_rows(answered: Answered, top_k: int | None = None) -> Iterator[list[dict[str, Any]]]:
    """Give {"score", "label"} of each text's labels, the most probable first.

    Args:
        answered: of labels.
        top_k: how many of them; all where it is not given.

    Raises:
        DataError: the model answers with numbers.
    """
    found = answered.predictions
    if isinstance(found, ValuePredictions):
        raise DataError("the model answers with a number, which this route cannot say: ask /classify")
    most = len(found.label_names)
    top: TopLabels = found.top_k(most if top_k is None else min(top_k, most))
    for labels, shares in zip(top.labels.tolist(), shortest(top.probabilities), strict=True):
        yield [{"score": share, "label": found.label_names[label]} for label, share in zip(labels, shares, strict=True)]


def vectors_of(answered: Answered, *, normalize: bool) -> np.ndarray:
    """Return vectors, float32 (N, W); where they are normalised, of length 1, and 0 stays 0."""
    vectors_NW = answered.vectors
    assert vectors_NW is not None  # noqa: S101  # they were asked for
    if not normalize:
        return vectors_NW
    lengths_N1 = np.linalg.norm(vectors_NW.astype(np.float64), axis=1, keepdims=True)
    return np.asarray(vectors_NW / np.where(lengths_N1 == 0, 1.0, lengths_N1), np.float32)


async def _predictable(wanted: dict[str, Any], call: Call) -> Texts:
    """Return the texts of `inputs` as this dialect means them; refuse what it could mean in two ways."""
    if wanted["raw_scores"]:
        raise DataError("raw_scores is true, and only probabilities are given: leave it out")
    facts, value = call.model.facts, wanted["inputs"]
    if not facts.label_names:
        raise DataError("the model answers with a number, which this route cannot say: ask /classify")
    if isinstance(value, str):
        return read_texts(value, facts, name="inputs")
    if not value:
        raise RowError("inputs is an empty list: give one text or more")
    if all(isinstance(one, str) for one in value):
        return Texts(rows=_of_strings(value, call), is_one=True)
    rows = []
    for place, one in enumerate(value):
        if not isinstance(one, list):
            raise RowError(
                f'inputs[{place}] is {json_kind(one)}: a batch is a list of lists here, [["a"], ["b"]]', row=place
            )
        rows.append(one[0] if len(one) == 1 else one)
    return Texts(rows=read_text_rows(rows, facts, name="inputs"), is_one=False)


def _of_strings(value: list[str], call: Call) -> list[str]:
    """Return the one row that a flat list of texts is here: one text, or a pair."""
    facts = call.model.facts
    if len(value) == 1:
        return read_text_rows(value, facts, name="inputs")
    if len(value) == PAIR_LENGTH and facts.pair is not None:
        return read_text_rows([value], facts, name="inputs")
    if len(value) == PAIR_LENGTH:
        raise RowError('inputs is a list of two texts, which is a pair in this dialect: send [["a"], ["b"]]')
    raise RowError(f'inputs is a list of {len(value):,} texts; a batch is a list of lists here: send [["a"], ["b"], …]')


def _check_direction(direction: str | None, answered: Answered, window: Window) -> None:
    """Refuse an answer to texts that were cut on another side than the client said."""
    if direction is None or not answered.predictions.truncated.any():
        return
    if _READ_SIDES.get(window.name) != direction.lower():
        row = int(answered.predictions.truncated.argmax())
        raise RowError(
            f"inputs[{row}] is too long, and truncation_direction is {direction!r}; the model reads "
            f"{said_window(window)}: leave it out",
            row=row,
        )


def _tokens_as_json(text: str, model: ServedModel, *, is_framed: bool) -> bytes:
    """Write all tokens of a text as JSON."""
    return compact_json(_tokens_of(text, model, is_framed=is_framed))


def _tokens_of(text: str, model: ServedModel, *, is_framed: bool) -> list[dict[str, Any]]:
    """Return all tokens of a text, each once."""
    tokenizer = model.tokenizer
    frame = {tokenizer.cls_id, tokenizer.sep_id}
    name = model.window.name if model.facts.pair is not None else "all"
    read = tokenizer.read([text], Window(name=name, max_tokens=model.window.max_tokens))
    ids: list[int] = []
    for row in range(len(read.rows)):
        start, stop = (int(read.rows.offsets[place]) for place in (row, row + 1))
        row_ids = read.rows.ids[start:stop].tolist()
        # [CLS], then what the row before has too, then what is new, then [SEP].
        ids = [*ids[:-1], *row_ids[1 + int(read.overlap_R[row]) :]] if ids else row_ids
    special = set(tokenizer.special_ids.values())
    return [
        {"id": one, "text": token, "special": one in special, "start": None, "stop": None}
        for one, token in zip(ids, tokenizer.tokens_of_ids(ids), strict=True)
        if is_framed or one not in frame
    ]


def _times(answered: Answered, texts: list[str]) -> dict[str, str]:
    """Return how long it took, in milliseconds, and for how much, as this dialect tells it."""
    read = answered.predictions.tokens.sum() - answered.cut_tokens.sum()
    return {
        "x-compute-type": "cpu",
        "x-compute-characters": str(sum(map(len, texts))),
        "x-compute-tokens": str(int(read)),
        "x-queue-time": str(round(answered.queue_s * 1000)),
        "x-inference-time": str(round(answered.engine_s * 1000)),
    }


_SCORE_SCHEMA = {
    "type": "object",
    "properties": {"score": {"type": "number"}, "label": {"type": "string"}},
    "required": ["score", "label"],
}
SCORES_SCHEMA = {"type": "array", "items": _SCORE_SCHEMA}
_PREDICTED = {"anyOf": [SCORES_SCHEMA, {"type": "array", "items": SCORES_SCHEMA}]}
_VECTORS = {"type": "array", "items": {"type": "array", "items": {"type": "number"}}}
_TOKENS = {
    "type": "array",
    "items": {
        "type": "array",
        "items": {
            "type": "object",
            "properties": {
                "id": {"type": "integer"},
                "text": {"type": "string"},
                "special": {"type": "boolean"},
                "start": {"type": ["integer", "null"]},
                "stop": {"type": ["integer", "null"]},
            },
            "required": ["id", "text", "special"],
        },
    },
}
TEI_ROUTES = (
    *(
        Endpoint(
            method="POST",
            path=path,
            dialect=TEI,
            reply=_predict,
            says="Give the probability of each label.",
            answer_schema=_PREDICTED,
            form=PREDICT,
        )
        for path in ("/predict", "/invocations")
    ),
    Endpoint(
        method="POST",
        path="/vertex",
        dialect=TEI,
        reply=_vertex,
        says="Give the probability of each label, as Vertex AI asks for it.",
        answer_schema={"type": "object", "properties": {"predictions": {"type": "array"}}, "required": ["predictions"]},
        form=VERTEX,
    ),
    Endpoint(
        method="POST",
        path="/embed",
        dialect=TEI,
        reply=_embed,
        says="Give a vector for each text.",
        answer_schema=_VECTORS,
        form=EMBED,
    ),
    Endpoint(
        method="POST",
        path="/tokenize",
        dialect=TEI,
        reply=_tokenize,
        says="Give the tokens of each text, those that the model does not read too.",
        answer_schema=_TOKENS,
        form=TOKENIZE,
    ),
)
