"""The routes of the pages: `/` for people, `/docs`, and the files that both need.

In: a call. Out: a page, or JSON for programs. No key is needed: without it a page shows nothing of the model.
"""

from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any

from starlette.responses import Response

from limbeck.errors import NotReadyError, RequestError
from limbeck.serving.call import Call
from limbeck.serving.dialects.own import OWN
from limbeck.serving.routes import Endpoint
from limbeck.serving.serve_settings import ServeSettings
from limbeck.serving.service import ServedModel
from limbeck.serving.try_page import MEDIA_TYPES, BrowserPages, Visit, page_file


async def asset(call: Call) -> Response:
    """Answer `GET /page/{file}`."""
    _require_page(call)
    found = page_file(_visit(call), call.path["file"])
    if found is None:
        raise RequestError("the pages have no such file", http_status=HTTPStatus.NOT_FOUND)
    return found


def page_endpoints(settings: ServeSettings, document: Callable[[], Mapping[str, Any]]) -> tuple[Endpoint, ...]:
    """Return the routes of the pages.

    Args:
        settings: of the service.
        document: returns the OpenAPI document.
    """
    pages = BrowserPages(settings)

    async def front_page(call: Call) -> Response:
        """Answer `GET /`: the page to try the model; for programs, that the service lives."""
        return pages.front(_visit(call), _model_of(call), call.condition)

    async def docs_page(call: Call) -> Response:
        """Answer `GET /docs`: what every route takes and gives."""
        _require_page(call)
        return pages.docs(_visit(call), document())

    return (
        _endpoint("/", front_page, "Show the page to try the model; tell programs that the service lives.", 503),
        _endpoint("/docs", docs_page, "Show what every route takes and gives.", 404),
        _endpoint("/page/{file}", asset, "Give a file of the pages.", 404),
    )


_KINDS = {"/": ("text/html", "application/json"), "/page/{file}": tuple(MEDIA_TYPES.values())}
"""Media types of the routes that give more than a page."""


def _endpoint(path: str, reply: Callable[[Call], Any], says: str, status: int) -> Endpoint:
    return Endpoint(
        method="GET",
        path=path,
        dialect=OWN,
        reply=reply,
        says=says,
        answer_schema=None,
        answer_types=_KINDS.get(path, ("text/html",)),
        needs_model=False,
        is_open=True,
        statuses=(status,),
    )


def _visit(call: Call) -> Visit:
    return Visit(headers=call.headers, language=call.query.get("lang"), has_key=call.has_key)


def _model_of(call: Call) -> ServedModel | None:
    try:
        return call.model
    except NotReadyError:
        return None


def _require_page(call: Call) -> None:
    if not call.settings.page:
        raise RequestError("the pages are switched off (--no-page)", http_status=HTTPStatus.NOT_FOUND)
