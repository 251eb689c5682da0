"""Heartbeats: which process of a training hangs or has vanished, noticed within a minute.

In: the store in which the processes met. Out: `lost`, a sentence that names the process and its machine, or nothing.
Of two threads the first counts up a number of this process in the store and reads those of the others. Its call may
never return, for the process or the machine that keeps the store may be what hangs; so the second judges by the clock
alone what was heard, and ends the process where its main thread waits in a call that looks at nothing. A process that
computes for long goes on beating, as kernels and torch let other threads run. One that was itself frozen accuses
nobody. It does not know what is trained.
"""

import json
import os
import socket
import sys
import threading
import time
from dataclasses import dataclass, replace

from torch.distributed.distributed_c10d import Store

from limbeck.errors import TrainingError, status_of
from limbeck.log_lines import STANDARD_ERROR

BEAT_S = 2.0
"""Seconds between two beats."""
LOST_S = 40.0
"""Seconds of silence after which a process is lost. A busy machine is slow, not silent: a beat needs a thousandth of a
core."""
LATE_S = 10.0
"""A judge that comes so many seconds too late was frozen itself, and has missed the beats of the others."""
GRACE_S = 10.0
"""Seconds in which the main thread may end in order after somebody was lost."""
SILENT_BEATS = 3
"""Beats that a process misses which is named when a connection broke: that it is gone is certain then."""

_BEATING, _FAILED, _LEFT = "beating", "failed", "left"


@dataclass(frozen=True, kw_only=True)
class _Heard:
    """What was heard last of a process, and since when nothing else."""

    beat: bytes
    since_s: float
    who: str
    how: str
    saved: str


