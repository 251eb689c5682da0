"""Asking with patience: again after a pause where that can help, and every failure one of our errors.

In: a call of the client. Out: its answer. It does not know what is asked.
"""

import time
from collections.abc import Callable
from typing import TypeVar

from limbeck.hub.client import spoken
from limbeck.hub.failures import Question, failure_of, known_exceptions
from limbeck.progress import Progress

PAUSES_S = (1.0, 4.0, 10.0)
"""Seconds between one try and the next."""
LONGEST_WAIT_S = 120.0
"""A hub that asks to wait longer than this is not waited for."""

T = TypeVar("T")


def ask(call: Callable[[], T], question: Question, progress: Progress) -> T:
    """Call the client; try again where the fault may pass, and say so.

    Raises:
        HubError: the hub or the network said no; the client's own exception is not chained, for its words may
            quote what a server or a proxy made of the request.
        StorageError: the disk said no.
    """
    pauses_s = list(PAUSES_S)
    while True:
        try:
            with spoken(progress):
                return call()
        except known_exceptions() as error:
            fault = failure_of(error, question)
        if not fault.may_pass or not pauses_s or (fault.wait_s or 0.0) > LONGEST_WAIT_S:
            raise fault.error
        wait_s = max(pauses_s.pop(0), fault.wait_s or 0.0)
        progress.say(f"{question}: {fault.cause}; trying again in {wait_s:.0f} s")
        time.sleep(wait_s)
