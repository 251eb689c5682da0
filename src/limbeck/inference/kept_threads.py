"""Threads that help a caller, and wait for the next call: starting them anew would cost more than a short text does.

In: work that several can share. Out: the same work, done. It does not know what is computed.
"""

import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait


class KeptThreads:
    """Threads beside the caller's own; they are started when they are first needed, and end with their owner.

    Two callers at once share them: each works itself meanwhile, so neither waits for the other.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._pool: ThreadPoolExecutor | None = None
        self._process = 0

    def work_together(self, work: Callable[[], None], workers: int) -> None:
        """Let the caller and others do the same work, and return when it is done; the first exception is raised.

        Args:
            work: takes its own share of what there is to do, until nothing is left.
            workers: how many do it, the caller among them.
        """
        others = [self._threads().submit(work) for _ in range(min(workers - 1, self._most))]
        try:
            work()
        finally:
            # Those that have not begun find nothing to do; they may stand behind another caller's work.
            begun = [one for one in others if not one.cancel()]
            wait(begun)
        for one in begun:
            one.result()

    def _threads(self) -> ThreadPoolExecutor:
        with self._lock:
            # A forked process has the object, and none of its threads.
            if self._pool is None or self._process != os.getpid():
                self._pool, self._process = ThreadPoolExecutor(self._most, "limbeck"), os.getpid()
            return self._pool
