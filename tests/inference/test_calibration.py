"""Calibration: measured once, kept, and never in favour of an engine that failed its certificate."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from limbeck.inference import calibration, certificate, choice, speeds
from limbeck.inference.calibration import SAFE, find_calibration
from limbeck.inference.certificate import Certificate, certify
from limbeck.inference.certificate_texts import Sentences, certificate_texts, more_texts
from limbeck.inference.choice import open_engine
from limbeck.inference.engine import Engine
from limbeck.inference.kernels import NoKernels
from limbeck.inference.speeds import Speeds
from limbeck.inference.torch_engine import TorchEngine
from limbeck.model.bundle import Bundle
from limbeck.model.heads import HeadKind, LinearHead
from limbeck.model.presets import LoadedEncoder
from limbeck.runtime import CpuFeatures, cpu_features


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Measure briefly, without kernels."""
    monkeypatch.setattr(speeds, "ROUNDS", 1)
    monkeypatch.setattr(speeds, "_SHORT_CALLS", 2)
    monkeypatch.setattr(calibration, "find_kernels", lambda *given: NoKernels(reason="none in this test"))


def use_cpu(monkeypatch: pytest.MonkeyPatch, *, bf16: bool) -> None:
    """Pretend a CPU with or without bfloat16 units."""
    cpu = CpuFeatures(name="a CPU", cores=2, bf16=bf16, amx=False, int8=False, capability="AVX2")
    monkeypatch.setattr(calibration, "cpu_features", lambda: cpu)


