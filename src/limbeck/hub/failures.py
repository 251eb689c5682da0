"""What went wrong on the way to the hub, as one of our errors that says what to do.

In: an exception of `huggingface_hub` or of the HTTP library under it. Out: a `Failure`.
It does not ask anything, and quotes no more of an answer than its one line of words, without secrets.
"""

import re
from dataclasses import dataclass
from http import HTTPStatus
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

from limbeck.errors import HubError, HubUnreachableError, LimbeckError, StorageError
from limbeck.hub.client import Kind, cache_folder, endpoint, page_of, scrub
from limbeck.hub.ids import HubId
from limbeck.storage import explained

_LOGIN = "log in (hf auth login), or put a token in HF_TOKEN"
_LONGEST_QUOTE = 200
_RATE_LIMIT = re.compile(r"r\s*=\s*0\s*;\s*t\s*=\s*(?P<seconds>\d+)")
"""No request is left; in so many seconds there are new ones (draft-ietf-httpapi-ratelimit-headers)."""


@dataclass(frozen=True, kw_only=True)
class Failure:
    """What an exception means.

    Attributes:
        error: to raise.
        cause: in a few words, for a line on the screen.
        may_pass: whether asking again can help.
        wait_s: seconds that the hub asked to wait; None when it did not say.
    """

    error: LimbeckError
    cause: str
    may_pass: bool = False
    wait_s: float | None = None


@dataclass(frozen=True, kw_only=True)
class Question:
    """What was asked of the hub.

    Attributes:
        place: the repository and revision.
        kind: of the repository.
        writes: whether it was to change something there.
    """

    place: HubId
    kind: Kind
    writes: bool = False

    def __str__(self) -> str:
        return str(self.place)

    @property
    def page(self) -> str:
        """The repository's page."""
        return page_of(self.place.repo, self.kind)


def transport() -> ModuleType:
    """Return the HTTP library under the client, which is not always the same one: httpx2 for version 2."""
    from huggingface_hub.errors import HfHubHTTPError

    return import_module(HfHubHTTPError.__bases__[0].__module__.partition(".")[0])


def known_exceptions() -> tuple[type[Exception], ...]:
    """Return what a call of the client can raise: HTTP, the disk, and answers that are no hub's."""
    from huggingface_hub import errors

    carried = [getattr(errors, name) for name in ("XetDownloadError",) if hasattr(errors, name)]
    answers = (errors.HfHubHTTPError, errors.EntryNotFoundError, transport().HTTPError, *carried)
    return (*answers, OSError, ValueError, RuntimeError)


def failure_of(error: BaseException, question: Question) -> Failure:  # noqa: PLR0911  # a return a case
    """Say what an exception of the client means."""
    from huggingface_hub import errors

    if isinstance(error, errors.OfflineModeIsEnabled):
        what = f"{question} is not wholly in the cache ({cache_folder()}), and HF_HUB_OFFLINE forbids asking the hub"
        return Failure(error=HubUnreachableError(f"{what}: unset it once to download"), cause="offline")
    if isinstance(error, errors.HfHubHTTPError):
        return _answer_failure(error, question)
    if isinstance(error, transport().HTTPError):
        return _network_failure(error, question)
    # The client wraps what happened in words of its own; the cause says what it was.
    if isinstance(error, errors.LocalEntryNotFoundError | RuntimeError) and error.__cause__ is not None:
        return failure_of(error.__cause__, question)
    if isinstance(error, OSError) and error.errno:
        return Failure(error=_disk_error(error), cause="the disk")
    if isinstance(error, OSError) and "Consistency check" in str(error):
        told = f"{question}: the download broke off again and again: try later, or over another network"
        return Failure(error=HubUnreachableError(told), cause="the download broke off", may_pass=True)
    if isinstance(error, OSError | ValueError):
        told = (
            f"{endpoint()} answers, but not as a hub does ({_quote(error)}): a page to log in to the network, or a "
            "wrong HF_ENDPOINT"
        )
        return Failure(error=HubUnreachableError(told), cause="not a hub's answer")
    told = (
        f"{question}: the transfer failed ({_quote(error)}); where a network blocks the hub's Xet storage, set "
        "HF_HUB_DISABLE_XET=1"
    )
    return Failure(error=HubUnreachableError(told), cause="the transfer failed", may_pass=True)


