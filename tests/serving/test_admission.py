"""Admission: predictions from what was measured, and refusals that say when to come back."""

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from limbeck.errors import OverloadedError, TooLargeError
from limbeck.serving.admission import BATCH_S, Admission, Asking, WorkRate

ASKING = Asking(client="me", tokens=20, timeout_s=10.0, wait_s=0.0, work_s=0.01, usual_work_s=0.01, waiting_tokens=0)


def test_seconds_are_start_and_tokens_as_measured() -> None:
    """One text of 20 tokens took 3 ms and 1,020 took 23 ms: 20 µs a token, 2.6 ms a batch."""
    rate = WorkRate((20, 0.003), (1020, 0.023))
    assert rate.seconds(20) == pytest.approx(0.003)
    assert rate.seconds(1020) == pytest.approx(0.023)
    assert rate.seconds(0) == 0
    assert rate.batch_tokens == int((BATCH_S - 0.0026) / 20e-6)
    assert rate.seconds(rate.batch_tokens) == pytest.approx(BATCH_S, rel=0.01)


def test_a_slower_machine_is_followed_within_seconds_of_work() -> None:
    """Full batches that take twice as long double the seconds of many texts, and halve batches; and back again."""
    rate = WorkRate((20, 0.003), (1020, 0.023))
    before = rate.batch_tokens
    for _ in range(400):
        rate.note(1020, 0.046)
    assert rate.seconds(102_000) == pytest.approx(4.6, rel=0.1)
    assert rate.batch_tokens == pytest.approx(before / 2, rel=0.1)
    for _ in range(800):
        rate.note(1020, 0.023)
    assert rate.seconds(102_000) == pytest.approx(2.3, rel=0.1)
    assert rate.tokens_per_s == pytest.approx(rate.batch_tokens / BATCH_S, rel=0.1)


def test_single_texts_that_wait_for_a_processor_do_not_make_thousands_look_slow() -> None:
    """Single texts take 40 ms instead of 3 on a busy machine: that is put down to their start, not to each token."""
    rate = WorkRate((20, 0.003), (1020, 0.023))
    for _ in range(400):
        rate.note(20, 0.040)
    assert rate.seconds(20) == pytest.approx(0.040, rel=0.1)
    work_s = rate.seconds(102_000) - math.ceil(102_000 / rate.batch_tokens) * 0.040
    assert work_s == pytest.approx(102_000 * 20e-6, rel=0.2)


def test_a_machine_that_slept_is_not_taken_for_a_slow_one() -> None:
    """A batch of an hour, since the lid was closed, costs no more than some seconds of doubt."""
    rate = WorkRate((20, 0.003), (1020, 0.023))
    rate.note(1020, 3600.0)
    assert rate.seconds(1020) < 8 * 0.023
    for _ in range(200):
        rate.note(1020, 0.023)
    assert rate.seconds(1020) < 1.5 * 0.023


@given(st.lists(st.tuples(st.integers(1, 5_000), st.floats(0, 100)), max_size=50))
def test_no_batch_makes_a_rate_that_is_none(batches: list[tuple[int, float]]) -> None:
    """Whatever was measured, seconds are above 0 and grow with tokens, and a batch has some tokens."""
    rate = WorkRate((20, 0.003), (20, 0.003))
    for tokens, taken_s in batches:
        rate.note(tokens, taken_s)
    assert 0 < rate.seconds(1) <= rate.seconds(1_000) < math.inf
    assert rate.batch_tokens >= 64
    assert rate.seconds(0) == 0


def test_one_that_would_wait_too_long_is_told_when_to_come_back() -> None:
    """2.5 s of 2 s: refused, to come back in 3 s; at 2 s it is taken."""
    admission = Admission(max_wait_s=2.0, max_waiting_tokens=10_000)
    admission.check(replace(ASKING, wait_s=2.0), 0.0)
    with pytest.raises(OverloadedError, match="come back in 3 s") as refused:
        admission.check(replace(ASKING, wait_s=2.5), 0.0)
    assert refused.value.retry_after_s == 3


