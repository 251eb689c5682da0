"""Engine start: a new engine's process and the line to it, before anybody listens to it.

In: which model. Out: a child that begins to load, and our end of a socket. It imports nothing heavy: `limbeck serve`
starts the first engine before it imports what answers requests, since both take seconds.
"""

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

from limbeck.errors import EngineError, SettingsError
from limbeck.os_files import is_windows
from limbeck.settings import FeatureSettings

ENGINE_PROGRAM = (sys.executable, "-m", "limbeck.serving.engine_child")


@dataclass(frozen=True, eq=False)
class StartedEngine:
    """An engine's process that nobody listens to yet; it ends with ours, or where the line is closed.

    Attributes:
        child: its process.
        line: our end of its line.
        begun_s: when it was started, in the time of an event loop.
    """

    child: "subprocess.Popen[bytes]"
    line: socket.socket
    begun_s: float


def wish_of(folder: str, computing: FeatureSettings) -> dict[str, Any]:
    """Say which model an engine is to load, and what computes it."""
    return {"folder": folder, "device": computing.device, "engine": computing.engine}


def start_engine(wish: Mapping[str, Any], program: Sequence[str] = ENGINE_PROGRAM) -> StartedEngine:
    """Start an engine.

    Args:
        wish: as `wish_of` says it.
        program: what is run, with the wish behind it.

    Raises:
        SettingsError: this system has no sockets between processes as they are needed here.
        EngineError: no process can be started.
    """
    if is_windows():
        raise SettingsError("limbeck serve runs on Linux and macOS: on Windows, use it inside WSL")
    begun_s = time.monotonic()
    words = [*program, json.dumps({**wish, "parent": os.getpid()})]
    try:
        ours, theirs = socket.socketpair()
        with theirs, ExitStack() as stack:
            stack.callback(ours.close)
            child = subprocess.Popen(words, stdin=theirs.fileno(), start_new_session=True)  # noqa: S603  # our own
            stack.pop_all()
    except OSError as error:
        reason = error.strerror or error
        raise EngineError(f"no engine can be started ({reason}): free memory, processes or open files") from error
    return StartedEngine(child, ours, begun_s)