def _answer_failure(error: Any, question: Question) -> Failure:  # noqa: PLR0911  # a return a case
    """Say what an answer with an error's status means."""
    from huggingface_hub import errors

    status = error.response.status_code
    if isinstance(error, errors.RevisionNotFoundError):
        told = f"{question}: there is no revision {question.place.revision or 'main'!r}: see {question.page}/tree/main"
        return Failure(error=HubError(told), cause="no such revision")
    if isinstance(error, errors.GatedRepoError):
        told = f"{question} is gated: accept its terms at {question.page}, then {_LOGIN}"
        return Failure(error=HubError(told), cause="gated")
    if isinstance(error, errors.DisabledRepoError):
        return Failure(error=HubError(f"{question} was disabled by the hub: see {question.page}"), cause="disabled")
    if isinstance(error, errors.EntryNotFoundError):
        told = f"{question}: a file is not there ({_quote(error)}): see {question.page}/tree/main"
        return Failure(error=HubError(told), cause="no such file")
    if status == HTTPStatus.UNAUTHORIZED and "credentials" in _quote(error):
        return Failure(
            error=HubError(f"{question}: the hub does not know your token ({_quote(error)}): {_LOGIN}"), cause="token"
        )
    if isinstance(error, errors.RepositoryNotFoundError) or status in (HTTPStatus.NOT_FOUND, HTTPStatus.UNAUTHORIZED):
        return Failure(error=HubError(_absent(question)), cause="no such repository")
    if status == HTTPStatus.FORBIDDEN:
        asked = "write there: use a token with the right to write" if question.writes else f"read {question}"
        told = f"the hub does not let you {asked} ({_quote(error)}): {_LOGIN} that may, see {question.page}"
        return Failure(error=HubError(told), cause="forbidden")
    if status == HTTPStatus.PROXY_AUTHENTICATION_REQUIRED:
        return _proxy_failure(question)
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        wait_s = _wait_of(error.response.headers)
        when = f"in {wait_s:.0f} s" if wait_s is not None else "later"
        told = f"{question}: the hub has had too many requests from here: try {when}; logged in, more are allowed"
        return Failure(error=HubUnreachableError(told), cause="too many requests", may_pass=True, wait_s=wait_s)
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR or status == HTTPStatus.REQUEST_TIMEOUT:
        told = f"{question}: the hub is in trouble (status {status}, asked several times): try later"
        wait_s = _wait_of(error.response.headers)
        return Failure(error=HubUnreachableError(told), cause=f"status {status}", may_pass=True, wait_s=wait_s)
    return Failure(error=HubError(f"{question}: the hub said no (status {status}, {_quote(error)})"), cause="refused")


def _absent(question: Question) -> str:
    """Say that a repository is not there, or not for this reader: the hub answers both alike."""
    from huggingface_hub import get_token

    what, other = ("data set", "model") if question.kind == "dataset" else ("model", "data set")
    who = "your token may not see it" if get_token() else f"to see a private one, {_LOGIN}"
    told = f"the hub has no {what} {question.place.repo}, or it is private: check the name at {question.page}; {who}"
    return told if question.writes else f"{told}. (A {other} of that name would not be found here.)"


def _network_failure(error: BaseException, question: Question) -> Failure:
    """Say what it means that no whole answer came."""
    http = transport()
    if isinstance(error, http.ProxyError):
        return _proxy_failure(question)
    if isinstance(error, http.ConnectError | http.ConnectTimeout | http.UnsupportedProtocol):
        told = (
            f"{question}: {endpoint()} cannot be reached ({_quote(error)}): check the network, HTTPS_PROXY and "
            "HF_ENDPOINT"
        )
        return Failure(error=HubUnreachableError(told), cause="no connection")
    told = f"{question}: the connection to {endpoint()} broke off ({_quote(error)}): run it again; whole files are kept"
    return Failure(error=HubUnreachableError(told), cause="the connection broke off", may_pass=True)


def _proxy_failure(question: Question) -> Failure:
    told = f"{question}: the proxy does not let the request through: check HTTPS_PROXY and the name and password in it"
    return Failure(error=HubUnreachableError(told), cause="the proxy refused")


def _disk_error(error: OSError) -> StorageError:
    """Say what the disk said; `storage` has the words."""
    try:
        with explained(Path(error.filename or cache_folder()), doing="write"):
            raise error
    except StorageError as told:
        return StorageError(f"{told}. The hub's files are kept under HF_HOME: {cache_folder()}")


def _wait_of(headers: Any) -> float | None:
    """Return how many seconds the hub asks to wait."""
    if limit := _RATE_LIMIT.search(headers.get("RateLimit", "")):
        return float(limit["seconds"]) + 1
    told = headers.get("Retry-After", "").strip()
    return float(told) if told.isdigit() else None


def _quote(error: BaseException) -> str:
    """Return one line of what was said, without secrets."""
    said = getattr(error, "server_message", None) or str(error) or type(error).__name__
    return " ".join(scrub(said).split())[:_LONGEST_QUOTE]
