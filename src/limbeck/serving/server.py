"""Server: the life of `limbeck serve`: it listens, loads, answers, exchanges its model, and ends in order.

In: a `Service`, settings, what to say meanwhile. Out: nothing; it returns when it was told to end and all is answered.
It does not know routes or engines.

    listen at once (alive, not ready) → load (ready) → SIGHUP: exchange the model → SIGTERM: end
    SIGHUP because its terminal was closed: end, as after SIGTERM
    end: not ready, still answering, for drain_s → no new connections, what came is answered, within grace_s → stopped

A second signal ends at once. New requests are taken in the first phase because whoever sends them needs time to see
that the server is not ready; and a connection that is silent when the server stops listening is closed only once it has
been silent for a second, since its request may be on its way.
"""

import asyncio
import contextlib
import errno
import logging
import os
import signal
import socket
from collections.abc import Callable, Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import uvicorn

from limbeck.errors import (
    INTERRUPTED_EXIT_STATUS,
    TERMINATED_EXIT_STATUS,
    DeadlineError,
    LimbeckError,
    SettingsError,
)
from limbeck.os_files import allow_open_files
from limbeck.progress import SILENT, Progress
from limbeck.runtime import keep_what_is_loaded
from limbeck.serving.app import Front
from limbeck.serving.connections import connections_of, is_quiet
from limbeck.serving.guards import make_guard
from limbeck.serving.last_connections import take_no_newcomers
from limbeck.serving.serve_settings import ServeSettings, check_serving
from limbeck.serving.service import ServedModel, Service
from limbeck.serving.watching import watch_folder

BACKLOG = 2048
_STANDARD_INPUT = 0
_OWN_FILES = 64
"""Open files beside those of connections: engines, standard streams, a model that is being exchanged."""
_NO_ROOM = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)
"""What the system says where it accepts no connection; asyncio tries again after a second."""
_QUIET_S = 1.0
"""Seconds of silence after which a connection is closed when the server ends."""
_LOOK_S = 0.02
_HANDSHAKE_S = 0.2
"""Seconds in which connections that have begun come about and are accepted."""


@dataclass(frozen=True, kw_only=True)
class Listeners:
    """Who is told what happens.

    Attributes:
        progress: what a person should know.
        ready: is given the address, once, when the first text can be answered.
    """

    progress: Progress = SILENT
    ready: Callable[[str, ServedModel], None] = lambda address, model: None


def run_server(service: Service, settings: ServeSettings, *, folder: str, told: Listeners) -> None:
    """Serve a model until the process is told to end.

    Args:
        service: that answers.
        settings: of the server.
        folder: of the model, for an exchange.
        told: who is told what happens.

    Raises:
        SettingsError: a limit is not possible, the port is taken, or the key cannot be used.
        DeadlineError: requests were left without an answer when the grace was over.
        LimbeckError: the model cannot be served.
    """
    check_serving(settings)
    require_files(settings.max_connections)
    asyncio.run(_Life(service, settings, folder=folder, told=told).live())


def uvicorn_config(front: Front, settings: ServeSettings) -> uvicorn.Config:
    """Return how uvicorn serves a front."""
    logging.getLogger("uvicorn.error").setLevel(logging.ERROR)
    return uvicorn.Config(
        front,
        host=settings.host,
        port=settings.port,
        http=connections_of(settings, front),
        ws="none",
        loop="asyncio",
        lifespan="off",
        interface="asgi3",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        backlog=BACKLOG,
        timeout_keep_alive=settings.keep_alive_s,  # type: ignore[arg-type]  # it is given to call_later as it is
    )


