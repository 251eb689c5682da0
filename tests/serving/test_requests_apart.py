"""Requests apart: the one that breaks engines is found, and only it."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.serving.test_waiting import queued

from limbeck.serving.requests_apart import MOST_KILLS, RequestsApart
from limbeck.serving.waiting import Queued


@pytest.mark.parametrize("raised", [True, False])
@given(size=st.integers(1, 40), data=st.data())
def test_the_one_is_found_and_the_others_are_computed(*, raised: bool, size: int, data: st.DataObject) -> None:
    """Whatever its place, one of n is found with log2(n) halvings and some tries; each other one is answered."""
    bad = data.draw(st.integers(0, size - 1))
    requests = [queued([3, 4]) for _ in range(size)]
    apart, found, tries = RequestsApart(), None, 0

    def doubt(doubted: list[Queued]) -> Queued | None:
        for one in doubted:
            one.kills += not raised
        given_up = apart.doubt(doubted, raised=raised)
        for one in doubted:
            one.is_apart = True
            one.begin_again()
        return given_up

    found = doubt(requests)
    while parts := apart.take(10_000, 0.0):
        tries += 1
        doubted = list(dict.fromkeys(part.request for part in parts))
        if requests[bad] in doubted:
            found = doubt(doubted)
            if found is not None:
                found.is_gone = True
        else:
            for one in doubted:
                one.answer.set_result((None, None))  # type: ignore[arg-type]  # what it is does not matter here
    assert found is requests[bad]
    assert all(one.answer.done() for one in requests if one is not found)
    assert tries <= 2 * math.ceil(math.log2(size)) + 2 + MOST_KILLS


def test_a_group_that_was_killed_once_is_tried_whole_again() -> None:
    """Anybody may have killed the engine: nobody is given up, and nothing halved, the first time."""
    apart, requests = RequestsApart(), [queued([3]) for _ in range(4)]
    for one in requests:
        one.kills = 1
    assert apart.doubt(requests, raised=False) is None
    assert [part.request for part in apart.take(100, 0.0)] == requests
