"""App: the front as ASGI has it: a request is guarded, read, answered by its dialect, and counted once.

In: a `Service`, settings, who may ask. Out: an application for a server of ASGI. It does not know sockets or signals,
nor what a dialect's bodies mean.

    place and key → type and size of the body → model loaded? → the dialect's route → one count → the answer

Whatever goes wrong on the way is one error of `limbeck.errors`, which the dialect gives its own shape.
"""

import asyncio
import traceback
from collections.abc import Mapping
from dataclasses import replace
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qsl

from starlette.responses import Response
from starlette.routing import Route, Router
from starlette.types import Message, Receive, Scope, Send

from limbeck.errors import LimbeckError, NotReadyError, RequestError
from limbeck.log_lines import STANDARD_ERROR
from limbeck.serving.accounts import Accounts, HttpExchange, Outcome
from limbeck.serving.arrived import Arrived
from limbeck.serving.bodies import ClientGoneError, let_it_end, read_body
from limbeck.serving.call import Call
from limbeck.serving.dialects.health import HEALTH
from limbeck.serving.dialects.spoken import DIALECTS, ENDPOINTS, dialect_of
from limbeck.serving.doorway import Doorway
from limbeck.serving.guards import Guard, check_type
from limbeck.serving.openapi import openapi_document
from limbeck.serving.page_routes import page_endpoints
from limbeck.serving.replies import EVERYWHERE, compact_json, wrong_response
from limbeck.serving.routes import Endpoint
from limbeck.serving.serve_settings import ServeSettings
from limbeck.serving.service import Condition, Service
from limbeck.serving.wrong import Wrong, wrong_of

_LINGER_S = 1.0
"""Seconds for which a refused client may still send, so that it can read why."""
_LINGER_BODIES = 4
"""Times the largest body that it may still send."""


