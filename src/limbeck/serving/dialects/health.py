"""Health: whether the server lives, whether it is ready, and what it counts; for those who look after it.

In: how the service stands. Out: JSON, or the text that Prometheus reads. No key is needed, and no model.
Alive means that the loop turns; ready, that a text which comes now would be answered: under overload, too.
"""

from starlette.responses import Response

from limbeck.serving.accounts import METRICS_TYPE
from limbeck.serving.call import Call
from limbeck.serving.dialects.own import WRONG_SCHEMA, own_wrong_body
from limbeck.serving.replies import json_response
from limbeck.serving.routes import Endpoint, WireDialect

HEALTH = WireDialect(name="health", words="health", wrong_body=own_wrong_body, wrong_schema=WRONG_SCHEMA)
_SCHEMA = {
    "type": "object",
    "properties": {"live": {"type": "boolean"}, "ready": {"type": "boolean"}, "why": {"type": "string"}},
    "required": ["live"],
}


async def _live(_: Call) -> Response:
    """Answer that the server lives."""
    return json_response({"status": "alive", "live": True})


async def _ready(call: Call) -> Response:
    """Answer whether a text that comes now would be answered."""
    condition = call.condition
    body = {"live": True, "ready": condition.is_ready, "why": condition.why}
    if condition.is_ready:
        return json_response(body)
    return json_response(body, status=503, headers={"retry-after": "1"})


async def _metrics(call: Call) -> Response:
    """Answer with the counts of all requests."""
    text = call.accounts.exposition(call.condition, call.model if call.condition.is_ready else None)
    return Response(text, media_type=METRICS_TYPE)


def _of(path: str, *, is_ready: bool) -> Endpoint:
    return Endpoint(
        method="GET",
        path=path,
        dialect=HEALTH,
        reply=_ready if is_ready else _live,
        says="Say whether a text that comes now would be answered." if is_ready else "Say that the server lives.",
        answer_schema=_SCHEMA,
        needs_model=False,
        is_open=True,
        statuses=(503,) if is_ready else (),
    )


HEALTH_ROUTES = (
    *(_of(path, is_ready=False) for path in ("/healthz", "/health/live", "/v2/health/live")),
    *(_of(path, is_ready=True) for path in ("/readyz", "/health", "/health/ready", "/ping", "/v2/health/ready")),
    Endpoint(
        method="GET",
        path="/metrics",
        dialect=HEALTH,
        reply=_metrics,
        says="Give the counts of all requests, as Prometheus reads them.",
        answer_schema=None,
        answer_types=("text/plain",),
        needs_model=False,
        is_open=True,
    ),
)