class FrontServer(uvicorn.Server):
    """uvicorn, but signals are another's business, and nothing that came is dropped at the end.

    Args:
        config: of uvicorn.
        grace_s: seconds in which what came is answered.

    Attributes:
        unanswered: requests that were not, when the grace was over.
    """

    def __init__(self, config: uvicorn.Config, *, grace_s: float) -> None:
        super().__init__(config)
        self.unanswered = 0
        self._grace_s = grace_s

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """Leave signals alone."""
        yield

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen no more; answer what came."""
        for listening in sockets or []:
            take_no_newcomers(listening)
        await asyncio.sleep(_HANDSHAKE_S)
        for server in self.servers:
            server.close()
        loop = asyncio.get_running_loop()
        until = loop.time() + self._grace_s
        while self.server_state.connections and loop.time() < until:
            for connection in list(self.server_state.connections):
                if is_quiet(connection, _QUIET_S):
                    connection.transport.close()
            await asyncio.sleep(_LOOK_S)
        self.unanswered = len(self.server_state.tasks)
        for task in list(self.server_state.tasks):
            task.cancel()
        for connection in list(self.server_state.connections):
            connection.transport.abort()
        await asyncio.gather(*self.server_state.tasks, return_exceptions=True)


class _Life:
    """From listening to the end."""

    def __init__(self, service: Service, settings: ServeSettings, *, folder: str, told: Listeners) -> None:
        self._service, self._settings, self._folder = service, settings, folder
        self._was_on_terminal = os.isatty(_STANDARD_INPUT)
        self._progress, self._on_ready = told.progress, told.ready
        guard = make_guard(host=settings.host, allowed_hosts=settings.allowed_hosts, key_file=settings.key_file)
        self._is_keyed = guard.key_digest is not None
        self._front = Front(service, settings, guard)
        self._told = asyncio.Event()
        self._is_patient = True
        self._swapping: asyncio.Task[None] | None = None
        self._watching: asyncio.Task[None] | None = None

    async def live(self) -> None:
        """Live from listening to the end."""
        listening = listen(self._settings.host, self._settings.port)
        host, port = listening.getsockname()[:2]
        self._address = f"http://{f'[{host}]' if ':' in host else host}:{port}"
        self._take_signals()
        asyncio.get_running_loop().set_exception_handler(self._unexpected)
        server = FrontServer(uvicorn_config(self._front, self._settings), grace_s=self._settings.grace_s)
        serving = asyncio.create_task(server.serve(sockets=[listening]))
        loading = asyncio.create_task(self._load())
        told = asyncio.create_task(self._told.wait())
        try:
            await asyncio.wait((serving, loading, told), return_when=asyncio.FIRST_COMPLETED)
            if loading.done():
                loading.result()
                await asyncio.wait((serving, told), return_when=asyncio.FIRST_COMPLETED)
            self._front.is_draining = True
            await self._drain()
        finally:
            server.should_exit = True
            ending = [task for task in (loading, told, self._swapping, self._watching) if task is not None]
            for task in ending:
                task.cancel()
            await asyncio.gather(serving, *ending, return_exceptions=True)
            await self._service.stop()
        if server.unanswered:
            raise DeadlineError(
                f"{server.unanswered:,} requests were not answered within {self._settings.grace_s:g} s (--grace-s)"
            )
        self._progress.say("ended: every request that came was answered")

    async def _drain(self) -> None:
        """Answer on, and say that the server is not ready; a person who pressed Ctrl-C does not wait for others."""
        if self._is_patient and self._front.is_loaded:
            self._progress.say(f"ending: requests are taken for {self._settings.drain_s:g} s more")
            await asyncio.sleep(self._settings.drain_s)
        else:
            self._progress.say("ending: what came is answered")

    async def _load(self) -> None:
        await self._service.start()
        model = self._service.model
        self._front.accounts.know(model.facts.label_names)
        self._front.is_loaded = True
        self._progress.say(f"{model.name} is served at {self._address} ({model.numerics}); Ctrl-C ends it")
        self._on_ready(self._address, model)
        keep_what_is_loaded()
        if self._settings.watch:
            self._watching = asyncio.create_task(watch_folder(Path(self._folder), self._swap))
        if not self._is_keyed and not is_own_address(self._settings.host):
            self._progress.say("every machine that reaches this one may ask: give --key-file to ask for a key")

    def _unexpected(self, loop: asyncio.AbstractEventLoop, said: dict[str, Any]) -> None:
        """Say in a sentence that nobody new can be served for now; leave the rest to asyncio."""
        error = said.get("exception")
        if isinstance(error, OSError) and error.errno in _NO_ROOM:
            self._progress.say(f"newcomers wait: {error.strerror}; those who are connected are served")
        else:
            loop.default_exception_handler(said)

    def _take_signals(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._end, number)
        loop.add_signal_handler(signal.SIGHUP, self._hang_up)

    def _end(self, number: signal.Signals) -> None:
        if self._told.is_set():
            os._exit(TERMINATED_EXIT_STATUS if number == signal.SIGTERM else INTERRUPTED_EXIT_STATUS)
        self._is_patient = number == signal.SIGTERM
        self._told.set()

    def _hang_up(self) -> None:
        if self._was_on_terminal and not os.isatty(_STANDARD_INPUT):
            self._end(signal.SIGTERM)
        else:
            self._exchange()

    def _exchange(self) -> None:
        if self._swapping is not None and not self._swapping.done():
            self._progress.say("a model is being exchanged already: this signal changes nothing")
        elif not self._front.is_loaded:
            self._progress.say("the model is being loaded: this signal changes nothing")
        elif not self._told.is_set():
            self._swapping = asyncio.create_task(self._swap())

    async def _swap(self) -> None:
        try:
            model = await self._service.swap(self._folder)
        except LimbeckError as error:
            self._progress.say(f"not exchanged: {error}")
        else:
            self._progress.say(f"exchanged: {model.name} {model.digest[:12]} answers from now on")


def require_files(connections: int) -> None:
    """Let this process have as many open files as its connections need.

    Raises:
        SettingsError: the system does not.
    """
    have = allow_open_files(connections + BACKLOG + _OWN_FILES)  # newcomers are accepted before one makes room for them
    if have < connections + _OWN_FILES:
        raise SettingsError(
            f"{connections:,} connections (--max-connections) need {connections + _OWN_FILES:,} open files, and this "
            f"process may have {have:,}: give fewer connections, or raise the limit (ulimit -n, LimitNOFILE of systemd)"
        )


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that is bound, so that a port that is taken is told before any work.

    Raises:
        SettingsError: it cannot be.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, kind, protocol, _, address = found[0]
        # asyncio sets TCP_NODELAY only where the protocol is named. Without it the body of an answer waits for the
        # client to acknowledge its head, 40 ms.
        listening = socket.socket(family, kind, protocol)
        with contextlib.ExitStack() as closing:
            closing.callback(listening.close)
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listening.bind(address)
            closing.pop_all()
    except OSError as error:
        reason = error.strerror or error
        raise SettingsError(f"cannot listen on {host}, port {port}: {reason}; give another --host or --port") from error
    return listening


def is_own_address(host: str) -> bool:
    """Tell whether only this machine reaches an address."""
    return host in ("localhost", "::1") or host.startswith("127.")
