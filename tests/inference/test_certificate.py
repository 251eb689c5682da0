"""Certificate: an engine answers as float32 does, in sentences that the encoder and its head can tell apart."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from types import SimpleNamespace
from typing import cast

import numpy as np
import pytest

from limbeck.inference import certificate
from limbeck.inference.certificate import BFLOAT16_LIMITS, FLOAT_LIMITS, Certificate, certify
from limbeck.inference.certificate_texts import Sentences, certificate_texts, in_its_words, more_texts, speaks_of
from limbeck.inference.engine import Engine
from limbeck.inference.torch_engine import TorchEngine
from limbeck.inference.usage import Usage
from limbeck.model.blocks import Block
from limbeck.model.bundle import Bundle
from limbeck.model.encoder import Encoder
from limbeck.model.heads import LinearHead
from limbeck.model.loaded_encoder import LoadedEncoder
from limbeck.model.weights import fingerprint_of
from limbeck.settings import HeadKind
from limbeck.tokens import Tokenized, Tokenizer


def test_float32_is_certified_exactly(tiny_loaded: LoadedEncoder, make_bundle: Callable[[HeadKind], Bundle]) -> None:
    """An engine is at no distance from itself, with a classifier or without."""
    engine = TorchEngine(tiny_loaded, device="cpu")
    for classifier in (None, make_bundle("linear"), make_bundle("classification")):
        found = certify({"same": engine}, engine, Usage(classifier=classifier))["same"]
        assert (found.flips, found.passed) == (0.0, True)
        assert found.worst_cosine_distance == pytest.approx(0, abs=1e-9)


def test_vectors_that_are_no_numbers_fail(tiny_loaded: LoadedEncoder) -> None:
    """NaN is not a small distance."""
    exact = TorchEngine(tiny_loaded, device="cpu")
    broken = TorchEngine(tiny_loaded, device="cpu")
    broken.features = lambda *given, **named: exact.features(*given, **named) * np.nan  # type: ignore[method-assign]
    with np.errstate(invalid="ignore"):
        assert not certify({"broken": broken}, exact)["broken"].passed


def changed(loaded: LoadedEncoder, change: Callable[[np.ndarray, Sequence[Block]], np.ndarray]) -> TorchEngine:
    """Return an engine whose features are changed after they are computed."""
    engine = TorchEngine(loaded, device="cpu")
    exact = engine.features
    engine.features = lambda texts, blocks, **named: change(exact(texts, blocks, **named), blocks)  # type: ignore[method-assign]
    return engine


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_text_without_numbers_has_no_label(
    tiny_loaded: LoadedEncoder, make_bundle: Callable[[HeadKind], Bundle], value: float
) -> None:
    """It is not of class 0 because nothing is larger: it counts as changed, and the engine fails."""

    def spoilt(features_NF: np.ndarray, blocks: Sequence[Block]) -> np.ndarray:
        features_NF = features_NF.copy()
        features_NF[3:6] = value
        return features_NF

    engine, exact = changed(tiny_loaded, spoilt), TorchEngine(tiny_loaded, device="cpu")
    for usage in (Usage(), Usage(classifier=make_bundle("linear"))):
        with np.errstate(invalid="ignore"):
            found = certify({"spoilt": engine}, exact, usage)["spoilt"]
            assert certify({"same": engine}, engine, usage)["same"].flips >= 3 / found.texts
        assert found.flips >= 3 / found.texts
        assert (found.worst_cosine_distance, found.passed) == (2.0, False)


@pytest.mark.parametrize(
    "wrong", [Block(layer=1, pooling="max"), Block(layer=2, pooling="cls"), Block(layer=0, pooling="mean")]
)
def test_every_pooling_of_an_encoder_is_compared(tiny_loaded: LoadedEncoder, wrong: Block) -> None:
    """An engine that is wrong in one block of one layer fails, and the block is named."""

    def turned(features_NF: np.ndarray, blocks: Sequence[Block]) -> np.ndarray:
        features_NF, place = features_NF.copy(), list(blocks).index(wrong)
        features_NF[:, 16 * place] += 0.5
        return features_NF

    found = certify({"off": changed(tiny_loaded, turned)}, TorchEngine(tiny_loaded, device="cpu"))["off"]
    assert not found.passed
    assert found.worst_block == str(wrong)


def test_what_a_head_does_not_see_does_not_matter(
    tiny_loaded: LoadedEncoder, make_bundle: Callable[[HeadKind], Bundle]
) -> None:
    """A trained model's engine is asked for the blocks of its head, and for no others."""
    asked: list[Sequence[Block]] = []
    engine = changed(tiny_loaded, lambda features_NF, blocks: (asked.append(tuple(blocks)), features_NF)[1])
    bundle = make_bundle("classification")
    assert certify({"same": engine}, TorchEngine(tiny_loaded, device="cpu"), Usage(classifier=bundle))["same"].passed
    assert set(asked) == {bundle.facts.blocks}


