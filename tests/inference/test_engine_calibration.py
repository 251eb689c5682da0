"""EngineCalibration: measured once, kept, and never in favour of an engine that failed its certificate."""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from tests.gpus import AMPERE, TURING
from tests.inference.test_engine_candidates import stand_in
from tests.said import Said

from limbeck.errors import StorageError
from limbeck.inference import engine_calibration as calibration
from limbeck.inference import engine_candidates, kept, speeds, torch_engine
from limbeck.inference.certificate import Certificate
from limbeck.inference.engine import Engine
from limbeck.inference.engine_calibration import find_calibration, why_not_used
from limbeck.inference.engine_candidates import SAFE, Candidates
from limbeck.inference.quiet import Moment
from limbeck.inference.speeds import Speeds
from limbeck.inference.usage import Usage
from limbeck.model.bundle import Bundle
from limbeck.model.loaded_encoder import LoadedEncoder
from limbeck.native.kernels import NoKernels
from limbeck.runtime import CpuFeatures
from limbeck.settings import HeadKind
from limbeck.tokens import Tokenizer

QUIET = Moment(gflops=50.0, core_share=1.0, at_s=1e9)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Measure briefly, without kernels."""
    monkeypatch.setattr(speeds, "SPEED_ROUNDS", 1)
    monkeypatch.setattr(speeds, "_SHORT_CALLS", 2)
    monkeypatch.setattr(engine_candidates, "find_library", lambda *given: NoKernels(reason="none in this test"))
    for module in (calibration, speeds):
        monkeypatch.setattr(module, "look_at_machine", lambda: QUIET)
    monkeypatch.setattr(kept, "_IN_MEMORY", {})
    monkeypatch.setattr(kept, "_SAID", set())


def use_cpu(monkeypatch: pytest.MonkeyPatch, *, bf16: bool) -> None:
    """Pretend a CPU with or without bfloat16 units."""
    cpu = CpuFeatures(name="a CPU", cores=2, bf16=bf16, amx=False, int8=False, capability="AVX2")
    for module in (calibration, engine_candidates):
        monkeypatch.setattr(module, "cpu_features", lambda: cpu)


def let_bf16_be_faster(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pretend that torch in bfloat16 is twice as fast."""
    twice = Speeds(
        tokens_per_s={SAFE: 1.0, "torch-bfloat16": 2.0},
        one_text_ms={SAFE: 2.0, "torch-bfloat16": 1.0},
        one_text_threads={SAFE: 1, "torch-bfloat16": 1},
        moment=QUIET,
    )
    monkeypatch.setattr(calibration, "measure_speeds", lambda engines: twice)


