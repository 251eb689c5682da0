"""What a long step says while it works.

In: counts. Out: words on a screen. A `Progress` is handed down by the caller, so a library call is silent unless asked.
It does not know what is counted, and never decides what a step does.
"""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

from limbeck.log_lines import STANDARD_ERROR

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import ProgressColumn

QUIET_S = 2.0
"""A step shorter than this, in seconds, shows nothing."""
LINE_EVERY_S = 10.0
"""Seconds between two plain lines in a log."""


class Advance(Protocol):
    """Tells how far a step is."""

    def __call__(self, done: int, /, note: str = "") -> None:
        """Tell that `done` more units are done; `note` says in a few words how it stands now."""
        ...


class Progress(Protocol):
    """Follows long steps."""

    @contextmanager
    def track(self, label: str, *, total: int, unit: str) -> Iterator[Advance]:
        """Follow one step of `total` units; the value given is called with each number of units done."""
        ...

    def say(self, line: str) -> None:
        """Tell one fact that the person at the screen should know now."""
        ...


ProgressLike = Progress | bool | None
"""What public functions take: True shows what is being done, False or None nothing."""


def untold(done: int, /, note: str = "") -> None:
    """Tell nobody: the `Advance` of a step that nobody follows."""


class Silent:
    """Shows nothing: what library calls use unless told otherwise."""

    @contextmanager
    def track(self, label: str, *, total: int, unit: str) -> Iterator[Advance]:
        """Follow a step without a word."""
        yield untold

    def say(self, line: str) -> None:
        """Drop the line."""


class Within:
    """Forwards the units of inner steps to a step that encloses them."""

    def __init__(self, advance: Advance) -> None:
        self._advance = advance

    @contextmanager
    def track(self, label: str, *, total: int, unit: str) -> Iterator[Advance]:
        """Follow an inner step by moving the outer one."""
        yield self._advance

    def say(self, line: str) -> None:
        """Drop the line: the outer step speaks."""


class Named:
    """Says of what the steps are: several of them have the same label.

    Args:
        inner: follows them.
        what: is added to each label: "train rows".
    """

    def __init__(self, inner: Progress, what: str) -> None:
        self._inner = inner
        self._what = what

    @contextmanager
    def track(self, label: str, *, total: int, unit: str) -> Iterator[Advance]:
        """Follow a step under its longer label."""
        with self._inner.track(f"{label} {self._what}", total=total, unit=unit) as advance:
            yield advance

    def say(self, line: str) -> None:
        """Hand the line on."""
        self._inner.say(line)


class Steps:
    """Shows steps that follow each other as one, so that several short ones are not a long silence.

    Each inner step is `UNITS` units of the outer one, and its name stands beside it.

    Args:
        advance: moves the outer step.
        outer: says what the inner steps say.
    """

    UNITS = 100

    def __init__(self, advance: Advance, outer: Progress) -> None:
        self._advance = advance
        self._outer = outer

    @contextmanager
    def track(self, label: str, *, total: int, unit: str) -> Iterator[Advance]:
        """Follow an inner step by moving the outer one."""
        done = told = 0
        self._advance(0, label)

        def advance(more: int, note: str = "") -> None:
            nonlocal done, told
            done += more
            reached = min(self.UNITS, self.UNITS * done // max(1, total))
            self._advance(reached - told, f"{label}, {note}" if note else label)
            told = reached

        yield advance
        self._advance(self.UNITS - told, label)

    def say(self, line: str) -> None:
        """Hand the line on."""
        self._outer.say(line)


class Lines:
    """Plain lines for a log: one every `LINE_EVERY_S` seconds with rate and time left."""

    def __init__(self, write: Callable[[str], object] | None = None) -> None:
        self._write = write or STANDARD_ERROR.write

    @contextmanager
    def track(self, label: str, *, total: int, unit: str) -> Iterator[Advance]:
        """Follow a step; a line when it has run for a while, and one at its end if it was long."""
        started = time.monotonic()
        spoken = started
        done = 0

        def advance(more: int, note: str = "") -> None:
            nonlocal done, spoken
            done += more
            now = time.monotonic()
            if now - spoken >= LINE_EVERY_S:
                spoken = now
                rate = done / (now - started)
                left_s = (total - done) / rate if rate else 0.0
                self._write(
                    f"{label}: {done:,}/{total:,} {unit}, {_rate(rate)} {unit}/s, {left_s:.0f} s left"
                    + (f", {note}" if note else "")
                )

        yield advance
        took_s = time.monotonic() - started
        if took_s >= QUIET_S:
            self._write(f"{label}: {done:,} {unit} in {took_s:.1f} s ({_rate(done / took_s)} {unit}/s)")

    def say(self, line: str) -> None:
        """Write the line."""
        self._write(line)


class Bars:
    """A moving bar with rate and time left, for a terminal."""

    def __init__(self, console: "Console | None" = None) -> None:
        from rich.console import Console

        self._console = console or Console(stderr=True, highlight=False)

    @contextmanager
    def track(self, label: str, *, total: int, unit: str) -> Iterator[Advance]:
        """Follow a step with a bar that appears once the step has run for `QUIET_S`."""
        from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

        started = time.monotonic()
        done = 0
        bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TaskProgressColumn(),
            TextColumn("{task.completed:,.0f}/{task.total:,.0f} {task.fields[unit]}"),
            TimeRemainingColumn(),
            _details_column(),
            console=self._console,
        )
        task = bar.add_task(label, total=total, unit=unit, rate="", note="")
        shown = False

        def advance(more: int, note: str = "") -> None:
            nonlocal done, shown
            done += more
            elapsed_s = time.monotonic() - started
            if not shown and elapsed_s >= QUIET_S:
                bar.start()
                shown = True
            rate = f"{_rate(done / elapsed_s)} {unit}/s" if elapsed_s > 0 else ""
            bar.update(task, completed=done, rate=rate, note=note)

        try:
            yield advance
        finally:
            if shown:
                bar.stop()

    def say(self, line: str) -> None:
        """Print the line above the bars."""
        self._console.print(line, markup=False)


def _details_column() -> "ProgressColumn":
    """Return the column of rate and note, which is the last, and the first to be cut where the screen is narrow."""
    from rich.progress import ProgressColumn, Task
    from rich.text import Text

    class Details(ProgressColumn):
        def render(self, task: Task) -> Text:
            said = "  ".join(filter(None, (task.fields["rate"], task.fields["note"])))
            return Text(said, no_wrap=True, overflow="ellipsis")

    return Details()


SILENT = Silent()


def for_stream() -> Progress:
    """Return bars when standard error is a terminal, plain lines otherwise."""
    return Bars() if sys.stderr.isatty() else Lines()


def as_progress(wish: ProgressLike) -> Progress:
    """Return what follows long steps: bars or lines for True, nothing for False or None, else what was given.

    Example:
        >>> as_progress(None) is SILENT
        True
    """
    if isinstance(wish, bool) or wish is None:
        return for_stream() if wish else SILENT
    return wish


def _rate(units_per_s: float) -> str:
    """Say a rate with enough digits: slow steps too have one."""
    return f"{units_per_s:,.0f}" if units_per_s >= 10 else f"{units_per_s:.2g}"
