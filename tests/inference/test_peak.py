"""The peak: what a library's own loop reaches."""

from dataclasses import replace

import pytest

from limbeck.inference.peak import measure_peak, measure_peaks
from limbeck.native.kernels import Kernels


def test_every_library_has_a_peak(library: Kernels) -> None:
    """Operations are done, on one thread and on two."""
    assert 0 < measure_peak(library, 1) < 1e6
    assert 0 < measure_peak(library, 2) < 1e6


def test_torch_has_none(library: Kernels) -> None:
    """Only engines with kernels have a loop of their own."""
    assert measure_peaks(["torch-float32", f"native-{library.name}"], 1).keys() == {f"native-{library.name}"}


def test_a_fast_loop_is_timed_for_long_enough(library: Kernels, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rounds grow until the clock can tell, however fast the loop is."""
    asked: list[int] = []

    class Loop:
        def limbeck_peak(self, rounds: int) -> float:
            asked.append(rounds)
            return 1e6

    monkeypatch.setattr("limbeck.inference.peak._TIMED_S", 1e-7)
    assert measure_peak(replace(library, library=Loop()), 1) > 0
    assert asked[0] == 1_000
