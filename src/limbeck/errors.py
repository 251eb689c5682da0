"""One tree of errors, and the table that turns each into an exit status and an HTTP status.

    LimbeckError
    ├── SettingsError        a flag, a TOML key or an argument is wrong
    ├── DataError            the rows that were given are wrong (faults are gathered, then raised once)
    │   └── RowError         … and the first of them is known by its number
    ├── ModelError           something about a model on disk is wrong
    │   ├── WeightsError     … its weights or its configuration
    │   ├── TokenizerError   … its tokenizer
    │   └── BundleError      … the folder as a whole: a file missing, a hash that differs
    ├── MissingExtraError    an optional library is not installed
    │   └── MissingNameError … that a public name needs: an AttributeError too
    ├── StorageError         the disk is full, a file cannot be read or written
    │   ├── LockedError      another process holds the folder
    │   └── StoreUnreachableError  a store of files gave no answer, or broke off: what failed may pass
    ├── HubError             the network or the hub said no
    │   └── HubUnreachableError  … nobody answered: no network, a proxy, a hub that is down
    ├── TrainingError        training cannot go on (loss is not finite, a class is missing)
    ├── NoMemoryError        the memory of the machine is not enough
    ├── ServingError         a request to the service was not answered
    │   ├── UnauthorizedError    … it has no key, or a wrong one
    │   ├── TooLargeError    … it is larger than a limit of the service
    │   ├── OverloadedError  … it would wait too long: come back later
    │   ├── NotReadyError    … no engine answers: starting, ending or broken
    │   ├── DeadlineError    … its time was over before it was answered
    │   ├── RequestError     … it is no request that the service understands
    │   └── EngineError      … a text of it breaks the engine
    └── Interrupted          somebody asked the work to end (Ctrl-C); what was done is saved
        └── Terminated       … with SIGTERM

In: nothing. Out: exceptions whose message says what, where, what was expected and what to do.
It does not know who raises them nor how they are shown.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from http import HTTPStatus

SHOWN_FAULTS = 20
"""How many of the gathered faults a message lists (the count is always given in full)."""


class LimbeckError(Exception):
    """Base of everything that limbeck raises on purpose."""


class SettingsError(LimbeckError):
    """A flag, a TOML key or an argument is wrong."""


class DataError(LimbeckError):
    """The rows that were given are wrong."""


class RowError(DataError):
    """Rows that were given are wrong; `row` is the first of them, counted from 0."""

    def __init__(self, message: str, *, row: int = 0) -> None:
        super().__init__(message)
        self.row = row


class ModelError(LimbeckError):
    """A model on disk is not what it should be."""


class WeightsError(ModelError):
    """Weights or the configuration beside them are unusable."""


class TokenizerError(ModelError):
    """A tokenizer file is missing or unusable."""


class BundleError(ModelError):
    """A model folder is incomplete, changed since it was written, or of an unknown format."""


class MissingExtraError(LimbeckError):
    """An optional library is needed and absent."""


class MissingNameError(MissingExtraError, AttributeError):
    """A public name needs an optional library that is absent: to `hasattr` it is not there."""


class StorageError(LimbeckError):
    """A file or folder could not be read or written."""


class LockedError(StorageError):
    """Another process is working in this folder."""


class StoreUnreachableError(StorageError):
    """A store of files gave no answer, or broke off in the middle of one: the next try may do."""


class HubError(LimbeckError):
    """The hub, or the network on the way to it, said no."""


class HubUnreachableError(HubError):
    """The hub gave no answer: what is cached may serve."""


class TrainingError(LimbeckError):
    """Training cannot go on."""


class NoMemoryError(LimbeckError):
    """The memory of the machine is not enough."""


class ServingError(LimbeckError):
    """A request to the service was not answered."""


class UnauthorizedError(ServingError):
    """A request has no key, or a wrong one."""


class TooLargeError(ServingError):
    """A request is larger than a limit of the service; says the limit and what was sent, where both are numbers."""

    def __init__(self, message: str, *, limit: int | None = None, given: int | None = None) -> None:
        super().__init__(message)
        self.limit = limit
        self.given = given


class OverloadedError(ServingError):
    """A request would wait too long; after `retry_after_s` seconds it will be taken."""

    def __init__(self, message: str, *, retry_after_s: int = 1) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class NotReadyError(ServingError):
    """No engine answers now: the service is starting, ending or broken."""


class RequestError(ServingError):
    """A request is none that the service understands, or that it takes; `http_status` says in which way."""

    def __init__(self, message: str, *, http_status: HTTPStatus = HTTPStatus.BAD_REQUEST) -> None:
        super().__init__(message)
        self.http_status = http_status


class DeadlineError(ServingError):
    """A request's time was over before it was answered."""