def let_bf16_be_faster(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pretend that torch in bfloat16 is twice as fast."""
    twice = Speeds(
        tokens_per_s={SAFE: 1.0, "torch-bfloat16": 2.0},
        one_text_ms={SAFE: 2.0, "torch-bfloat16": 1.0},
        one_text_threads=1,
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
    assert found.kernels == "none in this test"


@pytest.mark.parametrize(
    ("distance", "flips", "chosen"),
    [(1e-4, 0.0, "torch-bfloat16"), (2e-3, 0.0, SAFE), (1e-4, 0.006, SAFE), (1e-3, 0.005, "torch-bfloat16")],
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
    outcome = Certificate(texts=9, worst_cosine_distance=distance, mean_cosine_distance=1e-5, flips=flips)
    monkeypatch.setattr(calibration, "certify", lambda engines, exact, classifier: dict.fromkeys(engines, outcome))
    assert find_calibration(tiny_loaded, cache_dir=tmp_path).chosen == chosen


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
        for file in (tmp_path / "calibrations").iterdir():
            file.write_text(damage)
        done.clear()
        assert len(find_calibration(tiny_loaded, cache_dir=tmp_path).candidates) == 2
        assert done == ["speeds", "certificates"], damage


def test_float32_is_certified_exactly(tiny_loaded: LoadedEncoder, make_bundle: Callable[[HeadKind], Bundle]) -> None:
    """An engine is at no distance from itself, with a classifier or without."""
    engine = TorchEngine(tiny_loaded, device="cpu")
    for classifier in (None, make_bundle("linear"), make_bundle("classification")):
        found = certify({"same": engine}, engine, classifier)["same"]
        assert (found.flips, found.passed) == (0.0, True)
        assert found.worst_cosine_distance == pytest.approx(0, abs=1e-9)


def test_vectors_that_are_no_numbers_fail(tiny_loaded: LoadedEncoder) -> None:
    """NaN is not a small distance."""
    exact = TorchEngine(tiny_loaded, device="cpu")
    broken = TorchEngine(tiny_loaded, device="cpu")
    broken.features = lambda *given, **named: exact.features(*given, **named) * np.nan  # type: ignore[method-assign]
    with np.errstate(invalid="ignore"):
        assert not certify({"broken": broken}, exact)["broken"].passed


def leaning(loaded: LoadedEncoder, by: float) -> TorchEngine:
    """Return an engine whose features are all too large by a little."""
    engine = TorchEngine(loaded, device="cpu")
    exact = engine.features
    engine.features = lambda *given, **named: exact(*given, **named) + by  # type: ignore[method-assign]
    return engine


def test_a_classifier_is_certified_by_its_own_labels(
    tiny_loaded: LoadedEncoder, make_bundle: Callable[[HeadKind], Bundle]
) -> None:
    """The same drift passes where the head is far from its border, and fails where it lies on it.

    By hand: the head's two logits are the sum of all features and that of its border; so a text's label is 1 when its
    sum is below the border, and leaning every feature by 1e-4 flips the texts whose sum is within F × 1e-4 of it.
    """
    bundle = make_bundle("linear")
    n_features, by = bundle.head.n_features, 1e-4
    exact = TorchEngine(tiny_loaded, device="cpu")

    def sums(texts: Sequence[str]) -> np.ndarray:
        long = [" ".join(texts[start::7]) for start in range(4)]
        found_NF = exact.features(tiny_loaded.tokenizer.encode([*texts, *long]), bundle.facts.blocks)
        return found_NF.sum(axis=1)

    few_N, more_N = sums(certificate_texts().texts), sums(more_texts().texts)
    middle = float(np.median(few_N))

    def flips(border: float) -> float:
        head = LinearHead(np.stack([np.ones(n_features), np.zeros(n_features)]), np.array([0.0, border]))
        return certify({"off": leaning(tiny_loaded, by)}, exact, replace(bundle, head=head))["off"].flips

    assert flips(middle + 100) == 0.0
    # Just above the median's texts: those within reach below the border change sides. So many, that more are asked.
    border = middle + n_features * by / 2
    of_few, of_more = (float(((n <= border) & (n + n_features * by > border)).mean()) for n in (few_N, more_N))
    assert of_few > 0.005
    assert flips(border) == pytest.approx(of_more)


def test_too_many_flips_are_counted_again_in_more_texts(
    tiny_loaded: LoadedEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two of 292 may be chance: the engine is asked again, and only where its vectors are near enough at all."""
    asked: list[tuple[list[str], int]] = []
    flips = {"fine": [0.0], "chance": [0.0068, 0.002], "lost": [0.0068, 0.006], "far": [0.0068]}

    def compared(
        engines: Mapping[str, Engine], exact: Engine, classifier: Bundle | None, sentences: Sentences
    ) -> dict[str, Certificate]:
        asked.append((list(engines), len(sentences.texts)))
        return {
            name: Certificate(
                texts=len(sentences.texts),
                worst_cosine_distance=0.1 if name == "far" else 0.0,
                mean_cosine_distance=0.0,
                flips=flips[name].pop(0),
            )
            for name in engines
        }

    monkeypatch.setattr(certificate, "_compare", compared)
    engine = TorchEngine(tiny_loaded, device="cpu")
    found = certify(dict.fromkeys(flips, engine), engine)
    assert {name: one.passed for name, one in found.items()} == {
        "fine": True, "chance": True, "lost": False, "far": False,
    }  # fmt: skip
    assert asked == [(list(flips), 288), (["chance", "lost"], 1152)]


def test_a_trained_encoder_goes_by_its_head_and_a_frozen_one_by_itself(
    make_bundle: Callable[[HeadKind], Bundle], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A probe gets the engine that its features were made with, whatever its own labels would say."""
    use_cpu(monkeypatch, bf16=True)
    let_bf16_be_faster(monkeypatch)
    asked: list[Bundle | None] = []
    kept = Certificate(texts=9, worst_cosine_distance=0.0, mean_cosine_distance=0.0, flips=0.0)
    lost = replace(kept, flips=0.5)

    def certified(engines: Mapping[str, Engine], exact: Engine, judge: Bundle | None) -> dict[str, Certificate]:
        asked.append(judge)
        return dict.fromkeys(engines, kept if judge is None else lost)

    monkeypatch.setattr(calibration, "certify", certified)
    trained = make_bundle("classification")
    frozen = replace(
        trained, facts=replace(trained.facts, provenance={"encoder": {"weights": trained.loaded.fingerprint}})
    )
    odd = replace(trained, facts=replace(trained.facts, provenance={"encoder": "unknown"}))
    chosen = [
        find_calibration(bundle.loaded, classifier=bundle, cache_dir=tmp_path).chosen
        for bundle in (trained, frozen, odd)
    ]
    assert chosen == [SAFE, "torch-bfloat16", SAFE]
    # The odd one has the encoder and head of the trained one: what was found of it is known.
    assert asked == [trained, None]


def test_certificate_texts_are_distinct_and_balanced() -> None:
    """Six feelings, equally often."""
    for found in (certificate_texts(), more_texts()):
        assert len(set(found.texts)) == len(found.texts) == len(found.feelings_N)
        assert set(np.bincount(found.feelings_N)) == {len(found.texts) // 6}
    assert len(more_texts().texts) == 4 * len(certificate_texts().texts)


def test_small_encoders_and_wishes_are_not_measured(
    tiny_loaded: LoadedEncoder, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A tiny encoder is float32 at once; a precision that is asked for is obeyed."""
    monkeypatch.setattr(choice, "find_calibration", None)
    assert open_engine(tiny_loaded, device="cpu", cache_dir=tmp_path).numerics == "torch float32 cpu"
    asked = open_engine(tiny_loaded, device="cpu", precision="bfloat16", cache_dir=tmp_path)
    assert asked.numerics == "torch bfloat16 cpu"
    assert cpu_features().cores >= 1
