"""Who computes a training: what is asked for, what an unfinished run was begun in, or the best of the machine."""

import re

import pytest
import torch
from tests.libraries import RUNNABLE

from limbeck.errors import SettingsError
from limbeck.model.blocks import blocks_for
from limbeck.model.config import EncoderConfig
from limbeck.model.encoder import Encoder
from limbeck.model.heads import ClassificationHead, LinearHead
from limbeck.model.network import Network
from limbeck.native import libraries
from limbeck.native.instruction_sets import LIBRARIES
from limbeck.native.kernels import Kernels, NoKernels
from limbeck.settings import EngineName, Precision
from limbeck.training import arithmetic
from limbeck.training.arithmetic import (
    Trainee,
    classifier_trainee,
    find_arithmetic,
    language_trainee,
    native_beside,
    numerics_here,
)

ELSEWHERE = next(library for library in LIBRARIES if library.name not in RUNNABLE)
"""An instruction set that this machine lacks."""


def make_network(dim: int = 64, pooling: str = "cls") -> Network:
    """A small classifier."""
    config = EncoderConfig(
        vocab_size=20, dim=dim, n_layers=1, n_heads=dim // 32 or 1, hidden_dim=64, max_position_embeddings=16
    )
    head = ClassificationHead(dim=dim, n_labels=2) if pooling == "cls" else LinearHead.zeros(2, dim)
    return Network(encoder=Encoder(config), blocks=blocks_for(pooling, None, 1), head=head)


@pytest.fixture
def trainee() -> Trainee:
    """A classifier that kernels can train."""
    return classifier_trainee(make_network())


@pytest.fixture
def is_a_machine_of(monkeypatch: pytest.MonkeyPatch):
    """Let this machine have these libraries only, best first, and units for bfloat16 or not."""

    def become(*names: str, has_bf16: bool) -> None:
        monkeypatch.delenv(libraries.FORCED, raising=False)
        monkeypatch.setattr(arithmetic, "candidate_libraries", lambda: tuple(map(libraries.library_named, names)))
        monkeypatch.setattr(arithmetic, "has_bf16", lambda kind: has_bf16)

    return become


@pytest.mark.parametrize("precision", ["auto", "float32"])
def test_without_units_for_bfloat16_kernels_compute_in_float32(trainee, is_a_machine_of, precision: Precision) -> None:
    """The preset, and what is asked for, are one: exact float32, by compiled kernels."""
    is_a_machine_of("portable", has_bf16=False)
    how = find_arithmetic(trainee, precision=precision)
    assert (how.numerics, how.use_bf16) == ("native float32 (portable) cpu", False)


@pytest.mark.parametrize(
    ("precision", "numerics"),
    [
        ("auto", "native bfloat16, weights float32 (soft) cpu"),
        ("bfloat16", "native bfloat16, weights float32 (soft) cpu"),
        ("float32", "native float32 (portable) cpu"),
    ],
)
def test_with_units_for_bfloat16_the_precision_decides(trainee, is_a_machine_of, precision, numerics) -> None:
    """The best library computes in bfloat16; one that computes in float32 is taken where that is asked for."""
    is_a_machine_of("soft", "portable", has_bf16=True)
    assert find_arithmetic(trainee, precision=precision).numerics == numerics


def test_torch_computes_where_no_kernels_are(trainee, is_a_machine_of, monkeypatch: pytest.MonkeyPatch) -> None:
    """None for this CPU, none in this arithmetic, none without a compiler."""
    is_a_machine_of(has_bf16=False)
    assert find_arithmetic(trainee).numerics == "torch float32 cpu"
    is_a_machine_of("soft", has_bf16=False)
    assert find_arithmetic(trainee).numerics == "torch float32 cpu"
    is_a_machine_of("portable", has_bf16=True)
    assert find_arithmetic(trainee).numerics == "torch bfloat16, weights float32 cpu"
    is_a_machine_of("portable", has_bf16=False)
    monkeypatch.setattr(arithmetic, "find_library", lambda *_, **__: NoKernels(reason="no C++ compiler"))
    assert find_arithmetic(trainee).numerics == "torch float32 cpu"


@pytest.mark.parametrize(
    ("trained", "reason"),
    [
        (lambda: classifier_trainee(make_network(dim=48)), "not a multiple of 32"),
        (lambda: classifier_trainee(make_network(pooling="mean")), "more than [CLS]"),
        (lambda: classifier_trainee(make_network().to("meta")), "compute on the CPU; this is meta"),
        (lambda: language_trainee(make_network(dim=48).encoder), "not a multiple of 32"),
    ],
)
def test_what_kernels_cannot_train_says_why(is_a_machine_of, trained, reason: str) -> None:
    """Torch computes it in silence when nothing is asked for, and an engine that is asked for is refused."""
    is_a_machine_of("portable", has_bf16=False)
    trainee = trained()
    assert find_arithmetic(trainee).numerics == f"torch float32 {trainee.device.type}"
    with pytest.raises(SettingsError, match=re.escape(reason)):
        find_arithmetic(trainee, engine="native-portable")


