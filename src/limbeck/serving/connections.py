"""Connections: bounds on what one connection may do before, between and after its requests, which uvicorn leaves open.

In: limits. Out: a class of connections for uvicorn. It does not know requests' meaning.

    a head that trickles, or is too large    cut after `header_timeout_s`; 431 beyond 64 KiB
    more connections than there may be       the one that was idle longest makes room; else 429
    an answer that is not read               cut after `body_timeout_s`; where unread answers are more than 256 MiB
                                             together, the one that was unread longest makes room
    more requests than can be answered       refused at the door (`doorway.py`)

(A body that trickles or is too large is `bodies.py`'s matter.)
"""

import asyncio
from typing import TYPE_CHECKING, Any, cast

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from limbeck.serving.accounts import Accounts
from limbeck.serving.doorway import Doorway
from limbeck.serving.replies import compact_json
from limbeck.serving.serve_settings import ServeSettings

if TYPE_CHECKING:
    from starlette.types import Scope

    from limbeck.serving.app import Front

_STATUS = b"HTTP/1.1 "
MOST_HEAD_BYTES = 65_536
"""Of a request's first line and headers together."""
_MOST_FRAMING = 8
"""Times its bytes that a body may take on the wire, in chunks as small as they may be."""
MOST_UNREAD_BYTES = 2**28
"""Of all answers together that clients did not read yet."""


def connections_of(settings: ServeSettings, front: "Front") -> type[HttpToolsProtocol]:
    """Return the class of a server's connections.

    Args:
        settings: its limits.
        front: where connections that are refused are counted, and whose doorway refuses requests.
    """
    known = {"limits": settings, "accounts": front.accounts, "doorway": front.doorway}
    return type("Connection", (BoundedConnection,), known)


