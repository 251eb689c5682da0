"""Server where something runs out: the disk, open files. It serves on, and says what is missing."""

import http.client
import json
import os
import re
import resource
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from tests.serving.test_server import start, tokenizer_file  # noqa: F401  # fixtures
from tests.serving.test_server_whole import _engines_of, _get, _told

from limbeck.errors import SettingsError
from limbeck.serving import server

OPTIONS = ("--port", "0", "--json", "--log-texts", "--drain-s", "0.1", "--no-spare")
FULL = Path("/dev/full")
WITHOUT_DISK = (
    "import os, resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0));"
    "os.execv(sys.executable, [sys.executable, '-m', 'limbeck', *sys.argv[1:]])"
)
"""No file takes a byte, as on a full disk."""


def ask(url, text):
    """Ask on a connection of one's own; return the status."""
    connection = http.client.HTTPConnection(url.removeprefix("http://"), timeout=60)
    try:
        connection.request("POST", "/classify", json.dumps({"input": text}), {"content-type": "application/json"})
        return connection.getresponse().status
    finally:
        connection.close()


@pytest.mark.slow
@pytest.mark.skipif(not FULL.exists(), reason="this system has no /dev/full")
def test_a_full_disk_costs_no_answer(bundle_folder, tmp_path):
    """Neither cache nor log can be written, and all goes on.

    A model is loaded, texts that should be logged are answered, the engine is killed and replaced, the lost lines are
    counted, and the exit status is 0.
    """
    with FULL.open("w") as full:
        served = subprocess.Popen(
            [sys.executable, "-c", WITHOUT_DISK, "serve", bundle_folder, *OPTIONS],
            stdout=subprocess.PIPE,
            stderr=full,
            text=True,
            env={**os.environ, "XDG_CACHE_HOME": str(tmp_path / "cache")},
        )
    try:
        url = _told(served)["url"]
        assert [ask(url, "i feel fine") for _ in range(3)] == [200] * 3
        for pid in _engines_of(served.pid):
            os.kill(pid, signal.SIGKILL)
        assert ask(url, "so sad today") == 200
        lost = int(re.search(r"^limbeck_log_lines_lost_total (\d+)", _get(url, "/metrics"), re.MULTILINE)[1])
        assert lost >= 4 + 1  # texts, and that the engine is replaced
        served.send_signal(signal.SIGTERM)
        assert served.wait(30) == 0
    finally:
        served.kill()
        served.wait()
        served.stdout.close()


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="limits of another process are set on Linux alone")
def test_where_no_file_can_be_opened_those_who_are_connected_are_served(start):  # noqa: F811  # the fixture
    """Newcomers wait, which is told; they are served as soon as others have left."""
    started = start(max_connections=400, header_timeout_s=60.0, keep_alive_s=60.0)
    kept = http.client.HTTPConnection("127.0.0.1", started.port, timeout=20)

    def ask_again():
        kept.request("POST", "/classify", json.dumps({"input": "1"}), {"content-type": "application/json"})
        answer = kept.getresponse()
        answer.read()
        return answer.status

    assert ask_again() == 200
    pid = started.process.pid
    have = len(list(Path(f"/proc/{pid}/fd").iterdir()))
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (have + 20, resource.prlimit(pid, resource.RLIMIT_NOFILE)[1]))
    idle = [socket.create_connection(("127.0.0.1", started.port), timeout=20) for _ in range(60)]
    started.line("newcomers wait: Too many open files; those who are connected are served")
    assert ask_again() == 200
    for one in idle:
        one.close()
    assert started.ask(1)[0] == 200
    kept.close()
    assert not any("Traceback" in line for line in started.lines)


def test_more_connections_than_there_can_be_files(monkeypatch):
    """Refused before any work, with both numbers and what to do."""
    monkeypatch.setattr(server, "allow_open_files", lambda wanted: min(wanted, 1024))
    server.require_files(512)
    with pytest.raises(
        SettingsError, match=r"10,000 connections \(--max-connections\) need 10,064 .* may have 1,024.*"
    ):
        server.require_files(10_000)


@pytest.mark.slow
def test_ten_thousand_files_are_asked_for(start):  # noqa: F811  # the fixture
    """The limit of the process is raised to what its connections need, where the system lets it."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < 1_000 + server.BACKLOG + 64:
        pytest.skip("this system lets no process have so many files open")
    started = start(max_connections=1_000)
    limits = Path(f"/proc/{started.process.pid}/limits")
    if limits.exists():
        assert int(re.search(r"Max open files +(\d+)", limits.read_text())[1]) >= min(hard, 1_000 + server.BACKLOG)
