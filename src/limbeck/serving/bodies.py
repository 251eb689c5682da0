"""Bodies: the bytes that a client sends, bounded in size and time, and the JSON in them, read strictly.

In: the messages of one request. Out: bytes, or plain values. It does not know what a body means.

JSON here is RFC 8259 and no more: UTF-8; no name twice in an object; no NaN, no Infinity and no number that would
become one; no number of more than 100 digits; no nesting so deep that it matters. Texts are not looked at.
"""

import asyncio
import json
import math
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from http import HTTPStatus
from typing import Any, NoReturn

from limbeck.errors import RequestError, TooLargeError

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
"""As ASGI has it: gives the next message of a request."""
MOST_DIGITS = 100
"""Of a number in JSON."""
_SHOWN_KEY_CHARS = 40


class ClientGoneError(Exception):
    """The client closed its connection: nobody waits for an answer."""


async def read_body(receive: Receive, headers: Mapping[str, str], *, most_bytes: int, timeout_s: float) -> bytes:
    """Return the body of a request.

    Args:
        receive: gives its messages.
        headers: its headers, names in lower case.
        most_bytes: that it may have; of a larger one no more is kept.
        timeout_s: in which all of it must have come.

    Raises:
        TooLargeError: it is larger; where the client says its size, nothing of it is read.
        RequestError: it is compressed (415), or did not come in time (408).
        ClientGoneError: the connection was closed before it had come.
    """
    if headers.get("content-encoding", "identity").lower() != "identity":
        raise RequestError(
            "the body is compressed (Content-Encoding): send it as it is", http_status=HTTPStatus.UNSUPPORTED_MEDIA_TYPE
        )
    said = headers.get("content-length", "")
    if said.isdecimal() and len(said) <= MOST_DIGITS and int(said) > most_bytes:
        raise _too_large(most_bytes, int(said))
    parts: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(timeout_s):
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise ClientGoneError
                parts.append(message.get("body", b""))
                size += len(parts[-1])
                if size > most_bytes:
                    raise _too_large(most_bytes, size)
                if not message.get("more_body", False):
                    return b"".join(parts)
    except TimeoutError as error:
        raise RequestError(
            f"the body did not come within {timeout_s:g} s (--body-timeout-s): {size:,} bytes had come",
            http_status=HTTPStatus.REQUEST_TIMEOUT,
        ) from error


async def let_it_end(receive: Receive, *, most_bytes: int, timeout_s: float) -> None:
    """Take what a refused client still sends, so that it can read why it was refused; nothing is kept.

    A connection that is closed with bytes unread is reset, and the answer with it.
    """
    try:
        async with asyncio.timeout(timeout_s):
            while most_bytes > 0:
                message = await receive()
                if message["type"] == "http.disconnect" or not message.get("more_body", False):
                    return
                most_bytes -= len(message.get("body", b""))
    except TimeoutError:
        return


def strict_json(body: bytes) -> Any:
    """Read JSON strictly.

    Raises:
        RequestError: it is none, and where.
    """
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise RequestError(f"the body is not UTF-8: byte {error.start:,} cannot be read") from error
    try:
        return _DECODER.decode(text)
    except json.JSONDecodeError as error:
        raise RequestError(
            f"the body is not JSON: {error.msg} at line {error.lineno:,}, column {error.colno:,}"
        ) from error
    except RecursionError as error:
        raise RequestError("the body is nested too deeply") from error


def _too_large(limit: int, given: int) -> TooLargeError:
    return TooLargeError(
        f"the body has {given:,} bytes or more, and the limit is {limit:,} (--max-body-bytes): send fewer texts per "
        "request",
        limit=limit,
        given=given,
    )


def _refuse_constant(word: str) -> NoReturn:
    raise RequestError(f"the body is not JSON: {word} is no number there")


def _float(word: str) -> float:
    if len(word) > MOST_DIGITS or not math.isfinite(number := float(word)):
        raise RequestError(f"a number in the body is too long or too large ({word[:20]}…)")
    return number


def _int(word: str) -> int:
    if len(word) > MOST_DIGITS:
        raise RequestError(f"a number in the body has more than {MOST_DIGITS} digits")
    return int(word)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        doubled = next(name for name in names if names.count(name) > 1)
        raise RequestError(f"the body has the name {doubled[:_SHOWN_KEY_CHARS]!a} twice in one object")
    return found


# Made once: `json.loads` makes one for each body.
_DECODER = json.JSONDecoder(
    parse_constant=_refuse_constant, parse_float=_float, parse_int=_int, object_pairs_hook=_object
)