@pytest.mark.parametrize(
    ("engine", "numerics"),
    [
        ("torch-float32", "torch float32 cpu"),
        ("torch-bfloat16", "torch bfloat16, weights float32 cpu"),
        ("native-portable", "native float32 (portable) cpu"),
        ("native-soft", "native bfloat16, weights float32 (soft) cpu"),
    ],
)
def test_an_engine_that_is_asked_for_computes(trainee, engine: EngineName, numerics: str) -> None:
    """Whether it is fast or not, and whatever an unfinished run was begun in: going on then needs to be accepted."""
    assert find_arithmetic(trainee, engine=engine).numerics == numerics
    assert find_arithmetic(trainee, engine=engine, numerics="native float32 (avx512) cpu").numerics == numerics


def test_an_engine_that_cannot_compute_says_what_is_missing(trainee) -> None:
    """A flag of the CPU, a name, a second word on the same matter."""
    lacking = sorted(ELSEWHERE.cpu_flags - libraries.cpu_flags())
    said = lacking[0] if libraries.machine() in ELSEWHERE.machines else "is for"
    with pytest.raises(SettingsError, match=rf"engine native-{ELSEWHERE.name} cannot be used: .*{said}"):
        find_arithmetic(trainee, engine=f"native-{ELSEWHERE.name}")
    with pytest.raises(SettingsError, match="'native-mmx' is not known: give one of torch-float32"):
        find_arithmetic(trainee, engine="native-mmx")
    with pytest.raises(SettingsError, match="and so does precision = 'float32': give one"):
        find_arithmetic(trainee, engine="native-portable", precision="float32")


def test_kernels_that_the_environment_forces_train(trainee, monkeypatch: pytest.MonkeyPatch) -> None:
    """In their own arithmetic, unless another one is asked for."""
    monkeypatch.setenv(libraries.FORCED, "soft")
    assert find_arithmetic(trainee).numerics == "native bfloat16, weights float32 (soft) cpu"
    assert find_arithmetic(trainee, precision="float32").numerics == "torch float32 cpu"
    monkeypatch.setenv(libraries.FORCED, ELSEWHERE.name)
    with pytest.raises(SettingsError, match=f"{libraries.FORCED}={ELSEWHERE.name} cannot be used"):
        find_arithmetic(trainee)


@pytest.mark.parametrize("name", RUNNABLE)
def test_an_unfinished_run_goes_on_with_the_library_it_was_begun_with(trainee, is_a_machine_of, name: str) -> None:
    """Although the machine has a better one now: bits of libraries differ."""
    begun = find_arithmetic(trainee, engine=f"native-{name}").numerics
    is_a_machine_of(*RUNNABLE, has_bf16=False)
    assert find_arithmetic(trainee, numerics=begun).numerics == begun


@pytest.mark.parametrize(
    "numerics", [f"native float32 ({ELSEWHERE.name}) cpu", "native int3 (quantum) qpu", "native float32 (soft) cpu", ""]
)
def test_a_library_that_is_not_here_gives_way_to_the_best(trainee, is_a_machine_of, numerics: str) -> None:
    """Which must then be accepted."""
    is_a_machine_of("portable", has_bf16=False)
    assert find_arithmetic(trainee, numerics=numerics).numerics == "native float32 (portable) cpu"


def test_a_teacher_computes_beside_its_student(is_a_machine_of) -> None:
    """With the same kernels; with the machine's where the student fits none; with torch where that is asked for."""
    is_a_machine_of("portable", has_bf16=False)
    fitting, odd = (language_trainee(make_network(dim=dim).encoder) for dim in (64, 48))
    how = find_arithmetic(fitting, engine="native-soft")
    beside = native_beside(how, fitting, "native-soft")
    assert beside is not None
    assert isinstance(beside.kernels, Kernels)
    assert beside.kernels.name == "soft"
    assert native_beside(how, odd, "native-soft") is None
    beside = native_beside(find_arithmetic(odd), fitting, None)
    assert beside is not None
    assert beside.kernels.name == "portable"
    assert native_beside(find_arithmetic(odd, engine="torch-float32"), fitting, "torch-float32") is None


def test_what_trains_here_is_said_before_a_training(trainee, is_a_machine_of) -> None:
    """As a run's record will have it."""
    is_a_machine_of("portable", has_bf16=False)
    assert numerics_here(trainee.encoder) == find_arithmetic(trainee).numerics
    assert numerics_here(make_network(dim=48).encoder) == "torch float32 cpu"


@pytest.mark.parametrize(("has_bf16", "said"), [(True, "bfloat16, weights float32"), (False, "float32")])
def test_a_gpu_trains_by_torch(trainee, monkeypatch: pytest.MonkeyPatch, has_bf16: bool, said: str) -> None:
    """In bfloat16 where it has units for it; no kernels are looked for."""
    monkeypatch.setattr(arithmetic, "find_library", None)
    monkeypatch.setattr(arithmetic, "has_bf16", lambda kind: has_bf16)
    assert numerics_here(trainee.encoder, torch.device("cuda")) == f"torch {said} cuda"


def test_float16_trains_nothing(trainee) -> None:
    """Gradients would leave its range: the error names what to give."""
    with pytest.raises(SettingsError, match="cannot train, its range is too small: give torch-float32 or torch-bf"):
        find_arithmetic(trainee, engine="torch-float16")
