"""EngineCalibration: measured once, kept, and never in favour of an engine that failed its certificate."""

import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import numpy as np
import pytest

from limbeck.errors import StorageError
from limbeck.inference import certificate, choice, kept, speeds
from limbeck.inference import engine_calibration as calibration
from limbeck.inference.certificate import Certificate, certify
from limbeck.inference.certificate_texts import Sentences, certificate_texts, in_its_words, more_texts, speaks_of
from limbeck.inference.choice import open_engine
from limbeck.inference.engine import Engine
from limbeck.inference.engine_calibration import SAFE, find_calibration
from limbeck.inference.kept import KeptResults
from limbeck.inference.predictor import Predictor
from limbeck.inference.quiet import Moment, look_at_machine
from limbeck.inference.speeds import Speeds
from limbeck.inference.torch_engine import TorchEngine
from limbeck.model.bundle import Bundle
from limbeck.model.encoder import Encoder
from limbeck.model.heads import HeadKind, LinearHead
from limbeck.model.loaded_encoder import LoadedEncoder
from limbeck.model.weights import fingerprint_of
from limbeck.native.kernels import NoKernels
from limbeck.progress import SILENT
from limbeck.runtime import CpuFeatures
from limbeck.settings import Precision
from limbeck.tokens import Tokenized, Tokenizer

QUIET = Moment(gflops=50.0, core_share=1.0, at_s=1e9)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Measure briefly, without kernels."""
    monkeypatch.setattr(speeds, "ROUNDS", 1)
    monkeypatch.setattr(speeds, "_SHORT_CALLS", 2)
    monkeypatch.setattr(calibration, "find_kernels", lambda *given: NoKernels(reason="none in this test"))
    for module in (calibration, speeds):
        monkeypatch.setattr(module, "look_at_machine", lambda: QUIET)
    monkeypatch.setattr(kept, "_IN_MEMORY", {})
    monkeypatch.setattr(kept, "_SAID", set())


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
        for file in (tmp_path / "calibrations").glob("*.json"):
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
    tiny_loaded: LoadedEncoder, make_bundle: Callable[[HeadKind], Bundle], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same drift passes where the head is far from its border, and fails where it lies on it.

    By hand: the head's two logits are the sum of all features and that of its border; so a text's label is 1 when its
    sum is below the border, and leaning every feature by 1e-4 flips the texts whose sum is within F × 1e-4 of it.
    """
    monkeypatch.setattr(certificate, "speaks_of", lambda *given: True)
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


class Said:
    """Notes what a step says."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.track = SILENT.track

    def say(self, line: str) -> None:
        self.lines.append(line)


BUSY = replace(QUIET, core_share=0.4)
LATER = replace(QUIET, at_s=QUIET.at_s + 2 * calibration.FRESH_S)


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


def test_a_moment_has_a_pace_and_a_share() -> None:
    """A few products tell both, whatever else this machine does."""
    moment = look_at_machine()
    assert moment.gflops > 0
    assert 0 < moment.core_share <= 1


@pytest.mark.parametrize(
    "damage",
    [
        '{"texts": "9"}',
        '{"flips": null}',
        '{"flips": NaN}',
        '{"worst_cosine_distance": [1]}',
        '{"texts": true}',
        '{"texts": 0}',
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


def test_results_do_not_gather_without_end(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Beyond a number, those that were not used for longest go."""
    monkeypatch.setattr(kept, "MOST_FILES", 3)
    results = KeptResults(tmp_path)
    for number in range(3):
        results.keep(str(number), number, SILENT)
        os.utime(results.folder / f"{number}.json", (1_000 + number, 1_000 + number))
    assert results.read("0") == 0  # used now
    results.keep("new", 9, SILENT)
    assert sorted(file.stem for file in results.folder.glob("*.json")) == ["0", "2", "new"]
    assert results.count()[0] == 3


