"""Loop lag: what is read late is known to be late."""

import asyncio
import time

from limbeck.serving.loop_lag import LoopLag


def test_rounds_that_take_long_are_noticed_and_forgotten() -> None:
    """While a round takes 20 ms the lag comes near 20 ms; once rounds are short, it goes back to nearly nothing."""

    async def live() -> tuple[float, float]:
        lag = LoopLag()
        loop = asyncio.get_running_loop()
        for _ in range(20):
            loop.call_soon(lag.ask)
            loop.call_soon(time.sleep, 0.02)
            await asyncio.sleep(0)
            await asyncio.sleep(0)
        high = lag.seconds
        for _ in range(60):
            lag.ask()
            await asyncio.sleep(0.001)
        return high, lag.seconds

    high, low = asyncio.run(live())
    assert high > 0.015
    assert low < high / 2


def test_one_round_is_measured_once() -> None:
    """A thousand questions in a round cost one look."""

    async def live() -> int:
        lag, calls = LoopLag(), []
        loop = asyncio.get_running_loop()
        schedule = loop.call_soon
        loop.call_soon = lambda *given, **more: calls.append(given) or schedule(*given, **more)  # type: ignore[method-assign]  # to count
        for _ in range(1_000):
            lag.ask()
        return len(calls)

    assert asyncio.run(live()) == 1
