"""Guards: who may ask, and from where; looked at before anything of a request is read.

In: headers. Out: nothing, or an error. It does not know bodies.

A server on this machine can be reached by any page that a browser here shows, by a name that is made to point here
(DNS rebinding) or by a form that needs no leave. So the name in `Host` must be one of ours, or a plain address, which
no page can take for its own; `Origin` must be the server itself; a body must be called JSON, which no form can do.
"""

import hashlib
import hmac
import ipaddress
import os
import socket
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from urllib.parse import urlsplit

from limbeck.errors import RequestError, SettingsError, UnauthorizedError

KEY_VARIABLE = "LIMBECK_SERVE_KEY"
"""Environment variable with the key that clients must send."""
SHORTEST_KEY = 16
"""Characters of a key: fewer could be guessed."""
TENSORS_TYPE = "application/octet-stream"
"""What Triton's clients call JSON with raw tensors behind it."""
TENSORS_HEADER = "inference-header-content-length"
_OWN_SITES = ("same-origin", "none")


@dataclass(frozen=True, kw_only=True)
class Guard:
    """Who may ask.

    Attributes:
        key_digest: SHA-256 of the key that clients must send; None where everybody may ask.
        host_names: names, in lower case, by which the server may be called beside plain addresses.
    """

    key_digest: bytes | None
    host_names: frozenset[str]

    def check_place(self, headers: Mapping[str, str], *, is_post: bool) -> None:
        """Refuse what a page of another site sent, and names that are not ours.

        Raises:
            RequestError: it did (403).
        """
        host = headers.get("host", "").lower()
        if host and not self._is_ours(_name_of(host)):
            raise RequestError(
                "the request is for another host name than this server's: ask by its address, or name it with "
                "--allowed-hosts",
                http_status=HTTPStatus.FORBIDDEN,
            )
        origin = headers.get("origin")
        if origin is not None and (not host or urlsplit(origin.lower()).netloc != host):
            raise RequestError(
                "the request comes from a page of another site, which may not ask", http_status=HTTPStatus.FORBIDDEN
            )
        if is_post and headers.get("sec-fetch-site", "none") not in _OWN_SITES:
            raise RequestError(
                "the request comes from a page of another site, which may not ask", http_status=HTTPStatus.FORBIDDEN
            )

    def check_key(self, headers: Mapping[str, str]) -> None:
        """Refuse a request without the key.

        Raises:
            UnauthorizedError: it has none, or a wrong one.
        """
        if not self.has_key(headers):
            raise UnauthorizedError("this server needs a key: send the header Authorization: Bearer KEY")

    def has_key(self, headers: Mapping[str, str]) -> bool:
        """Tell whether a request has the key, or needs none; how long that takes says nothing of the key."""
        if self.key_digest is None:
            return True
        scheme, _, given = headers.get("authorization", "").partition(" ")
        digest = hashlib.sha256(given.strip().encode("latin-1", "replace")).digest()
        is_right = hmac.compare_digest(digest, self.key_digest)
        return scheme.lower() == "bearer" and is_right

    def _is_ours(self, name: str) -> bool:
        if name in self.host_names:
            return True
        try:
            ipaddress.ip_address(name)
        except ValueError:
            return False
        return True


def check_type(headers: Mapping[str, str], *, may_be_tensors: bool) -> None:
    """Refuse a body that is not called what it must be.

    Raises:
        RequestError: it is not (415).
    """
    kind, _, parameters = headers.get("content-type", "").partition(";")
    kind = kind.strip().lower()
    charset = parameters.lower().replace(" ", "").replace('"', "")
    if kind == "application/json" and charset in ("", "charset=utf-8", "charset=utf8"):
        return
    # Triton's client says nothing of a body that is JSON alone. A browser that says nothing states its origin.
    if may_be_tensors and (kind == TENSORS_TYPE or (not kind and "origin" not in headers)):
        return
    raise RequestError(
        "the body must be JSON in UTF-8: send the header Content-Type: application/json",
        http_status=HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    )


def make_guard(*, host: str, allowed_hosts: Iterable[str], key_file: str | None) -> Guard:
    """Return the guard of a server.

    Args:
        host: that it listens on.
        allowed_hosts: further names by which it is called.
        key_file: file whose first line is the key; else the environment may have one.

    Raises:
        SettingsError: the key cannot be read, or could be guessed, or there are two.
    """
    key = _read_key(key_file, os.environ.get(KEY_VARIABLE))
    names = {"localhost", socket.gethostname(), host, *allowed_hosts}
    return Guard(
        key_digest=None if key is None else hashlib.sha256(key.encode("latin-1")).digest(),
        host_names=frozenset(name.lower().rstrip(".") for name in names),
    )


def _read_key(key_file: str | None, in_environment: str | None) -> str | None:
    if key_file is not None and in_environment is not None:
        raise SettingsError(f"there are two keys, --key-file and {KEY_VARIABLE}: give one of them")
    key, where = in_environment, KEY_VARIABLE
    if key_file is not None:
        where = str(key_file)
        try:
            key = Path(key_file).read_text("utf-8").partition("\n")[0]
        except (OSError, UnicodeDecodeError) as error:
            raise SettingsError(f"cannot read the key in {key_file}: {error}") from error
    if key is None:
        return None
    key = key.strip()
    if len(key) < SHORTEST_KEY or not key.isascii() or not key.isprintable() or " " in key:
        raise SettingsError(
            f"{where} has no key that can be used: give one line of {SHORTEST_KEY} ASCII characters or more, without "
            "spaces, such as `openssl rand -hex 32` prints"
        )
    return key


def _name_of(host: str) -> str:
    """Return the name in a `Host` header, without its port."""
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.rpartition(":")[0] if host.rpartition(":")[2].isdecimal() and ":" in host else host.rstrip(".")