def test_one_that_comes_back_when_it_was_told_to_is_let_in_before_new_ones() -> None:
    """It may wait twice as long, once; one that comes back early, or another client, may not."""
    admission = Admission(max_wait_s=2.0, max_waiting_tokens=10_000)
    late = replace(ASKING, wait_s=2.5)
    with pytest.raises(OverloadedError):
        admission.check(late, 0.0)
    with pytest.raises(OverloadedError):
        admission.check(replace(late, client="new"), 3.0)
    admission.check(late, 3.0)
    with pytest.raises(OverloadedError):
        admission.check(late, 3.1)
    with pytest.raises(OverloadedError):
        admission.check(late, 3.2)  # too early for the promise of 3.1


def test_a_request_without_the_time_for_its_turn_is_not_taken() -> None:
    """It would be computed for nobody: 0.3 s of waiting and 0.3 s of work do not fit into 0.5 s, nor safely in 0.7 s.

    Where nothing waits it is tried, or a machine that was slow once would never be measured again.
    """
    admission = Admission(max_wait_s=2.0, max_waiting_tokens=10_000)
    for timeout_s in (0.5, 0.7):
        with pytest.raises(OverloadedError):
            admission.check(replace(ASKING, timeout_s=timeout_s, wait_s=0.3, work_s=0.3), 0.0)
    admission.check(replace(ASKING, timeout_s=0.9, wait_s=0.3, work_s=0.3), 0.0)
    admission.check(replace(ASKING, timeout_s=0.5, wait_s=0.0, work_s=0.6), 0.0)


def test_a_request_that_lay_before_it_was_read_has_less_time_left() -> None:
    """0.3 s of lying, 0.3 s of waiting and 0.1 s of work do not fit safely into 0.9 s; without the lying they do."""
    admission = Admission(max_wait_s=2.0, max_waiting_tokens=10_000)
    asking = replace(ASKING, timeout_s=0.9, wait_s=0.3, work_s=0.1)
    admission.check(asking, 0.0)
    with pytest.raises(OverloadedError):
        admission.check(replace(asking, late_s=0.3), 0.0)


_ASKINGS = st.tuples(
    st.builds(
        Asking,
        client=st.sampled_from(["me", "you"]),
        tokens=st.integers(1, 12_000),
        timeout_s=st.floats(0.1, 30),
        wait_s=st.one_of(st.just(0.0), st.floats(0, 10)),
        work_s=st.floats(0.001, 1),
        usual_work_s=st.floats(0.001, 1),
        waiting_tokens=st.integers(0, 12_000),
    ),
    st.floats(0, 2),
)


@given(st.lists(_ASKINGS, max_size=30))
def test_a_refusal_at_the_door_is_what_check_would_say(askings: list[tuple[Asking, float]]) -> None:
    """`refusal` gives the error that `check` raises, or changes nothing: the two stay in step over any history."""
    at_door, usual = (Admission(max_wait_s=2.0, max_waiting_tokens=10_000) for _ in range(2))
    now_s = 0.0
    for asking, gap_s in askings:
        now_s += gap_s
        refused = at_door.refusal(asking, now_s)
        said: list[Exception | None] = [refused]
        for admission in (usual,) if refused is not None else (usual, at_door):
            try:
                admission.check(asking, now_s)
                said.append(None)
            except (OverloadedError, TooLargeError) as error:
                said.append(error)
        if refused is None:
            assert not isinstance(said[1], OverloadedError)
            assert repr(said[1]) == repr(said[2])
        else:
            assert repr(said[1]) == repr(refused)
        assert at_door._promises == usual._promises


def test_what_never_fits_is_too_large_and_not_to_come_back() -> None:
    """More tokens than may ever wait, and more work than it has time, are the request's own fault."""
    admission = Admission(max_wait_s=2.0, max_waiting_tokens=10_000)
    with pytest.raises(TooLargeError, match="max_waiting_tokens"):
        admission.check(replace(ASKING, tokens=10_001), 0.0)
    with pytest.raises(TooLargeError, match="about 30"):
        admission.check(replace(ASKING, usual_work_s=30.0), 0.0)
    with pytest.raises(OverloadedError):
        admission.check(replace(ASKING, tokens=6_000, waiting_tokens=6_000, wait_s=0.1), 0.0)


def test_promises_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """A client that makes names up does not fill the memory."""
    monkeypatch.setattr("limbeck.serving.admission._MOST_PROMISES", 10)
    admission = Admission(max_wait_s=2.0, max_waiting_tokens=10_000)
    for name in range(100):
        with pytest.raises(OverloadedError):
            admission.check(replace(ASKING, client=str(name), wait_s=5.0), 0.0)
    assert len(admission._promises) == 10
