"""Waiting: whose turn it is, and that no row is lost or taken twice."""

import asyncio
from collections import Counter
from itertools import count

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from limbeck.serving.waiting import TURN_TOKENS, Queued, WaitingTexts
from limbeck.tokens import Tokenized
from limbeck.tokens.windows import in_one_row

NUMBERS = count(1)
LOOP = asyncio.new_event_loop()
LOOP.close()  # a future that nobody awaits needs no more of it


def queued(sizes: list[int], client: str = "me", deadline_s: float = 1e9) -> Queued:
    """A request with rows of so many tokens."""
    offsets = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
    rows = Tokenized(
        ids=np.arange(offsets[-1], dtype=np.int32), offsets=offsets, cut_tokens=np.zeros(len(sizes), np.int32)
    )
    return Queued(
        number=next(NUMBERS),
        client=client,
        read=in_one_row(rows),
        with_vectors=False,
        deadline_s=deadline_s,
        answer=asyncio.Future(loop=LOOP),
    )


def order(waiting: WaitingTexts, most_tokens: int = 10) -> list[int]:
    """Take batch after batch; return the requests' numbers, row by row."""
    found = []
    while parts := waiting.take(most_tokens, 0.0):
        for part in parts:
            found += [part.request.number] * (part.stop - part.start)
    return found


def test_single_texts_of_one_client_are_taken_as_they_came() -> None:
    """Among equals the oldest is first."""
    waiting = WaitingTexts()
    requests = [queued([5]) for _ in range(7)]
    for request in requests:
        waiting.add(request)
    assert order(waiting) == [request.number for request in requests]
    assert waiting.tokens == 0


def test_one_text_does_not_wait_for_the_thousand_of_another_client() -> None:
    """A client that comes while another's hundred rows wait is in the very next batch."""
    waiting = WaitingTexts()
    waiting.add(many := queued([100] * 100, "batch"))
    waiting.take(TURN_TOKENS, 0.0)
    waiting.add(one := queued([20], "person"))
    assert one in [part.request for part in waiting.take(TURN_TOKENS * 2, 0.0)]
    assert many.next_row < 10


def test_one_text_does_not_wait_for_a_long_one_of_its_own_client() -> None:
    """Requests of one client take turns too: a text of a hundred windows does not hold up a tweet."""
    waiting = WaitingTexts()
    waiting.add(queued([256] * 100))
    waiting.take(512, 0.0)
    waiting.add(short := queued([20]))
    assert short in [part.request for part in waiting.take(512, 0.0)]


def test_a_long_request_goes_on_while_short_ones_keep_coming() -> None:
    """It is not put off for ever: what short ones leave of the engine is its own, and they do not wait for it."""
    waiting = WaitingTexts()
    waiting.add(long := queued([256] * 100))
    for _ in range(40):
        waiting.add(short := queued([256]))
        taken = [part.request for _ in range(2) for part in waiting.take(256, 0.0)]
        assert short in taken
    assert long.next_row == 40


def test_clients_share_by_tokens_not_by_requests() -> None:
    """Ten requests a round of one client and one of another: both get the same tokens while both wait."""
    waiting = WaitingTexts()
    for _ in range(100):
        waiting.add(queued([10], "many"))
    waiting.add(queued([10] * 100, "few"))
    taken: Counter[str] = Counter()
    for _ in range(20):
        for part in waiting.take(50, 0.0):
            taken[part.request.client] += part.tokens
    assert abs(taken["many"] - taken["few"]) <= 2 * TURN_TOKENS


def test_what_is_too_late_or_left_is_never_taken() -> None:
    """A request whose time is over, and one whose client went away, are not computed, not even in part."""
    waiting = WaitingTexts()
    waiting.add(late := queued([5] * 3, deadline_s=1.0))
    waiting.add(left := queued([5] * 3))
    waiting.add(kept := queued([5] * 3))
    waiting.take(5, 0.0)
    waiting.leave(left)
    rest = [part.request for _ in range(5) for part in waiting.take(100, 2.0)]
    assert set(rest) == {kept}
    assert late.is_gone
    assert waiting.tokens == 0


def test_a_row_above_the_budget_is_taken_alone() -> None:
    """A batch has one row at least, or a long one would wait for ever."""
    waiting = WaitingTexts()
    waiting.add(queued([500, 3]))
    assert [part.tokens for part in waiting.take(64, 0.0)] == [500]
    assert [part.tokens for part in waiting.take(64, 0.0)] == [3]


def test_what_an_engine_had_in_vain_comes_first() -> None:
    """Rows of an engine that ended are before what came later, whole again."""
    waiting = WaitingTexts()
    waiting.add(half := queued([5] * 4, "a"))
    waiting.add(done := queued([5] * 2, "a"))
    waiting.take(30, 0.0)
    waiting.add(later := queued([5], "b"))
    for request in (done, half):
        waiting.begin_again(request)
    assert waiting.tokens == 20 + 10 + 5
    found = order(waiting, 5)
    assert Counter(found) == {half.number: 4, done.number: 2, later.number: 1}
    assert found[0] == half.number


def test_tokens_before_counts_what_is_served_first() -> None:
    """A short request waits for its own size of other clients' tokens, and for a turn of its own client's before it."""
    waiting = WaitingTexts()
    waiting.add(queued([100] * 50, "batch"))
    waiting.add(queued([30], "person"))
    assert waiting.tokens_before("new", 20) == 20 + 20
    assert waiting.tokens_before("person", 20) == 30 + 50
    assert waiting.tokens_before("new", 10_000) == 5_030


@given(
    st.lists(
        st.tuples(st.sampled_from("abc"), st.lists(st.integers(1, 40), min_size=1, max_size=8), st.integers(0, 9)),
        max_size=30,
    )
)
def test_every_row_is_taken_once_whatever_comes_and_goes(steps: list[tuple[str, list[int], int]]) -> None:
    """Requests come, leave, are put back and taken; each row of one that stays is in exactly one batch after it."""
    waiting, all_of = WaitingTexts(), []
    taken: Counter[tuple[int, int]] = Counter()
    for client, sizes, act in steps:
        waiting.add(request := queued(sizes, client))
        all_of.append(request)
        if act in (1, 2):
            for part in waiting.take(30 * act, 0.0):
                taken.update((part.request.number, row) for row in range(part.start, part.stop))
        if act == 3:
            waiting.leave(all_of[len(all_of) // 2])
        if act == 4 and not (again := all_of[len(all_of) // 3]).is_gone:
            waiting.begin_again(again)
            for row in range(len(again.sizes_R)):
                taken.pop((again.number, row), None)
        assert waiting.tokens == sum(one.tokens_left for one in all_of if one.is_waiting)
    while parts := waiting.take(50, 0.0):
        taken.update((part.request.number, row) for part in parts for row in range(part.start, part.stop))
    stayed = [one for one in all_of if not one.is_gone]
    assert all(taken[one.number, row] == 1 for one in stayed for row in range(len(one.sizes_R)))
    assert waiting.tokens == 0


def test_newcomers_do_not_overtake_a_request_between_two_batches() -> None:
    """Batches of 64 tokens, requests of 100: each is done before those that came after it, however many come."""
    waiting = WaitingTexts()
    first = queued([25] * 4, "me")
    waiting.add(first)
    order = []
    for _ in range(20):
        waiting.add(queued([25] * 4, "me"))
        order += [part.request.number for part in waiting.take(64, 0.0)]
    assert order == sorted(order)
    assert not first.has_rows
