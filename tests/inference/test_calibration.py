"""Calibration: measured once, kept, and never in favour of an engine that failed its certificate."""

from pathlib import Path

import numpy as np
import pytest

from limbeck.inference import calibration
from limbeck.inference.calibration import SAFE, calibrate, find_calibration
from limbeck.inference.certificate import Certificate, certificate_texts, certify
from limbeck.inference.choice import open_engine
from limbeck.inference.kernels import NoKernels
from limbeck.inference.torch_engine import TorchEngine
from limbeck.model.presets import LoadedEncoder
from limbeck.runtime import CpuFeatures, cpu_features


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Measure briefly, without kernels."""
    monkeypatch.setattr(calibration, "ROUNDS", 1)
    monkeypatch.setattr(calibration, "_SHORT_CALLS", 2)
    monkeypatch.setattr(calibration, "find_kernels", lambda cache_dir: NoKernels(reason="none in this test"))


def use_cpu(monkeypatch: pytest.MonkeyPatch, *, bf16: bool) -> None:
    """Pretend a CPU with or without bfloat16 units."""
    cpu = CpuFeatures(name="a CPU", cores=2, bf16=bf16, amx=False, int8=False, capability="AVX2")
    monkeypatch.setattr(calibration, "cpu_features", lambda: cpu)


def test_without_bf16_units_float32_is_the_only_candidate(
    tiny_loaded: LoadedEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The fallback is float32 itself, so it is never slower than it."""
    use_cpu(monkeypatch, bf16=False)
    found = calibrate(tiny_loaded)
    assert [one.name for one in found.candidates] == [SAFE]
    assert found.chosen == SAFE
    assert found.kernels == "none in this test"


def test_the_fastest_that_passed_is_chosen(tiny_loaded: LoadedEncoder, monkeypatch: pytest.MonkeyPatch) -> None:
    """A faster engine that fails its certificate is not."""
    use_cpu(monkeypatch, bf16=True)
    monkeypatch.setattr(calibration, "_time_rounds", lambda engines, texts: {SAFE: 2.0, "torch-bfloat16": 1.0})
    outcome = Certificate(texts=9, worst_cosine_distance=1e-4, mean_cosine_distance=1e-5, flips=0.0)
    monkeypatch.setattr(calibration, "certify", lambda engine, exact: outcome)
    assert calibrate(tiny_loaded).chosen == "torch-bfloat16"
    outcome = Certificate(texts=9, worst_cosine_distance=2e-3, mean_cosine_distance=1e-5, flips=0.0)
    assert calibrate(tiny_loaded).chosen == SAFE
    outcome = Certificate(texts=9, worst_cosine_distance=1e-4, mean_cosine_distance=1e-5, flips=0.006)
    assert calibrate(tiny_loaded).chosen == SAFE


def test_it_is_kept_until_the_machine_or_the_weights_differ(
    tiny_loaded: LoadedEncoder, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The second call reads what the first wrote; a damaged file is measured again."""
    use_cpu(monkeypatch, bf16=True)
    first = find_calibration(tiny_loaded, cache_dir=tmp_path)
    measured: list[object] = []
    real = calibration.calibrate
    monkeypatch.setattr(calibration, "calibrate", lambda *given, **named: measured.append(1) or real(*given, **named))
    assert find_calibration(tiny_loaded, cache_dir=tmp_path) == first
    assert not measured
    use_cpu(monkeypatch, bf16=False)
    assert find_calibration(tiny_loaded, cache_dir=tmp_path) != first
    assert len(measured) == 1
    for file in (tmp_path / "calibrations").iterdir():
        file.write_text('{"chosen": 3}')
    assert find_calibration(tiny_loaded, cache_dir=tmp_path).chosen == SAFE
    assert len(measured) == 2


def test_float32_is_certified_exactly(tiny_loaded: LoadedEncoder) -> None:
    """An engine is at no distance from itself."""
    engine = TorchEngine(tiny_loaded, device="cpu")
    found = certify(engine, engine)
    assert (found.flips, found.passed) == (0.0, True)
    assert found.worst_cosine_distance == pytest.approx(0, abs=1e-9)


def test_vectors_that_are_no_numbers_fail(tiny_loaded: LoadedEncoder) -> None:
    """NaN is not a small distance."""
    exact = TorchEngine(tiny_loaded, device="cpu")
    broken = TorchEngine(tiny_loaded, device="cpu")
    broken.features = lambda *given, **named: exact.features(*given, **named) * np.nan  # type: ignore[method-assign]
    with np.errstate(invalid="ignore"):
        assert not certify(broken, exact).passed


def test_certificate_texts_are_distinct_and_balanced() -> None:
    """Six feelings, equally often."""
    texts, labels = certificate_texts()
    assert len(set(texts)) == len(texts) == len(labels)
    assert set(np.bincount(labels)) == {len(texts) // 6}


def test_small_encoders_and_wishes_are_not_measured(
    tiny_loaded: LoadedEncoder, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A tiny encoder is float32 at once; a precision that is asked for is obeyed."""
    monkeypatch.setattr(calibration, "calibrate", None)
    assert open_engine(tiny_loaded, device="cpu", cache_dir=tmp_path).numerics == "torch float32 cpu"
    asked = open_engine(tiny_loaded, device="cpu", precision="bfloat16", cache_dir=tmp_path)
    assert asked.numerics == "torch bfloat16 cpu"
    assert cpu_features().cores >= 1
