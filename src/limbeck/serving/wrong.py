"""Wrong: what a request that is not answered is told, before a dialect gives it its own shape.

In: an error of `limbeck.errors`. Out: a status of HTTP, a kind in one word, a message, and what belongs to it.
It does not know shapes of bodies.
"""

from dataclasses import dataclass
from http import HTTPStatus

from limbeck.errors import LimbeckError, OverloadedError, RequestError, RowError, TooLargeError, status_of

ERROR_KINDS: dict[HTTPStatus, str] = {
    HTTPStatus.BAD_REQUEST: "malformed",
    HTTPStatus.UNAUTHORIZED: "unauthorized",
    HTTPStatus.FORBIDDEN: "forbidden",
    HTTPStatus.NOT_FOUND: "not_found",
    HTTPStatus.METHOD_NOT_ALLOWED: "method_not_allowed",
    HTTPStatus.REQUEST_TIMEOUT: "request_timeout",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "too_large",
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE: "unsupported_media_type",
    HTTPStatus.UNPROCESSABLE_ENTITY: "invalid",
    HTTPStatus.TOO_MANY_REQUESTS: "overloaded",
    HTTPStatus.INTERNAL_SERVER_ERROR: "engine",
    HTTPStatus.SERVICE_UNAVAILABLE: "not_ready",
    HTTPStatus.GATEWAY_TIMEOUT: "deadline",
}
"""What a status is called in an answer's `error_type`."""
NOT_READY_RETRY_S = 1
"""Seconds after which a client may ask again while no engine answers."""


@dataclass(frozen=True, kw_only=True)
class Wrong:
    """Why a request is not answered.

    Attributes:
        status: of HTTP.
        message: what, where, what was expected and what to do.
        request_id: of the request.
        row: the first text that is at fault, counted from 0; None where it is no text's fault.
        limit, given: the limit that was passed and what was sent, where both are numbers.
        retry_after_s: whole seconds after which the request will be taken; None where it never will be as it is.
        allowed: methods that the route has, where another was used.
    """

    status: HTTPStatus
    message: str
    request_id: str
    row: int | None = None
    limit: int | None = None
    given: int | None = None
    retry_after_s: int | None = None
    allowed: tuple[str, ...] = ()

    @property
    def kind(self) -> str:
        """One word for the status."""
        return ERROR_KINDS.get(self.status, "failed")

    @property
    def is_ours(self) -> bool:
        """Whether the service failed, rather than refused what was asked."""
        refusals = (HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.NOT_IMPLEMENTED)
        return self.status >= HTTPStatus.INTERNAL_SERVER_ERROR and self.status not in refusals

    @property
    def headers(self) -> dict[str, str]:
        """The headers that go with it, whatever the dialect."""
        found = {}
        if self.retry_after_s is not None:
            found["retry-after"] = str(self.retry_after_s)
        if self.status == HTTPStatus.UNAUTHORIZED:
            found["www-authenticate"] = 'Bearer realm="limbeck"'
        if self.allowed:
            found["allow"] = ", ".join(self.allowed)
        return found


def wrong_of(error: LimbeckError, request_id: str) -> Wrong:
    """Return what a client is told of an error: its status is that of the table in `limbeck.errors`."""
    status = error.http_status if isinstance(error, RequestError) else status_of(error).http_status
    retry_after_s = NOT_READY_RETRY_S if status == HTTPStatus.SERVICE_UNAVAILABLE else None
    return Wrong(
        status=status,
        message=str(error),
        request_id=request_id,
        row=error.row if isinstance(error, RowError) else None,
        limit=error.limit if isinstance(error, TooLargeError) else None,
        given=error.given if isinstance(error, TooLargeError) else None,
        retry_after_s=error.retry_after_s if isinstance(error, OverloadedError) else retry_after_s,
    )