def test_without_bf16_units_float32_is_the_only_candidate(
    tiny_loaded: LoadedEncoder, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The fallback is float32 itself, so it is never slower than it."""
    use_cpu(monkeypatch, bf16=False)
    found = find_calibration(tiny_loaded, cache_dir=tmp_path)
    assert [one.name for one in found.candidates] == [SAFE]
    assert found.chosen == SAFE
    native = {name: reason for name, reason in found.refused.items() if name.startswith("native-")}
    assert native
    ways = ("multiple of 32", "lacks", "slow")
    assert all(any(way in reason for way in ways) for reason in native.values())


@pytest.mark.parametrize(
    ("distance", "flips", "chosen"),
    [(1e-4, 0.0, "torch-bfloat16"), (4.1e-4, 0.0, SAFE), (1e-4, 0.006, SAFE), (4e-4, 0.005, "torch-bfloat16")],
)
def test_the_fastest_that_passed_is_chosen(
    tiny_loaded: LoadedEncoder,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    distance: float,
    flips: float,
    chosen: str,
) -> None:
    """A faster engine that fails its certificate is not."""
    use_cpu(monkeypatch, bf16=True)
    let_bf16_be_faster(monkeypatch)
    outcome = Certificate(
        texts=9,
        own_texts=0,
        numerics="torch bfloat16 cpu",
        worst_block="mean@2",
        worst_cosine_distance=distance,
        mean_cosine_distance=1e-5,
        flips=flips,
    )
    monkeypatch.setattr(calibration, "certify", lambda engines, exact, usage: dict.fromkeys(engines, outcome))
    assert find_calibration(tiny_loaded, cache_dir=tmp_path).chosen == chosen


@pytest.mark.slow
def test_it_is_kept_until_the_machine_or_the_weights_differ(
    tiny_loaded: LoadedEncoder, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The second call reads what the first wrote; a damaged file is measured again."""
    use_cpu(monkeypatch, bf16=True)
    done: list[str] = []
    measure, compare = calibration.measure_speeds, calibration.certify
    monkeypatch.setattr(calibration, "measure_speeds", lambda engines: done.append("speeds") or measure(engines))
    monkeypatch.setattr(calibration, "certify", lambda *given: done.append("certificates") or compare(*given))
    first = find_calibration(tiny_loaded, cache_dir=tmp_path)
    assert done == ["speeds", "certificates"]
    assert find_calibration(tiny_loaded, cache_dir=tmp_path) == first
    assert done == ["speeds", "certificates"]
    # Weights decide what is near to float32, and the sizes alone how fast it is.
    find_calibration(replace(tiny_loaded, fingerprint="of other weights"), cache_dir=tmp_path)
    assert done == ["speeds", "certificates", "certificates"]
    use_cpu(monkeypatch, bf16=False)
    assert [one.name for one in find_calibration(tiny_loaded, cache_dir=tmp_path).candidates] == [SAFE]
    assert done == ["speeds", "certificates", "certificates", "speeds"]
    use_cpu(monkeypatch, bf16=True)
    for damage in (
        '{"tokens_per_s": 3}',
        '{"tokens_per_s": {}, "one_text_ms": {}, "one_text_threads": 1}',
        "{}",
        "[1]",
        "{",
    ):
        for file in (tmp_path / "calibrations").glob("*.json"):
            file.write_text(damage)
        done.clear()
        assert len(find_calibration(tiny_loaded, cache_dir=tmp_path).candidates) == 2
        assert done == ["speeds", "certificates"], damage


def test_a_trained_encoder_goes_by_its_head_and_a_frozen_one_by_itself(
    make_bundle: Callable[[HeadKind], Bundle], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A probe gets the engine that its features were made with, whatever its own labels would say."""
    use_cpu(monkeypatch, bf16=True)
    let_bf16_be_faster(monkeypatch)
    asked: list[Bundle | None] = []
    kept = Certificate(
        texts=9,
        own_texts=0,
        numerics="torch bfloat16 cpu",
        worst_block="mean@2",
        worst_cosine_distance=0.0,
        mean_cosine_distance=0.0,
        flips=0.0,
    )
    lost = replace(kept, flips=0.5)

    def certified(engines: Mapping[str, Engine], exact: Engine, usage: Usage) -> dict[str, Certificate]:
        asked.append(usage.judge)
        return dict.fromkeys(engines, kept if usage.judge is None else lost)

    monkeypatch.setattr(calibration, "certify", certified)
    trained = make_bundle("classification")
    frozen = replace(
        trained, facts=replace(trained.facts, provenance={"encoder": {"weights": trained.loaded.fingerprint}})
    )
    odd = replace(trained, facts=replace(trained.facts, provenance={"encoder": "unknown"}))
    chosen = [
        find_calibration(bundle.loaded, usage=Usage(classifier=bundle), cache_dir=tmp_path).chosen
        for bundle in (trained, frozen, odd)
    ]
    assert chosen == [SAFE, "torch-bfloat16", SAFE]
    # The odd one has the encoder and head of the trained one: what was found of it is known.
    assert asked == [trained, None]


@pytest.mark.parametrize("way", ["a file in the way", "a full disk"])
def test_a_cache_that_cannot_be_written_is_said_once(
    tiny_loaded: LoadedEncoder, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, way: str
) -> None:
    """What was measured is kept in this process, so that a read-only container loads its models, and measures once."""
    use_cpu(monkeypatch, bf16=True)
    if way == "a file in the way":
        (tmp_path / "calibrations").write_text("here")
    else:

        def full(path: Path, value: object) -> None:
            raise StorageError(f"cannot write {path}: the disk is full")

        monkeypatch.setattr(kept.storage, "write_json", full)
    said = Said()
    first = find_calibration(tiny_loaded, cache_dir=tmp_path, progress=said)
    assert len([line for line in said.lines if "known to this process only" in line]) == 1
    monkeypatch.setattr(calibration, "measure_speeds", None)
    monkeypatch.setattr(calibration, "certify", None)
    assert find_calibration(tiny_loaded, cache_dir=tmp_path, progress=said) == first
    assert len(said.lines) == 3


BUSY = replace(QUIET, core_share=0.4)


LATER = replace(QUIET, at_s=QUIET.at_s + 2 * calibration.FRESH_S)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("then", "now", "again"),
    [
        (QUIET, QUIET, False),
        (QUIET, replace(LATER, gflops=40.0), False),
        (QUIET, replace(LATER, gflops=30.0), True),
        (QUIET, replace(LATER, gflops=80.0), True),
        (QUIET, replace(QUIET, gflops=20.0), False),  # a machine whose pace goes up and down, minutes later
        (BUSY, QUIET, True),
        (BUSY, replace(BUSY, at_s=LATER.at_s), False),
        (QUIET, replace(LATER, gflops=10.0, core_share=0.5), False),
    ],
)
def test_what_was_measured_on_a_busy_machine_is_not_for_ever(
    tiny_loaded: LoadedEncoder, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, then: Moment, now: Moment, again: bool
) -> None:
    """It is measured again once the machine is quiet, or has become another one; never while it is busy."""
    use_cpu(monkeypatch, bf16=True)
    monkeypatch.setattr(speeds, "look_at_machine", lambda: then)
    find_calibration(tiny_loaded, cache_dir=tmp_path)
    done: list[str] = []
    measure = calibration.measure_speeds
    monkeypatch.setattr(calibration, "measure_speeds", lambda engines: done.append("speeds") or measure(engines))
    monkeypatch.setattr(calibration, "look_at_machine", lambda: now)
    find_calibration(tiny_loaded, cache_dir=tmp_path)
    assert bool(done) == again


@pytest.mark.slow
@pytest.mark.parametrize(
    "damage",
    [
        '{"flips": NaN}',
        *(
            pytest.param(damage, marks=pytest.mark.slow)
            for damage in (
                '{"texts": "9"}',
                '{"flips": null}',
                '{"worst_cosine_distance": [1]}',
                '{"texts": true}',
                '{"texts": 0}',
            )
        ),
    ],
)
def test_a_damaged_certificate_is_made_anew(
    tiny_loaded: LoadedEncoder, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, damage: str
) -> None:
    """Values of a wrong type or that are no numbers never reach a comparison."""
    use_cpu(monkeypatch, bf16=True)
    first = find_calibration(tiny_loaded, cache_dir=tmp_path)
    for file in (tmp_path / "calibrations").glob("*.json"):
        values = json.loads(file.read_text())
        if "torch-bfloat16" in values:
            values["torch-bfloat16"] |= json.loads(damage)
            file.write_text(json.dumps(values))
    assert find_calibration(tiny_loaded, cache_dir=tmp_path) == first


def test_another_tokenizer_is_certified_by_itself(
    tiny_loaded: LoadedEncoder, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The same weights under another tokenizer read other tokens."""
    use_cpu(monkeypatch, bf16=True)
    find_calibration(tiny_loaded, cache_dir=tmp_path)
    asked: list[object] = []
    compare = calibration.certify
    monkeypatch.setattr(calibration, "certify", lambda *given: asked.append(given) or compare(*given))
    definition = json.loads(tiny_loaded.tokenizer.content)
    definition["normalizer"]["lowercase"] = False
    other = Tokenizer(definition, max_tokens=24, where="another")
    find_calibration(replace(tiny_loaded, tokenizer=other), cache_dir=tmp_path)
    assert len(asked) == 1


def test_one_process_measures_at_a_time(
    tiny_loaded: LoadedEncoder, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Who waited takes what the other measured; where there are no locks, both measure."""
    use_cpu(monkeypatch, bf16=True)
    first = find_calibration(tiny_loaded, cache_dir=tmp_path / "other")
    honest = kept.patient_lock

    @contextmanager
    def waited(folder: Path, *, patience_s: float) -> Iterator[None]:
        with honest(folder, patience_s=patience_s):
            for file in (tmp_path / "other" / "calibrations").glob("*.json"):
                (folder / file.name).write_bytes(file.read_bytes())
            yield

    monkeypatch.setattr(kept, "patient_lock", waited)
    with monkeypatch.context() as patched:
        patched.setattr(calibration, "measure_speeds", None)
        assert find_calibration(tiny_loaded, cache_dir=tmp_path / "waited") == first

    def refused(folder: Path, *, patience_s: float) -> None:
        raise StorageError("its file system has no locks")

    monkeypatch.setattr(kept, "patient_lock", refused)
    assert len(find_calibration(tiny_loaded, cache_dir=tmp_path / "unlocked").candidates) == 2


RATES = {SAFE: 5.0, "torch-bfloat16": 4.0, "native-amx": 3.0, "native-avx2": 9.0}


@pytest.mark.parametrize(
    ("failing", "slow", "chosen"),
    [
        ((), (), "native-avx2"),
        (("native-avx2",), (), SAFE),
        ((), ("native-avx2",), SAFE),
        (("native-avx2", "torch-bfloat16", "native-amx"), (), SAFE),
    ],
)
def test_no_engine_is_chosen_that_is_slower_than_torch_or_off(
    tiny_loaded: LoadedEncoder,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    failing: tuple[str, ...],
    slow: tuple[str, ...],
    chosen: str,
) -> None:
    """A better instruction set is no reason: what was measured is. Each of the others says why not."""
    use_cpu(monkeypatch, bf16=True)
    native = {name: stand_in(name.removeprefix("native-")) for name in RATES if name.startswith("native-")}
    candidates = Candidates(native=native, torch=(SAFE, "torch-bfloat16"), refused={"native-neon": "no flag"})
    monkeypatch.setattr(calibration, "find_candidates", lambda *given, **named: candidates)
    monkeypatch.setattr(Candidates, "open", lambda self, loaded, name: None)
    rates = RATES | dict.fromkeys(slow, 0.5)
    measured = Speeds(tokens_per_s=rates, one_text_ms=rates, one_text_threads=dict.fromkeys(rates, 2), moment=BUSY)
    monkeypatch.setattr(calibration, "measure_speeds", lambda engines: measured)
    fine = Certificate(
        texts=9,
        own_texts=0,
        numerics="torch bfloat16 cpu",
        worst_block="cls@2",
        worst_cosine_distance=0.0,
        mean_cosine_distance=0.0,
        flips=0.0,
    )
    off = replace(fine, worst_cosine_distance=0.3)
    monkeypatch.setattr(
        calibration,
        "certify",
        lambda engines, exact, usage: {name: off if name in failing else fine for name in engines},
    )
    found = find_calibration(tiny_loaded, cache_dir=tmp_path)
    assert found.chosen == chosen
    assert not found.quiet
    reasons = why_not_used(found, found[chosen])
    assert reasons.keys() == rates.keys() - {chosen} | {"native-neon"}
    assert all("cls@2 is off by 3.0e-01" in reasons[name] for name in failing)
    assert all(reasons[name].startswith("slower: ") for name in slow)
    assert reasons["native-neon"] == "no flag"
    # Of an arithmetic the fastest is the one that a record leads to.
    assert found.fastest("native float32, weights bfloat16 cpu") == found["native-avx2"]
    assert found.fastest("of a later limbeck") is None


def test_a_gpu_is_measured_for_itself(
    tiny_loaded: LoadedEncoder, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Its engines, its certificate, the tokens at a time that were fastest; kept apart from the CPU's and another's."""
    use_cpu(monkeypatch, bf16=False)
    monkeypatch.setattr(torch_engine, "choose_device", lambda device: torch.device("cpu"))
    asked: list[tuple[str, ...]] = []

    def measured(engines: Mapping[str, Engine]) -> Speeds:
        asked.append(tuple(engines))
        rates = {name: 1.0 + place for place, name in enumerate(engines)}
        budgets = {"torch-bfloat16": 131_072} if "torch-bfloat16" in engines else {}
        ones = dict.fromkeys(engines, 1)
        return Speeds(tokens_per_s=rates, one_text_ms=rates, one_text_threads=ones, moment=QUIET, token_budgets=budgets)

    monkeypatch.setattr(calibration, "measure_speeds", measured)
    for _ in range(2):  # the second time from what was kept
        found = find_calibration(tiny_loaded, gpu=AMPERE, cache_dir=tmp_path)
        assert found.gpu == AMPERE
        assert found["torch-bfloat16"].token_budget == 131_072
        assert found[SAFE].token_budget is None
        assert found["torch-bfloat16"].certificate is not None
        assert found.chosen == ("torch-bfloat16" if found["torch-bfloat16"].passed else SAFE)
    assert find_calibration(tiny_loaded, cache_dir=tmp_path).gpu is None
    older = find_calibration(tiny_loaded, gpu=TURING, cache_dir=tmp_path)
    assert [one.numerics for one in older.candidates] == ["torch float32 cuda", "torch float16 cuda"]
    assert asked == [(SAFE, "torch-bfloat16"), (SAFE,), (SAFE, "torch-float16")]
