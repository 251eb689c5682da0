"""Log lines: a log that cannot be written is counted and told, and neither ends nor holds up the work."""

import io
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from limbeck.log_lines import LogLines

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="pipes and devices of Unix")


class Pipe:
    """A pipe that nobody reads unless told to."""

    def __init__(self) -> None:
        self.reading, writing = os.pipe()
        os.set_blocking(self.reading, False)
        self.stream = open(writing, "w", encoding="utf-8")  # noqa: PTH123, SIM115  # a descriptor, closed below

    def become_standard_error(self, monkeypatch: pytest.MonkeyPatch) -> LogLines:
        """Stand where a process writes its log; pytest puts its own stream there before each test."""
        monkeypatch.setattr(sys, "stderr", self.stream)
        monkeypatch.setattr(sys, "__stderr__", self.stream)
        monkeypatch.setattr("limbeck.log_lines.PATIENCE_S", 0.01)
        return LogLines()

    def read(self) -> str:
        """Read all that stands in it."""
        parts = []
        try:
            while part := os.read(self.reading, 1 << 20):
                parts.append(part)
        except BlockingIOError:
            pass
        return b"".join(parts).decode()


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    """A pipe, closed at the end."""
    made = Pipe()
    yield made
    made.stream.close()
    os.close(made.reading)


def test_lines_come_as_they_are(pipe: Pipe, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each line is whole and ends, whatever its length and letters."""
    log = pipe.become_standard_error(monkeypatch)
    for line in ("one", "", "슬픔 – é", "x" * 30_000):
        log.write(line)
    assert pipe.read() == "one\n\n슬픔 – é\n" + "x" * 30_000 + "\n"
    assert log.lost == 0


def test_a_reader_that_stands_still_holds_up_nobody(pipe: Pipe, monkeypatch: pytest.MonkeyPatch) -> None:
    """Lines beyond what a pipe holds are counted; once it is read again, the next line says how many are missing."""
    log, line = pipe.become_standard_error(monkeypatch), "x" * 9_999
    for _ in range(50):
        log.write(line)
    come = pipe.read()
    assert 0 < come.count("\n") < 50
    assert log.lost == 50 - come.count("\n")
    log.write("and on")
    assert pipe.read().endswith(f"\nlimbeck: {log.lost} lines before this one could not be written here\nand on\n")
    log.write("as before")
    assert pipe.read() == "as before\n"


def test_a_line_that_was_torn_does_not_run_into_the_next(pipe: Pipe, monkeypatch: pytest.MonkeyPatch) -> None:
    """What came of a lost line stands by itself."""
    log = pipe.become_standard_error(monkeypatch)
    log.write("y" * 1_000_000)
    assert log.lost == 1
    assert set(pipe.read()) == {"y"}
    log.write("next")
    assert pipe.read() == "\nlimbeck: 1 lines before this one could not be written here\nnext\n"


def test_a_reader_that_is_gone(pipe: Pipe, monkeypatch: pytest.MonkeyPatch) -> None:
    """`limbeck serve … 2>&1 | head` goes on when head has ended."""
    log = pipe.become_standard_error(monkeypatch)
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, pipe.reading)
    os.close(null)
    log.write("one")
    log.write("two")
    assert log.lost == 2


FULL = "from limbeck.log_lines import STANDARD_ERROR as log; log.write('a'); log.write('b'); print(log.lost)"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_a_full_disk_is_no_reason_to_fail() -> None:
    """The lines are counted, and the process ends with status 0: Python's own stream would end it with 120."""
    with Path("/dev/full").open("w") as full:
        done = subprocess.run([sys.executable, "-c", FULL], stdout=subprocess.PIPE, stderr=full, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "2\n")


@pytest.mark.parametrize("stream", [None, "closed"])
def test_where_nothing_is_open(stream: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    """A service without standard error, or one that was closed."""
    there = io.StringIO()
    there.close()
    monkeypatch.setattr(sys, "stderr", there if stream else None)
    log = LogLines()
    log.write("one")
    assert log.lost == 1


def test_a_stream_of_somebody_else_is_written_to(monkeypatch: pytest.MonkeyPatch) -> None:
    """A notebook's or a test's own standard error has the line, not the terminal behind it."""
    there = io.StringIO()
    monkeypatch.setattr(sys, "stderr", there)
    LogLines().write("one")
    assert there.getvalue() == "one\n"
