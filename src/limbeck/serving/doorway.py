"""Doorway: the short way out while more comes than can be answered.

In: one whole request, as its connection has it. Out: the bytes of its refusal; or None: then it goes the usual way
(`app.py`), which alone takes requests. It does not know sockets.

The usual way to say no is several times as long. At ten times the rate that a machine can answer, it would take the
processor from those who are answered.
"""

from collections.abc import Callable, Iterable

from starlette.responses import Response
from starlette.types import Message, Scope

from limbeck.errors import LimbeckError
from limbeck.serving.accounts import Accounts
from limbeck.serving.arrived import Arrived
from limbeck.serving.asked_texts import TEXTS_SCHEMA
from limbeck.serving.bodies import strict_json
from limbeck.serving.guards import Guard, check_type
from limbeck.serving.replies import EVERYWHERE, wrong_response
from limbeck.serving.routes import Endpoint
from limbeck.serving.serve_settings import ServeSettings
from limbeck.serving.service import Asked, Service
from limbeck.serving.wrong import wrong_of

_TIMEOUT = "timeout_s"


class Doorway:
    """Refuses requests that would be refused by the usual way, too.

    Args:
        service: that answers.
        settings: of the server.
        guard: who may ask.
        accounts: of all requests.
        is_open: tells whether requests are taken at all now; else the usual way says why they are not.
    """

    def __init__(
        self,
        service: Service,
        settings: ServeSettings,
        guard: Guard,
        accounts: Accounts,
        *,
        is_open: Callable[[], bool],
    ) -> None:
        self._service, self._settings, self._guard, self._accounts = service, settings, guard, accounts
        self._is_open = is_open
        self._by_path: dict[bytes, Endpoint] = {}
        self._takes_list: set[bytes] = set()

    def know(self, endpoints: Iterable[Endpoint]) -> None:
        """Know the routes whose bodies say which texts they ask about."""
        for one in endpoints:
            if one.form is not None and one.form.texts is not None and "{" not in one.path:
                path = one.path.encode()
                self._by_path[path] = one
                # What a list means where it is not a list of texts, its dialect knows.
                if any(field.name == one.form.texts and field.schema is TEXTS_SCHEMA for field in one.form.fields):
                    self._takes_list.add(path)

    def is_narrow(self, method: bytes, target: bytes) -> bool:
        """Tell whether a request to a path is refused here, perhaps, once its body has come."""
        if method != b"POST" or target not in self._by_path:
            return False
        # What is written down of every request is written by the usual way.
        return not self._settings.log_texts and self._is_open() and self._service.is_crowded

    def refusal(self, target: bytes, scope: Scope, body: bytes) -> Response | None:
        """Return the answer to a request that is refused because too much waits, and count it; else None.

        Args:
            target: path of it, one that `is_narrow`.
            scope: with its headers and its client.
            body: all of it.
        """
        endpoint, arrived = self._by_path[target], Arrived.of(scope, _nothing_more)
        try:
            asked = self._asked(endpoint, arrived, body, takes_list=target in self._takes_list)
        except LimbeckError:  # the usual way says what is wrong
            return None
        error = None if asked is None else self._service.refusal(asked)
        if asked is None or error is None:
            return None
        exchange = self._accounts.begin(endpoint.dialect.name)
        exchange.texts = len(asked.texts)
        exchange.end("refused")
        wrong = wrong_of(error, arrived.request_id)
        headers = {**EVERYWHERE, "x-request-id": arrived.request_id}
        return wrong_response(wrong, endpoint.dialect.wrong_body(wrong), headers=headers)

    def _asked(self, endpoint: Endpoint, arrived: Arrived, body: bytes, *, takes_list: bool) -> Asked | None:
        """Return what a request asks; None where it is not plain.

        Raises:
            LimbeckError: something is wrong with it.
        """
        form, facts = endpoint.form, self._service.model.facts
        is_plain = len(body) <= self._settings.max_body_bytes and "content-encoding" not in arrived.headers
        if form is None or form.texts is None or facts.pair is not None or arrived.is_doubled or not is_plain:
            return None
        self._guard.check_place(arrived.headers, is_post=True)
        self._guard.check_key(arrived.headers)
        check_type(arrived.headers, may_be_tensors=False)
        wanted = form.read(strict_json(body))
        given = wanted[form.texts]
        texts = given if isinstance(given, list) and takes_list else [given]
        if not 0 < len(texts) <= self._settings.max_texts or not all(isinstance(one, str) for one in texts):
            return None
        return Asked(texts=texts, client=arrived.client, timeout_s=self._settings.patience_s(wanted.get(_TIMEOUT)))


async def _nothing_more() -> Message:
    raise AssertionError("a request at the door has come whole")
