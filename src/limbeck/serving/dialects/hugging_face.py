"""The dialect of Hugging Face's clients: `InferenceClient(model=URL).text_classification(…)`, which posts to the URL.

In: `inputs` and `parameters`. Out: a list for each text, always in one more list, of {"label", "score"}.
Its client shows the first list only, so that a flat answer would lose all labels but one.

Source: huggingface_hub, inference/_providers/hf_inference.py; the text-classification task of its inference types.
"""

from typing import Any

from starlette.responses import Response

from limbeck.errors import DataError
from limbeck.serving.asked_texts import TEXTS_SCHEMA, read_texts
from limbeck.serving.call import Call
from limbeck.serving.dialects.tei import SCORES_SCHEMA, scored_rows
from limbeck.serving.forms import Field, Form
from limbeck.serving.replies import rows_response, told_headers
from limbeck.serving.routes import Endpoint, WireDialect
from limbeck.serving.wrong import Wrong
from limbeck.task import MULTI, Task

_FUNCTIONS = ("softmax", "sigmoid", "none")


def _wrong_body(wrong: Wrong) -> dict[str, Any]:
    """Say what is wrong in one sentence, which is what the client shows."""
    return {"error": wrong.message, "request_id": wrong.request_id}


HUGGING_FACE = WireDialect(
    name="hugging_face",
    words="Hugging Face's clients",
    wrong_body=_wrong_body,
    wrong_schema={"type": "object", "properties": {"error": {"type": "string"}}, "required": ["error"]},
)
PARAMETERS = Form(
    name="TextClassificationParameters",
    fields=(
        Field(
            name="top_k",
            meaning="Number of labels, the most probable first. All of them where it is not given.",
            schema={"type": "integer", "minimum": 1},
        ),
        Field(
            name="function_to_apply",
            meaning="What makes probabilities of the model's numbers; another than the model's own is refused.",
            schema={"type": "string", "enum": list(_FUNCTIONS)},
        ),
        Field(
            name="truncation",
            meaning="Whether a text that is too long may be cut, which a header tells; false refuses it. True where it "
            "is not given.",
            schema={"type": "boolean"},
        ),
    ),
)
TEXT_CLASSIFICATION = Form(
    name="TextClassification",
    fields=(
        Field(name="inputs", meaning="A text, or a list of texts.", schema=TEXTS_SCHEMA, is_required=True),
        Field(name="parameters", meaning="How to answer.", schema=PARAMETERS.schema),
        Field(name="options", meaning="Taken, and not used.", schema={"type": "object"}),
    ),
    example={"inputs": "i feel fine", "parameters": {"top_k": 2}},
    texts="inputs",
)


async def _text_classification(call: Call) -> Response:
    """Answer `POST /`: a list of labels for each text."""
    wanted = call.read(TEXT_CLASSIFICATION)
    parameters = PARAMETERS.read(wanted["parameters"] or {}, where="parameters")
    facts = call.model.facts
    if not facts.label_names:
        raise DataError("the model answers with a number, which this route cannot say: ask /classify")
    check_function(parameters["function_to_apply"], facts.shape)
    texts = read_texts(wanted["inputs"], facts, name="inputs").rows
    answered = await call.ask(texts, truncate=parameters["truncation"])
    return await rows_response(scored_rows(answered, parameters["top_k"]), told_headers(answered))


def check_function(name: str | None, task: Task) -> None:
    """Refuse another function than the one that makes this model's probabilities.

    Raises:
        DataError: it is another.
    """
    own = "sigmoid" if task == MULTI else "softmax"
    if name not in (None, own):
        raise DataError(
            f"function_to_apply is {name!r}, and the model ({task.words}) makes its probabilities with {own}: leave it "
            "out"
        )


HUGGING_FACE_ROUTES = tuple(
    Endpoint(
        method="POST",
        path=path,
        dialect=HUGGING_FACE,
        reply=_text_classification,
        says="Give the probability of each label, in the form of Hugging Face's clients.",
        answer_schema={"type": "array", "items": SCORES_SCHEMA},
        form=TEXT_CLASSIFICATION,
    )
    for path in ("/", "/hf")
)
