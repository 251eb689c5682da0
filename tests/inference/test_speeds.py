"""Speeds: what is chosen by measuring, among the ways that an engine has."""

from functools import partial

import pytest

from limbeck.inference import speeds
from limbeck.inference.quiet import Moment
from limbeck.inference.torch_engine import TorchEngine
from limbeck.model.loaded_encoder import LoadedEncoder

QUIET = Moment(gflops=50.0, core_share=1.0, at_s=1e9)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Measure briefly."""
    monkeypatch.setattr(speeds, "SPEED_ROUNDS", 1)
    monkeypatch.setattr(speeds, "_SHORT_CALLS", 1)
    monkeypatch.setattr(speeds, "look_at_machine", lambda: QUIET)


@pytest.mark.parametrize("fastest", [100, 200, 400])
def test_of_several_token_budgets_the_fastest_is_kept(
    tiny_loaded: LoadedEncoder, monkeypatch: pytest.MonkeyPatch, fastest: int
) -> None:
    """The engine computes with it from then on, its speed is measured with it, and the result says which it was."""
    engine, alone = TorchEngine(tiny_loaded, device="cpu"), TorchEngine(tiny_loaded, device="cpu")
    engine.token_budgets = (100, 200, 400)
    measured: list[int] = []

    def pretended_s(call: partial) -> float:
        budget = call.keywords.get("token_budget")
        if budget is None:
            return 2.0
        measured.append(budget)
        return 1.0 if budget == fastest else 3.0

    monkeypatch.setattr(speeds, "_seconds", pretended_s)
    found = speeds.measure_speeds({"several": engine, "one": alone})
    assert found.token_budgets == {"several": fastest}
    assert engine.token_budget == fastest
    assert set(measured) == {100, 200, 400}
    assert alone.token_budget == 4_096


def test_a_cpu_computes_the_mix_once(tiny_loaded: LoadedEncoder, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of engines without a choice nothing but their speed is measured: calibrating takes no longer than before."""
    counts: list[int] = []
    engine = TorchEngine(tiny_loaded, device="cpu")
    compute = engine.features
    monkeypatch.setattr(
        engine, "features", lambda texts, blocks, **more: counts.append(len(texts)) or compute(texts, blocks, **more)
    )
    found = speeds.measure_speeds({"torch-float32": engine})
    assert counts == [42, 42, 1]
    assert found.token_budgets == {}


def test_work_of_a_token_is_counted(tiny_loaded: LoadedEncoder) -> None:
    """By hand, for texts of 24 tokens: 2 × layers × (4 D² + 2 D H + 2 D T)."""
    config = tiny_loaded.config
    assert speeds.flop_per_token(config) == 2 * 2 * (4 * 16**2 + 2 * 16 * 32 + 2 * 16 * 24)