class BoundedConnection(HttpToolsProtocol):
    """One connection.

    Attributes:
        limits: of the server.
        accounts: of the server.
        doorway: of the server.
    """

    limits: ServeSettings
    accounts: Accounts
    doorway: Doorway

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        """Make room for it, or refuse it."""
        super().connection_made(transport)
        self._head_timer: asyncio.TimerHandle | None = None
        self._unread_timer: asyncio.TimerHandle | None = None
        self._unread_since = 0.0
        self._bytes = 0
        self._in_head = True
        self._held: list[bytes] | None = None
        self._last = self.loop.time()
        if len(self.connections) > self.limits.max_connections and not self._make_room():
            self.accounts.refused_connections += 1
            message = f"all {self.limits.max_connections:,} connections (--max-connections) are busy: ask again soon"
            self._refuse(b"429 Too Many Requests", message, b"retry-after: 1\r\n")
        else:
            self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget it."""
        self._head_came()
        self._was_read()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take bytes, as many as there may be."""
        self._last = self.loop.time()
        self._bytes += len(data)
        super().data_received(data)
        if self.transport.is_closing():
            return
        if self._held is not None:
            self._let_in()
        if self._in_head and self._bytes > MOST_HEAD_BYTES:
            message = f"the head of the request has more than {MOST_HEAD_BYTES:,} bytes"
            self._refuse(b"431 Request Header Fields Too Large", message)
        elif self._bytes > MOST_HEAD_BYTES + _MOST_FRAMING * self.limits.max_body_bytes:
            self.transport.abort()
        elif self._in_head and self._bytes and self._head_timer is None and not self._is_busy:
            self._await_head()

    def pause_writing(self) -> None:
        """Let its client read what it was sent, for a while and while there is room."""
        super().pause_writing()
        self._unread_since = self.loop.time()
        self._unread_timer = self.loop.call_later(self.limits.body_timeout_s, self.transport.abort)
        self._make_room_for_unread()

    def resume_writing(self) -> None:
        """Go on: its client reads."""
        self._was_read()
        super().resume_writing()

    def on_headers_complete(self) -> None:
        """Begin a request."""
        self._head_came()
        self._in_head = False
        is_alone = not self._is_busy and not self.expect_100_continue and not self.flow.write_paused
        if is_alone and self.doorway.is_narrow(self.parser.get_method(), self.url):
            self._held = []
        else:
            self._begin()

    def on_body(self, body: bytes) -> None:
        """Take a part of a body."""
        if self._held is None:
            super().on_body(body)
        else:
            self._held.append(body)

    def on_message_complete(self) -> None:
        """End a request; the next one begins with its head."""
        if self._held is None:
            super().on_message_complete()
        elif not self._is_refused(b"".join(self._held)):
            self._let_in()
            super().on_message_complete()
        self._in_head, self._bytes = True, 0

    def _begin(self) -> None:
        """Let uvicorn begin the request."""
        super().on_headers_complete()
        self.cycle.transport = cast("asyncio.Transport", _OneWrite(self.transport, self.loop))

    def _is_refused(self, body: bytes) -> bool:
        """Refuse the request that is held, where it is to be; tell whether it was."""
        response = self.doorway.refusal(self.url, cast("Scope", self.scope), body)
        if response is None:
            return False
        self._held = None
        is_kept = self.parser.get_http_version() != "1.0" and self.parser.should_keep_alive()
        headers = [*self.server_state.default_headers, *response.raw_headers]
        if not is_kept:
            headers.append((b"connection", b"close"))
        lines = b"".join(b"%b: %b\r\n" % header for header in headers)
        self.transport.write(STATUS_LINE[response.status_code] + lines + b"\r\n" + bytes(response.body))
        if not is_kept:
            self.transport.close()
        self.on_response_complete()
        return True

    def _let_in(self) -> None:
        """Let the request that is held go the usual way."""
        held, self._held = self._held or [], None
        self._begin()
        for part in held:
            super().on_body(part)

    def on_response_complete(self) -> None:
        """End an answer: it must be read in time."""
        self._last = self.loop.time()
        super().on_response_complete()
        if self.transport.is_closing():
            self.loop.call_later(self.limits.body_timeout_s, self.transport.abort)

    def timeout_keep_alive_handler(self) -> None:
        """Close an idle connection, once what it was sent is read, or never will be."""
        late = self.loop.time() - self._last > self.limits.body_timeout_s
        if self.transport.get_write_buffer_size() and not late:
            self.timeout_keep_alive_task = self.loop.call_later(
                self.timeout_keep_alive, self.timeout_keep_alive_handler
            )
        elif late:
            self.transport.abort()
        else:
            super().timeout_keep_alive_handler()

    def send_400_response(self, msg: str) -> None:
        """Say that what came is not HTTP."""
        self._refuse(b"400 Bad Request", "what was sent is not HTTP")

    @property
    def _is_busy(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def is_quiet(self, seconds: float) -> bool:
        """Tell whether nothing has come and nothing is owed for so many seconds."""
        return not self._is_busy and not self._bytes and self.loop.time() - self._last >= seconds

    def _make_room(self) -> bool:
        """Close the connection that has been idle longest; tell whether there was one."""
        idle = [
            one
            for one in self.connections
            if isinstance(one, BoundedConnection) and one is not self and one._may_go  # its own kind
        ]
        if not idle:
            return False
        # Whoever reads an answer is idle last of all.
        min(idle, key=lambda one: (one._is_unread, one._last)).transport.abort()  # its own kind
        return True

    def _make_room_for_unread(self) -> None:
        """Cut those that have been unread longest, where there is too much; a single answer is never too much."""
        unread = [one for one in self.connections if isinstance(one, BoundedConnection) and one._is_unread]
        size = sum(one.transport.get_write_buffer_size() for one in unread)
        for one in sorted(unread, key=lambda one: one._unread_since):
            if size <= MOST_UNREAD_BYTES or one is self:
                return
            size -= one.transport.get_write_buffer_size()
            one.transport.abort()

    @property
    def _is_unread(self) -> bool:
        return self._unread_timer is not None

    def _was_read(self) -> None:
        if self._unread_timer is not None:
            self._unread_timer.cancel()
            self._unread_timer = None

    @property
    def _may_go(self) -> bool:
        return not self._is_busy and not self.transport.is_closing()

    def _await_head(self) -> None:
        self._head_timer = self.loop.call_later(self.limits.header_timeout_s, self._head_is_late)

    def _head_came(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _head_is_late(self) -> None:
        self._head_timer = None
        if self.transport.is_closing() or self._is_busy:
            return
        if not self._bytes:
            self.transport.close()
            return
        message = f"the head of the request did not come within {self.limits.header_timeout_s:g} s"
        self._refuse(b"408 Request Timeout", message)

    def _refuse(self, status: bytes, message: str, more: bytes = b"") -> None:
        """Answer what never became a request, and close."""
        kind = status.partition(b" ")[2].decode().lower().replace(" ", "_")
        body = compact_json({"error": message, "error_type": kind, "request_id": ""})
        head = b"HTTP/1.1 %b\r\ncontent-type: application/json\r\ncontent-length: %d\r\n" % (status, len(body))
        self.transport.write(head + more + b"connection: close\r\n\r\n" + body)
        self.transport.close()
        self.loop.call_later(self.limits.body_timeout_s, self.transport.abort)


class _OneWrite:
    """What uvicorn writes an answer to: its head waits for its body, so that one packet and one call take both.

    A head without a body leaves in the next round of the loop.
    """

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport, self._loop = transport, loop
        self._head = b""

    def write(self, data: bytes) -> None:
        """Write, or keep a head."""
        if not self._head and data.startswith(_STATUS) and data.endswith(b"\r\n\r\n"):
            self._head = data
            self._loop.call_soon(self._flush)
        else:
            head, self._head = self._head, b""
            self._transport.write(head + data)

    def close(self) -> None:
        """Close, once all is written."""
        self._flush()
        self._transport.close()

    def _flush(self) -> None:
        head, self._head = self._head, b""
        if head:
            self._transport.write(head)


def is_quiet(connection: Any, seconds: float) -> bool:
    """Tell whether a connection of any kind has been quiet for so many seconds."""
    return isinstance(connection, BoundedConnection) and connection.is_quiet(seconds)
