"""Arrived: what is known of a request when it comes, before anything of it is checked. It does not know routes."""

import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass

from starlette.types import Receive, Scope

_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_ID_BYTES = 16


@dataclass(eq=False)
class Arrived:
    """A request that came.

    Attributes:
        scope, receive: as ASGI has them.
        headers: names in lower case; of several of one name the last.
        request_id: the client's own, where it is a plain word, else a new one.
        is_doubled: whether it has two `Host`, so that nobody knows which is meant.
        is_read: whether its body was taken to the end.
    """

    scope: Scope
    receive: Receive
    headers: Mapping[str, str]
    request_id: str
    is_doubled: bool
    is_read: bool = False

    @classmethod
    def of(cls, scope: Scope, receive: Receive) -> "Arrived":
        """Look at a request."""
        pairs: list[tuple[bytes, bytes]] = scope["headers"]
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in pairs}
        wished = headers.get("x-request-id", "")
        return cls(
            scope=scope,
            receive=receive,
            headers=headers,
            request_id=wished if _REQUEST_ID.fullmatch(wished) else secrets.token_hex(_ID_BYTES),
            is_doubled=[name for name, _ in pairs].count(b"host") > 1,
        )

    @property
    def client(self) -> str:
        """Whose turn it is: the address that the request comes from."""
        client = self.scope.get("client")
        return client[0] if client else ""

    @property
    def has_unread_body(self) -> bool:
        """Whether bytes may still come that nobody will read."""
        has_body = self.headers.get("content-length", "0") != "0" or "transfer-encoding" in self.headers
        return has_body and not self.is_read
