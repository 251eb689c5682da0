"""How much arithmetic two cores can do at most: a loop of multiplications in registers, or the best product there is.

In: our library, or none. Out: GFLOP/s of a moment, and in words how they were found. It does not know encoders.
"""

import ctypes
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import torch
from workloads import THREADS

BURST_S = 0.05
BURSTS = 3


@dataclass(frozen=True, kw_only=True)
class Peak:
    """How a peak is measured: in words, and the call that returns GFLOP/s of now."""

    spoken: str
    gflops: Callable[[], float]


def peak_of(library: ctypes.CDLL | None, *, bf16: bool) -> Peak:
    """Return the peak in the arithmetic of an engine: its library's own loop, or torch's product where it has none."""
    if library is not None and hasattr(library, "limbeck_peak"):
        return Peak(spoken="a loop of products in registers", gflops=_loop_of(library))
    name, dtype = ("bf16", torch.bfloat16) if bf16 else ("float32", torch.float32)
    return Peak(spoken=f"the {name} product of torch", gflops=lambda: _product_gflops(dtype))


def _loop_of(library: ctypes.CDLL) -> Callable[[], float]:
    loop = library.limbeck_peak
    loop.restype, loop.argtypes = ctypes.c_double, (ctypes.c_int64,)
    rounds, spent = 1024, 0.0
    while spent < BURST_S:
        rounds *= 2
        started = time.perf_counter()
        loop(rounds)
        spent = time.perf_counter() - started

    def burst() -> float:
        """All threads together, from the moment that each of them is there."""
        ready = threading.Barrier(THREADS)

        def one() -> tuple[float, float, float]:
            ready.wait()
            started = time.perf_counter()
            operations = loop(rounds)
            return operations, started, time.perf_counter()

        with ThreadPoolExecutor(THREADS) as pool:
            done = [future.result() for future in [pool.submit(one) for _ in range(THREADS)]]
        seconds = max(stop for _, _, stop in done) - min(start for _, start, _ in done)
        return sum(operations for operations, _, _ in done) / seconds / 1e9

    return lambda: max(burst() for _ in range(BURSTS))


def _product_gflops(dtype: torch.dtype) -> float:
    best = 0.0
    for n in (512, 1024):
        a, b = (torch.randn(n, n).to(dtype) for _ in range(2))
        for _ in range(BURSTS):
            started = time.perf_counter()
            torch.mm(a, b)
            best = max(best, 2 * n**3 / (time.perf_counter() - started) / 1e9)
    return best