class EngineError(ServingError):
    """A text breaks the engine; the other requests are answered."""


class Interrupted(LimbeckError):  # noqa: N818  # it is no error: it is what was asked for
    """Long work ended early because somebody pressed Ctrl-C; what was done is saved."""


class Terminated(Interrupted):
    """Long work ended early because the process was told to end (SIGTERM)."""


INTERRUPTED_EXIT_STATUS = 130
"""Ctrl-C (128 + SIGINT), as shells have it."""
TERMINATED_EXIT_STATUS = 143
"""128 + SIGTERM."""


@dataclass(frozen=True, kw_only=True)
class Status:
    """What an error becomes outside Python."""

    exit_status: int
    http_status: HTTPStatus


STATUSES: dict[type[LimbeckError], Status] = {
    SettingsError: Status(exit_status=2, http_status=HTTPStatus.BAD_REQUEST),
    DataError: Status(exit_status=3, http_status=HTTPStatus.UNPROCESSABLE_ENTITY),
    ModelError: Status(exit_status=4, http_status=HTTPStatus.INTERNAL_SERVER_ERROR),
    MissingExtraError: Status(exit_status=5, http_status=HTTPStatus.NOT_IMPLEMENTED),
    StorageError: Status(exit_status=6, http_status=HTTPStatus.INSUFFICIENT_STORAGE),
    LockedError: Status(exit_status=7, http_status=HTTPStatus.LOCKED),
    HubError: Status(exit_status=8, http_status=HTTPStatus.BAD_GATEWAY),
    TrainingError: Status(exit_status=9, http_status=HTTPStatus.INTERNAL_SERVER_ERROR),
    NoMemoryError: Status(exit_status=10, http_status=HTTPStatus.INSUFFICIENT_STORAGE),
    ServingError: Status(exit_status=11, http_status=HTTPStatus.INTERNAL_SERVER_ERROR),
    UnauthorizedError: Status(exit_status=12, http_status=HTTPStatus.UNAUTHORIZED),
    TooLargeError: Status(exit_status=13, http_status=HTTPStatus.REQUEST_ENTITY_TOO_LARGE),
    OverloadedError: Status(exit_status=14, http_status=HTTPStatus.TOO_MANY_REQUESTS),
    NotReadyError: Status(exit_status=15, http_status=HTTPStatus.SERVICE_UNAVAILABLE),
    DeadlineError: Status(exit_status=16, http_status=HTTPStatus.GATEWAY_TIMEOUT),
    EngineError: Status(exit_status=17, http_status=HTTPStatus.INTERNAL_SERVER_ERROR),
    RequestError: Status(exit_status=18, http_status=HTTPStatus.BAD_REQUEST),
    Interrupted: Status(exit_status=INTERRUPTED_EXIT_STATUS, http_status=HTTPStatus.SERVICE_UNAVAILABLE),
    Terminated: Status(exit_status=TERMINATED_EXIT_STATUS, http_status=HTTPStatus.SERVICE_UNAVAILABLE),
    LimbeckError: Status(exit_status=1, http_status=HTTPStatus.INTERNAL_SERVER_ERROR),
}
"""Error → exit status → HTTP status. A subclass without a row of its own has its parent's."""


def status_of(error: LimbeckError) -> Status:
    """Return the row of `STATUSES` for an error: its own class's, or the nearest parent's."""
    for kind in type(error).__mro__:
        if kind in STATUSES:
            return STATUSES[kind]
    raise TypeError(f"{type(error).__name__} is not a LimbeckError")


class FaultLog:
    """Gathers faults so that a person sees all of them at once.

    Keeps the first `SHOWN_FAULTS` messages and counts the rest.
    """

    def __init__(self) -> None:
        self.count = 0
        self.shown: list[str] = []

    def add(self, message: str) -> None:
        """Note one fault."""
        self.count += 1
        if len(self.shown) < SHOWN_FAULTS:
            self.shown.append(message)

    def extend(self, messages: Iterable[str]) -> None:
        """Note several faults."""
        for message in messages:
            self.add(message)

    def raise_as(self, kind: Callable[[str], LimbeckError], *, what: str, todo: str) -> None:
        """Raise one error of `kind` that lists what was gathered; do nothing when there was no fault.

        Args:
            kind: class of the error, or what makes one of a message.
            what: what went wrong as a whole, without a full stop.
            todo: what the reader can do about it.
        """
        if not self.count:
            return
        rest = self.count - len(self.shown)
        lines = [f"{what} ({self.count:,} {'fault' if self.count == 1 else 'faults'}):"]
        lines += [f"  - {message}" for message in self.shown]
        if rest:
            lines.append(f"  … and {rest:,} more")
        lines.append(todo)
        raise kind("\n".join(lines))
