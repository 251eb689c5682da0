"""Model info: `GET /info`: what the model is, every limit, and how the service stands.

In: a call. Out: an object in the words of text-embeddings-inference, whose clients size their requests by it, and in
limbeck's own. It does not know texts.
"""

from typing import Any

from starlette.responses import Response

import limbeck
from limbeck.serving.call import Call
from limbeck.serving.dialects.own import OWN
from limbeck.serving.replies import json_response
from limbeck.serving.routes import Endpoint
from limbeck.setting_tables import to_plain
from limbeck.tokens.windows import said_window


async def _info(call: Call) -> Response:
    """Answer `GET /info`: what the model is, and every limit."""
    return json_response(info_of(call))


def info_of(call: Call) -> dict[str, Any]:
    """Return what the model is, in the words of this dialect and in limbeck's own."""
    model, settings, facts, condition = call.model, call.settings, call.model.facts, call.condition
    names = {str(label): name for label, name in enumerate(facts.label_names)}
    classifier = {"classifier": {"id2label": names, "label2id": {name: int(label) for label, name in names.items()}}}
    embedding = {"embedding": {"pooling": model.vector_pooling.partition("@")[0]}}
    limits = {name: value for name, value in to_plain(settings).items() if name not in ("key_file", "host", "port")}
    return {
        "model_id": model.name,
        "model_sha": model.digest,
        "model_dtype": dtype_of(model.numerics),
        "served_model_name": model.name,
        "model_type": classifier if facts.label_names else embedding,
        "max_concurrent_requests": settings.max_connections,
        "max_input_length": model.window.max_tokens,
        "max_batch_tokens": settings.max_waiting_tokens,
        "max_batch_requests": None,
        "max_client_batch_size": settings.max_texts,
        "auto_truncate": True,
        "tokenization_workers": 1,
        "version": limbeck.__version__,
        "sha": None,
        "docker_label": None,
        "task": facts.task,
        "label_names": list(facts.label_names),
        "thresholds": None if facts.thresholds is None else list(facts.thresholds),
        "label_thresholds": None if facts.label_thresholds is None else list(facts.label_thresholds),
        "value_width": None if facts.value_width is None else facts.value_width.to_dict(),
        "pair": None if facts.pair is None else list(facts.pair),
        "window": {
            "name": model.window.name,
            "max_tokens": model.window.max_tokens,
            "words": said_window(model.window),
        },
        "vectors": {"width": model.vector_width, "pooling": model.vector_pooling},
        "engine": model.numerics,
        "limits": limits,
        "condition": {
            "ready": condition.is_ready,
            "why": condition.why,
            "waiting_tokens": condition.waiting_tokens,
            "waiting_texts": condition.waiting_texts,
            "tokens_per_s": condition.tokens_per_s,
            "predicted_wait_s": condition.predicted_wait_s,
            "engine_restarts": condition.engine_restarts,
            "swaps": dict(condition.swaps),
        },
    }


def dtype_of(numerics: str) -> str:
    """Return the precision in which an engine computes, by one word of its numerics; "float32" where they say none."""
    return next((one for one in ("float32", "bfloat16", "float16") if one in numerics), "float32")


INFO_ROUTES = (
    Endpoint(
        method="GET",
        path="/info",
        dialect=OWN,
        reply=_info,
        says="Say what the model is, and every limit.",
        answer_schema={"type": "object"},
    ),
)
