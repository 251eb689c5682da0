"""The most that a machine can compute: the library's own loop of products that touch no memory, on all cores at once.

In: compiled kernels. Out: 10^9 operations/s, in a tenth of a second. It does not know encoders.
"""

import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor

from limbeck.inference.engine_candidates import NATIVE
from limbeck.native.kernels import Kernels
from limbeck.native.libraries import find_library

_TIMED_S = 0.03
_REPEATS = 3


def measure_peaks(engines: Iterable[str], threads: int) -> dict[str, float]:
    """Return the peak of each native engine of these names."""
    found = {name: find_library(name.removeprefix(NATIVE)) for name in engines if name.startswith(NATIVE)}
    return {name: measure_peak(one, threads) for name, one in found.items() if isinstance(one, Kernels)}


def measure_peak(kernels: Kernels, threads: int) -> float:
    """Return the operations/s, in 10^9, that so many threads reach together with nothing but multiply-adds."""
    peak, rounds = kernels.library.limbeck_peak, 1_000
    with ThreadPoolExecutor(threads) as pool:
        while True:
            best_s = float("inf")
            for _ in range(_REPEATS):
                began_s = time.perf_counter()
                operations = sum(pool.map(peak, [rounds] * threads))
                best_s = min(best_s, time.perf_counter() - began_s)
            if best_s >= _TIMED_S or rounds >= 2**40:
                return float(operations / best_s / 1e9)
            rounds *= max(2, min(100, int(_TIMED_S / max(best_s, 1e-6))))
