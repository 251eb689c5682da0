"""Helpers: threads that are kept between calls, and never make a caller wait for another's work."""

import os
import threading

import pytest

from limbeck.inference.kept_threads import KeptThreads


def names_of(helpers: KeptThreads, workers: int) -> set[str]:
    """The threads that work together, all at once."""
    met, names = threading.Barrier(workers), set()

    def work() -> None:
        met.wait(timeout=30)
        names.add(threading.current_thread().name)

    helpers.work_together(work, workers)
    return names


def test_threads_are_kept() -> None:
    """Two calls are done by the same threads, the caller's own among them."""
    helpers = KeptThreads(2)
    first = names_of(helpers, 3)
    assert threading.current_thread().name in first
    assert names_of(helpers, 3) == first
    assert len(first) == 3


def test_alone_nothing_is_started() -> None:
    """One worker is the caller."""
    before = threading.active_count()
    assert names_of(KeptThreads(0), 1) == {threading.current_thread().name}
    assert threading.active_count() == before


def test_a_caller_does_not_wait_for_another() -> None:
    """While all helpers are taken, a second caller does its work itself, and leaves."""
    helpers, taken, end = KeptThreads(1), threading.Barrier(3), threading.Event()

    def long() -> None:
        taken.wait(timeout=30)
        end.wait(timeout=30)

    first = threading.Thread(target=helpers.work_together, args=(long, 2))
    first.start()
    taken.wait(timeout=30)
    done: list[str] = []
    helpers.work_together(lambda: done.append(threading.current_thread().name), 2)
    assert done == [threading.current_thread().name]
    end.set()
    first.join()


@pytest.mark.parametrize("who", ["the caller", "a helper"])
def test_what_goes_wrong_is_raised(who: str) -> None:
    """In whatever thread it happens, and all have ended by then."""
    helpers, met, ended = KeptThreads(1), threading.Barrier(2), []
    caller = threading.current_thread()

    def work() -> None:
        met.wait(timeout=30)
        if (threading.current_thread() is caller) == (who == "the caller"):
            raise ValueError(who)
        ended.append(who)

    with pytest.raises(ValueError, match=who):
        helpers.work_together(work, 2)
    assert ended == [who]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_forked_process_starts_its_own() -> None:
    """A child has none of its parent's threads, and does not wait for them."""
    helpers = KeptThreads(1)
    names_of(helpers, 2)
    child = os.fork()
    if not child:
        try:
            names_of(helpers, 2)
            os._exit(0)
        finally:
            os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
