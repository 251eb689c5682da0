"""Call: one request as a route sees it: its body, its headers, and the way to ask the model.

In: what came over the wire, guarded and bounded. Out: what the model says, or an error of `limbeck.errors`.
It does not know how a dialect reads its body or writes its answer.
"""

import asyncio
import json
import time
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, TypeVar, cast

from limbeck.errors import DeadlineError, RequestError, TooLargeError
from limbeck.log_lines import STANDARD_ERROR
from limbeck.serving.accounts import Accounts, HttpExchange
from limbeck.serving.bodies import ClientGoneError, Receive, strict_json
from limbeck.serving.forms import Form
from limbeck.serving.serve_settings import ServeSettings
from limbeck.serving.service import Answered, Asked, Condition, ServedModel, Service

Made = TypeVar("Made")


@dataclass(frozen=True, kw_only=True, eq=False)
class Call:
    """One request.

    Attributes:
        service: that answers.
        settings: of the server.
        accounts: of all requests.
        exchange: this one, as it is counted.
        request_id: in its answer.
        client: who asks: whose turn it is.
        headers: names in lower case.
        path: what the variable parts of the path hold.
        query: what stands behind the path; of several values of one name the last.
        has_key: whether it has the key, or needs none.
        body: of the request.
        receive: gives what else its client sends: that it left.
        stands: says how the server stands.
        turn: is held while an answer is made that may be much larger than its request.
    """

    service: Service
    settings: ServeSettings
    accounts: Accounts
    exchange: HttpExchange
    request_id: str
    client: str
    headers: Mapping[str, str]
    path: Mapping[str, str]
    query: Mapping[str, str]
    has_key: bool
    body: bytes
    receive: Receive
    stands: Callable[[], Condition]
    turn: asyncio.Lock

    @property
    def model(self) -> ServedModel:
        """The model that answers now."""
        return self.service.model

    @property
    def condition(self) -> Condition:
        """How the server stands now."""
        return self.stands()

    @property
    def created(self) -> int:
        """Now, in seconds of Unix."""
        return int(time.time())

    def read(self, form: Form) -> dict[str, Any]:
        """Read the body as a form: a value for each of its fields, None where it was not given.

        Raises:
            RequestError: it is not JSON, or no object.
            DataError: gathers what is wrong in it.
        """
        return form.read(strict_json(self.body))

    def require_model(self, name: str | None) -> None:
        """Refuse the name of another model than the one that is served; None is fine.

        Raises:
            RequestError: there is no such model (404).
        """
        if name is not None and name != self.model.name and not self.settings.any_model_name:
            raise RequestError(
                f"there is no such model; {self.model.name!r} is served: ask for it, or start the service with "
                "--any-model-name",
                http_status=HTTPStatus.NOT_FOUND,
            )

    async def ask(
        self,
        texts: Sequence[str],
        *,
        vectors: bool = False,
        truncate: bool | None = None,
        timeout_s: float | None = None,
    ) -> Answered:
        """Ask the model about texts; nothing more is computed for them when the client leaves.

        Args:
            texts: of the request.
            vectors: whether their vectors are asked for, too.
            truncate: whether a text that is too long may be cut (None: it may).
            timeout_s: seconds after which nobody waits; those of the server, where it is less or not given.

        Raises:
            TooLargeError: there are more texts than a request may have.
            ClientGoneError: the client left.
            LimbeckError: as `Service.answer` says.
        """
        limit = self.settings.max_texts
        if len(texts) > limit:
            raise TooLargeError(
                f"the request has {len(texts):,} texts, and the limit is {limit:,} (--max-texts): send fewer",
                limit=limit,
                given=len(texts),
            )
        self.exchange.texts = len(texts)
        if self.settings.log_texts:
            said = {"request_id": self.request_id, "client": self.client, "texts": list(texts)}
            STANDARD_ERROR.write(json.dumps(said))
        asked = Asked(
            texts=texts,
            client=self.client,
            timeout_s=self.settings.patience_s(timeout_s),
            vectors=vectors,
            truncate=truncate is not False,
        )
        answered = await _unless_gone(self.service.answer(asked), self.receive)
        self.accounts.note(answered)
        return answered

    async def in_turn(self, make: Callable[[], Coroutine[Any, Any, Made]]) -> Made:
        """Make an answer that may be much larger than its request, when nobody else makes one: so memory has room.

        Raises:
            DeadlineError: its turn did not come in time.
            ClientGoneError: the client left.
        """
        limit_s = self.settings.timeout_s
        try:
            async with asyncio.timeout(limit_s):
                return await _unless_gone(self._alone(make), self.receive)
        except TimeoutError as error:
            raise DeadlineError(
                f"the request was not answered within {limit_s:g} s (--timeout-s): send fewer texts per request"
            ) from error

    async def _alone(self, make: Callable[[], Coroutine[Any, Any, Made]]) -> Made:
        async with self.turn:
            return await make()


async def _unless_gone(answering: Coroutine[Any, Any, Made], receive: Receive) -> Made:
    """Wait for an answer, or for the client to leave: then nobody needs it."""
    answerer = cast("asyncio.Task[Any]", asyncio.current_task())
    leaving = asyncio.ensure_future(_departure(receive, answerer))
    try:
        return await answering
    except asyncio.CancelledError:
        # Who else cancels, at the end of the server, is heard, too.
        if leaving.done() and not leaving.cancelled() and answerer.uncancel() == 0:
            raise ClientGoneError from None
        raise
    finally:
        leaving.cancel()


async def _departure(receive: Receive, answerer: "asyncio.Task[Any]") -> None:
    """End whoever makes the answer when the client leaves."""
    while (await receive())["type"] != "http.disconnect":
        pass
    answerer.cancel()