def test_one_process_measures_at_a_time(
    tiny_loaded: LoadedEncoder, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Who waited takes what the other measured; where there are no locks, both measure."""
    use_cpu(monkeypatch, bf16=True)
    first = find_calibration(tiny_loaded, cache_dir=tmp_path / "other")
    honest = kept.storage.patient_lock

    @contextmanager
    def waited(folder: Path, *, patience_s: float) -> Iterator[None]:
        with honest(folder, patience_s=patience_s):
            for file in (tmp_path / "other" / "calibrations").glob("*.json"):
                (folder / file.name).write_bytes(file.read_bytes())
            yield

    monkeypatch.setattr(kept.storage, "patient_lock", waited)
    with monkeypatch.context() as patched:
        patched.setattr(calibration, "measure_speeds", None)
        assert find_calibration(tiny_loaded, cache_dir=tmp_path / "waited") == first

    def refused(folder: Path, *, patience_s: float) -> None:
        raise StorageError("its file system has no locks")

    monkeypatch.setattr(kept.storage, "patient_lock", refused)
    assert len(find_calibration(tiny_loaded, cache_dir=tmp_path / "unlocked").candidates) == 2


def test_a_machine_with_one_engine_measures_nothing(
    tiny_loaded: LoadedEncoder, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Where float32 is all there is, it is used at once, and nothing is written."""
    monkeypatch.setattr(choice, "find_calibration", None)
    monkeypatch.setattr(choice, "SMALL_ENCODER_PARAMETERS", 0)
    monkeypatch.setattr(choice, "find_kernels", lambda *given: NoKernels(reason="none in this test"))
    cpu = CpuFeatures(name="a CPU", cores=2, bf16=False, amx=False, int8=False, capability="AVX2")
    monkeypatch.setattr(choice, "cpu_features", lambda: cpu)
    assert open_engine(tiny_loaded, device="cpu", cache_dir=tmp_path).numerics == "torch float32 cpu"
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
    monkeypatch.setattr(choice, "find_kernels", lambda *given: NoKernels(reason="none in this test"))
    bundle, said = made_with(make_bundle("linear"), numerics), Said()
    predictor = Predictor(bundle, device="cpu", precision=precision, progress=said)
    assert predictor.numerics == opened
    is_other = precision == "auto" and opened.split()[1] != numerics.split()[1]
    assert [numerics in line for line in said.lines] == [True] * is_other


@pytest.mark.parametrize("numerics", [None, 3, "torch bfloat16 cpu"])
def test_other_models_do_not_name_an_engine(make_bundle: Callable[[HeadKind], Bundle], numerics: object) -> None:
    """An encoder that was trained with its head, or a record without numerics."""
    bundle = made_with(make_bundle("linear"), numerics, frozen=not isinstance(numerics, str))
    assert bundle.feature_numerics is None


KOREAN = ("나는", "오늘", "기뻐", "슬퍼", "비가", "온다", "아주", "##요", "##다")


def of_words(loaded: LoadedEncoder, words: Sequence[str]) -> LoadedEncoder:
    """The encoder under a tokenizer of these words; of English it knows nothing, or letters."""
    definition = json.loads(loaded.tokenizer.content)
    known = [*(token for token in definition["model"]["vocab"] if token.startswith("[")), *words]
    definition["model"]["vocab"] = {token: place for place, token in enumerate(known)}
    sizes = replace(loaded.config, vocab_size=len(known), max_position_embeddings=64)
    encoder = Encoder(sizes).eval()
    tokenizer = Tokenizer(definition, max_tokens=64, where="other words")
    return LoadedEncoder(name="other", tokenizer=tokenizer, encoder=encoder, fingerprint=fingerprint_of(encoder))


LETTERS = tuple("abcdefghijklmnopqrstuvwxyz") + tuple(f"##{letter}" for letter in "abcdefghijklmnopqrstuvwxyz")


@pytest.mark.parametrize("words", [KOREAN, LETTERS], ids=["unknown", "spelled"])
def test_what_a_tokenizer_does_not_know_is_no_certificate(tiny_loaded: LoadedEncoder, words: Sequence[str]) -> None:
    """Sentences that are [UNK] or letters to it are told in tokens of its own, different ones."""
    loaded = of_words(tiny_loaded, words)
    texts = certificate_texts().texts
    assert not speaks_of(loaded.tokenizer.encode(texts), texts, loaded.tokenizer)
    told = in_its_words(texts, loaded.tokenizer)
    assert set(told.lengths) == {len(text.split()) + 2 for text in texts}
    assert loaded.tokenizer.special_ids["[UNK]"] not in told.ids
    assert len(np.unique(told.ids)) > 8
    np.testing.assert_array_equal(told.ids, in_its_words(texts, loaded.tokenizer).ids)
    seen: list[Tokenized] = []
    exact = TorchEngine(loaded, device="cpu")
    honest = exact.features
    exact.features = lambda given, *rest, **options: (seen.append(given), honest(given, *rest, **options))[1]
    certify({"same": TorchEngine(loaded, device="cpu")}, exact)
    assert loaded.tokenizer.special_ids["[UNK]"] not in seen[0].ids


def test_a_tokenizer_that_knows_the_sentences_is_given_them() -> None:
    """Some pieces more than words are no spelling."""
    pieces = Tokenized(ids=np.arange(10, dtype=np.int32), offsets=np.array([0, 10]), cut_tokens=np.zeros(1, np.int32))
    knows = SimpleNamespace(special_ids={"[UNK]": 1000})
    assert speaks_of(pieces, ["four words are here"], cast("Tokenizer", knows))
    assert not speaks_of(pieces, ["two words"], cast("Tokenizer", knows))


def test_a_classifier_that_says_one_thing_of_all_sentences_is_asked_others(
    tiny_loaded: LoadedEncoder, make_bundle: Callable[[HeadKind], Bundle], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Labels that cannot change are no comparison: it is asked about texts in drawn words as well."""
    monkeypatch.setattr(certificate, "speaks_of", lambda *given: True)
    asked: list[Sequence[str]] = []
    honest = certificate.in_its_words
    monkeypatch.setattr(
        certificate, "in_its_words", lambda texts, tokenizer: (asked.append(texts), honest(texts, tokenizer))[1]
    )
    bundle = make_bundle("linear")
    width = 16 * len(bundle.facts.blocks)
    engine = TorchEngine(tiny_loaded, device="cpu")
    head = LinearHead(np.zeros((3, width)), np.array([0.0, 5.0, 0.0]))
    certify({"same": engine}, engine, replace(bundle, head=head))
    assert len(asked) == 1
