"""How much faster one model answers than another: by hand, with a clock that the models move."""

from collections.abc import Callable, Sequence
from types import SimpleNamespace

import pytest

from limbeck.inference import timing
from limbeck.inference.timing import FEWEST_TOKENS, MOST_TOKENS, measure_speedup
from limbeck.model.bundle import Bundle
from limbeck.settings import HeadKind


class Clock:
    """Shows what it was moved to."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def perf_counter(self) -> float:
        """Return the time, in seconds."""
        return self.now_s


def answering(
    bundle: Bundle, clock: Clock, seconds: Sequence[float], calls: list[tuple[str, int]], name: str
) -> object:
    """Return a model that takes these seconds, one call after the other."""
    left = iter(seconds)

    def predict(texts: Sequence[str]) -> None:
        calls.append((name, len(texts)))
        clock.now_s += next(left)

    return SimpleNamespace(bundle=bundle, predict=predict, numerics=f"the engine of {name}")


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Time passes only when a model answers."""
    shown = Clock()
    monkeypatch.setattr(timing, "time", shown)
    return shown


def test_medians_of_rounds_in_turn(clock: Clock, make_bundle: Callable[[HeadKind], Bundle]) -> None:
    """The first round warms up; medians 8 and 2 give 4; the rounds alone went from 1 to 5."""
    calls: list[tuple[str, int]] = []
    slow = answering(make_bundle("linear"), clock, (90.0, 8.0, 10.0, 4.0), calls, "slow")
    fast = answering(make_bundle("linear"), clock, (1.0, 2.0, 2.0, 4.0), calls, "fast")
    found = measure_speedup([slow], fast, ["i feel fine"] * 5_000, rounds=3)  # type: ignore[list-item, arg-type]
    assert (found.speedup, found.lowest, found.highest) == (4.0, 1.0, 5.0)
    assert [name for name, _ in calls] == ["slow", "fast"] * 4
    assert (found.texts, found.rounds) == (5_000, 3)
    assert (found.slow_texts_per_s, found.fast_texts_per_s) == (625.0, 2500.0)
    assert (found.slow_engines, found.fast_engine) == (("the engine of slow",), "the engine of fast")


def test_an_ensemble_takes_the_time_of_all(clock: Clock, make_bundle: Callable[[HeadKind], Bundle]) -> None:
    """Two teachers of 3 s beside a student of 2 s: three times."""
    calls: list[tuple[str, int]] = []
    slow = [answering(make_bundle("linear"), clock, (3.0, 3.0), calls, name) for name in ("one", "two")]
    fast = answering(make_bundle("linear"), clock, (2.0, 2.0), calls, "fast")
    found = measure_speedup(slow, fast, ["i"] * 9, rounds=1)  # type: ignore[arg-type]
    assert found.speedup == 3.0


@pytest.mark.slow
def test_rounds_are_neither_too_short_nor_too_long(clock: Clock, make_bundle: Callable[[HeadKind], Bundle]) -> None:
    """Few texts are answered again and again; of many a part is drawn. "i feel fine" has five tokens."""
    calls: list[tuple[str, int]] = []
    for count, expected in ((3, FEWEST_TOKENS // 5 + 1), (50_000, MOST_TOKENS // 5)):
        calls.clear()
        slow, fast = (answering(make_bundle("linear"), clock, (1.0, 1.0), calls, name) for name in ("slow", "fast"))
        found = measure_speedup([slow], fast, ["i feel fine"] * count, rounds=1)  # type: ignore[list-item, arg-type]
        assert {texts for _, texts in calls} == {found.texts}
        assert abs(found.texts - expected) <= 3
