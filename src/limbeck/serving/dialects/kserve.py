"""The dialect of KServe's protocol V1: `/v1/models/NAME:predict`.

In: `instances`, texts. Out: `predictions`, the label of each by its name; of several labels per text a list of names,
of numbers a number. Of which it is unsure stands in a header.

Source: KServe, data plane, protocol V1.
"""

from typing import Any

from starlette.responses import Response

from limbeck.evaluation.multi_predictions import MultiPredictions
from limbeck.evaluation.prediction_tables import AnyPredictions
from limbeck.evaluation.value_predictions import ValuePredictions
from limbeck.serving.asked_texts import TEXTS_SCHEMA, read_texts
from limbeck.serving.call import Call
from limbeck.serving.forms import Field, Form
from limbeck.serving.replies import rows_response, shortest, told_headers
from limbeck.serving.routes import Endpoint, WireDialect
from limbeck.serving.wrong import Wrong


def sentence_body(wrong: Wrong) -> dict[str, Any]:
    """Say what is wrong in one sentence."""
    return {"error": wrong.message}


KSERVE = WireDialect(
    name="kserve",
    words="KServe V1",
    wrong_body=sentence_body,
    wrong_schema={"type": "object", "properties": {"error": {"type": "string"}}, "required": ["error"]},
)
INSTANCES = Form(
    name="Instances",
    fields=(Field(name="instances", meaning="A list of texts.", schema=TEXTS_SCHEMA, is_required=True),),
    example={"instances": ["i feel fine", "so sad"]},
)


async def _predict(call: Call) -> Response:
    """Answer `POST /v1/models/{model}:predict`."""
    call.require_model(call.path["model"])
    wanted = call.read(INSTANCES)
    texts = read_texts(wanted["instances"], call.model.facts, name="instances").rows
    answered = await call.ask(texts)
    return await rows_response(_said(answered.predictions), told_headers(answered), around={}, name="predictions")


def _said(found: AnyPredictions) -> list[Any]:
    if isinstance(found, ValuePredictions):
        return shortest(found.values)
    if isinstance(found, MultiPredictions):
        return [list(labels) for labels in found.answers]
    return list(found.predicted_names)


KSERVE_ROUTES = (
    Endpoint(
        method="POST",
        path="/v1/models/{model}:predict",
        dialect=KSERVE,
        reply=_predict,
        says="Give the label of each text by its name.",
        answer_schema={"type": "object", "properties": {"predictions": {"type": "array"}}, "required": ["predictions"]},
        form=INSTANCES,
        statuses=(404,),
    ),
)
