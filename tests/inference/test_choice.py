"""Which engine opens a model: a wish, the one that its features were made with, float32 for small ones."""

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from tests.conformance.drawn import draw_texts, make_loaded
from tests.gpus import AMPERE, TURING
from tests.libraries import RUNNABLE, marks_of
from tests.said import Said

from limbeck.errors import SettingsError
from limbeck.inference import choice, engine_calibration, engine_candidates, speeds, torch_engine
from limbeck.inference.certificate import Certificate
from limbeck.inference.choice import engine_name, open_engine, open_recorded_engine
from limbeck.inference.engine_candidates import SAFE
from limbeck.inference.native_engine import NativeEngine
from limbeck.inference.predictor import Predictor
from limbeck.inference.quiet import Moment
from limbeck.inference.torch_engine import TorchEngine
from limbeck.model.blocks import blocks_for
from limbeck.model.bundle import Bundle
from limbeck.model.loaded_encoder import LoadedEncoder
from limbeck.native import libraries
from limbeck.native.kernels import Kernels, NoKernels
from limbeck.native.libraries import find_library
from limbeck.runtime import CpuFeatures, GpuFeatures
from limbeck.settings import EngineName, HeadKind, Precision
from limbeck.tokens import Tokenizer


def test_small_encoders_and_wishes_are_not_measured(
    tiny_loaded: LoadedEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A tiny encoder is float32 at once; a precision that is asked for is obeyed."""
    monkeypatch.setattr(choice, "find_calibration", None)
    monkeypatch.setattr(engine_candidates, "find_library", lambda *given: NoKernels(reason="none in this test"))
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
        ("torch bfloat16 cuda", True, "auto", "torch float32 cpu"),
        ("torch float16 cuda", True, "auto", "torch float32 cpu"),
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


@pytest.fixture
def wide(tiny_tokenizer: Tokenizer) -> LoadedEncoder:
    """An encoder that kernels can compute."""
    return make_loaded(tiny_tokenizer, dim=64, n_heads=2, hidden_dim=64)


@pytest.mark.parametrize(
    "name",
    [
        "torch-float32",
        "torch-bfloat16",
        "torch-float16",
        *(pytest.param(f"native-{one}", marks=marks_of(one)) for one in RUNNABLE),
    ],
)
def test_an_engine_that_is_named_computes(
    wide: LoadedEncoder, monkeypatch: pytest.MonkeyPatch, name: EngineName
) -> None:
    """Whether it is fast or not, and nothing is measured."""
    monkeypatch.setattr(choice, "find_calibration", None)
    opened = open_engine(wide, engine=name)
    kind, _, which = name.partition("-")
    if kind == "torch":
        assert opened.numerics == f"torch {which} cpu"
    else:
        assert isinstance(opened, NativeEngine)
        assert opened.build == library_digest(which)


def library_digest(name: str) -> str:
    found = find_library(name)
    assert isinstance(found, Kernels)
    return found.digest


@pytest.mark.parametrize(
    ("wishes", "says"),
    [
        ({"engine": "native-avx3"}, "engine = 'native-avx3' is not known: give one of torch-float32"),
        ({"engine": "torch-float32", "precision": "bfloat16"}, "give one"),
        ({"engine": "native-portable", "device": "cuda"}, "computes on the CPU, not on cuda"),
        ({"engine": "native-portable"}, "dim = 16, dim / n_heads = 4 is not a multiple of 32"),
    ],
)
def test_wishes_that_cannot_be(
    tiny_loaded: LoadedEncoder, monkeypatch: pytest.MonkeyPatch, wishes: dict[str, str], says: str
) -> None:
    """Each says what is missing, or which of two to give; no library is looked for, which may have to be compiled."""
    monkeypatch.setattr(engine_candidates, "find_library", None)
    with pytest.raises(SettingsError, match=re.escape(says)):
        open_engine(tiny_loaded, **wishes)


def test_an_engine_for_another_cpu_says_what_is_missing(wide: LoadedEncoder, monkeypatch: pytest.MonkeyPatch) -> None:
    """The flags, by the names that the system has for them."""
    monkeypatch.setattr(libraries, "machine", lambda: "x86_64")
    monkeypatch.setattr(libraries, "_KNOWN", {})
    monkeypatch.setattr(libraries, "cpu_flags", frozenset)
    with pytest.raises(SettingsError, match="engine native-amx cannot be used: this CPU lacks aes, amx_bf16"):
        open_engine(wide, engine="native-amx")


def test_what_a_native_engine_made_is_opened_by_it_again(
    wide: LoadedEncoder, library: Kernels, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A record's words lead back to the same engine, with the same bits; elsewhere float32 computes, and it is said."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv(libraries.FORCED, library.name)
    monkeypatch.setattr(speeds, "SPEED_ROUNDS", 1)
    monkeypatch.setattr(libraries, "_KNOWN", {(library.name, None): library})
    before, said = NativeEngine(wide, library), Said()
    again = open_recorded_engine(wide, before.numerics, device="cpu", progress=said)
    assert (again.numerics, again.build) == (before.numerics, before.build)
    assert not any("float32 computes" in line for line in said.lines)
    texts, blocks = draw_texts((3, 9)), blocks_for("mean", None, 2)
    np.testing.assert_array_equal(again.features(texts, blocks), before.features(texts, blocks))
    monkeypatch.setattr(engine_candidates, "find_library", lambda *given: NoKernels(reason="none in this test"))
    monkeypatch.delenv(libraries.FORCED)
    elsewhere = open_recorded_engine(wide, before.numerics, device="cpu", progress=said)
    assert elsewhere.numerics == "torch float32 cpu"
    assert before.numerics in said.lines[-1]
    assert "float32 computes" in said.lines[-1]


@pytest.mark.parametrize("name", ["torch-float32", "torch-bfloat16", "torch-float16"])
def test_an_engine_has_the_name_that_opens_it(tiny_loaded: LoadedEncoder, name: EngineName) -> None:
    """So that another process computes the same bits."""
    assert engine_name(open_engine(tiny_loaded, device="cpu", engine=name)) == name


def test_a_native_engine_has_the_name_of_its_kernels(wide: LoadedEncoder, library: Kernels) -> None:
    """Arithmetic alone would not say in which order it adds."""
    assert engine_name(NativeEngine(wide, library)) == f"native-{library.name}"


def test_float32_is_torchs_own(wide: LoadedEncoder, monkeypatch: pytest.MonkeyPatch) -> None:
    """Precision float32 is exact, so no kernels with weights in bfloat16 compute it, however fast."""
    monkeypatch.setattr(choice, "find_calibration", None)
    assert open_engine(wide, device="cpu", precision="float32").numerics == "torch float32 cpu"


def outcome(flips: float) -> Certificate:
    """A certificate of an engine that changes this share of the labels."""
    return Certificate(
        texts=9,
        own_texts=0,
        numerics="torch bfloat16 cuda",
        worst_block="mean@2",
        worst_cosine_distance=1e-4,
        mean_cosine_distance=1e-5,
        flips=flips,
    )


@pytest.fixture
def pretended_gpu(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., None]:
    """Pretend a GPU: what is opened on it computes on the CPU, and what is fast on it is what the test says."""

    def pretend(kind: str, gpu: GpuFeatures | None, *, fastest: str = SAFE, flips: float = 0.0) -> None:
        moment = Moment(gflops=50.0, core_share=1.0, at_s=1e9)

        def measured(engines: dict[str, object]) -> speeds.Speeds:
            rates = {name: 2.0 if name == fastest else 1.0 for name in engines}
            ones = dict.fromkeys(engines, 1)
            return speeds.Speeds(
                tokens_per_s=rates,
                one_text_ms=rates,
                one_text_threads=ones,
                moment=moment,
                token_budgets={fastest: 131_072},
            )

        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
        monkeypatch.setattr(choice, "SMALL_ENCODER_PARAMETERS", 0)
        monkeypatch.setattr(choice, "choose_device", lambda device: torch.device(kind))
        monkeypatch.setattr(choice, "gpu_features", lambda device: gpu)
        monkeypatch.setattr(torch_engine, "choose_device", lambda device: torch.device("cpu"))
        monkeypatch.setattr(engine_calibration, "measure_speeds", measured)
        monkeypatch.setattr(
            engine_calibration, "certify", lambda engines, exact, usage: dict.fromkeys(engines, outcome(flips))
        )
        monkeypatch.setattr(engine_calibration, "look_at_machine", lambda: moment)

    return pretend


@pytest.mark.parametrize(
    ("gpu", "fastest", "opened"),
    [
        (AMPERE, "torch-bfloat16", "bfloat16"),
        (TURING, "torch-float16", "float16"),
        (AMPERE, SAFE, "float32"),
        (TURING, SAFE, "float32"),
    ],
)
def test_on_a_gpu_auto_is_what_was_measured_and_certified(
    wide: LoadedEncoder,
    pretended_gpu: Callable[..., None],
    gpu: GpuFeatures,
    fastest: str,
    opened: str,
) -> None:
    """In bfloat16, or float16 where the GPU has no units for that, with the tokens at a time that were fastest."""
    pretended_gpu("cuda", gpu, fastest=fastest)
    engine = open_engine(wide)
    assert isinstance(engine, TorchEngine)
    assert engine.precision == opened
    assert engine.token_budget == 131_072


def test_on_a_gpu_no_engine_is_opened_that_failed_its_certificate(
    wide: LoadedEncoder, pretended_gpu: Callable[..., None]
) -> None:
    """However fast it is; float32 computes then."""
    pretended_gpu("cuda", AMPERE, fastest="torch-bfloat16", flips=0.5)
    engine = open_engine(wide)
    assert isinstance(engine, TorchEngine)
    assert engine.precision == "float32"


@pytest.mark.parametrize(
    ("kind", "gpu", "precision", "opened"),
    [
        ("mps", None, "auto", "float32"),
        ("mps", None, "bfloat16", "bfloat16"),
        ("cuda", AMPERE, "float32", "float32"),
        ("cuda", AMPERE, "bfloat16", "bfloat16"),
    ],
)
def test_on_a_gpu_what_is_asked_for_is_not_measured(
    wide: LoadedEncoder,
    pretended_gpu: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
    kind: str,
    gpu: GpuFeatures | None,
    precision: Precision,
    opened: str,
) -> None:
    """A precision that is named is obeyed; and of Apple's GPU, where nobody tried others, float32 is "auto"."""
    pretended_gpu(kind, gpu)
    monkeypatch.setattr(choice, "find_calibration", None)
    engine = open_engine(wide, precision=precision)
    assert isinstance(engine, TorchEngine)
    assert engine.precision == opened