class Heartbeats:
    """The beats of this process, and what is known of those of the others.

    Args:
        store: the one in which the processes meet; a connection of its own is made to it.
        rank: the number of this process.
        size: how many processes there are.
        keeper: who keeps the store where no process of the training does, in words.
    """

    def __init__(self, store: Store, rank: int, size: int, *, keeper: str | None = None) -> None:
        self._kept = store  # where this process keeps it for all, it must outlive the last beat
        self._store: Store = store.clone()  # type: ignore[attr-defined]  # the stubs lack it
        self._rank = rank
        self._names = [f"limbeck/beat/{number}" for number in range(size)]
        self._keeper = keeper
        self._who = f"process {rank} on {socket.gethostname()} (pid {os.getpid()})"
        self._how = _BEATING
        self._saved = ""
        self._heard: dict[int, _Heard] = {}
        self._answered_s = self._judged_s = time.monotonic()
        self._lost = ""
        self._is_cut_off = False
        self._is_over = threading.Event()
        self._beating = threading.Thread(target=self._beat, name="limbeck-heartbeats", daemon=True)
        self._judging = threading.Thread(target=self._watch, name="limbeck-watch", daemon=True)

    def start(self) -> None:
        """Beat and listen from now on. Who has not come yet is not lost."""
        self._beating.start()
        self._judging.start()

    def stop(self, *, failed: bool) -> None:
        """Beat no more, and tell the others whether this process ends as it should."""
        self._how = _FAILED if failed else _LEFT
        self._is_over.set()
        self._judging.join()
        self._beating.join(BEAT_S)

    def note_saved(self, what: str) -> None:
        """Tell the others what the newest checkpoint is."""
        self._saved = what

    @property
    def saved(self) -> str:
        """The newest checkpoint that this process knows of, in words; empty where there is none."""
        first = self._heard.get(0)
        return self._saved or (first.saved if first else "")

    @property
    def lost(self) -> str:
        """Who is lost, in words; empty while everybody is heard."""
        return self._lost

    def told_of_loss(self) -> str:
        """Return the message with which this process ends when another is lost."""
        return f"another process of this training hangs or is gone: {self._lost}. {how_to_go_on(self.saved)}"

    def missing(self) -> str:
        """Say who is missing now that a connection broke; waits for some beats, empty where nobody is known."""
        limit_s = SILENT_BEATS * BEAT_S
        until_s = time.monotonic() + limit_s + 2 * BEAT_S
        while time.monotonic() < until_s:
            failed = [heard.who for heard in self._others().values() if heard.how == _FAILED]
            if said := self._silent(limit_s) or (f"{', '.join(failed)} ended by an error" if failed else ""):
                return said
            time.sleep(BEAT_S / 10)
        return self._absent()

    def _others(self) -> dict[int, _Heard]:
        return {number: heard for number, heard in self._heard.copy().items() if number != self._rank}

    def _silent(self, limit_s: float) -> str:
        """Say which processes, or the store, were not heard for so long; empty where there is none."""
        now_s, others = time.monotonic(), self._others()
        if now_s - self._answered_s >= limit_s:
            first = others.get(0)
            if first and first.how == _LEFT:  # it kept the store until all was done
                return ""
            keeper = self._keeper or f"{first.who if first else 'process 0'}, which keeps the store where all meet,"
            return f"{keeper} gave no answer since {_clock(now_s - self._answered_s)}"
        silent = [
            f"{heard.who}, last heard at {_clock(now_s - heard.since_s)}"
            for heard in others.values()
            if heard.how == _BEATING and self._answered_s - heard.since_s >= limit_s
        ]
        return "; ".join(silent)

    def _absent(self) -> str:
        """Say which processes have not come; empty where there is none."""
        absent = [str(number) for number in range(len(self._names)) if number not in self._heard]
        return f"of {len(self._names)} processes these never came: {', '.join(absent)}" if absent else ""

    def _beat(self) -> None:
        beats = 0
        while True:
            is_last = self._is_over.is_set()
            beats += 1
            told = {"beat": beats, "who": self._who, "how": self._how, "saved": self._saved}
            try:
                self._store.set(self._names[self._rank], json.dumps(told))
                if not is_last:
                    self._listen()
            except (RuntimeError, OSError):  # a store does not take up a connection again that broke
                self._is_cut_off = True
                return
            if is_last:
                return
            self._is_over.wait(BEAT_S)

    def _listen(self) -> None:
        here = [number for number in range(len(self._names)) if self._is_here(number)]
        found = self._store.multi_get([self._names[number] for number in here])
        now_s = time.monotonic()
        for number, beat in zip(here, found, strict=True):
            before = self._heard.get(number)
            if before is None or beat != before.beat:
                told = json.loads(beat)
                self._heard[number] = _Heard(
                    beat=beat, since_s=now_s, who=told["who"], how=told["how"], saved=told["saved"]
                )
        self._answered_s = now_s

    def _is_here(self, number: int) -> bool:
        """Tell whether a process has come: the value of a name that nobody gave yet would be waited for."""
        return number in self._heard or bool(self._store.check([self._names[number]]))

    def _watch(self) -> None:
        while not self._is_over.wait(BEAT_S / 2):
            now_s = time.monotonic()
            if now_s - self._judged_s > LATE_S:
                self._forgive(now_s)
            self._judged_s = now_s
            self._lost = self._silent(SILENT_BEATS * BEAT_S if self._is_cut_off else LOST_S)
            if self._lost:
                break
        if self._lost and not self._is_over.wait(GRACE_S):
            STANDARD_ERROR.write(f"limbeck: {self.told_of_loss()}")
            end_hard()

    def _forgive(self, now_s: float) -> None:
        """Begin to listen anew."""
        self._answered_s = now_s
        for number, heard in list(self._heard.items()):
            self._heard[number] = replace(heard, since_s=now_s)


def how_to_go_on(saved: str) -> str:
    """Say what is saved and what to do when a process of a training is missing.

    Args:
        saved: the newest checkpoint, in words; empty where it is not known.
    """
    known = saved or "the last checkpoint, if there is one"
    return (
        f"Saved, as far as is known here: {known}. End what hangs, as it may hold the run folder, and run the same "
        "command with --resume, with any number of processes and hosts"
    )


def end_hard() -> None:
    """End this process at once, with the status of a `TrainingError`.

    The interpreter's own end would wait for what is under way with a process that hangs, as long as torch waits.
    """
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError, AttributeError):
            continue
    os._exit(status_of(TrainingError()).exit_status)


def _clock(ago_s: float) -> str:
    return f"{time.strftime('%H:%M:%S', time.localtime(time.time() - ago_s))} ({ago_s:.0f} s ago)"
