"""Which engine opens a model: a wish, the one that its features were made with, float32 for small ones."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from tests.said import Said

from limbeck.inference import choice, engine_candidates
from limbeck.inference.choice import open_engine
from limbeck.inference.predictor import Predictor
from limbeck.model.bundle import Bundle
from limbeck.model.heads import HeadKind
from limbeck.model.loaded_encoder import LoadedEncoder
from limbeck.native.kernels import NoKernels
from limbeck.runtime import CpuFeatures
from limbeck.settings import Precision


def test_small_encoders_and_wishes_are_not_measured(
    tiny_loaded: LoadedEncoder, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A tiny encoder is float32 at once; a precision that is asked for is obeyed."""
    monkeypatch.setattr(choice, "find_calibration", None)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert open_engine(tiny_loaded, device="cpu").numerics == "torch float32 cpu"
    asked = open_engine(tiny_loaded, device="cpu", precision="bfloat16")
    assert asked.numerics == "torch bfloat16 cpu"


def test_a_machine_with_one_engine_measures_nothing(
    tiny_loaded: LoadedEncoder, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Where float32 is all there is, it is used at once, and nothing is written."""
    monkeypatch.setattr(choice, "find_calibration", None)
    monkeypatch.setattr(choice, "SMALL_ENCODER_PARAMETERS", 0)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(engine_candidates, "find_library", lambda *given: NoKernels(reason="none in this test"))
    cpu = CpuFeatures(name="a CPU", cores=2, bf16=False, amx=False, int8=False, capability="AVX2")
    monkeypatch.setattr(engine_candidates, "cpu_features", lambda: cpu)
    assert open_engine(tiny_loaded, device="cpu").numerics == "torch float32 cpu"
    assert list(tmp_path.iterdir()) == []


def made_with(bundle: Bundle, numerics: object, *, frozen: bool = True) -> Bundle:
    """The bundle as it would be had its features been made so."""
    encoder = {"weights": bundle.loaded.fingerprint if frozen else "before", "numerics": numerics}
    return replace(bundle, facts=replace(bundle.facts, provenance={"encoder": encoder}))


@pytest.mark.parametrize(
    ("numerics", "has_bf16", "precision", "opened"),
    [
        ("torch float32 cpu", True, "auto", "torch float32 cpu"),
        ("torch float32 cuda", True, "auto", "torch float32 cpu"),
        ("torch bfloat16 cpu", True, "auto", "torch bfloat16 cpu"),
        ("torch bfloat16 cpu", False, "auto", "torch float32 cpu"),
        ("native bfloat16 cpu", True, "auto", "torch float32 cpu"),
        ("native float32, weights bfloat16 cpu", True, "auto", "torch float32 cpu"),
        ("of a later limbeck", True, "auto", "torch float32 cpu"),
        ("torch float32 cpu", True, "bfloat16", "torch bfloat16 cpu"),
    ],
)
def test_a_head_on_a_frozen_encoder_keeps_its_engine(
    make_bundle: Callable[[HeadKind], Bundle],
    monkeypatch: pytest.MonkeyPatch,
    numerics: str,
    has_bf16: bool,
    precision: Precision,
    opened: str,
) -> None:
    """It answers from features like those that it learned from, unless told otherwise; else from exact ones."""
    monkeypatch.setattr(choice, "has_bf16", lambda kind: has_bf16)
    monkeypatch.setattr(engine_candidates, "find_library", lambda *given: NoKernels(reason="none in this test"))
    bundle, said = made_with(make_bundle("linear"), numerics), Said()
    predictor = Predictor(bundle, device="cpu", precision=precision, progress=said)
    assert predictor.numerics == opened
    is_other = precision == "auto" and opened.split()[:2] != numerics.split()[:2]
    assert [numerics in line for line in said.lines] == [True] * is_other


@pytest.mark.parametrize("numerics", [None, 3, "torch bfloat16 cpu"])
def test_other_models_do_not_name_an_engine(make_bundle: Callable[[HeadKind], Bundle], numerics: object) -> None:
    """An encoder that was trained with its head, or a record without numerics."""
    bundle = made_with(make_bundle("linear"), numerics, frozen=not isinstance(numerics, str))
    assert bundle.feature_numerics is None