class Front:
    """The application.

    Args:
        service: that answers.
        settings: limits, and what else is told.
        guard: who may ask.

    Attributes:
        accounts: of all requests.
        is_loaded: whether a model can be asked; set by whoever starts the service.
        is_draining: whether the server is ending: it is not ready then, and every answer closes its connection.
        doorway: refuses at the door while more comes than can be answered.
    """

    def __init__(self, service: Service, settings: ServeSettings, guard: Guard) -> None:
        self.accounts = Accounts([one.name for one in DIALECTS])
        self.is_loaded = False
        self.is_draining = False
        self._turn = asyncio.Lock()
        self._described: dict[str, tuple[dict[str, Any], bytes]] = {}
        self._service, self._settings, self._guard = service, settings, guard
        self.doorway = Doorway(
            service, settings, guard, self.accounts, is_open=lambda: self.is_loaded and not self.is_draining
        )
        by_path: dict[str, dict[str, Endpoint]] = {}
        self.endpoints = (*ENDPOINTS, self._documentation(), *page_endpoints(settings, lambda: self._document()[0]))
        self.doorway.know(self.endpoints)
        for endpoint in self.endpoints:
            by_path.setdefault(endpoint.path, {})[endpoint.method] = endpoint
        paths = {path: _Path(self, methods) for path, methods in by_path.items()}
        # A pattern per path, tried one after the other, is for those that have variable parts.
        self._fixed = {path: one for path, one in paths.items() if "{" not in path}
        routes = [Route(path, one) for path, one in paths.items() if path not in self._fixed]
        self._router = Router(routes=routes, redirect_slashes=False, default=_Path(self, {}))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        await self._fixed.get(scope["path"], self._router)(scope, receive, send)

    @property
    def condition(self) -> Condition:
        """How the server stands."""
        condition = self._service.condition
        if self.is_draining:
            return replace(condition, is_ready=False, why="the server is ending")
        if not self.is_loaded:
            return replace(condition, is_ready=False, why=condition.why or "the model is being loaded")
        return condition

    def _document(self) -> tuple[dict[str, Any], bytes]:
        """Return the description of all routes, and its bytes; made once, since anybody may ask for it."""
        name = self._service.model.name if self.is_loaded else "MODEL"
        if name not in self._described:
            document = openapi_document(self.endpoints, model_name=name)
            self._described = {name: (document, compact_json(document))}
        return self._described[name]

    def _documentation(self) -> Endpoint:
        async def document(_: Call) -> Response:
            return Response(self._document()[1], media_type="application/json")

        return Endpoint(
            method="GET",
            path="/openapi.json",
            dialect=HEALTH,
            reply=document,
            says="Describe every route, as OpenAPI does.",
            answer_schema={"type": "object"},
            needs_model=False,
            is_open=True,
        )

    async def serve(self, endpoint: Endpoint | Wrong, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or say what is wrong with its route."""
        arrived = Arrived.of(scope, receive)
        dialect = endpoint.dialect if isinstance(endpoint, Endpoint) else dialect_of(scope["path"])
        exchange = self.accounts.begin(dialect.name)
        outcome: Outcome = "failed"
        try:
            try:
                response = await self._response(endpoint, arrived, exchange)
                outcome = "ok" if response.status_code < HTTPStatus.BAD_REQUEST else "refused"
            except LimbeckError as error:
                wrong = wrong_of(error, arrived.request_id)
                outcome = "failed" if wrong.is_ours else "refused"
                response = wrong_response(wrong, dialect.wrong_body(wrong))
            except ClientGoneError:
                outcome = "abandoned"
                return
            except Exception as error:  # noqa: BLE001  # the outermost handler of a request: the others go on
                _tell(error, arrived.request_id)
                wrong = Wrong(
                    status=HTTPStatus.INTERNAL_SERVER_ERROR,
                    message="the server failed at this request; its log has more under the request's id",
                    request_id=arrived.request_id,
                )
                response = wrong_response(wrong, dialect.wrong_body(wrong))
        finally:
            exchange.end(outcome)
        await response(scope, receive, self._sender(arrived, send))

    async def _response(self, endpoint: Endpoint | Wrong, arrived: Arrived, exchange: HttpExchange) -> Response:
        """Return the answer to a request.

        Raises:
            LimbeckError: it is not answered.
            ClientGoneError: its client left.
        """
        headers, is_post = arrived.headers, arrived.scope["method"] not in ("GET", "HEAD")
        if arrived.is_doubled:
            raise RequestError("the request has two Host headers")
        self._guard.check_place(headers, is_post=is_post)
        if isinstance(endpoint, Wrong):
            wrong = replace(endpoint, request_id=arrived.request_id)
            return wrong_response(wrong, dialect_of(arrived.scope["path"]).wrong_body(wrong))
        if not endpoint.is_open:
            self._guard.check_key(headers)
        body = b""
        if endpoint.method == "POST":
            if endpoint.form is not None:
                check_type(headers, may_be_tensors=endpoint.body == "tensors")
            body = await read_body(
                arrived.receive,
                headers,
                most_bytes=self._settings.max_body_bytes,
                timeout_s=self._settings.body_timeout_s,
            )
            arrived.is_read = True
        if endpoint.needs_model and not self.is_loaded:
            raise NotReadyError("the model is being loaded: ask again in a moment")
        query = arrived.scope.get("query_string", b"")
        call = Call(
            service=self._service,
            settings=self._settings,
            accounts=self.accounts,
            exchange=exchange,
            request_id=arrived.request_id,
            client=arrived.client,
            headers=headers,
            path=arrived.scope.get("path_params", {}),
            query=dict(parse_qsl(query.decode("latin-1"))) if query else {},
            has_key=not endpoint.is_open or self._guard.has_key(headers),
            body=body,
            receive=arrived.receive,
            stands=lambda: self.condition,
            turn=self._turn,
        )
        return await endpoint.reply(call)

    def _sender(self, arrived: Arrived, send: Send) -> Send:
        """Return what sends the messages of an answer, with the headers that every answer has."""
        must_close = self.is_draining or arrived.has_unread_body
        more = {**EVERYWHERE, "x-request-id": arrived.request_id}
        if must_close:
            more["connection"] = "close"

        async def send_on(message: Message) -> None:
            if message["type"] == "http.response.start":
                have = {name for name, _ in message["headers"]}
                added = [(name.encode(), value.encode()) for name, value in more.items() if name.encode() not in have]
                message = {**message, "headers": [*message["headers"], *added]}
            elif arrived.has_unread_body and not message.get("more_body", False):
                await send({**message, "more_body": True})
                await let_it_end(
                    arrived.receive, most_bytes=_LINGER_BODIES * self._settings.max_body_bytes, timeout_s=_LINGER_S
                )
                message = {"type": "http.response.body", "body": b"", "more_body": False}
            await send(message)

        return send_on


class _Path:
    """One path: chooses the endpoint of the method."""

    def __init__(self, front: Front, methods: Mapping[str, Endpoint]) -> None:
        self._front, self._methods = front, methods

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        method = "GET" if scope["method"] == "HEAD" else scope["method"]
        found: Endpoint | Wrong
        if method in self._methods:
            found = self._methods[method]
        elif self._methods:
            allowed = (*(["HEAD"] if "GET" in self._methods else []), *self._methods)
            found = Wrong(
                status=HTTPStatus.METHOD_NOT_ALLOWED,
                message=f"this path takes {' and '.join(sorted(allowed))}",
                request_id="",
                allowed=tuple(sorted(allowed)),
            )
        else:
            found = Wrong(status=HTTPStatus.NOT_FOUND, message="there is no such path; /docs shows all", request_id="")
        await self._front.serve(found, scope, receive, send)


def _tell(error: Exception, request_id: str) -> None:
    """Write where an error that nobody expected arose; not its message, in which a text may stand."""
    places = [f"{frame.filename}:{frame.lineno}" for frame in traceback.extract_tb(error.__traceback__)[-5:]]
    where = " < ".join(reversed(places))
    STANDARD_ERROR.write(f"limbeck: request {request_id}: {type(error).__name__} at {where}")