def test_texts_of_the_users_own_are_compared(tiny_loaded: LoadedEncoder) -> None:
    """An engine that is wrong on them alone fails: sentences made for this would not have shown it."""
    own = ("sunny today !", "it is rain", "so very sad")
    exact = TorchEngine(tiny_loaded, device="cpu")
    known = certify({"same": exact}, exact)["same"].texts

    def wrong_at_the_end(features_NF: np.ndarray, blocks: Sequence[Block]) -> np.ndarray:
        features_NF = features_NF.copy()
        features_NF[known:] *= -1
        return features_NF

    engine = changed(tiny_loaded, wrong_at_the_end)
    assert certify({"off": engine}, exact)["off"].passed
    found = certify({"off": engine}, exact, Usage(texts=own))["off"]
    assert (found.texts, found.own_texts, found.passed) == (known + 3, 3, False)
    assert found.worst_cosine_distance == pytest.approx(2.0)


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
        return certify({"off": leaning(tiny_loaded, by)}, exact, Usage(classifier=replace(bundle, head=head)))[
            "off"
        ].flips

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
        engines: Mapping[str, Engine], exact: Engine, usage: Usage, sentences: Sentences
    ) -> dict[str, Certificate]:
        asked.append((list(engines), len(sentences.texts)))
        return {
            name: Certificate(
                texts=len(sentences.texts),
                own_texts=0,
                numerics="native bfloat16 cpu",
                worst_block="mean@2",
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


@pytest.mark.parametrize(
    ("numerics", "limits"),
    [
        ("native float32, weights bfloat16 cpu", FLOAT_LIMITS),
        ("native bfloat16 cpu", BFLOAT16_LIMITS),
        ("torch bfloat16 cpu", BFLOAT16_LIMITS),
    ],
)
def test_each_arithmetic_has_its_limits(numerics: str, limits: certificate.Limits) -> None:
    """Who rounds less is held to less; the limit itself is kept, what is beyond it is not."""
    at_limit = Certificate(
        texts=300,
        own_texts=0,
        numerics=numerics,
        worst_block="max@1",
        worst_cosine_distance=limits.cosine_distance,
        mean_cosine_distance=0.0,
        flips=limits.flips,
    )
    assert at_limit.passed
    assert not replace(at_limit, flips=limits.flips + 1e-6).passed
    beyond = replace(at_limit, worst_cosine_distance=1.01 * limits.cosine_distance)
    assert (beyond.is_near, beyond.passed) == (False, False)
    assert FLOAT_LIMITS.cosine_distance < BFLOAT16_LIMITS.cosine_distance
    assert FLOAT_LIMITS.flips < BFLOAT16_LIMITS.flips


def test_certificate_texts_are_distinct_and_balanced() -> None:
    """Six feelings, equally often."""
    for found in (certificate_texts(), more_texts()):
        assert len(set(found.texts)) == len(found.texts) == len(found.feelings_N)
        assert set(np.bincount(found.feelings_N)) == {len(found.texts) // 6}
    assert len(more_texts().texts) == 4 * len(certificate_texts().texts)


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
    certify({"same": engine}, engine, Usage(classifier=replace(bundle, head=head)))
    assert len(asked) == 1
